"""--dry-run: what it measures and counts, once for all ranks, and that it makes nothing."""

import json
import re
import subprocess
import unittest

from film_support import CLIP, FilmTest, environment, mpirun, run


class DryRun(FilmTest):
    KEYS = dict(input__file=CLIP, preprocess__width=64, preprocess__height=64, segment__frames=6,
                segment__scene_cuts="off", stream__overlap=1, stream__max_seq_len=8, final__height=256, final__fps=24,
                final__preset="ultrafast", final__variants="pitchOK")

    def dry(self, name, ranks=1, **more):
        status, output = mpirun(ranks, self.job(name, **{**self.KEYS, **more}) + ["--dry-run"])
        self.assertEqual(status, 0, output)
        return {line.split()[0]: line for line in output.splitlines() if line.strip()}, output

    def snapshot(self, name):
        return {path: path.stat().st_mtime_ns for path in (self.folder / name).rglob("*")}

    def remove(self, name, *patterns):
        for pattern in patterns:
            found = list((self.folder / name).glob(pattern))
            self.assertTrue(found, pattern)
            for path in found:
                path.unlink()

    def test_measures_the_encode_and_says_what_it_measured(self):
        lines, _ = self.dry("unmade")
        for word in ("about", "the processors of 1 rank", "fps", "made-up pictures on the CPU"):
            self.assertIn(word, lines["upscaling"])
        for word in ("about", "threads", "core-seconds a frame", "21 pictures of this film", "enlarged by Lanczos"):
            self.assertIn(word, lines["encoding"].replace("1 thread", "threads"))
        self.assertIn("in all", lines["time"])
        self.assertFalse((self.folder / "unmade").exists())

    def test_tells_hours_and_dollars_on_gpus_that_can_be_rented(self):
        lines, output = self.dry("rented")
        self.assertIn("by the figures of docs/costs.md, since none was measured here", lines["rented"])
        rows = [line for line in output.splitlines() if line.strip().startswith("NVIDIA ")]
        self.assertEqual(len(rows), 15, output)
        for row in rows:
            self.assertRegex(row, r"NVIDIA [\w .-]+?( ~)? +\d+ +\d+\.\d\d( \| +[\d.]+ +[\d.]+ +[\d.]+ +\$[\d.]+){2}$")
        dollars = [float(row.split("|")[1].split("$")[1]) for row in rows]
        self.assertEqual(dollars, sorted(dollars))
        lines, _ = self.dry("exact", model__precision="fp32")
        self.assertIn("not told for rented GPUs: how fast c32n3 is on them but in half precision", lines["rented"])
        lines, _ = self.dry("nothing", final__encoder="copy", final__height="native")
        self.assertIn("hours and dollars", lines["rented"])

    def test_as_json_it_tells_the_same(self):
        words = [*self.job("json", **self.KEYS), "--dry-run", "--json"]
        done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              env=environment(), timeout=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual(found["timeline"], {"frames": 21, "width": 64, "height": 64, "fps": 25.0})
        self.assertEqual(found["network"]["name"], "c32n3")
        self.assertEqual((found["plan"]["segment_frames"], found["made"]), (6, False))
        time = found["time"]
        self.assertEqual((time["gpus"], time["gpu"]), (0, ""))
        for stage in ("upscaling", "encoding"):
            self.assertAlmostEqual(time[stage]["s"] * time[stage]["fps"], 21, delta=21)  # the last piece is one worker's
            self.assertGreaterEqual(time["s"], time[stage]["s"])
        self.assertEqual(len(time["rented"]), 2 * 15)
        self.assertEqual({row["count"] for row in time["rented"]}, {1, 4})
        self.assertTrue(all(row["dollars"] > 0 and row["hours"] > row["upscaling_h"] for row in time["rented"]))
        self.assertEqual(run([*self.job("json", **self.KEYS), "--json"])[0], 2)

    def test_says_it_once_for_all_ranks(self):
        lines, output = self.dry("ranks", ranks=2, cluster__encoders=3)
        for name in ("input", "plan", "upscaling", "encoding", "time", "rented"):
            self.assertEqual(len(re.findall(f"^{name} ", output, re.M)), 1, output)
        self.assertIn("the processors of 2 ranks", lines["upscaling"])
        self.assertIn("6 encoders of", lines["encoding"])
        self.assertFalse((self.folder / "ranks").exists())

    def test_an_error_is_told_once_too(self):
        for keys, expected in (({"input__file": "/nonexistent.mkv"}, 3), ({"final__preset": "slwo"}, 2)):
            status, output = mpirun(2, self.job("wrong", **{**self.KEYS, **keys}) + ["--dry-run"])
            self.assert_one_line_error(status, output, expected)

    def test_all_ways_of_the_final_encode(self):
        for more, words in [
            ({"cluster__final": "central"}, ["1 encoder of", "core-seconds"]),
            ({"segment__codec": "none"}, ["1 encoder of", "core-seconds"]),
            ({"final__encoder": "copy", "final__height": "native"}, ["none: the segments are joined as they are"]),
        ]:
            with self.subTest(more=more):
                lines, _ = self.dry("ways", **more)
                for word in words:
                    self.assertIn(word, lines["encoding"])

    def test_counts_what_is_left_and_touches_nothing(self):
        status, output = run(self.job("begun", **self.KEYS))
        self.assertEqual(status, 0, output)
        lines, _ = self.dry("begun")
        self.assertIn("the film is made already", lines["time"])
        self.assertNotIn("encoding", lines)
        self.assertNotIn("rented", lines)
        self.remove("begun", "chunks/0001*", "chunks/0003*.h5", "final/film_pitchOK.mkv")
        before = self.snapshot("begun")
        lines, _ = self.dry("begun")
        self.assertEqual(self.snapshot("begun"), before)
        self.assertIn("4 of 4 segments are upscaled, 2 encoded", lines["done"])
        self.assertIn("all segments are upscaled", lines["upscaling"])
        self.assertIn("by the encoders", lines["time"])
        self.remove("begun", "segments/0003*.mov", "segments/0002*.mov")  # the second one's chunk is there
        lines, _ = self.dry("begun")
        self.assertIn("3 of 4 segments are upscaled, 2 encoded", lines["done"])
        status, output = run(self.job("begun", **{**self.KEYS, "stream__overlap": 2}) + ["--dry-run"])
        self.assert_one_line_error(status, output, 2, "stream.overlap was '1', is now '2'")
        status, output = run(self.job("begun", **{**self.KEYS, "stream__overlap": 2}) + ["--dry-run", "--fresh"])
        self.assertEqual(status, 0, output)
        self.assertNotIn("are upscaled;", output)


if __name__ == "__main__":
    unittest.main(verbosity=2)
