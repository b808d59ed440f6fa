#!/usr/bin/env python3
"""Tests runpod/pods/cost.py: the arithmetic, and that what it reads is what the program and ffprobe say."""

import json
import os
import pathlib
import shutil
import stat
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "runpod"))

from pods import cost, film as films  # noqa: E402
from pods.cost import CostError, Film, Rates, estimate  # noqa: E402

CLIP = ROOT / "tests/data/reds_demo_000.mkv"
H100, H200, L40S = "NVIDIA H100 80GB HBM3", "NVIDIA H200", "NVIDIA L40S"
# Two hours at 25 frames a second.
FILM = Film(frames=180_000, width=1024, height=432)

DRY_RUN = {
    "timeline": {"frames": 180000, "width": 1024, "height": 432, "fps": 25.0},
    "network": {"name": "c64n7", "scale": 4},
    "plan": {"segments": 375, "segment_frames": 480},
    "made": False,
    "time": {"upscaling": {"frames": 180000, "fps": 132, "s": 1364}, "encoding": {"frames": 180000, "fps": 4.1, "s": 43902},
             "gpus": 2, "gpu": H100, "cores": 32, "core_s_frame": 7.8},
}


class Table(unittest.TestCase):
    def test_every_type_is_whole(self):
        gpus = cost.known()["gpus"]
        self.assertEqual(len(gpus), 15)
        for name, one in gpus.items():
            with self.subTest(gpu=name):
                self.assertIn(one["source"], ("measured", "estimated"))
                self.assertTrue(one["how"])
                self.assertTrue(0.05 <= one["rate"] <= 2)
                self.assertTrue(24 <= one["memory_gb"] <= 192 and 4 <= one["vcpus"] <= 64 and 0.1 < one["price"] < 20)
                self.assertRegex(one["price_date"], r"^20\d\d(-\d\d-\d\d)?$")
                blackwell = any(word in name for word in ("5090", "Blackwell", "B200"))
                self.assertEqual(one["cuda"], "12.8" if blackwell else "12.4")
        self.assertEqual(gpus[H100]["rate"], 1)

    def test_what_was_measured_is_what_docs_say(self):
        text = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
        self.assertIn("7.8 core-seconds a frame", text)
        self.assertAlmostEqual(cost.encode_core_s(FILM), 7.8, delta=0.05)
        self.assertIn("64.5 frames a second", text)
        self.assertAlmostEqual(cost.film_fps(FILM, H100)[0], 64.5, delta=0.05)
        text = (ROOT / "docs/costs.md").read_text(encoding="utf-8")
        for name, one in cost.known()["gpus"].items():
            row = f"| {name} | {one['memory_gb']} | {one['rate']} | {one['source']} | {one['how']} | {one['cuda']} |"
            self.assertIn(row, text)


