"""Jobs that only encode beside one that upscales: hosts without a GPU share the film's encode."""

import contextlib
import json
import re
import shutil
import signal
import unittest

from film_support import PROGRAM, SMALL_FILM, FilmTest, frame_hashes, run

ENCODE = "--role=encode"


class EncodeJob(FilmTest):
    # Five segments. Chunks take their time, and a job that dies is known to be dead at once, on one host.
    KEYS = {**SMALL_FILM, "input__end": 0, "final__height": 1152, "final__preset": "placebo", "cluster__patience": 600,
            "status__listen": "off"}
    SEGMENTS = 5

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        test = cls("test_it_encodes_what_another_job_upscales")
        run(test.job("alone", **cls.KEYS), check=True)
        cls.reference = test.hashes("alone")

    def hashes(self, name):
        return frame_hashes(self.folder / name / "final/film_pitchOK.mkv")

    def records(self, name, pieces="segments"):
        return len(list((self.folder / name / pieces).glob("*.h5")))

    def says(self, process, text):
        self.wait_until(lambda: text in process.output.read_text(), process)

    def status(self, name):
        _, output = run([PROGRAM, "status", "--json", self.folder / name], check=True)
        return json.loads(output)

    def chunks_of(self, process):
        return sorted(int(n) for n in re.findall(r"assemble: chunk (\d+) committed", process.output.read_text()))

    @contextlib.contextmanager
    def held(self, name, *chunks):
        """Nobody encodes these meanwhile: as if a job on another host did."""
        folder = self.folder / name / "leases"
        folder.mkdir(parents=True, exist_ok=True)
        leases = [folder / f"chunk-{chunk:04}.lease" for chunk in chunks]
        for number, lease in enumerate(leases):
            lease.write_text(f"vsr-dist lease 1 a-test elsewhere 1 0 - {number:016x} {0:020}\n")
        yield
        for lease in leases:
            lease.unlink()

    def assert_upscales_nothing(self, *processes):
        for process in processes:
            self.assertNotIn("pipeline: segment", process.output.read_text())
            self.assertNotIn("network x4", process.output.read_text())

    def assert_whole(self, name):
        self.assertEqual(self.hashes(name), self.reference)
        run_dir = self.folder / name
        self.assertEqual(list((run_dir / "leases").iterdir()), [])
        self.assertEqual([p for p in run_dir.rglob("*.part")], [])

    def test_it_encodes_what_another_job_upscales(self):
        encoders = self.begin("both", options=[ENCODE, "--model.checkpoint=/nowhere/weights.pth"], **self.KEYS)
        self.says(encoders, "waiting for the run's plan")
        self.wait_until(lambda: list((self.folder / "both/status").glob("*.json")), encoders)
        status = self.status("both")
        self.assertEqual(status["state"], "planning")
        self.assertIn("a job that upscales makes", status["message"])
        self.assertFalse((self.folder / "both/plan.h5").exists())
        with self.held("both", *range(self.SEGMENTS)):
            upscales = self.begin("both", **self.KEYS)
            self.wait_until(lambda: self.records("both") == self.SEGMENTS, upscales)
            upscales.send_signal(signal.SIGSTOP)
        self.wait_until(lambda: self.chunks_of(encoders), encoders)
        upscales.send_signal(signal.SIGCONT)
        self.assert_ends(upscales)
        self.assert_ends(encoders)
        self.assert_upscales_nothing(encoders)
        self.assertRegex(encoders.output.read_text(), r"this job only encodes, \d+ chunks? at once")
        # Whoever comes first; each of them once.
        self.assertEqual(sorted(self.chunks_of(encoders) + self.chunks_of(upscales)), list(range(self.SEGMENTS)))
        self.assert_whole("both")
        # By what is upscaled is for the other one to say.
        self.assertNotIn("/nowhere", (self.folder / "both/job.ini").read_text())

    def makes_the_film_when_the_other_has_upscaled_all_and_gets(self, number, status, name, **begin):
        with self.held(name, self.SEGMENTS - 1):  # or the film might be made first
            upscales = self.begin(name, **self.KEYS)
            encoders = self.begin(name, options=[ENCODE], **begin, **self.KEYS)
            self.wait_until(lambda: self.records(name) == self.SEGMENTS, upscales)
            upscales.send_signal(number)
            self.assert_ends(upscales, status)
        output = self.assert_ends(encoders)
        self.assertIn("made ", output)
        self.assertNotIn("nobody upscales", output)
        self.assert_upscales_nothing(encoders)
        self.assert_whole(name)

    def test_it_makes_the_film_when_the_job_that_has_upscaled_all_is_killed(self):
        self.makes_the_film_when_the_other_has_upscaled_all_and_gets(signal.SIGKILL, -signal.SIGKILL, "killed", ranks=2)

    def test_it_makes_the_film_when_the_job_that_has_upscaled_all_is_stopped(self):
        self.makes_the_film_when_the_other_has_upscaled_all_and_gets(signal.SIGTERM, 143, "stopped")

    def test_it_waits_for_another_job_where_nobody_upscales(self):
        upscales = self.begin("late", **self.KEYS)
        self.wait_until(lambda: self.records("late") > 0, upscales)
        self.end(upscales)
        upscales.wait()
        there = self.records("late")
        self.assertLess(there, self.SEGMENTS)
        encoders = self.begin("late", options=[ENCODE], **self.KEYS)
        self.says(encoders, f"nobody upscales: {self.SEGMENTS - there} segment")
        self.wait_until(lambda: self.records("late", "chunks") == there, encoders)
        self.wait_until(lambda: "nobody upscales" in self.status("late")["message"], encoders)
        status = self.status("late")
        self.assertEqual((status["state"], status["segments_upscaled"], status["segments_total"], status["left_s"]),
                         ("working", there, self.SEGMENTS, -1))
        self.assertEqual(self.records("late"), there)
        # Each of both signals ends the wait, and the next such job goes on.
        for number, expected in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            encoders.send_signal(number)
            self.assert_ends(encoders, expected, timeout=60)
            encoders = self.begin("late", options=[ENCODE], **self.KEYS)
            self.says(encoders, "nobody upscales")
        self.assert_ends(self.begin("late", **self.KEYS))
        self.assert_upscales_nothing(encoders)
        self.assert_ends(encoders)
        self.assert_whole("late")

    def test_damaged_segments_are_made_again_by_the_job_that_upscales(self):
        shutil.copytree(self.folder / "alone", self.folder / "damaged")
        for left in ("chunks", "final"):
            shutil.rmtree(self.folder / "damaged" / left)
        for segment in (0, 2, 3, 4):
            mezzanine = next((self.folder / "damaged/segments").glob(f"{segment:04}-*.mov"))
            content = bytearray(mezzanine.read_bytes())
            content[len(content) // 2] ^= 0xff
            mezzanine.write_bytes(content)
        # However many there are.
        encoders = self.begin("damaged", options=[ENCODE], **self.KEYS)
        self.wait_until(lambda: self.records("damaged") == self.SEGMENTS - 4, encoders)
        self.wait_until(lambda: "nobody upscales" in self.status("damaged")["message"], encoders)
        self.assert_ends(self.begin("damaged", **self.KEYS))
        self.assert_ends(encoders)
        self.assert_upscales_nothing(encoders)
        self.assert_whole("damaged")

    def test_it_goes_on_where_runs_are_not_to_be_resumed(self):
        self.assertIn("made ", self.assert_ends(self.begin("alone", options=[ENCODE], run__resume="off", **self.KEYS)))

    def test_one_that_waits_is_named_to_who_wants_to_start_over(self):
        encoders = self.begin("in-the-way", options=[ENCODE], **self.KEYS)
        self.says(encoders, "waiting for the run's plan")
        status, output = run(self.job("in-the-way", **self.KEYS) + ["--fresh"])
        self.assert_one_line_error(status, output, 6, "end the jobs that only encode first", f"process {encoders.pid} on")
        self.assertIn(f"process {encoders.pid} on", (self.folder / "in-the-way/lock").read_text())

    def test_the_wait_for_a_plan_ends_by_a_polite_signal(self):
        for ranks, number in ((1, signal.SIGINT), (2, signal.SIGUSR1)):
            job = self.begin(f"waits-{ranks}", ranks=ranks, options=[ENCODE], **self.KEYS)
            self.says(job, "waiting for the run's plan")
            job.send_signal(number)
            output = self.assert_ends(job, 130, timeout=60)
            self.assertIn("stopped while it waited for the run's plan", output)
            run_dir = self.folder / f"waits-{ranks}"
            self.assertEqual([list((run_dir / folder).iterdir()) for folder in ("leases", "status")], [[], []])
            self.assertFalse((run_dir / "plan.h5").exists())

    def test_it_is_refused_where_it_would_have_nothing_to_do(self):
        for words in (["segment__codec", "none"], ["cluster__final", "central"], ["cluster__encoders", 0]):
            status, output = run(self.job("refused", **{**self.KEYS, words[0]: words[1]}) + [ENCODE])
            self.assert_one_line_error(status, output, 2, words[0].replace("__", "."))
        status, output = run(self.job("refused", **{**self.KEYS, "final__encoder": "copy", "final__height": "native"})
                             + [ENCODE])
        self.assert_one_line_error(status, output, 2, "final.encoder = copy")
        status, output = run(self.job("refused", **self.KEYS) + [ENCODE, "--fresh"])
        self.assert_one_line_error(status, output, 2, "--fresh")
        status, output = run(self.job("refused", **self.KEYS) + [ENCODE, "--dry-run"])
        self.assert_one_line_error(status, output, 2, "--role=encode", "--dry-run")
        self.assertFalse((self.folder / "refused").exists())
        status, output = run(self.job("alone", **{**self.KEYS, "segment__frames": 5}) + [ENCODE])
        self.assert_one_line_error(status, output, 2, "segment.frames")


if __name__ == "__main__":
    unittest.main(verbosity=2)
