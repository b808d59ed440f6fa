"""Wrong things on purpose: each ends with one clear line and its exit status."""

import shutil
import subprocess
import unittest

from film_support import CLIP, PROGRAM, SOURCE, FilmTest, run


class CommandLine(FilmTest):
    def test_help_lists_every_section(self):
        status, output = run([PROGRAM, "--help"])
        self.assertEqual(status, 0)
        for section in ("input", "preprocess", "model", "stream", "segment", "final", "run"):
            self.assertIn(f"[{section}]", output)

    def test_every_key_is_on_the_page_of_keys(self):
        _, output = run([PROGRAM, "--help"])
        page = (SOURCE / "docs/job-file.md").read_text()
        keys = [line.strip().split(":")[0] for line in output.split("Keys of the job file")[1].splitlines()
                if line.startswith("    ") and ": " in line]
        self.assertGreater(len(keys), 30)
        for key in keys:
            self.assertIn(f"| `{key}` |", page)

    def test_version_names_the_libraries(self):
        status, output = run([PROGRAM, "--version"])
        self.assertEqual(status, 0)
        for library in ("vsr-dist", "LibTorch", "libavcodec", "Open MPI", "HDF5", "Boost", "spdlog"):
            self.assertIn(library, output)
        self.assertEqual("NCCL: " in output, "built without CUDA" not in output)

    def test_print_config_is_a_job_file_again(self):
        status, printed = run([PROGRAM, SOURCE / "configs/pal-dvd-1440p24.ini", "--print-config"])
        self.assertEqual(status, 0, printed)
        path = self.folder / "printed.ini"
        path.write_text(printed)
        status, again = run([PROGRAM, path, "--print-config"])
        self.assertEqual(status, 0, again)
        self.assertEqual(printed, again)

    def test_hostile_names_survive_print_config(self):
        for name in ("hash#semi;.mkv", "a # b.mkv", ' "quoted" ', "back\\slash", "line\nend", "\u00e4\u65e5.mkv"):
            with self.subTest(name=name):
                arguments = [f"--input.file={self.folder}/{name}", "--print-config"]
                status, printed = run([PROGRAM, *arguments])
                self.assertEqual(status, 0, printed)
                path = self.folder / "hostile.ini"
                path.write_text(printed)
                status, again = run([PROGRAM, path, "--print-config"])
                self.assertEqual(status, 0, again)
                self.assertEqual(printed, again)

    def test_a_job_from_a_pipe(self):
        status, output = run(["bash", "-c", '"$0" <(printf "[input]\nfile = x.mkv\n") --print-config', PROGRAM])
        self.assertEqual(status, 0, output)
        self.assertIn("x.mkv\n", output)

    def test_dry_run_does_no_work(self):
        run_dir = self.folder / "dry"
        status, output = run([PROGRAM, SOURCE / "configs/demo.ini", "--dry-run", f"--run.dir={run_dir}"])
        self.assertEqual(status, 0, output)
        for word in ("timeline", "21 frames of 320x180", "segments", "memory", "disk", "time", "final"):
            self.assertIn(word, output)
        self.assertFalse(run_dir.exists())

    def test_dry_run_refuses_what_a_start_would(self):
        job = [PROGRAM, SOURCE / "configs/demo.ini", f"--run.dir={self.folder / 'held'}",
               "--input.end=0.04", "--preprocess.crop=64:64:0:0", "--stream.device=cpu", "--final.height=native",
               "--final.preset=ultrafast", "--log-level=warning"]
        status, output = run(job)
        self.assertEqual(status, 0, output)
        self.assertEqual(run(job + ["--dry-run"])[0], 0)
        status, output = run(job + ["--dry-run", "--stream.overlap=3"])
        self.assertEqual(status, 2, output)
        self.assertIn("stream.overlap was '2', is now '3'", output)
        self.assertEqual(run(job + ["--dry-run", "--fresh", "--stream.overlap=3"])[0], 0)

    def test_usage_errors(self):
        for arguments, words in [
            ([], ["no job given"]),
            (["/nonexistent.ini"], ["/nonexistent.ini", "cannot be opened"]),
            (["--streem.overlap=3"], ["streem.overlap", "did you mean 'stream.overlap'"]),
            (["--input.file=x", "--stream.overlap=many"], ["stream.overlap", "a whole number"]),
            (["--nonsense"], ["nonsense"]),
            (["a.ini", "b.ini"], ["one job file"]),
            (["--input.file=x", "--final.fps"], ["needs a value"]),
            (["--log-level=loud", "--input.file=x"], ["log-level"]),
            ([CLIP], ["is no job file", f"--input.file={CLIP}"]),
            ([self.folder], [str(self.folder), "is a folder"]),
            (["selftset"], ["did you mean 'vsr-dist selftest'"]),
            (["docter"], ["did you mean 'vsr-dist doctor'"]),
            (["doctor", "--jsn"], ["jsn"]),
            (["doctor", "--hosts=/nonexistent", "--run.dir=/tmp"], ["/nonexistent"]),
            (["--finall.height=3", "--input.file=x"], ["did you mean 'final.height'"]),
            (["--input.file=~/x.mkv"], ["~ is not expanded"]),
            (["--input.file=http://host/x.mkv"], ["addresses are not read"]),
            (["--input.file=x", "--final.audio_bitrate=1"], ["from 8k to 6144k"]),
            (["--input.file=x", "--final.crf=\x1b[2J\n9"], ["\\x1b[2J\\n9"]),
        ]:
            with self.subTest(arguments=arguments):
                status, output = run([PROGRAM, *arguments])
                self.assert_one_line_error(status, output, 2, *words)

    def test_faults_of_a_job_file_name_the_line(self):
        path = self.folder / "wrong.ini"
        for text, words in [
            ("[input]\nfile = x\nfile = y\n", ["wrong.ini:3", "input.file is given twice, first in line 2"]),
            ("file = x\n", ["wrong.ini:1", "before the first [section]"]),
            ("[input]\n\nfile = \"x\n", ["wrong.ini:3", "closing quote"]),
            ("[input]\nfile = x\n[stream]\noverlap = many\n", ["wrong.ini:4", "a whole number"]),
            ("[input]\nfile = x\n[stream]\noverlapp = 3\n", ["wrong.ini:4", "did you mean 'stream.overlap'"]),
        ]:
            with self.subTest(text=text):
                path.write_text(text)
                status, output = run([PROGRAM, path])
                self.assert_one_line_error(status, output, 2, *words)

    def test_input_errors(self):
        text = self.folder / "text.mkv"
        text.write_text("this is no film\n" * 100)
        empty = self.folder / "empty.mkv"
        empty.touch()
        sound = self.folder / "sound.mka"
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=1", sound], check=True)
        for path, words in [
            ("/nonexistent/film.mkv", ["/nonexistent/film.mkv"]),
            (text, ["text.mkv"]),
            (empty, ["empty.mkv"]),
            (sound, ["sound.mka"]),
            (self.folder, [str(self.folder)]),
        ]:
            with self.subTest(path=path):
                status, output = run(self.job("input-error", input__file=path))
                self.assert_one_line_error(status, output, 3, *words)

    def test_model_errors(self):
        junk = self.folder / "junk.pth"
        junk.write_bytes(bytes(range(256)) * 4)
        for path in (junk, "/nonexistent.pth"):
            with self.subTest(path=path):
                status, output = run(self.job("model-error", input__file=CLIP, model__checkpoint=path))
                self.assert_one_line_error(status, output, 4, str(path))

    def test_gpu_asked_for_where_there_is_none(self):
        if shutil.which("nvidia-smi") and run(["nvidia-smi"])[0] == 0:
            self.skipTest("this machine has a GPU")
        arguments = self.job("gpu-error", input__file=CLIP) + ["--stream.device=cuda"]
        status, output = run(arguments)
        self.assert_one_line_error(status, output, 5, "stream.device = cuda")

    def test_storage_errors(self):
        status, output = run(self.job("x", run_dir="/proc/nowhere", input__file=CLIP))
        self.assert_one_line_error(status, output, 6, "/proc/nowhere")

    def test_encoder_parameters_are_checked_before_any_work(self):
        for keys, words in [
            ({"final__params": "aq-mod=3"}, ["aq-mod"]),
            ({"final__tune": "loud"}, ["loud"]),
            ({"final__preset": "warp"}, ["warp"]),
            ({"final__encoder": "libnothing"}, ["libnothing"]),
            ({"final__audio_codec": "libnothing"}, ["libnothing"]),
        ]:
            with self.subTest(keys=keys):
                run_dir = self.folder / "params"
                status, output = run(self.job("params", run_dir=run_dir, input__file=CLIP, **keys))
                self.assert_one_line_error(status, output, 2, *words)
                self.assertFalse(list(run_dir.glob("segments/*")))


if __name__ == "__main__":
    unittest.main(verbosity=2)
