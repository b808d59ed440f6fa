"""Several jobs on one run directory: they share the film, take over from the dead, and agree on what they make."""

import json
import os
import re
import shutil
import signal
import time
import unittest

from film_support import SMALL_FILM, FilmTest, frame_hashes, ranks_of, run


class SharedRun(FilmTest):
    KEYS = {**SMALL_FILM, "input__end": 0, "cluster__patience": 5}  # five segments

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        test = cls("test_two_jobs_make_every_segment_once")
        run(test.job("undisturbed", **cls.KEYS), check=True)
        cls.reference = test.hashes("undisturbed")

    def hashes(self, name):
        return frame_hashes(self.folder / name / "final/film_pitchOK.mkv")

    def records(self, name):
        return len(list((self.folder / name / "segments").glob("*.h5")))

    def committed(self, name):
        """Segments committed, by the logs of all jobs; those made twice are there twice."""
        text = "".join(log.read_text() for log in (self.folder / name / "log").glob("*.log"))
        return sorted(int(n) for n in re.findall(r"pipeline: segment (\d+) committed", text))

    def assert_tidy(self, name):
        run_dir = self.folder / name
        self.assertEqual(list((run_dir / "leases").iterdir()), [])
        self.assertEqual([p for p in run_dir.rglob("*.part")], [])
        self.assertEqual(len(list((run_dir / "segments").iterdir())), 2 * self.records(name))
        self.assertEqual(sorted(p.name for p in (run_dir / "final").iterdir()), ["film_pitchOK.mkv", "made-from.txt"])

    def test_two_jobs_make_every_segment_once(self):
        keys = {**self.KEYS, "preprocess__width": 128, "preprocess__height": 128}  # takes four times as long
        run(self.job("alone", **keys), check=True)
        one = self.begin("both", **keys)
        self.wait_until(lambda: self.records("both") > 0, one)
        two = self.begin("both", ranks=2, **keys)
        self.assert_ends(one)
        self.assert_ends(two)
        self.assertEqual(self.hashes("both"), self.hashes("alone"))
        self.assertEqual(self.committed("both"), list(range(self.records("both"))))
        self.assert_tidy("both")
        logs = sorted(p.name for p in (self.folder / "both/log").iterdir())
        self.assertEqual(len(logs), 3, logs)  # neither job writes into the other's log
        self.assertIn("rank-0.log", logs)

    def test_mezzanines_that_are_not_kept_are_made_once_and_go(self):
        keys = {**self.KEYS, "segment__keep": "off"}
        jobs = [self.begin("lean", **keys) for _ in range(2)]
        for job in jobs:
            self.assert_ends(job)
        self.assertEqual(self.hashes("lean"), self.reference)
        committed = self.committed("lean")
        self.assertEqual(committed, sorted(set(committed)))
        for folder in ("segments", "chunks", "leases"):
            self.assertEqual(list((self.folder / "lean" / folder).iterdir()), [])
        # What both have made is known of, whoever wrote last.
        page = (self.folder / "lean/report/index.html").read_text()
        data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])
        self.assertEqual(len(data["segments"]), len(committed))
        self.assertEqual(len(data["chunks"]), len(committed))

    def test_a_job_that_stood_still_while_it_joined_the_film_leaves_nothing(self):
        one = self.begin("joining", **self.KEYS)
        final = self.folder / "joining/leases/final.lease"
        self.wait_until(final.exists, one)
        os.kill(one.pid, signal.SIGSTOP)
        self.assertEqual(self.assert_ends(self.begin("joining", **self.KEYS)).count("made "), 1)
        os.kill(one.pid, signal.SIGCONT)
        self.assert_ends(one)
        self.assertEqual(self.hashes("joining"), self.reference)
        self.assert_tidy("joining")

    def test_jobs_that_start_at_the_same_instant_plan_once(self):
        jobs = [self.begin("race", **self.KEYS) for _ in range(3)]
        outputs = [self.assert_ends(job) for job in jobs]
        self.assertEqual(self.hashes("race"), self.reference)
        self.assertEqual(self.committed("race"), list(range(self.records("race"))))
        for output in outputs:
            self.assertIn("made ", output)
        self.assert_tidy("race")

    def test_what_a_killed_job_held_goes_to_the_others_at_once(self):
        one = self.begin("killed", ranks=2, **{**self.KEYS, "cluster__patience": 600})
        self.wait_until(lambda: self.records("killed") > 0, one)
        two = self.begin("killed", **{**self.KEYS, "cluster__patience": 600})
        time.sleep(1)
        self.end(one)
        one.wait()
        self.assert_ends(two, timeout=100)
        self.assertEqual(self.hashes("killed"), self.reference)
        self.assert_tidy("killed")

    def test_a_job_that_stands_still_loses_its_work_and_may_go_on_later(self):
        one = self.begin("still", **self.KEYS)
        self.wait_until(lambda: self.records("still") > 0, one)
        os.kill(one.pid, signal.SIGSTOP)
        two = self.begin("still", **self.KEYS)
        self.assert_ends(two)
        self.assertEqual(self.hashes("still"), self.reference)
        os.kill(one.pid, signal.SIGCONT)
        self.assertIn("made ", self.assert_ends(one))
        self.assertEqual(self.hashes("still"), self.reference)
        self.assert_tidy("still")

    def test_a_job_that_makes_another_film_is_refused_while_one_is_at_work(self):
        keys = {**self.KEYS, "preprocess__width": 128, "preprocess__height": 128}  # takes four times as long
        one = self.begin("differs", **keys)
        self.wait_until(lambda: self.records("differs") > 0, one)
        status, output = run(self.job("differs", **keys) + ["--fresh"])
        self.assert_one_line_error(status, output, 6, "another vsr-dist works in this run directory", str(one.pid))
        status, output = run(self.job("differs", **{**keys, "stream__overlap": 2}))
        self.assert_one_line_error(status, output, 2, "stream.overlap")
        status, output = run(self.job("differs", **{**keys, "final__height": 256}))
        self.assert_one_line_error(status, output, 2, f"process {one.pid} on", "final.height is 192 there and 256 here")
        self.assertIn(f"process {one.pid} on", (self.folder / "differs/lock").read_text())  # who was refused is not there
        self.assert_ends(one)
        self.assert_tidy("differs")
        status, output = run(self.job("differs", **{**keys, "final__height": 256}))
        self.assertEqual(status, 0, output)  # now that nobody is at work

    def test_jobs_that_begin_another_film_together_agree_on_it(self):
        shutil.copytree(self.folder / "undisturbed", self.folder / "anew")
        jobs = [self.begin("anew", **{**self.KEYS, "final__height": 256}) for _ in range(3)]
        for job in jobs:
            self.assertNotIn("is making another film", self.assert_ends(job))
        self.assert_tidy("anew")

    def test_a_rank_that_stands_still_is_named_and_its_work_done_by_others(self):
        job = self.begin("rank", ranks=2, **self.KEYS)
        self.wait_until(lambda: self.records("rank") > 0, job)
        os.kill(ranks_of(job)[1], signal.SIGSTOP)
        output = self.assert_ends(job)
        self.assertRegex(output, "rank 1 on .* has not been heard of for 5 s")
        self.assertIn("rank 1 does not answer any more", output)
        self.assertEqual(self.hashes("rank"), self.reference)
        # It goes on with a rank that comes back, too.
        shutil.rmtree(self.folder / "rank")
        job = self.begin("rank", ranks=2, **self.KEYS)
        self.wait_until(lambda: self.records("rank") > 0, job)
        rank = ranks_of(job)[1]
        os.kill(rank, signal.SIGSTOP)
        self.wait_until(lambda: "has not been heard of" in job.output.read_text(), job)
        os.kill(rank, signal.SIGCONT)
        self.assert_ends(job)
        self.assertEqual(self.hashes("rank"), self.reference)


if __name__ == "__main__":
    unittest.main(verbosity=2)
