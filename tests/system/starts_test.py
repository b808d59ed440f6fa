"""How a run begins and begins again: what is wrong is told before anything is made or moved."""

import re
import shutil
import unittest

from film_support import CLIP, FilmTest, frame_hashes, mpirun, run


class Starts(FilmTest):
    KEYS = dict(input__file=CLIP, input__end="0.24", preprocess__width=64, preprocess__height=64,
                segment__frames=4, stream__overlap=1, stream__max_seq_len=5, final__height=64,
                final__preset="ultrafast", final__params="", final__tune="", final__variants="pitchOK")

    def film(self, name):
        return self.folder / name / "final/film_pitchOK.mkv"

    def test_wrong_settings_of_the_final_encode_leave_nothing_that_binds(self):
        status, output = run(self.job("typo", **{**self.KEYS, "final__params": "no-such=1"}))
        self.assert_one_line_error(status, output, 2, "no-such")
        self.assertFalse((self.folder / "typo/plan.h5").exists())
        # A setting that changes the segments too may be corrected.
        status, output = run(self.job("typo", **{**self.KEYS, "stream__overlap": 2}))
        self.assertEqual(status, 0, output)

    def test_a_film_that_is_not_there_leaves_no_run_directory(self):
        status, output = run(self.job("nothing", **{**self.KEYS, "input__file": self.folder / "no.mkv"}))
        self.assert_one_line_error(status, output, 3, "no.mkv")
        self.assertFalse((self.folder / "nothing").exists())

    def test_fresh_on_a_film_that_is_not_there_keeps_the_old_run(self):
        run(self.job("old", **self.KEYS), check=True)
        status, output = run(self.job("old", **{**self.KEYS, "input__file": self.folder / "no.mkv"}) + ["--fresh"])
        self.assert_one_line_error(status, output, 3, "no.mkv")
        self.assertTrue(self.film("old").exists())
        self.assertFalse((self.folder / "old.before-1").exists())

    def test_film_and_run_directory_may_move(self):
        # As a lossless file in the run directory, and as the film itself.
        for mezzanine in ("always", "never"):
            film = self.folder / f"before-{mezzanine}.mkv"
            shutil.copy(CLIP, film)
            keys = {**self.KEYS, "preprocess__mezzanine": mezzanine}
            first, second = f"here-{mezzanine}", f"there-{mezzanine}"
            run(self.job(first, **{**keys, "input__file": film}), check=True)
            expected = frame_hashes(self.film(first))
            moved = film.rename(self.folder / f"after-{mezzanine}.mkv")
            (self.folder / first).rename(self.folder / second)
            for folder in ("segments", "chunks"):
                for piece in (self.folder / second / folder).glob("0001*"):
                    piece.unlink()
            self.film(second).unlink()
            status, output = run(self.job(second, **{**keys, "input__file": moved}))
            self.assertEqual(status, 0, output)
            self.assertIn("1 of 2 segments are kept", output)
            self.assertEqual(frame_hashes(self.film(second)), expected)

    def test_a_lossless_file_that_is_gone_is_made_again(self):
        keys = {**self.KEYS, "preprocess__mezzanine": "always"}
        run(self.job("gone", **keys), check=True)
        expected = frame_hashes(self.film("gone"))
        (self.folder / "gone/timeline.mkv").unlink()
        (self.folder / "gone/segments/0000.h5").unlink()
        self.film("gone").unlink()
        status, output = run(self.job("gone", **keys))
        self.assertEqual(status, 0, output)
        self.assertIn("it is gone", output)
        self.assertEqual(frame_hashes(self.film("gone")), expected)

    def test_segments_encoded_for_the_film_at_once_are_resumed(self):
        keys = {**self.KEYS, "segment__codec": "none"}
        run(self.job("chunks", **keys), check=True)
        expected = frame_hashes(self.film("chunks"))
        self.assertEqual(len(expected), 6)
        segments = self.folder / "chunks/segments"
        self.assertEqual(sorted(re.sub("-[0-9a-f]{8}", "", f.name) for f in segments.iterdir()),
                         ["0000.h5", "0000.nut", "0001.h5", "0001.nut"])
        # They hold what the final encode's keys say, so these may not change; sound's may.
        status, output = run(self.job("chunks", **{**keys, "final__crf": 20}))
        self.assert_one_line_error(status, output, 2, "final.crf was '16', is now '20'")
        next(segments.glob("0001-*.nut")).unlink()
        status, output = run(self.job("chunks", **{**keys, "final__audio_bitrate": "320k"}))
        self.assertEqual(status, 0, output)
        self.assertIn("1 of 2 segments are kept", output)
        self.assertEqual(frame_hashes(self.film("chunks")), expected)

    def test_two_ranks_end_when_the_first_cannot_start(self):
        folder = self.folder / "loop"
        folder.mkdir()
        (folder / "plan.h5").symlink_to("plan.h5")  # no file system call on it succeeds
        for ranks in (1, 2):
            status, output = mpirun(ranks, self.job("loop", **self.KEYS), timeout=60)
            self.assertNotEqual(status, 0, output)
            self.assertEqual(output.count("vsr-dist: "), 1, output)
            self.assertIn("plan.h5", output)


if __name__ == "__main__":
    unittest.main(verbosity=2)
