"""The ledger run.h5, what a start leaves of itself, and the report, of real runs."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from film_support import CLIP, PROGRAM, SMALL_FILM, SOURCE, FilmTest, environment, ranks_of, run
from web_support import Browser, until

TOOLS = SOURCE / ".deps/ledger-tools"


def with_tools():
    return environment(PYTHONPATH=str(TOOLS), MPLBACKEND="Agg")


def opened_by_h5dump(path):
    """How many segments are committed, or nothing where h5dump is not installed."""
    if shutil.which("h5dump") is None:
        return None
    # Of HDF5 1.14 a file that is written in place would be refused for its lock; ours is not.
    _, text = run(["h5dump", "-d", "/segments/committed", path], check=True)
    _, names = run(["h5dump", "-n", path], check=True)
    assert "dataset    /frames/luma_mean" in names, names
    return sum(int(value) for value in re.search(r"\(0\): ([^\n]*)", text)[1].split(","))


class Report(FilmTest):
    def run_dir(self, name):
        return self.folder / name

    def starts(self, name):
        return [json.loads(p.read_text()) for p in sorted((self.run_dir(name) / "starts").glob("*.json"))]

    def page(self, name):
        return (self.run_dir(name) / "report/index.html").read_text()

    def test_the_ledger_can_be_opened_at_any_time(self):
        sys.path.insert(0, str(TOOLS))
        try:
            import h5py
        except ImportError:
            h5py = None
        finally:
            sys.path.remove(str(TOOLS))
        if h5py is None and shutil.which("h5dump") is None:
            self.skipTest("neither h5dump nor h5py is here: tests/support/get-ledger-tools could not fetch it")
        # Long enough for the ledger to be written anew in between.
        film = {**SMALL_FILM, "input__end": 0, "preprocess__width": 128, "preprocess__height": 96, "segment__frames": 3}
        process = self.begin("open", ranks=2, **film)
        ledger = self.run_dir("open") / "run.h5"
        self.wait_until(ledger.exists, process)
        seen, writes = [], set()

        def look():
            file = ledger.stat()
            writes.add((file.st_ino, file.st_mtime_ns))

        while process.poll() is None:
            look()
            if h5py is not None:
                with h5py.File(ledger) as data:
                    seen.append(int(data["segments/committed"][:].sum()))
                    self.assertEqual(data["frames/luma_mean"].shape, data["frames/segment"].shape)
            dumped = opened_by_h5dump(ledger)
            if h5py is None:
                seen.append(dumped)
            time.sleep(0.1)
        self.assert_ends(process)
        look()  # it is written at the end, however fast that came
        self.assertTrue(seen, "it was over before the ledger could be opened")
        self.assertEqual(seen, sorted(seen))
        self.assertGreater(len(writes), 1, "the ledger was not written a second time")
        segments = len(list((self.run_dir("open") / "segments").glob("????.h5")))
        if h5py is not None:
            with h5py.File(ledger) as data:
                self.assertEqual(data["segments/committed"][:].tolist(), [1] * segments)
                self.assertEqual(data["chunks/committed"][:].tolist(), [1] * segments)
                self.assertEqual(int(data["records/0000"].attrs["segment"]), 0)
                self.assertEqual(data["frames/luma_mean"].maxshape, (None,))
                self.assertEqual(data["frames/luma_mean"].compression, "gzip")
        else:
            self.assertEqual(opened_by_h5dump(ledger), segments)

    def test_a_run_leaves_start_ledger_and_report(self):
        run(["mpirun", "--oversubscribe", "--bind-to", "none", "-n", "2", *self.job("whole", **SMALL_FILM),
             "--input.audio=first"], check=True)
        start, = self.starts("whole")
        self.assertEqual(start["exit_status"], 0)
        self.assertGreaterEqual(start["ended"], start["begun"])
        self.assertEqual([r["rank"] for r in start["ranks"]], [0, 1])
        self.assertEqual(start["launcher"][:2], ["mpirun", "--oversubscribe"])
        self.assertIn("--input.audio=first", start["command"])
        self.assertTrue(any(line.startswith("FFmpeg: ") for line in start["versions"]))
        page = self.page("whole")
        for words in (CLIP.name, "made into 1 film", "film_pitchOK.mkv", "mpirun --oversubscribe --bind-to none -n 2 "):
            self.assertIn(words, page)
        # The same command again finds the film made, and is a start all the same.
        run(self.job("whole", **SMALL_FILM, input__audio="first"), check=True)
        self.assertEqual([s["exit_status"] for s in self.starts("whole")], [0, 0])
        self.assertIn("2 starts", self.page("whole"))

    def test_attempts_that_failed_are_told(self):
        # The folder of the chunks is gone for a while.
        film = {**SMALL_FILM, "input__end": 0, "preprocess__width": 96, "preprocess__height": 96}
        process = self.begin("failing", **film)
        run_dir = self.run_dir("failing")
        self.wait_until(lambda: list((run_dir / "segments").glob("????.h5")), process)
        (run_dir / "chunks").rename(run_dir / "elsewhere")
        (run_dir / "chunks").write_text("no folder")
        self.assert_ends(process, 6)
        start, = self.starts("failing")
        self.assertEqual(start["exit_status"], 6)
        failed = [e["text"] for e in start["events"] if "failed on rank 0" in e["text"]]
        self.assertTrue(failed, start["events"])
        page = self.page("failing")
        self.assertIn("The last start failed: ", page)
        self.assertIn("Attempts that failed", page)
        data = json.loads(re.search(r'id="data">(.*?)</script>', page, re.S)[1])
        self.assertEqual(len(data["failures"]), len(failed))
        self.assertTrue(all(f["chunk"] for f in data["failures"]))
        (run_dir / "chunks").unlink()
        (run_dir / "elsewhere").rename(run_dir / "chunks")
        run(self.job("failing", **film), check=True)
        self.assertIn("1 start before the last one failed", self.page("failing"))
        self.assertIn("made into 1 film", self.page("failing"))

    def test_a_killed_run_has_its_report_by_command(self):
        process = self.begin("killed", **SMALL_FILM)
        self.wait_until(lambda: list((self.run_dir("killed") / "segments").glob("????.h5")), process)
        for pid in ranks_of(process).values():
            os.kill(pid, signal.SIGKILL)
        process.wait()
        start, = self.starts("killed")
        self.assertEqual(start["ended"], "")
        status, output = run([PROGRAM, "report", self.run_dir("killed")])
        self.assertEqual(status, 0, output)
        self.assertEqual(output.strip(), str(self.run_dir("killed") / "report/index.html"))
        self.assertIn("No end of the last start is known", self.page("killed"))
        self.assertIn("The films are not made.", self.page("killed"))

    def test_an_interrupted_run_says_so(self):
        process = self.begin("stopped", **SMALL_FILM)
        self.wait_until(lambda: list((self.run_dir("stopped") / "segments").glob("????.h5")), process)
        process.send_signal(signal.SIGTERM)
        self.assert_ends(process, 143)
        start, = self.starts("stopped")
        self.assertEqual(start["exit_status"], 143)
        self.assertIn("The last start was interrupted", self.page("stopped"))

    def test_what_was_known_stands_when_the_pieces_are_discarded(self):
        run(self.job("discarded", **SMALL_FILM, segment__keep="off"), check=True)
        self.assertEqual(list((self.run_dir("discarded") / "segments").glob("*")), [])
        for _ in range(2):
            self.assertIn("4 of 4", self.page("discarded"))
            run([PROGRAM, "report", self.run_dir("discarded")], check=True)
        run(self.job("discarded", **SMALL_FILM, segment__keep="off"), check=True)
        self.assertIn("4 of 4", self.page("discarded"))

    def test_a_damaged_record_and_a_ledger_that_is_gone(self):
        run(self.job("damaged", **SMALL_FILM), check=True)
        run_dir = self.run_dir("damaged")
        (run_dir / "run.h5").unlink()
        record = run_dir / "segments/0002.h5"
        record.write_bytes(record.read_bytes()[:-100])
        status, output = run([PROGRAM, "report", run_dir, "-o", self.folder / "page.html"])
        self.assertEqual(status, 0, output)
        self.assertIn("segment 2: its record cannot be used", output)
        self.assertIn("segment 2: its record cannot be used", (self.folder / "page.html").read_text())
        self.assertTrue((run_dir / "run.h5").exists())

    def test_what_cannot_be_is_told_in_a_line(self):
        self.assert_one_line_error(*run([PROGRAM, "report", self.folder]), 2, "no run directory")
        self.assert_one_line_error(*run([PROGRAM, "report"]), 2, "one run directory")
        run(self.job("line", **SMALL_FILM), check=True)
        self.assert_one_line_error(*run([PROGRAM, "report", self.run_dir("line"), "-o", "/proc/none/x.html"]), 6,
                                   "/proc/none/x.html")
        film = self.run_dir("line") / "final/film_pitchOK.mkv"
        made = film.read_bytes()
        for there in (film, self.run_dir("line")):
            self.assert_one_line_error(*run([PROGRAM, "report", self.run_dir("line"), "-o", there]), 2, str(there))
        self.assertEqual(film.read_bytes(), made)
        self.assertEqual(list(self.folder.glob("*.part")), [])

    def test_a_run_without_room_for_its_book_makes_its_film(self):
        # A file where the folder of the starts, and a folder where the ledger would be.
        run_dir = self.run_dir("bookless")
        run(self.job("bookless", **SMALL_FILM), check=True)
        shutil.rmtree(run_dir / "starts")
        (run_dir / "starts").write_text("no folder")
        (run_dir / "run.h5").unlink()
        (run_dir / "run.h5").mkdir()
        (run_dir / "final/film_pitchOK.mkv").unlink()
        status, output = run(self.job("bookless", **SMALL_FILM))
        self.assertEqual(status, 0, output)
        self.assertEqual(output.count("ledger or report cannot be written"), 1, output)
        self.assertTrue((run_dir / "final/film_pitchOK.mkv").exists())

    def test_the_plot_of_the_documentation(self):
        ready = subprocess.run([sys.executable, "-c", "import h5py, matplotlib"], env=with_tools(),
                               stdin=subprocess.DEVNULL, capture_output=True).returncode == 0
        if not ready:
            self.skipTest("no h5py or Matplotlib: tests/support/get-ledger-tools could not fetch it")
        run(self.job("plot", **SMALL_FILM), check=True)
        page = (SOURCE / "docs/ledger.md").read_text()
        script = self.folder / "plot.py"
        script.write_text(re.search(r"```python\n(.*?)```", page, re.S)[1])
        picture = self.folder / "plot.png"
        run([sys.executable, script, self.run_dir("plot") / "run.h5", picture], env=with_tools(), check=True)
        self.assertGreater(picture.stat().st_size, 10_000)

    def test_the_page_in_a_browser(self):
        browser = Browser()
        self.addCleanup(browser.close)
        # A name that would be markup, and a script.
        film = self.folder / "<img src=x onerror=\"document.body.id='taken over'\">&amp;.mkv"
        shutil.copy(CLIP, film)
        run(self.job("browser", **{**SMALL_FILM, "input__file": film}), check=True)
        page = self.run_dir("browser") / "report/index.html"
        for scheme in ("light", "dark"):
            browser.theme(scheme)
            browser.open(f"file://{page}")
            self.assertEqual(browser.console(), [])
            self.assertEqual([url for url in browser.requests() if not url.startswith("data:")], [f"file://{page}"])
        self.assertEqual(browser.js("return document.querySelector('h1').textContent"), film.name)
        self.assertEqual(browser.js("return document.body.id"), "")
        for place in ("gantt", "speed", "stages", "back-projection", "sharpness-gain", "luma", "seams-plot"):
            charts = "return document.querySelectorAll(`#${arguments[0]} > svg[role=img][aria-label]`).length"
            self.assertEqual(browser.js(charts, place), 1, place)
        # Four segments, all of them within the picture.
        self.assertEqual(browser.js("return document.querySelectorAll('#gantt .bar-segment').length"), 5)  # and the key
        outside = """return [...document.querySelectorAll('#gantt > svg rect, #gantt > svg text')].filter(shape => {
            const box = shape.getBBox();
            return box.x < 0 || box.x + box.width > shape.ownerSVGElement.viewBox.baseVal.width;
        }).length"""
        self.assertEqual(browser.js(outside), 0)
        # What a value is, by the keys alone.
        browser.js("document.querySelector('#back-projection svg').focus()")
        browser.press(browser.keys.ARROW_RIGHT)
        self.assertRegex(browser.js("return document.querySelector('#back-projection .said').textContent"),
                         r"^Frame 7 \(0:00:00\): [0-9.]+ dB$")
        # No scrolling sideways on a narrow screen, but within a table or chart.
        browser.size(360, 800)
        self.assertLessEqual(browser.js("return document.documentElement.scrollWidth"), 360)
        # Charts are drawn anew for it, with letters as large as on a wide one.
        scale = """const svg = document.querySelector('#gantt svg');
            return svg.getBoundingClientRect().width / svg.viewBox.baseVal.width"""
        until("the charts have the screen's width", lambda: abs(browser.js(scale) - 1) < 0.1)
        self.assertEqual(browser.js(outside), 0)
        hidden = """return [...document.querySelectorAll('#starts td')].filter(cell => {
            const box = cell.getBoundingClientRect();
            return box.right > 360 || box.height > 100;
        }).length"""
        self.assertEqual(browser.js(hidden), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
