"""What a run measures of its pictures is in its records, and changes nothing about them."""

import re
import shutil
import subprocess
import unittest

from film_support import SMALL_FILM, FilmTest, run

FRAMES = 14
MEASURES = ("decode_s", "network_s", "encode_s", "luma_mean", "sharpness", "sharpness_gain", "back_projection_db")


def values(record, name):
    """A dataset of numbers; h5dump prints NaN as nan."""
    said = subprocess.run(["h5dump", "-y", "-w", "0", "-d", name, record], check=True, capture_output=True, text=True)
    data = re.search(r"DATA \{(.*?)\}", said.stdout, re.DOTALL)
    return [float(word) for word in data.group(1).replace(",", " ").split()] if data else []


class Quality(FilmTest):
    def records(self, name):
        return sorted((self.folder / name / "segments").glob("*.h5"))

    def pictures(self, name):
        return [path.read_bytes() for path in sorted((self.folder / name / "segments").glob("*.mov"))]

    @unittest.skipUnless(shutil.which("h5dump"), "h5dump (package hdf5-tools) is not here to read records with")
    def test_all_frames_are_measured_and_off_makes_the_same_film(self):
        _, output = run(self.job("on", **SMALL_FILM), check=True)
        self.assertNotIn("quality: ", output)  # nothing to warn of
        for measure in MEASURES:
            found = [value for record in self.records("on") for value in values(record, f"frame_{measure}")]
            self.assertEqual(len(found), FRAMES, measure)
            self.assertEqual([value for value in found if not value > 0], [], measure)
        for record in self.records("on"):
            for name in ("middle_before", "middle_after", "middle_detail_after", "worst_before", "worst_after"):
                self.assertEqual(values(record, f"preview_{name}")[:3], [0xFF, 0xD8, 0xFF], name)

        run(self.job("off", quality__measure="off", **SMALL_FILM), check=True)
        self.assertEqual(self.pictures("off"), self.pictures("on"))
        for record in self.records("off"):
            self.assertEqual([values(record, f"frame_{measure}") for measure in MEASURES], [[]] * len(MEASURES))

    @unittest.skipUnless(shutil.which("h5dump"), "h5dump (package hdf5-tools) is not here to read records with")
    def test_what_is_below_the_limit_is_told_once_a_segment_and_kept(self):
        _, output = run(self.job("strict", quality__warn_below=60, quality__every=2, **SMALL_FILM), check=True)
        told = [line for line in output.splitlines() if "quality: segment" in line]
        self.assertEqual(len(told), len(self.records("strict")), output)
        for line in told:
            self.assertRegex(line, r"warn.*back-projection below 60 dB in \d of \d frames measured")
        events = subprocess.run(["h5dump", "-d", "events", self.records("strict")[0]], check=True, capture_output=True, text=True)
        self.assertIn("back-projection below 60 dB", events.stdout)
        found = [value for record in self.records("strict") for value in values(record, "frame_luma_mean")]
        self.assertEqual([value == value for value in found], [frame % 2 == 0 for frame in range(FRAMES)])


if __name__ == "__main__":
    unittest.main()
