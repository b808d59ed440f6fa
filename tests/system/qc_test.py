"""Two films compared: against ffmpeg's psnr and ssim, aligned in time, size and colour; and shown together."""

import contextlib
import csv
import json
import math
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from film_support import CLIP, PROGRAM, FilmTest, ffprobe, frame_hashes, run


class TwoFilms(FilmTest):
    moving = real = long = None

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        if TwoFilms.moving is None:
            TwoFilms.make_films()

    @staticmethod
    def make_films():
        """Those that several tests look at, once."""
        cls = TwoFilms
        cls.folder = Path(tempfile.mkdtemp(prefix="vsr-system-"))
        unittest.addModuleCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.long = cls.folder / "long.mkv"
        run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=640x360:r=25", "-t", "60",
             "-c:v", "libx264", "-preset", "ultrafast", cls.long], check=True)
        cls.moving = cls.film("moving.mkv", "-f", "lavfi", "-i", "testsrc2=s=192x108:r=25", "-t", "4",
                              "-pix_fmt", "yuv420p")
        # Of the real clip, in 10 bits; its tags are read back from Matroska.
        cls.real = cls.film("real.mkv", "-i", CLIP, "-vf", "zscale=matrixin=709:matrix=709,format=yuv420p10,gblur=sigma=0.6",
                            *cls.tags("bt709"))

    @staticmethod
    def tags(matrix, colour_range="tv"):
        return ["-colorspace", matrix, "-color_range", colour_range]

    @classmethod
    def film(cls, name, *arguments):
        path = cls.folder / name
        run(["ffmpeg", "-nostdin", "-v", "error", "-y", *arguments, "-an", "-sn", "-c:v", "ffv1", path], check=True)
        return path

    def changed(self, source, name, filters, *more):
        return self.film(name, "-i", source, "-vf", filters, *more)

    def qc(self, a, b, *more, status=0, says=""):
        """The JSON document; `says`: what the one line on stderr has in it."""
        process = subprocess.run([PROGRAM, "qc", "--json", *more, "--", str(a), str(b)], capture_output=True,
                                 text=True, timeout=120, check=False, stdin=subprocess.DEVNULL)
        self.assertEqual(process.returncode, status, process.stdout + process.stderr)
        if says:
            self.assert_one_line_error(process.returncode, process.stderr, status, says)
        return json.loads(process.stdout)

    def compare(self, *arguments, status=0):
        found, output = run([PROGRAM, "compare", *arguments])
        self.assertEqual(found, status, output)
        return output

    @staticmethod
    def by_ffmpeg(a, b, what):
        """All frames' figures by FFmpeg's filter of the name."""
        # Its vectorised SSIM (5.1, x86) is wrong in the third digit for some widths; plain C is not.
        output = subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-cpuflags", "0", "-i", a, "-i", b, "-lavfi",
                                 f"[0:v][1:v]{what}=f=-", "-f", "null", os.devnull], capture_output=True, text=True,
                                check=True).stdout
        return [dict(pair.split(":") for pair in line.split(" (")[0].split()) for line in output.splitlines()]


