#!/usr/bin/env python3
"""Tests what scripts/bench/peer does without a GPU: reading vsr-bench's table, saying in a line what is wrong."""

import pathlib
import runpy
import subprocess
import sys
import tempfile
import types
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts/bench/peer"
OUTPUT = """GPU; copy 2988 GB/s

| network        |     size |  T | queued by | frames/s |
| -------------- | -------- | -- | --------- | -------- |
| x4 c64 n7 fp16 | 1024x432 | 30 |    kernel |    69.80 |
| x4 c64 n7 fp16 | 1024x432 | 30 |     graph |    69.90 |

| part     | ms a frame |
| -------- | ---------- |
| features |      0.682 |
"""


class Peer(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.bench = pathlib.Path(folder.name) / "vsr-bench"

    def fake_bench(self, status):
        self.bench.write_text(f"#!{sys.executable}\nprint({OUTPUT!r}, end='')\nraise SystemExit({status})\n")
        self.bench.chmod(0o755)

    def test_reads_the_rate_of_the_network(self):
        self.fake_bench(0)
        options = types.SimpleNamespace(bench=self.bench, checkpoint="c.pth", size=(1024, 432), frames=30, film=None)
        self.assertEqual(runpy.run_path(str(SCRIPT))["ours"](options), 69.90)

    def run_script(self, *words):
        return subprocess.run([sys.executable, "-B", SCRIPT, "--site", "nowhere", "--bench", self.bench, *words],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_says_in_a_line_that_the_bench_failed(self):
        self.fake_bench(5)
        result = self.run_script()
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr, r"\Apeer: .*status 5\.\n\Z")

    def test_refuses_unknown_modes(self):
        result = self.run_script("--modes", "half,quarter")
        self.assertEqual(result.returncode, 2)
        self.assertIn("half,quarter", result.stderr)


if __name__ == "__main__":
    unittest.main()
