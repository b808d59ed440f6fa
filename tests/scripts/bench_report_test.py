#!/usr/bin/env python3
"""Tests where scripts/bench/report stops: before hours of a CPU's work are called a GPU's report."""

import pathlib
import subprocess
import tempfile
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts/bench/report"


class Report(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.build = pathlib.Path(folder.name)

    def program(self, name, text):
        path = self.build / name
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)

    def report(self):
        return subprocess.run([SCRIPT, "--build", self.build.name], cwd=self.build.parent, capture_output=True,
                              text=True, timeout=60)

    def test_without_programs_it_says_what_makes_them(self):
        run = self.report()
        self.assertEqual(run.returncode, 1)
        self.assertEqual(run.stderr,
                         f"report: no vsr-dist in {self.build}; scripts/build vsr-dist vsr-bench makes it\n")

    def test_without_a_gpu_it_measures_nothing(self):
        self.program("vsr-dist", "exit 1\n")
        self.program("vsr-bench", f'echo "$1" >> {self.build}/asked\necho "vsr-bench: no GPU" >&2\nexit 5\n')
        run = self.report()
        self.assertEqual(run.returncode, 5)
        self.assertEqual(run.stderr, "vsr-bench: no GPU\n")
        self.assertEqual((self.build / "asked").read_text(), "ceilings\n")

    def test_with_one_it_goes_on(self):
        self.program("vsr-dist", "exit 0\n")
        self.program("vsr-bench", "echo made\n")
        run = self.report()
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertIn("## prores\n\nmade\n", run.stdout)


if __name__ == "__main__":
    unittest.main()
