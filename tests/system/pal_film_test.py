"""A whole PAL job: 25i MPEG-2 with sound, subtitles and chapters to both 24 fps films."""

import unittest

from film_support import (SOURCE, FilmTest, dominant_frequency, ffprobe, loud_stretches, luma_means, run,
                          samples)

FRAMES = 60
RATIO = 25 / 24


class PalFilm(FilmTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.film = cls.folder / "pal.mkv"
        _, text = run([SOURCE / "scripts/make-pal-source", "--frames", FRAMES, cls.film], check=True)
        facts = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
        cls.facts = {key: [float(v) for v in value.split(",")] for key, value in facts.items()}
        test = cls("test_films_are_made")
        # The preset's chain at a small size: CI has two cores and no GPU.
        status, cls.output = run(
            test.job("run", input__file=cls.film, preprocess__preset="pal-dvd", preprocess__width=128,
                     preprocess__height=80, preprocess__crop="128:64:0:8", segment__frames=25,
                     stream__overlap=3, stream__max_seq_len=16, final__height=144,
                     final__preset="ultrafast", final__params="aq-mode=3:aq-strength=0.8"),
            timeout=600)
        assert status == 0, cls.output
        cls.films = {name: cls.folder / "run/final" / f"film_{name}.mkv" for name in ("pitchOK", "pitchLOW")}

    def test_films_are_made(self):
        for film in self.films.values():
            self.assertTrue(film.exists(), self.output)

    def test_picture(self):
        for film in self.films.values():
            stream = ffprobe(film, "-select_streams", "v:0", "-count_frames", "-show_streams")["streams"][0]
            self.assertEqual(stream["codec_name"], "hevc")
            self.assertEqual(stream["height"], 144)
            self.assertEqual(stream["width"], 288)
            self.assertEqual(stream["pix_fmt"], "yuv420p10le")
            self.assertEqual(stream["r_frame_rate"], "24/1")
            self.assertEqual(int(stream["nb_read_frames"]), FRAMES)
            for tag in ("color_space", "color_primaries", "color_transfer"):
                self.assertEqual(stream[tag], "bt709", tag)
            self.assertEqual(stream["color_range"], "tv")

    def test_decodes_clean(self):
        for film in self.films.values():
            status, text = run(["ffmpeg", "-v", "error", "-i", film, "-f", "null", "-"])
            self.assertEqual((status, text), (0, ""))

    def test_both_films_hold_the_same_video_packets(self):
        packets = [ffprobe(film, "-select_streams", "v:0", "-show_entries", "packet=pts,size,flags",
                           "-show_data_hash", "md5")["packets"] for film in self.films.values()]
        self.assertEqual(packets[0], packets[1])

    def test_timestamps_are_exact(self):
        packets = ffprobe(self.films["pitchOK"], "-select_streams", "v:0", "-show_entries",
                          "packet=pts_time")["packets"]
        times = sorted(float(packet["pts_time"]) for packet in packets)
        for frame, time in enumerate(times):
            self.assertAlmostEqual(time, frame / 24, delta=0.0011, msg=frame)  # Matroska's millisecond

    def test_durations(self):
        for film in self.films.values():
            duration = float(ffprobe(film, "-show_format")["format"]["duration"])
            self.assertAlmostEqual(duration, FRAMES / 24, delta=0.06)

    def test_sound_tracks_are_kept(self):
        for film in self.films.values():
            streams = ffprobe(film, "-select_streams", "a", "-show_streams")["streams"]
            self.assertEqual([s["codec_name"] for s in streams], ["ac3", "ac3"])
            self.assertEqual([s["channels"] for s in streams], [2, 6])
            self.assertEqual([s["tags"]["language"] for s in streams], ["eng", "deu"])
            self.assertEqual([s["tags"]["title"] for s in streams], ["Beeps", "Sine"])
            self.assertTrue(all(s["sample_rate"] == "48000" for s in streams))

    def test_pitch(self):
        self.assertAlmostEqual(dominant_frequency(samples(self.films["pitchOK"], 1)), 1000, delta=3)
        self.assertAlmostEqual(dominant_frequency(samples(self.films["pitchLOW"], 1)), 960, delta=1)

    def test_flash_and_beep_coincide_at_both_ends(self):
        for name, film in self.films.items():
            means = luma_means(film)
            flashes = [i for i, mean in enumerate(means) if mean > 0.9 and (i == 0 or means[i - 1] <= 0.9)]
            self.assertEqual(flashes, [int(f) for f in self.facts["flash_frames"]], name)
            beeps = loud_stretches(samples(film, 0))
            self.assertEqual(len(beeps), len(flashes), (name, beeps))
            for flash, beep in zip(flashes, beeps):
                self.assertAlmostEqual(beep, flash / 24, delta=1 / 24, msg=name)

    def test_subtitles_follow(self):
        spans = self.facts["subtitles_s"]
        expected = [(a * RATIO, b * RATIO) for a, b in zip(spans[::2], spans[1::2])]
        streams = ffprobe(self.films["pitchOK"], "-select_streams", "s", "-show_streams")["streams"]
        self.assertEqual([s["codec_name"] for s in streams], ["subrip", "dvd_subtitle"])
        for number in (0, 1):
            packets = ffprobe(self.films["pitchOK"], "-select_streams", f"s:{number}", "-show_entries",
                              "packet=pts_time,duration_time")["packets"]
            self.assertEqual(len(packets), len(expected))
            for packet, (begin, end) in zip(packets, expected):
                self.assertAlmostEqual(float(packet["pts_time"]), begin, delta=0.003)
                if number == 0:
                    self.assertAlmostEqual(float(packet["duration_time"]), end - begin, delta=0.003)

    def test_chapters_follow(self):
        # Times count from the first picture, which the source shows a few milliseconds after its zero.
        first = float(ffprobe(self.film, "-select_streams", "v:0", "-show_streams")["streams"][0]["start_time"])
        before = ffprobe(self.film, "-show_chapters")["chapters"]
        after = ffprobe(self.films["pitchLOW"], "-show_chapters")["chapters"]
        self.assertEqual([c["tags"]["title"] for c in before], [c["tags"]["title"] for c in after])
        for source, film in zip(before, after):
            expected = max(0.0, float(source["start_time"]) - first) * RATIO
            self.assertAlmostEqual(float(film["start_time"]), expected, delta=0.0011)

    def test_attachments_are_kept(self):
        before = ffprobe(self.film, "-select_streams", "t", "-show_streams")["streams"]
        after = ffprobe(self.films["pitchOK"], "-select_streams", "t", "-show_streams")["streams"]
        self.assertEqual([s["tags"]["filename"] for s in before], [s["tags"]["filename"] for s in after])

    def test_second_start_has_nothing_to_do(self):
        before = {film: film.stat().st_mtime_ns for film in self.films.values()}
        status, output = run(self.job(
            "run", input__file=self.film, preprocess__preset="pal-dvd", preprocess__width=128,
            preprocess__height=80, preprocess__crop="128:64:0:8", segment__frames=25, stream__overlap=3,
            stream__max_seq_len=16, final__height=144, final__preset="ultrafast",
            final__params="aq-mode=3:aq-strength=0.8"))
        self.assertEqual(status, 0, output)
        self.assertIn("made already", output)
        self.assertEqual(before, {film: film.stat().st_mtime_ns for film in self.films.values()})


if __name__ == "__main__":
    unittest.main(verbosity=2)