class Figures(TwoFilms):
    def assert_as_ffmpeg(self, a, b):
        table = self.folder / "frames.csv"
        document = self.qc(a, b, "-o", table, "--force")
        with open(table, newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        psnr, ssim = self.by_ffmpeg(a, b, "psnr"), self.by_ffmpeg(a, b, "ssim")
        self.assertGreater(len(rows), 5)
        self.assertEqual(len(rows), len(psnr))
        for row, by_psnr, by_ssim in zip(rows, psnr, ssim):
            for plane in "yuv":
                # ffmpeg prints two decimals.
                self.assertAlmostEqual(float(row[f"psnr_{plane}"]), float(by_psnr[f"psnr_{plane}"]), delta=0.0101)
                self.assertAlmostEqual(float(row[f"ssim_{plane}"]), float(by_ssim[plane.upper()]), delta=1e-4)
            self.assertAlmostEqual(float(row["psnr_all"]), float(by_psnr["psnr_avg"]), delta=0.0101)
            self.assertAlmostEqual(float(row["ssim_all"]), float(by_ssim["All"]), delta=1e-4)
        mean = sum(float(row["mse_y"]) for row in rows) / len(rows)
        peak = 2 ** document["a"]["bit_depth"] - 1
        self.assertAlmostEqual(document["planes"]["Y"]["psnr_of_mean_mse"], 10 * math.log10(peak * peak / mean), 3)

    def test_as_ffmpeg_in_8_and_10_bits(self):
        self.assert_as_ffmpeg(self.moving, self.changed(self.moving, "noise.mkv", "noise=alls=20:allf=t"))
        self.assert_as_ffmpeg(self.real, self.changed(self.real, "blur.mkv", "gblur=sigma=1", *self.tags("bt709")))

    def test_as_ffmpeg_in_odd_sizes_and_other_subsampling(self):
        for size, pixels in (("117:91", "yuv420p"), ("115:81", "yuv422p10"), ("99:77", "yuv444p")):
            with self.subTest(size=size, pixels=pixels):
                a = self.changed(self.moving, "odd-a.mkv", f"trim=end_frame=8,format=yuv444p,crop={size}:0:0:exact=1,format={pixels}")
                self.assert_as_ffmpeg(a, self.changed(a, "odd-b.mkv", "gblur=sigma=0.7"))

    def test_noise_of_a_known_strength(self):
        # Even noise of -10 to 10 steps over grey, which nothing clips: mean square 21 * 20 / 12 or about it.
        grey = self.film("grey.mkv", "-f", "lavfi", "-i", "color=gray:s=256x256:r=25", "-t", "0.4", "-pix_fmt", "gray")
        noisy = self.changed(grey, "noisy.mkv", "geq=lum='lum(X,Y)+floor(random(1)*21)-10'")
        expected = 10 * math.log10(255 ** 2 / ((21 ** 2 - 1) / 12))
        self.assertAlmostEqual(self.qc(grey, noisy)["planes"]["Y"]["psnr_of_mean_mse"], expected, delta=0.05)

    def test_a_film_and_itself_are_identical(self):
        document = self.qc(self.real, self.real, "--fail-below=200")
        self.assertTrue(document["identical"])
        self.assertTrue(document["passed"])
        self.assertEqual(document["identical_frames"], document["pairs"])
        self.assertIsNone(document["planes"]["Y"]["psnr_of_mean_mse"])
        self.assertEqual(document["worst"], [])
        status, text = run([PROGRAM, "qc", self.real, self.real])
        self.assertEqual(status, 0)
        self.assertIn("identical: all samples", text)
        self.assertNotIn("inf", text)

    def test_the_bound(self):
        blurred = self.changed(self.moving, "blurred.mkv", "gblur=sigma=1")
        document = self.qc(self.moving, blurred, "--fail-below=99", status=3, says="less than --fail-below=99")
        self.assertFalse(document["passed"])
        overall = document["planes"]["all"]["psnr_of_mean_mse"]
        self.assertTrue(self.qc(self.moving, blurred, f"--fail-below={overall - 0.1}")["passed"])
        self.assertFalse(self.qc(self.moving, blurred, f"--fail-below={overall + 0.1}", status=3)["passed"])


class Alignment(TwoFilms):
    def test_a_shift_is_found(self):
        later = self.changed(self.moving, "later.mkv", "trim=start_frame=3,setpts=N/25/TB")
        document = self.qc(self.moving, later)
        self.assertEqual((document["offset"], document["offset_told"], document["identical"]), (-3, True, True))
        self.assertEqual((document["pairs"], document["a_without_partner"], document["b_without_partner"]), (97, 3, 0))
        document = self.qc(later, self.moving)
        self.assertEqual((document["offset"], document["identical"], document["b_without_partner"]), (3, True, 3))
        document = self.qc(self.moving, later, "--offset", "0")
        self.assertEqual((document["offset"], document["identical"]), (0, False))

    def test_a_shift_is_found_in_other_sizes_and_bad_quality(self):
        bad = self.folder / "bad.mkv"
        run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", self.moving, "-vf",
             "trim=start_frame=7,setpts=N/25/TB,scale=96:54,eq=contrast=0.8", "-c:v", "libx264", "-crf", "40", bad],
            check=True)
        self.assertEqual(self.qc(self.moving, bad)["offset"], -7)

    def test_nothing_is_guessed_where_the_film_stands_still(self):
        still = self.film("still.mkv", "-f", "lavfi", "-i", "color=gray:s=64x64:r=25", "-t", "2")
        document = self.qc(still, still)
        self.assertEqual((document["offset"], document["offset_told"]), (0, False))
        self.assertIn("hardly move", document["offset_how"])

    def test_a_dropped_and_a_doubled_frame_are_named(self):
        dropped = self.changed(self.moving, "dropped.mkv", "select=not(eq(n\\,40)),setpts=N/25/TB")
        self.assertEqual(self.qc(self.moving, dropped)["shift_changes"], [{"a": 41, "b": 41, "fits_b": 40}])
        self.assertEqual(self.qc(dropped, self.moving)["shift_changes"], [{"a": 40, "b": 40, "fits_b": 41}])

    def test_frames_of_a_retimed_film_are_matched_by_number(self):
        retimed = self.film("retimed.mkv", "-r", "24", "-i", self.moving)
        document = self.qc(self.moving, retimed)
        self.assertEqual((document["paired_by"], document["identical"], document["pairs"]), ("number", True, 100))
        self.assertEqual(document["shift_changes"], [])
        self.assertIn("25 and 24", document["paired_why"])

    def test_frames_at_other_rates_are_matched_by_time(self):
        double = self.changed(self.moving, "double.mkv", "fps=50")
        document = self.qc(self.moving, double)
        self.assertEqual((document["paired_by"], document["identical"], document["pairs"]), ("time", True, 100))
        self.assertEqual(document["b_without_partner"], 100)
        self.assertTrue(self.qc(double, self.moving)["identical"])
        fewer = self.changed(self.moving, "fewer.mkv", "fps=24")
        document = self.qc(self.moving, fewer)
        self.assertEqual((document["paired_by"], document["identical"], document["pairs"]), ("time", True, 96))
        self.assertEqual(self.qc(self.moving, fewer, "--align=number")["paired_by"], "number")

    def test_films_of_other_shapes(self):
        """A film in bars and, four frames later, what is between them; for compare at sizes of their own."""
        bars = self.changed(self.moving, "bars.mkv", "scale=115:49,format=yuv444p,pad=115:85:0:18,format=yuv420p,"
                            "setsar=1")
        cropped = self.changed(self.moving, "cropped.mkv", "trim=start_frame=4,setpts=N/25/TB,scale=171:73,setsar=1")
        for a, b, told, options in (
                (bars, cropped, "later", ["-o", self.folder / "shapes.mkv", "--duration=1", "--mode=side"]),
                (cropped, bars, "earlier", ["-o", self.folder / "shapes.png", "--mode=side"]),
                (cropped, bars, "earlier", ["-o", self.folder / "shapes.jpg", "--mode=split"])):
            with self.subTest(options=options):
                output = self.compare(a, b, *options)
                self.assertIn(f"B begins 4 frames {told}: found by the pictures", output)
                self.assertEqual("one is stretched to the other" in output, "--mode=split" in options)
        self.assertEqual(len(frame_hashes(self.folder / "shapes.mkv")), 21)  # without A's first four
        self.assertEqual(self.qc(bars, cropped)["offset"], -4)
        # The whole picture in another shape.
        stretched = self.changed(self.moving, "stretched.mkv", "trim=start_frame=4,setpts=N/25/TB,scale=96:96,setsar=1")
        self.assertEqual(self.qc(self.moving, stretched)["offset"], -4)

    def test_a_picture_of_one_line(self):
        line = self.changed(self.moving, "line.mkv", "trim=end_frame=10,format=yuv444p,crop=192:1:0:50:exact=1,"
                            "format=yuv420p")
        for mode in ("side", "split"):
            self.compare(line, self.moving, f"--mode={mode}", "-o", self.folder / f"line-{mode}.png")
        self.assertEqual(self.qc(self.moving, line)["compared_as"], "192x1 yuv444p")

    def test_a_part(self):
        document = self.qc(self.moving, self.moving, "--start=#10", "--duration=0.4")
        self.assertEqual((document["pairs"], document["b_without_partner"]), (10, 0))


