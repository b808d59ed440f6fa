"""cluster.storage = local: ranks that see neither film nor run directory make the same film."""

import hashlib
import os
import signal
import subprocess
import time
import unittest

import ranks_test
from film_support import CLIP, FilmTest, environment, frame_hashes, ranks_of, run


def blind(folder, size="64m"):
    """Puts an empty file system over a folder, for one process alone, which goes on as what follows."""
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c",
            f'mount -t tmpfs -o size={size} none "$0" && exec "$@"', str(folder)]


class LocalStorage(FilmTest):
    KEYS = ranks_test.Ranks.KEYS

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.seen = cls.folder / "seen"  # by rank 0 alone
        cls.seen.mkdir()
        status, output = run([*blind(cls.seen), "true"])
        if status != 0:
            raise unittest.SkipTest(f"a process cannot be given a view of its own here: {output.strip()}")
        (cls.seen / "film.mkv").write_bytes(CLIP.read_bytes())
        cls.references = {}

    def job_of(self, name, **keys):
        film = self.seen / "film.mkv"
        return [str(a) for a in self.job(name, self.seen / name, **{**self.KEYS, "input__file": film, **keys})]

    def local_job(self, name, **keys):
        return self.job_of(name, cluster__storage="local", cluster__scratch=self.folder / f"scratch-{name}", **keys)

    def pieces(self, name):
        """What was made: bytes of mezzanines and chunks, pictures of the film (its header has a date)."""
        files = sorted((self.seen / name).glob("segments/*[!h5]")) + sorted((self.seen / name).glob("chunks/*.nut"))
        sums = {f"{f.parent.name}/{f.name[:4]}": hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
        return sums, frame_hashes(self.seen / name / "final/film_pitchOK.mkv")

    def reference(self, **keys):
        """The same job by one process."""
        name = "shared-" + "-".join(map(str, keys.values()))
        if name not in self.references:
            run(self.job_of(name, **keys), check=True)
            self.references[name] = self.pieces(name)
        return self.references[name]

    def command(self, job, others, roles=(), first=(), size="64m"):
        """Rank 0 sees all; then so many ranks that do not, and those with a role of their own."""
        command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", "1", *job, *first]
        if others:
            command += [":", "-n", str(others), *blind(self.seen, size), *job]
        for role in roles:
            command += [":", "-n", "1", *blind(self.seen), *job, f"--role={role}"]
        return command

    def log(self, name, rank):
        return (self.folder / f"scratch-{name}/rank-{rank}/log/rank-{rank}.log").read_text()

    def assert_scratch_is_clear(self, name):
        left = [p for p in (self.folder / f"scratch-{name}").rglob("*") if p.is_file()]
        self.assertEqual({p.suffix for p in left}, {"", ".log"}, left)  # lock, log

    def test_ranks_that_see_nothing_need_it(self):
        status, output = run(self.command(self.job_of("needed"), 1))
        self.assertNotEqual(status, 0, output)
        self.assertIn("film.mkv: no such file", output)

    def test_one_two_and_four_ranks_make_the_same_bytes(self):
        for ranks in (1, 2, 4):
            name = f"ranks-{ranks}"
            status, output = run(self.command(self.local_job(name), ranks - 1))
            self.assertEqual(status, 0, output)
            self.assertEqual(self.pieces(name), self.reference(), output)
            for rank in range(1, ranks):
                self.assertIn("handed in", self.log(name, rank))
            if ranks > 1:
                self.assert_scratch_is_clear(name)

    def test_a_rank_that_only_encodes_reads_mezzanines_from_afar(self):
        name = "roles"
        status, output = run(self.command(self.local_job(name), 1, ["encode"]))
        self.assertEqual(status, 0, output)
        self.assertIn("2 of 3 ranks upscale", output)
        self.assertIn("the chunk of segment", self.log(name, 2))
        self.assertNotIn("network", self.log(name, 2))
        self.assertEqual(self.pieces(name), self.reference())

    def test_the_lossless_copy_is_read_from_afar(self):
        name = "copy"
        keys = dict(preprocess__mezzanine="always")
        status, output = run(self.command(self.local_job(name, **keys), 2))
        self.assertEqual(status, 0, output)
        self.assertTrue((self.seen / name / "timeline.mkv").exists())
        self.assertEqual(self.pieces(name), self.reference(**keys))

    def test_segments_without_mezzanines(self):
        name = "none"
        keys = dict(segment__codec="none")
        status, output = run(self.command(self.local_job(name, **keys), 2))
        self.assertEqual(status, 0, output)
        self.assertEqual(self.pieces(name), self.reference(**keys))

    def test_mezzanines_that_are_not_kept_go_at_rank_0(self):
        name = "lean"
        status, output = run(self.command(self.local_job(name, segment__keep="off"), 2))
        self.assertEqual(status, 0, output)
        self.assertFalse(list((self.seen / name).glob("segments/*.mov")))
        self.assertEqual(self.pieces(name)[1], self.reference()[1])

    def is_handing_in(self, name):
        try:
            log = self.log(name, 1)
        except OSError:  # not yet
            return False
        return log.count(" committed: ") > log.count(" handed in: ")

    def test_kill_9_of_a_rank_in_the_middle_of_a_transfer(self):
        name = "bereft"
        job = self.local_job(name)
        command = self.command(job, 1, first=["--role=encode"])  # so that rank 1 makes all mezzanines
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                   stderr=subprocess.DEVNULL, env=environment(), start_new_session=True)
        segments = self.seen / name / "segments"
        deadline = time.monotonic() + 120
        while True:  # until rank 0 is stopped while rank 1 has a piece that it has not handed in
            self.assertLess(time.monotonic(), deadline, "no transfer was met")
            self.assertIsNone(process.poll(), "ended before a transfer was met")
            if not self.is_handing_in(name):
                continue
            zero = ranks_of(process).get(0)
            os.kill(zero, signal.SIGSTOP)
            time.sleep(0.2)
            if self.is_handing_in(name):
                break
            os.kill(zero, signal.SIGCONT)
        os.kill(ranks_of(process).get(1), signal.SIGKILL)
        self.assertNotEqual(process.wait(timeout=60), 0)
        kept = {p: p.stat().st_mtime_ns for p in segments.glob("*.h5")}
        self.assertLess(len(kept), 4, "killed too late to show anything")
        status, output = run(self.command(job, 2))
        self.assertEqual(status, 0, output)
        for path, changed in kept.items():
            self.assertEqual(path.stat().st_mtime_ns, changed, "a committed segment was made again")
        self.assertEqual(self.pieces(name), self.reference())
        self.assert_scratch_is_clear(name)

    def test_what_a_full_scratch_disk_stops_is_made_elsewhere(self):
        name = "full"
        job = self.job_of(name, cluster__storage="local", cluster__scratch=self.seen / "scratch")
        status, output = run(self.command(job, 1, size="200k"))
        self.assertEqual(status, 0, output)
        self.assertIn("(cluster.scratch)", output)
        self.assertEqual(self.pieces(name), self.reference())

    def test_mezzanines_leave_the_scratch_disk_when_room_is_short(self):
        name = "short"
        job = self.job_of(name, cluster__storage="local", cluster__scratch=self.seen / "scratch")
        # Rank 0 encodes, so that rank 1 would keep all it makes, some 1.5 MB.
        status, output = run(self.command(job, 1, first=["--role=encode"], size="900k"))
        self.assertEqual(status, 0, output)
        self.assertNotIn("(cluster.scratch)", output)
        self.assertEqual(self.pieces(name), self.reference())

    def test_what_cannot_be_carried_is_refused(self):
        status, output = run(self.local_job("png", segment__codec="png"))
        self.assert_one_line_error(status, output, 2, "cluster.storage = local", "segment.codec = png")
        pictures = self.seen / "pictures"
        pictures.mkdir()
        run(["ffmpeg", "-v", "error", "-i", CLIP, "-frames:v", "5", pictures / "%03d.png"], check=True)
        status, output = run(self.local_job("images", input__file=pictures / "%03d.png"))
        self.assert_one_line_error(status, output, 2, "cluster.storage = local", "input.file",
                                   "preprocess.mezzanine = always")

    def test_a_scratch_directory_that_is_somebody_elses_is_left_alone(self):
        name = "foreign"
        letter = self.folder / f"scratch-{name}/rank-1/segments/letter.txt"
        letter.parent.mkdir(parents=True)
        letter.write_text("keep")
        status, output = run(self.command(self.local_job(name), 1))
        self.assertNotEqual(status, 0, output)
        self.assertIn("give another cluster.scratch", output)
        self.assertEqual(letter.read_text(), "keep")


if __name__ == "__main__":
    unittest.main(verbosity=2)