class Hours(unittest.TestCase):
    def test_encoders_that_limit(self):
        one = estimate(FILM, H100, price=4, cores=16)
        self.assertAlmostEqual(one.upscale_h, 180_000 / 64.5 / 3600, places=3)
        self.assertAlmostEqual(one.encode_h, 180_000 * 7.82 / 16 / 3600, delta=0.05)
        self.assertAlmostEqual(one.hours, one.encode_h + 0.25)
        self.assertAlmostEqual(one.dollars, 4 * one.hours)
        self.assertEqual((one.limit, one.cores, one.source), ("encoding", 16, "measured"))

    def test_four_take_a_fourth_for_about_as_much(self):
        one, four = (estimate(FILM, L40S, count) for count in (1, 4))
        self.assertAlmostEqual(four.encode_h, one.encode_h / 4)
        self.assertAlmostEqual(four.upscale_h, one.upscale_h / 4)
        self.assertAlmostEqual(four.dollars, one.dollars + 3 * 0.25 * one.price)
        self.assertEqual(one.source, "estimated")

    def test_a_film_of_few_pieces_waits_for_its_last_chunk(self):
        short = Film(frames=480, width=1024, height=432)
        self.assertAlmostEqual(estimate(short, L40S, 8).encode_h, 480 * 7.82 / 2 / 3600, delta=0.01)

    def test_upscaling_that_limits(self):
        self.assertEqual(estimate(FILM, "NVIDIA L4", cores=400).limit, "upscaling")
        copied = estimate(Film(180_000, 1024, 432, encoder="copy"), L40S)
        self.assertEqual((copied.limit, copied.encode_h), ("upscaling", 0))
        self.assertEqual(estimate(FILM, L40S, rates=Rates(L40S, 10, 1.6), cores=16).limit, "both")

    def test_measured_rates_replace_the_tables(self):
        rates = Rates(L40S, 10, 2.0, "a run")
        self.assertEqual(cost.film_fps(FILM, L40S, rates), (10, "measured"))
        fps, source = cost.film_fps(FILM, H100, rates)
        self.assertAlmostEqual(fps, 10 / 0.3)
        self.assertEqual(source, "measured")
        self.assertAlmostEqual(estimate(FILM, L40S, rates=rates, cores=20).encode_h, 5.0)
        # Of a card that the table does not know there is nothing to be scaled.
        self.assertAlmostEqual(cost.film_fps(FILM, H100, Rates("NVIDIA GTX 1080", 10))[0], 64.5)

    def test_larger_pictures_and_the_small_network(self):
        self.assertAlmostEqual(cost.film_fps(Film(1, 2048, 864), H100)[0], 64.5 / 4)
        self.assertAlmostEqual(cost.film_fps(Film(1, 1024, 432, network="c32n3"), H100)[0], 126 * 0.86)
        self.assertAlmostEqual(Film(1, 1024, 432).final_megapixels, 3414 * 1440 / 1e6)
        self.assertAlmostEqual(Film(1, 1024, 432, final_height=0).final_megapixels, 4096 * 1728 / 1e6)

    def test_what_is_not_known_is_said(self):
        with self.assertRaisesRegex(CostError, "RTX 3090 is not in gpus.json"):
            estimate(FILM, "NVIDIA GeForce RTX 3090")
        with self.assertRaisesRegex(CostError, "c128n25"):
            estimate(Film(1, 64, 64, network="c128n25"), H100)
        unknown = Film(180_000, 1024, 432, encoder="libsvtav1", preset="4")
        self.assertIsNone(estimate(unknown, H100).encode_h)
        self.assertIn("the encode is not known: libsvtav1", "\n".join(cost.table(unknown)))

    def test_pods_that_only_encode(self):
        one = estimate(FILM, H100)
        beside = cost.encoders("cpu5c", 4, 32)
        self.assertEqual(beside, cost.Encoders("cpu5c", 4, 32, 32 * 0.035))
        shared = cost.with_encoders(FILM, one, beside)
        self.assertLess(shared.hours, one.hours / 4)
        self.assertLess(shared.dollars, one.dollars / 2)
        # 390 core-hours less what the GPU's own cores have done meanwhile; two starts.
        self.assertAlmostEqual(shared.hours, (390 - 20 * one.upscale_h) / 128 + 0.5, delta=0.05)
        self.assertAlmostEqual(shared.gpu_h, one.upscale_h + 0.25)
        self.assertAlmostEqual(shared.dollars, 3.99 * shared.gpu_h + 4 * 1.12 * (shared.hours - 0.25))
        # Where upscaling limits, encoders make nothing shorter.
        slow = estimate(FILM, "NVIDIA L4")
        self.assertAlmostEqual(cost.with_encoders(FILM, slow, cost.encoders("x", 64, 32, 1)).hours, slow.upscale_h + 0.25)
        self.assertIsNone(cost.with_encoders(Film(180_000, 1024, 432, encoder="libsvtav1", preset="4"), one, beside))
        with self.assertRaisesRegex(CostError, "what cpu9x costs is not known; known are cpu5c"):
            cost.encoders("cpu9x", 4, 32)

    def test_the_rows_of_costs_md_that_have_encoders(self):
        text = (ROOT / "docs/costs.md").read_text(encoding="utf-8")
        for gpu, pods in (("NVIDIA L40S", 4), ("NVIDIA L40S", 8), (H100, 2), (H100, 4), (H100, 8)):
            one = estimate(FILM, gpu)
            shared = cost.with_encoders(FILM, one, cost.encoders("cpu5c", pods, 32))
            self.assertIn(f"| {gpu}{' ~' if one.source == 'estimated' else ''} | {pods} | {cost.hours_text(shared.gpu_h)} | "
                          f"{cost.hours_text(shared.hours)} | {shared.dollars:.0f} | {one.dollars:.0f} |", text)


