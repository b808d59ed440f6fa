"""Whatever ends or hinders a run: it goes on, with any number of ranks, to the film of an undisturbed run."""

import ctypes
import os
import random
import signal
import shutil
import subprocess
import time
import unittest

from film_support import SMALL_FILM, FilmTest, frame_hashes, is_running, mpirun, ranks_of, run

KEYS = {**SMALL_FILM, "input__end": 0, "run__keep_free": 0}  # five segments


class Faults(FilmTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        test = cls("hashes")
        run(test.job("undisturbed", **KEYS), check=True)
        cls.reference = test.hashes("undisturbed")
        cls.segments = test.records("undisturbed")

    def hashes(self, name):
        return frame_hashes(self.folder / name / "final/film_pitchOK.mkv")

    def records(self, name):
        return len(list((self.folder / name / "segments").glob("*.h5")))

    def assert_made(self, name, ranks=1):
        status, output = mpirun(ranks, self.job(name, **KEYS))
        self.assertEqual(status, 0, output)
        self.assertEqual(self.hashes(name), self.reference)
        self.assertEqual(list((self.folder / name).rglob("*.part")), [])
        return output


class Kills(Faults):
    KILLS = 20

    def test_kill_9_of_anything_at_any_instant(self):
        seed = int(os.environ.get("VSR_TEST_SEED", random.randrange(10**6)))
        print(f"VSR_TEST_SEED={seed}", flush=True)
        dice = random.Random(seed)
        kills, films, committed_before = 0, 0, 0
        while kills < self.KILLS:
            name = f"film-{films}"
            ranks = dice.choice((1, 2, 3))
            job = self.begin(name, ranks=ranks, **KEYS)
            # From the first instruction to the last: a film takes three to six seconds.
            time.sleep(dice.choice((dice.uniform(0, 0.8), dice.uniform(0.8, 3), dice.uniform(0.8, 5))))
            if job.poll() is None:
                kills += 1
                known = ranks_of(job)
                victim = job.pid if ranks == 1 or not known or dice.random() < 0.4 else dice.choice([*known.values()])
                os.kill(victim, signal.SIGKILL)
                job.wait(30)
                # Ranks that have lost their mpirun end by themselves.
                for pid in known.values():
                    self.wait_until(lambda: not is_running(pid), timeout=20)
            else:
                self.assertEqual(job.returncode, 0, job.output.read_text())
            committed = self.records(name)
            self.assertGreaterEqual(committed, committed_before, "a committed segment is lost")
            committed_before = committed
            if (self.folder / name / "final/made-from.txt").exists():
                self.assertEqual(self.hashes(name), self.reference, f"film {films}")
                films, committed_before = films + 1, 0
        if committed_before or not films:
            self.assert_made(f"film-{films}", ranks=dice.choice((1, 2, 3)))
            films += 1
        print(f"{kills} kills, {films} films", flush=True)


class Ledgers(Faults):
    def made_before(self, name):
        shutil.copytree(self.folder / "undisturbed", self.folder / name)
        for path in (self.folder / name / "final").iterdir():
            path.unlink()

    def test_records_of_another_job_torn_empty_or_gone_are_made_again(self):
        run(self.job("other", **{**KEYS, "stream__overlap": 2}), check=True)
        self.made_before("ledger")
        segments, chunks = self.folder / "ledger/segments", self.folder / "ledger/chunks"
        shutil.copy(self.folder / "other/segments/0000.h5", segments / "0000.h5")
        (segments / "0001.h5").write_bytes(b"")
        (segments / "0002.h5").write_bytes(os.urandom(4096))
        shutil.copy(segments / "0004.h5", segments / "0003.h5")
        (chunks / "0004.h5").unlink()
        next(segments.glob("0004-*.mov")).write_bytes(b"")
        for index in range(4):
            (chunks / f"000{index}.h5").unlink()
        output = self.assert_made("ledger", ranks=2)
        for words in ("segment 0 has to be made again: its record is of another plan, or of other settings",
                      "segment 1 has to be made again: its record cannot be used",
                      "segment 2 has to be made again: its record cannot be used",
                      "segment 3 has to be made again: its record speaks of another segment",
                      "segment 4 has to be made again: its mezzanine has 0 bytes"):
            self.assertIn(words, output)
        for index in range(5):
            self.assertEqual(len(list(segments.glob(f"000{index}-*"))), 1, "what was replaced is gone")

    def test_leases_of_the_dead_and_rubbish_among_them_hinder_nobody(self):
        self.made_before("leases")
        for path in (self.folder / "leases/chunks").glob("0003*"):
            path.unlink()
        leases = self.folder / "leases/leases"
        (leases / "chunk-0003.lease").write_bytes(os.urandom(100))
        (leases / "start.lease").write_text("vsr-dist lease 1 gone-1-0123456789abcdef gone 1 1 - "
                                            "0123456789abcdef 00000000000000000007\n")
        begin = time.monotonic()
        status, output = run(self.job("leases", **KEYS, cluster__patience=5))
        self.assertEqual(status, 0, output)
        self.assertIn("waiting to plan: process 1 on gone is at it", output)
        self.assertGreater(time.monotonic() - begin, 9)  # twice the patience, one after the other
        self.assertEqual(self.hashes("leases"), self.reference)


class Disks(Faults):
    """In a mount namespace of this process's own, which goes with it."""

    @classmethod
    def setUpClass(cls):
        libc = ctypes.CDLL(None, use_errno=True)
        new_mounts = 0x00020000
        if os.geteuid() != 0 or libc.unshare(new_mounts) != 0:
            raise unittest.SkipTest("no right to make a mount namespace (needs root)")
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        super().setUpClass()

    def disk(self, name, megabytes):
        """A small disk, the run's; a few segments of 40 kB and their records of 30 fit a megabyte."""
        path = self.folder / name
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}M", "none", path], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", path])
        return path

    def fill(self, path, leave=0):
        """Takes all room but `leave` bytes; returns the file to remove."""
        ballast = path / "ballast"
        free = os.statvfs(path).f_bavail * os.statvfs(path).f_frsize - leave
        with open(ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(4096, free))
        return ballast

    def test_a_disk_with_too_little_room_is_waited_for(self):
        path = self.disk("low", 16)
        ballast = self.fill(path, leave=500_000)
        job = self.begin("low", **KEYS)
        self.wait_until(lambda: "paused before" in job.output.read_text(), job)
        time.sleep(2)
        self.assertIsNone(job.poll())
        ballast.unlink()
        output = self.assert_ends(job)
        self.assertIn("the run goes on", output)
        self.assertNotIn("No space left", output)  # nothing was begun that would not fit
        self.assertEqual(self.hashes("low"), self.reference)

    def test_a_disk_that_somebody_fills_is_waited_for(self):
        path = self.disk("full", 16)
        job = self.begin("full", ranks=2, **KEYS)
        self.wait_until(lambda: self.records("full") > 1, job)
        ballast = self.fill(path)
        self.wait_until(lambda: "paused before" in job.output.read_text(), job)
        time.sleep(2)
        ballast.unlink()
        output = self.assert_ends(job)
        self.assertIn("the run goes on", output)
        self.assertEqual(self.hashes("full"), self.reference)

    def test_a_wait_for_room_is_stopped_within_five_seconds(self):
        path = self.disk("stopped", 16)
        self.fill(path, leave=500_000)
        job = self.begin("stopped", **KEYS)
        self.wait_until(lambda: "paused before" in job.output.read_text(), job)
        job.send_signal(signal.SIGTERM)
        begin = time.monotonic()
        self.assert_ends(job, status=143)
        self.assertLess(time.monotonic() - begin, 5)

    def test_a_disk_without_any_room_is_an_error(self):
        self.fill(self.disk("none", 1))
        status, output = run(self.job("none", **KEYS), timeout=60)
        self.assert_one_line_error(status, output, 6, "No space left", "free some space")

    def test_a_read_only_disk_is_an_error_and_one_that_becomes_so_loses_nothing(self):
        path = self.disk("read", 16)
        subprocess.run(["mount", "-o", "remount,ro", path], check=True)
        status, output = run(self.job("read", **KEYS), timeout=60)
        self.assert_one_line_error(status, output, 6, "Read-only file system")
        subprocess.run(["mount", "-o", "remount,rw", path], check=True)
        job = self.begin("read", **KEYS)
        self.wait_until(lambda: self.records("read") > 1, job)
        # Made read-only aside and put over the disk in one step: a mount that somebody writes to by then is busy.
        aside = self.folder / "aside"
        aside.mkdir()
        subprocess.run(["mount", "--bind", path, aside], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", aside], check=True)
        subprocess.run(["mount", "--move", aside, path], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", path])
        status = job.wait(120)
        self.assertEqual(status, 6, job.output.read_text())
        self.assertIn("Read-only file system", job.output.read_text())
        subprocess.run(["mount", "-o", "remount,bind,rw", path], check=True)
        self.assertGreater(self.records("read"), 1)
        self.assert_made("read")


if __name__ == "__main__":
    unittest.main(verbosity=2)