class Forms(TwoFilms):
    def overall(self, a, b):
        return {name: plane["psnr_of_mean_mse"] or math.inf for name, plane in self.qc(a, b)["planes"].items()}

    def test_another_matrix(self):
        other = self.changed(self.real, "bt601.mkv", "zscale=matrixin=709:matrix=470bg:filter=bicubic",
                             *self.tags("bt470bg"))
        self.assertEqual(ffprobe(other, "-show_streams")["streams"][0]["color_space"], "bt470bg")
        right = self.overall(self.real, other)
        for plane, db in right.items():
            self.assertGreater(db, 45, plane)
        # The same samples taken for bt709: that the matrix is heeded shows.
        wrong = self.film("wrong.mkv", "-i", other, *self.tags("bt709"))
        self.assertLess(self.overall(self.real, wrong)["Y"], right["Y"] - 10)

    def test_another_range(self):
        full = self.changed(self.real, "full.mkv", "zscale=range=full", *self.tags("bt709", "pc"))
        self.assertEqual(ffprobe(full, "-show_streams")["streams"][0]["color_range"], "pc")
        self.assertGreater(self.overall(self.real, full)["all"], 60)
        self.assertGreater(self.overall(full, self.real)["all"], 60)

    def test_another_depth(self):
        eight = self.changed(self.real, "eight.mkv", "zscale=dither=none,format=yuv420p", *self.tags("bt709"))
        document = self.qc(eight, self.real)
        self.assertEqual(document["compared_as"], "320x180 yuv420p")
        self.assertTrue(document["identical"])  # the same rounding
        # Rounding to 8 bits: a mean square of 1/12 step of 8 bits or, of four even steps, 1.5 of 10.
        self.assertAlmostEqual(self.overall(self.real, eight)["Y"], 10 * math.log10(1023 ** 2 / 1.5), delta=0.3)

    def test_another_size(self):
        large = self.changed(self.real, "large.mkv", "zscale=w=640:h=360:filter=lanczos", *self.tags("bt709"))
        for a, b, reduced in ((self.real, large, "b"), (large, self.real, "a")):
            document = self.qc(a, b)
            self.assertTrue(document["compared_as"].startswith("320x180"))
            self.assertIn("by lanczos", document[reduced]["conversion"])
            self.assertGreater(document["planes"]["Y"]["psnr_of_mean_mse"], 40)
            self.assertEqual(document["warnings"], [])

    def test_a_gray_film_of_an_odd_size(self):
        for pixels in ("yuv420p", "yuv422p10"):
            with self.subTest(pixels=pixels):
                colour = self.changed(self.real, "colour.mkv", f"format={pixels}", *self.tags("bt709"))
                gray = self.changed(colour, "gray.mkv", "scale=161:91:flags=lanczos,format=gray", *self.tags("bt709"))
                document = self.qc(gray, colour)
                self.assertEqual(document["compared_as"], "161x91 gray")
                self.assertGreater(document["planes"]["Y"]["psnr_of_mean_mse"], 40)
                self.assertEqual(self.qc(colour, gray)["compared_as"].split()[0], "161x91")

    def test_odd_sizes(self):
        odd = self.changed(self.real, "odd.mkv", "crop=211:121:0:0:exact=1", *self.tags("bt709"))
        large = self.changed(odd, "odd-large.mkv", "format=yuv444p10,zscale=w=422:h=242:filter=lanczos",
                             *self.tags("bt709"))
        document = self.qc(odd, large)
        self.assertEqual(document["compared_as"], "211x121 yuv444p10")
        for name, plane in document["planes"].items():
            self.assertGreater(plane["psnr_of_mean_mse"], 40, name)

    def test_another_shape_is_told(self):
        cropped = self.changed(self.real, "cropped.mkv", "crop=320:136:0:22", *self.tags("bt709"))
        self.assertIn("of other shapes, 1.778:1 and 2.353:1", " ".join(self.qc(self.real, cropped)["warnings"]))

    def test_pictures(self):
        png, jpg = self.folder / "one.png", self.folder / "one.jpg"
        for path in (png, jpg):
            run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", self.moving, "-frames:v", "1", "-q:v", "2", path],
                check=True)
        document = self.qc(png, jpg)
        self.assertEqual((document["pairs"], document["compared_as"]), (1, "192x108 gbrp"))
        self.assertGreater(document["planes"]["G"]["psnr_of_mean_mse"], 25)
        self.assertTrue(self.qc(png, png)["identical"])
        self.assertEqual(self.qc(self.moving, png)["a_without_partner"], 99)