class Text(unittest.TestCase):
    def test_table(self):
        lines = cost.table(FILM, gpus=[H100, L40S], prices={H100: 0.5}, cores={L40S: 8})
        self.assertIn("1 GPU, hours", lines[0])
        self.assertTrue(lines[2].startswith(H100 + "  "), lines)  # the cheaper first
        self.assertEqual(lines[2].split()[-4:-1], ["0.19", "4.9", "5.1"])
        self.assertTrue(lines[3].startswith(L40S + " ~"))
        self.assertIn(" 8   0.86 ", lines[3])
        text = "\n".join(lines)
        self.assertIn("would stand idle 96% of the time", text)
        self.assertIn("as published in 2025", text)
        self.assertIn("7.8 core-seconds", text)
        self.assertIn(f"one {H100}, ended when all is upscaled, and 4 encoders (cpu5c, 32 vCPUs, $1.12 an hour each)", text)
        beside = cost.encoders("cpu3c", 2, 32, 1.5)
        lines = cost.encoder_table(FILM, Rates(), [L40S, H100, "NVIDIA A30"], 1, beside, {H100: 4})
        self.assertEqual(lines[0], "with 2 encoders (cpu3c, 32 vCPUs, $1.50 an hour each); the GPUs end when all is upscaled:")
        self.assertEqual([line.split()[:2] for line in lines[2:]], [["NVIDIA", "L40S"], ["NVIDIA", "H100"]])
        self.assertRegex(lines[2], "^NVIDIA L40S ~  ")
        self.assertRegex(cost.encoder_table(Film(100, 1024, 432), Rates(), [H100], 1, beside, {})[-1], "^NOTE: .* takes longer and costs")
        self.assertNotIn("[encoders]", "\n".join(cost.table(FILM, gpus=[H100], advise=False)))
        self.assertEqual(cost.encoder_table(Film(9, 64, 64, encoder="ffv1"), Rates(), [H100], 1, beside, {}), [])
        text = "\n".join(cost.table(FILM, Rates(core_s_frame=2.6, source="the dry run here")))
        self.assertIn("takes 2.6 core-seconds, by the dry run here; a cloud host took 7.8 for another film: allow for 3.0 times",
                      text)
        self.assertLess(max(map(len, lines[:4])), 132)
        self.assertNotIn("published", "\n".join(cost.table(FILM, gpus=[H100], prices={H100: 0.5})))
        self.assertIn("NVIDIA A30: how fast it is is not known", cost.table(FILM, gpus=[H100, "NVIDIA A30"]))
        for gpus in ([], ["NVIDIA A30"]):
            with self.assertRaises(CostError):
                cost.table(FILM, gpus=gpus)

    def test_a_short_clip_is_one_pods_work(self):
        clip = Film(frames=3000, width=1024, height=432)
        text = "\n".join(cost.table(clip, gpus=[H100], prices={H100: 4}, cores={H100: 64}))
        self.assertIn("so 4 GPUs cost $12 in place of $3.08 and save 0 minutes", text)
        self.assertNotIn("about the same money", text)
        clip = Film(frames=100, width=1024, height=432)
        self.assertIn("more pods would only cost more", cost.table(clip, gpus=[H100], counts=[1])[-1])

    def test_hours_and_dollars(self):
        self.assertEqual([cost.hours_text(hours) for hours in (None, 0.654, 7.75, 33.4)], ["?", "0.65", "7.8", "33"])
        self.assertEqual([cost.dollars_text(dollars) for dollars in (0.5, 33.4)], ["$0.50", "$33"])


