"""Films by other encoders than x265, encoded in one piece and in chunks."""

import unittest

from film_support import CLIP, FilmTest, ffprobe, run


class OtherEncoders(FilmTest):
    KEYS = dict(input__file=CLIP, preprocess__width=96, preprocess__height=64, segment__frames=8,
                segment__scene_cuts="off", stream__overlap=1, stream__max_seq_len=10, final__height=256,
                final__fps=24, final__variants="pitchOK", final__encoder="libsvtav1", final__preset=8)

    def setUp(self):
        _, encoders = run(["ffmpeg", "-hide_banner", "-encoders"])
        if "libsvtav1" not in encoders:
            self.skipTest("this FFmpeg was built without libsvtav1")

    def assert_is_sound(self, film, frames, keys):
        status, said = run(["ffmpeg", "-nostdin", "-v", "error", "-i", film, "-f", "null", "-"])
        self.assertEqual((status, said), (0, ""))
        found = ffprobe(film, "-select_streams", "v", "-show_packets", "-show_streams", "-count_frames")
        stream = found["streams"][0]
        self.assertEqual(stream["codec_name"], "av1")
        self.assertEqual(stream["pix_fmt"], "yuv420p10le")
        self.assertEqual(stream["color_space"], "bt709")
        self.assertEqual(int(stream["nb_read_frames"]), frames)
        for number, packet in enumerate(found["packets"]):
            self.assertAlmostEqual(float(packet["pts_time"]), number / 24, delta=0.0006)
        self.assertEqual([n for n, packet in enumerate(found["packets"]) if "K" in packet["flags"]], keys)

    def test_av1_in_one_piece_and_in_chunks(self):
        for keys, entries in [
            ({"cluster__final": "central"}, [0]),
            ({"cluster__final": "distributed", "cluster__encoders": 2}, [0, 8, 16]),
            ({"segment__codec": "none"}, [0, 8, 16]),
        ]:
            with self.subTest(keys=keys):
                name = "-".join(map(str, keys.values()))
                status, output = run(self.job(name, **{**self.KEYS, **keys}))
                self.assertEqual(status, 0, output)
                self.assertNotIn("Svt", output)  # it prints nothing by itself
                self.assert_is_sound(self.folder / name / "final/film_pitchOK.mkv", 21, entries)

    def test_a_preset_of_another_encoder_is_named(self):
        status, output = run(self.job("slow", **{**self.KEYS, "final__preset": "slow"}))
        self.assert_one_line_error(status, output, 2, "final.preset=slow", "whole numbers from 0")


class Nvenc(FilmTest):
    def test_is_refused_where_no_gpu_encodes(self):
        status, output = run(self.job("nvenc", input__file=CLIP, final__encoder="hevc_nvenc") + ["--dry-run"])
        if status == 0:
            self.skipTest("this machine has a GPU that encodes")
        self.assert_one_line_error(status, output, 2, "final.encoder=hevc_nvenc")


if __name__ == "__main__":
    unittest.main(verbosity=2)