class WrongThings(TwoFilms):
    def test_inputs_that_are_no_films(self):
        sound, empty, text = (self.folder / name for name in ("sound.mka", "empty.mkv", "text.mkv"))
        run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", CLIP, "-vn", "-sn", "-c:a", "copy", sound], check=True)
        empty.touch()
        text.write_text("no film\n")
        for path, word in ((sound, "no video stream"), (empty, "empty"), (text, "not a film"),
                           (self.folder, "is a folder"), (self.folder / "none.mkv", "no such file")):
            status, output = run([PROGRAM, "qc", path, self.moving])
            self.assert_one_line_error(status, output, 3, path.name, word)
        status, output = run([PROGRAM, "qc", self.moving, empty])
        self.assert_one_line_error(status, output, 3, empty.name, "empty")

    def test_usage(self):
        for options, word in ((["--offset=x"], "--offset=x"), (["--offset=100"], "no frame of A"),
                              (["--offset=-900000000"], "no frame of A"),
                              (["--align=x"], "--align=x"), (["--start=9"], "behind the end"),
                              (["--duration=0"], "--duration=0"), (["--fail-below=nan"], "--fail-below")):
            status, output = run([PROGRAM, "qc", self.moving, self.moving, *options])
            self.assert_one_line_error(status, output, 2, word)
        status, output = run([PROGRAM, "qc", self.moving])
        self.assert_one_line_error(status, output, 2, "two films")

    def test_a_film_that_was_cut_off(self):
        data = self.moving.read_bytes()
        cut = self.folder / "cut.mkv"
        cut.write_bytes(data[:len(data) // 2])
        document = self.qc(self.moving, cut)
        self.assertTrue(10 < document["pairs"] < 90)
        self.assertEqual(document["a_without_partner"], 100 - document["pairs"])
        self.assertTrue(document["identical"])
        self.assertIn("ends early", " ".join(document["warnings"]))

    def test_a_film_that_cannot_be_read_to_its_end(self):
        film, damaged = self.folder / "long-enough.mp4", self.folder / "damaged.mp4"
        run(["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=192x108:r=25", "-t", "12",
             "-pix_fmt", "yuv420p", "-c:v", "libx264", "-g", "10", film], check=True)
        data = bytearray(film.read_bytes())
        begin, end = data.index(b"mdat") + len(data) // 5, len(data) * 4 // 5
        data[begin:end] = bytes(end - begin)
        damaged.write_bytes(data)
        document = self.qc(film, damaged, "--log-level=off", status=3)
        self.assertTrue(30 < document["pairs"] < document["pairs_planned"])
        self.assertIn("do not decode", document["failure"])
        self.assertGreater(document["identical_frames"], 20)

    def test_names_that_are_hard_on_filter_graphs(self):
        for name, other in (("a:b,c[d]'e;f.mkv", "-x.mkv"), ("q\"u%d.mkv", "--x.mkv"), ("back\\slash=1.mkv", "..mkv")):
            with self.subTest(name=name):
                for film in (name, other):
                    (self.folder / film).write_bytes(self.real.read_bytes())
                process = subprocess.run([PROGRAM, "qc", "--json", "--", name, other], cwd=self.folder,
                                         capture_output=True, text=True, timeout=120, check=False)
                self.assertEqual(process.returncode, 0, process.stderr)
                document = json.loads(process.stdout)
                self.assertEqual((document["a"]["file"], document["b"]["file"]), (name, other))
                process = subprocess.run([PROGRAM, "compare", "-o", name + ".png", "--", name, other], cwd=self.folder,
                                         capture_output=True, text=True, timeout=120, check=False)
                self.assertEqual(process.returncode, 0, process.stderr)
                self.assertTrue((self.folder / (name + ".png")).exists())

    @staticmethod
    def open_files(pid):
        names = []
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):  # closed meanwhile
                names.append(os.readlink(fd))
        return names

    def test_a_signal_ends_it_with_what_is_known(self):
        table = self.folder / "stopped.csv"
        process = subprocess.Popen([PROGRAM, "qc", "--json", "--offset=0", "-o", table, self.long, self.long],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 120
        while not str(self.long) in self.open_files(process.pid):
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130, output + errors)
        if output:  # it had begun to compare
            document = json.loads(output)
            self.assertTrue(document["stopped"])
            self.assertLess(document["pairs"], 1500)


class Compare(TwoFilms):
    def picture_of(self, path, frame=0, filters="null"):
        """Bytes of a frame as RGB."""
        return subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", path, "-vf",
                               f"trim=start_frame={frame},{filters},format=rgb24", "-frames:v", "1", "-f", "rawvideo",
                               "-"], capture_output=True, check=True).stdout

    def test_videos(self):
        small = self.changed(self.real, "small.mkv", "zscale=w=160:h=90", *self.tags("bt709"))
        for name in ("side.mkv", "side.mp4", "side.mov"):
            output = self.folder / name
            self.compare(CLIP, small, "-o", output)
            found = ffprobe(output, "-count_frames", "-show_streams", "-show_format")
            streams = {s["codec_type"]: s for s in found["streams"]}
            video = streams["video"]
            self.assertEqual((video["width"], video["height"], video["pix_fmt"], video["codec_name"]),
                             (640, 180, "yuv420p", "h264"))
            self.assertEqual((video["nb_read_frames"], video["r_frame_rate"]), ("21", "25/1"))
            self.assertEqual((video["color_space"], video["color_range"]), ("bt709", "tv"))
            self.assertEqual(streams["audio"]["codec_name"], "ac3")
            self.assertLess(abs(float(streams["audio"]["start_time"])), 0.04)
            self.assertEqual(found["format"]["tags"]["title"], f"left: {CLIP.name} | right: small.mkv")
        # Its halves are the films.
        left = self.changed(self.folder / "side.mkv", "left.mkv", "crop=320:180:0:0", *self.tags("bt709"))
        self.assertGreater(self.qc(CLIP, left)["planes"]["Y"]["psnr_of_mean_mse"], 40)
        right = self.changed(self.folder / "side.mkv", "right.mkv", "crop=320:180:320:0", *self.tags("bt709"))
        self.assertGreater(self.qc(small, right)["planes"]["Y"]["psnr_of_mean_mse"], 38)

    def test_a_part_of_shifted_films(self):
        later = self.changed(self.moving, "later.mkv", "trim=start_frame=5,setpts=N/25/TB")
        output = self.folder / "part.mkv"
        self.compare(self.moving, later, "-o", output, "--start=1", "--duration=0.8", "--mode=split")
        self.assertEqual(len(frame_hashes(output)), 20)
        part = self.changed(self.moving, "part-of-a.mkv", "trim=start_frame=25:end_frame=45,setpts=N/25/TB")
        whole = self.changed(output, "whole.mkv", "null")
        document = self.qc(part, whole)
        self.assertEqual(document["offset"], 0)
        self.assertGreater(document["planes"]["Y"]["psnr_of_mean_mse"], 20)  # but for the line

    def test_pictures(self):
        blurred = self.changed(self.moving, "blurred.mkv", "gblur=sigma=2")
        split = self.folder / "split.png"
        self.compare(self.moving, blurred, "-o", split, "--mode=split", "--at=#30")
        stream = ffprobe(split, "-show_streams")["streams"][0]
        self.assertEqual((stream["width"], stream["height"], stream["pix_fmt"]), (192, 108, "rgb24"))
        shown = self.picture_of(split)
        a, b = (self.picture_of(film, 30, "zscale=matrixin=470bg:filter=bicubic,format=gbrp") for film in (self.moving, blurred))

        def apart(x_begin, x_end, film):
            return max(abs(shown[3 * (y * 192 + x) + c] - film[3 * (y * 192 + x) + c])
                       for y in range(108) for x in range(x_begin, x_end) for c in range(3))
        self.assertLess(apart(0, 94, a), 40)
        self.assertLess(apart(98, 192, b), 40)
        self.assertGreater(apart(98, 192, a), 60)
        line = [shown[3 * (50 * 192 + x)] for x in range(192) if shown[3 * (50 * 192 + x):3 * (50 * 192 + x) + 3]
                == b"\xff\xff\xff"]
        self.assertGreaterEqual(len(line), 2)
        side = self.folder / "side.jpg"
        self.compare(self.moving, blurred, "-o", side, "--at=1.2")
        stream = ffprobe(side, "-show_streams")["streams"][0]
        self.assertEqual((stream["width"], stream["height"], stream["codec_name"]), (384, 108, "mjpeg"))

    def test_nothing_is_overwritten_unasked(self):
        output = self.folder / "there.png"
        output.write_text("mine")
        status, text = run([PROGRAM, "compare", self.moving, self.moving, "-o", output])
        self.assert_one_line_error(status, text, 2, "there.png", "--force")
        self.assertEqual(output.read_text(), "mine")
        self.compare(self.moving, self.moving, "-o", output, "--force")
        self.assertEqual(output.read_bytes()[:4], b"\x89PNG")
        before = self.moving.read_bytes()
        status, text = run([PROGRAM, "compare", self.moving, self.real, "-o", self.moving, "--force"])
        self.assert_one_line_error(status, text, 2, "one of the films")
        self.assertEqual(self.moving.read_bytes(), before)

    def test_usage(self):
        for options, word in (([], "-o OUT"), (["-o", "x.avi"], ".mkv, .mp4 or .mov"),
                              (["-o", "x.mkv", "--at=1"], "--at"), (["-o", "x.png", "--start=1"], "--at"),
                              (["-o", "x.png", "--mode=x"], "side, split"), (["-o", "x.png", "--at=99"], "behind"),
                              (["-o", "x.mkv", "--offset=1000"], "no frame of A")):
            status, output = run([PROGRAM, "compare", self.moving, self.moving, *options])
            self.assert_one_line_error(status, output, 2, word)
        self.assertFalse(os.path.exists("x.mkv"))

    def test_nothing_is_left_of_a_failure(self):
        folder = self.folder / "full"
        folder.mkdir()
        damaged = self.folder / "damaged.mkv"
        data = bytearray(self.moving.read_bytes())
        data[len(data) // 3:] = os.urandom(len(data) - len(data) // 3)
        damaged.write_bytes(data)
        run([PROGRAM, "compare", self.moving, damaged, "-o", folder / "out.mkv"])
        self.assertEqual([p.name for p in folder.iterdir() if p.name.endswith(".part")], [])
        status, output = run([PROGRAM, "compare", self.moving, self.moving, "-o", folder / "no/such/out.mkv"])
        self.assert_one_line_error(status, output, 6, "no/such/out.mkv")

    def test_a_signal_leaves_nothing(self):
        folder = self.folder / "stopped"
        folder.mkdir()
        process = subprocess.Popen([PROGRAM, "compare", "--offset=0", self.long, self.long, "-o", folder / "out.mp4"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.addCleanup(process.kill)
        deadline = time.monotonic() + 120
        while not (folder / "out.mp4.part").exists():
            self.assertIsNone(process.poll())
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 143, errors)
        self.assertEqual(list(folder.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