class Sources(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, text, mode=stat.S_IRUSR | stat.S_IWUSR):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    def test_dry_run(self):
        film, rates = films.film_of_dry_run(DRY_RUN, {"final.preset": "medium"})
        self.assertEqual(film, Film(180_000, 1024, 432, preset="medium"))
        self.assertEqual((rates.gpu, rates.fps, rates.core_s_frame), (H100, 66, 7.8))
        sized = films.film_of_dry_run({**DRY_RUN, "segments_bytes": 5, "films_bytes": 3})[0]
        self.assertEqual(sized.stored_bytes, 8)
        for other in ({}, [], {**DRY_RUN, "timeline": 1}):
            with self.assertRaisesRegex(CostError, "another version"):
                films.film_of_dry_run(other)

    def test_dry_run_of_a_film_that_is_made(self):
        made = {key: value for key, value in DRY_RUN.items() if key != "time"}
        self.assertEqual(films.film_of_dry_run({**made, "made": True})[1].fps, 0)

    def test_dry_run_without_a_gpu(self):
        found = films.film_of_dry_run({**DRY_RUN, "time": {**DRY_RUN["time"], "gpus": 0, "gpu": "", "upscaling": None}})
        self.assertEqual(found[1].gpu, "")
        self.assertAlmostEqual(cost.film_fps(FILM, H100, found[1])[0], 64.5)

    @unittest.skipUnless(os.environ.get("VSR_PROGRAM"), "VSR_PROGRAM names no vsr-dist")
    def test_the_programs_own_words(self):
        job = self.file("job.ini", "[final]\nheight = 180\npreset = ultrafast\n[segment]\nframes = 30\n")
        film, rates = films.look(CLIP, job, os.environ["VSR_PROGRAM"])
        self.assertGreater(film.stored_bytes, 1e6)
        self.assertEqual(film, Film(21, 320, 180, 180, "c32n3", preset="ultrafast", chunk_frames=30,
                                    stored_bytes=film.stored_bytes))
        if shutil.which("ffprobe"):
            by_ffprobe = films.look(CLIP, job, self.folder / "none")[0].stored_bytes
            self.assertAlmostEqual(by_ffprobe / film.stored_bytes, 1, delta=0.2)
        with self.assertRaisesRegex(cost.Refused, "the file is empty"):
            films.look(self.file("empty.mkv", ""), job, os.environ["VSR_PROGRAM"])
        self.assertGreater(rates.core_s_frame, 0)

    @unittest.skipUnless(shutil.which("ffprobe"), "there is no ffprobe")
    def test_ffprobe_where_the_program_is_not(self):
        film, rates = films.look(CLIP, program=self.folder / "none")
        self.assertEqual((film.width, film.height, film.network, film.preset), (320, 180, "c32n3", "slow"))
        self.assertAlmostEqual(film.frames, 21, delta=1)
        self.assertEqual(rates, Rates())
        self.assertEqual(film.stored_bytes, film.frames * round(0.6 * 1280 * 720 + 3 * 0.06 * 2560 * 1440))
        with self.assertRaisesRegex(cost.Refused, "ffprobe found no picture"):
            films.look(self.file("film.txt", "no film"), program=self.folder / "none")

    @unittest.skipUnless(shutil.which("ffprobe"), "there is no ffprobe")
    def test_the_job_decides_what_of_the_film(self):
        job = self.file("job.ini", "# a job\n[preprocess]\npreset = pal-dvd\ncrop = 1024:432:0:72 # bars\n[input]\n"
                                   'start = 0:00:00.4\n[model]\ncheckpoint = "reds4.pth"\n[final]\nheight = native\ncrf = 22\n')
        film, _ = films.look(CLIP, job, self.folder / "none")
        self.assertEqual((film.width, film.height, film.final_height, film.network), (1024, 432, 0, "c64n7"))
        self.assertAlmostEqual(film.stored_bytes, film.frames * 4096 * 1728 * (0.6 + 3 * 0.03), delta=1)
        self.assertAlmostEqual(film.frames, 11, delta=1)
        with self.assertRaisesRegex(CostError, "job file"):
            films.look(CLIP, self.folder / "no.ini")

    def test_a_program_that_fails_is_told(self):
        program = self.file("vsr-dist", "#!/bin/sh\necho 'vsr-dist: input: no film here' >&2\nexit 3\n", stat.S_IRWXU)
        with self.assertRaisesRegex(cost.Refused, "vsr-dist: input: no film here"):
            films.look(self.folder / "film.mkv", program=program)

    @unittest.skipUnless(shutil.which("ffprobe"), "there is no ffprobe")
    def test_a_program_that_cannot_look_is_no_reason_against_the_film(self):
        for status, why in ((5, "gpu: there is none"), (2, "usage: segment.encoder=gpu needs a GPU"), (4, "model: needs a GPU"),
                            (2, "usage: 2.1 GB of host memory do not hold one frame")):
            program = self.file("vsr-dist", f"#!/bin/sh\necho 'vsr-dist: {why}' >&2\nexit {status}\n", stat.S_IRWXU)
            film, rates = films.look(CLIP, program=program)
            self.assertEqual(film.width, 320)
            self.assertIn(f"vsr-dist here could not look at it: vsr-dist: {why}", cost.table(film, rates))

    def test_status_of_a_run(self):
        rank = {"cpus": 16, "gpu": {"name": L40S}}
        status = {"ranks": [rank, rank, {"cpus": 32, "gpu": None}], "in_chunks": True, "upscale_fps_mean": 40.0,
                  "encode_fps_mean": 8.0, "segments_encoded": 64, "segments_total": 375}
        self.assertEqual(films.rates_of_status(status), Rates(L40S, 20, 8, "this film's run"))
        measured = films.measured_by(status)
        self.assertEqual(films.with_measured(Rates(H100, 70, 3), measured), Rates(L40S, 20, 8, "this film's run"))
        self.assertEqual(films.with_measured(Rates(H100, 70, 3), {**measured, "fps": 0}), Rates(H100, 70, 8, "this film's run"))
        self.assertEqual(films.with_measured(Rates(H100, 70, 3), {}), Rates(H100, 70, 3))
        self.assertEqual([films.measured_by(other) for other in ({}, {"ranks": 5}, {"ranks": [5]})], [{}, {}, {}])
        # An encode that kept up with upscaling shows no rate of its own.
        self.assertEqual(films.rates_of_status({**status, "encode_fps_mean": 39.0}).core_s_frame, 0)
        for encoded in (63, 344):  # some have no second chunk yet, or none any more
            self.assertEqual(films.rates_of_status({**status, "segments_encoded": encoded}).core_s_frame, 0)
        status["ranks"][1] = {"cpus": 16, "gpu": {"name": H100}}
        self.assertEqual(films.rates_of_status(status).fps, 0)
        self.assertEqual(films.rates_of_status(json.loads('{"ranks": []}')).fps, 0)


if __name__ == "__main__":
    unittest.main()
