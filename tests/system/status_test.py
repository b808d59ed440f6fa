"""What a run tells while it is at work: the live block, lines, the status file and command, the page."""

import fcntl
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import termios
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from film_support import PROGRAM, SMALL_FILM, FilmTest, environment, is_running, ranks_of, run
from schema_support import faults

# A line of the log that tells how it goes.
WORKING = r"status: working, [0-9]+\.[0-9]%: upscaled"


class Screen:
    """As much of a terminal as the live block needs. An escape that it does not know is an error."""

    def __init__(self):
        self.rows, self.row, self.column, self.rest = [""], 0, 0, ""

    def take(self, text):
        text = self.rest + text
        self.rest = ""
        while text:
            if text[0] == "\x1b":
                match = re.match(r"\x1b\[([0-9;]*)([A-Za-z])", text)
                if match is None:
                    assert re.fullmatch(r"\x1b(\[[0-9;]*)?", text), f"an escape that is not expected: {text[:10]!r}"
                    self.rest = text  # cut by the read
                    return
                self.escape(match[2], int(match[1].split(";")[0] or 1) if match[1] else 1)
                text = text[match.end():]
                continue
            if text[0] == "\n":
                self.row += 1
                self.rows.extend([""] * (self.row + 1 - len(self.rows)))
            elif text[0] == "\r":
                self.column = 0
            else:
                line = self.rows[self.row].ljust(self.column)
                self.rows[self.row] = line[:self.column] + text[0] + line[self.column + 1:]
                self.column += 1
            text = text[1:]

    def escape(self, kind, count):
        if kind == "A":
            self.row = max(0, self.row - count)
        elif kind in "KJ":
            self.rows[self.row] = self.rows[self.row][:self.column]
            if kind == "J":
                del self.rows[self.row + 1:]
        else:
            assert kind == "m", f"an escape that is not expected: {kind}"

    def text(self):
        return "\n".join(self.rows)


class Status(FilmTest):
    # Two seconds or so of the network for each of 7 segments of 2 frames.
    KEYS = {**SMALL_FILM, "segment__frames": 2}

    def on_terminal(self, words, columns=100, rows=30, stderr=None, at_screen=None, **variables):
        """Runs it on a terminal: (status, screen at the end, all screens there were, bytes). at_screen(text) sees each."""
        main, own = pty.openpty()
        self.addCleanup(os.close, main)
        fcntl.ioctl(own, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        env = environment(TERM="xterm", LC_ALL="C.UTF-8", **variables)
        if "NO_COLOR" not in variables:
            env.pop("NO_COLOR", None)
        process = subprocess.Popen([str(w) for w in words], stdin=own, stdout=own, stderr=stderr or own, env=env,
                                   start_new_session=True)
        os.close(own)
        process.output = Path(os.devnull)
        self.addCleanup(process.wait)
        self.addCleanup(self.end, process)
        self.terminal = process
        screen, screens, taken = Screen(), [], b""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            ready, _, _ = select.select([main], [], [], 0.2)
            if not ready:
                if process.poll() is not None:
                    break
                continue
            try:
                data = os.read(main, 65536)
            except OSError:  # the last one who had it has closed it
                break
            taken += data
            screen.take(data.decode(errors="replace"))
            if screens[-1:] != [screen.text()]:
                screens.append(screen.text())
                if at_screen is not None:
                    at_screen(screens[-1])
        return process.wait(10), screen, screens, taken

    def assert_block(self, screens, *words):
        shown = [s for s in screens if "upscaled " in s and "░" in s]
        self.assertTrue(shown, "\n---\n".join(screens[-3:]))
        for word in words:
            self.assertTrue(any(word in s for s in shown), f"{word}:\n" + "\n---\n".join(shown[-3:]))

    def assert_no_block_left(self, screen):
        self.assertNotIn("░", screen.text())
        self.assertRegex(screen.text(), r"made .*film_pitchOK\.mkv\n.* report: .*index\.html\n$")

    def mpirun(self, ranks):
        return ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)]

    # --- The live block --------------------------------------------------------------------------

    def test_a_terminal_has_one_block_and_nothing_is_left_of_it(self):
        status, screen, screens, taken = self.on_terminal(self.job("live", **self.KEYS))
        self.assertEqual(status, 0, screen.text())
        self.assert_block(screens, "reds_demo_000.mkv working", " segment ", "of 14 frames", "limit: network")
        self.assert_no_block_left(screen)
        self.assertIn(b"\x1b[1m", taken)
        self.assertNotIn(b"\x1b[?25", taken, "the cursor is left alone")
        # Beside the block the log keeps to warnings.
        self.assertNotIn("committed", screen.text())
        for text in screens:
            self.assertLessEqual(max(map(len, text.split("\n"))), 140, text)
            self.assertLessEqual(len(re.findall("working [█▓░]", text)), 1, text)

    def test_lines_stand_above_the_block(self):
        status, screen, screens, _ = self.on_terminal(
            self.job("above", **self.KEYS) + ["--log-level=info"], columns=80)
        self.assertEqual(status, 0, screen.text())
        with_both = [s for s in screens if "committed" in s and "░" in s]
        self.assertTrue(with_both)
        for text in with_both:
            self.assertLess(text.rindex("committed"), text.index("░"), text)
        self.assertEqual(screen.text().count(" committed: "), 14)

    def test_no_colour_and_dumb_terminals(self):
        _, _, screens, taken = self.on_terminal(self.job("plain", **self.KEYS), NO_COLOR="1")
        self.assert_block(screens)
        self.assertIsNone(re.search(rb"\x1b\[[0-9;]*m", taken))
        words = ["env", "TERM=dumb", *self.job("dumb", **self.KEYS), "--progress-every=0.5"]
        _, screen, _, taken = self.on_terminal(words)
        self.assertNotIn(b"\x1b", taken)
        self.assertRegex(screen.text(), WORKING)

    def test_mpiruns_terminal_has_the_block_of_all_ranks(self):
        words = self.mpirun(2) + self.job("ranks", **self.KEYS)
        status, screen, screens, taken = self.on_terminal(words)
        self.assertEqual(status, 0, screen.text())
        self.assert_block(screens, " 0 ", " 1 ")
        self.assertTrue(any(re.search(r"^ 0 .*segment.*\n 1 .*segment", s, re.M) for s in screens))
        self.assert_no_block_left(screen)
        self.assertNotIn(b"\x1b[?25", taken)

    def test_mpiruns_output_in_a_file_has_lines(self):
        path = self.folder / "errors"
        with open(path, "wb") as file:
            words = self.mpirun(2) + self.job("file", **self.KEYS) + ["--progress-every=0.5"]
            status, screen, _, taken = self.on_terminal(words, stderr=file)
        self.assertEqual(status, 0, path.read_text())
        self.assertNotIn(b"\x1b", taken)
        self.assertRegex(path.read_text(), WORKING)
        self.assertNotIn("\x1b", path.read_text())

    def test_a_warning_of_another_rank_stands_above_the_block(self):
        # Rank 1 is told to leave: it says so, by rank 0.
        def at_screen(text):
            if "░" not in text:
                return
            ranks = ranks_of(self.terminal)
            if 1 in ranks and not self.sent:
                self.sent = True
                os.kill(ranks[1], signal.SIGINT)
        self.sent = False
        words = self.mpirun(2) + self.job("warns", **self.KEYS)
        status, screen, screens, _ = self.on_terminal(words, at_screen=at_screen)
        self.assertEqual(status, 0, screen.text())
        self.assertRegex(screen.text(), r"(?m)^[0-9:]{8} warning \[1\] launcher: stopping; a segment")
        self.assert_block(screens, "s left")

    def test_kill_9_leaves_a_usable_terminal(self):
        def at_screen(text):
            if re.search("segment [0-9]", text) and list((self.folder / "killed/status").glob("*.json")):
                self.terminal.kill()
        status, screen, screens, taken = self.on_terminal(self.job("killed", **self.KEYS), at_screen=at_screen)
        self.assertEqual(status, -signal.SIGKILL)
        self.assert_block(screens)
        self.assertNotIn(b"\x1b[?", taken)
        self.assertEqual(screen.column, 0)
        self.assertTrue(taken.endswith(b"\x1b[J"))
        # A status that looks as if the run were at work is not believed.
        before = json.loads(next((self.folder / "killed/status").glob("*.json")).read_text())
        self.assertIn(before["state"], ("planning", "working"))
        code, output = run([PROGRAM, "status", self.folder / "killed"])
        self.assertEqual(code, 0, output)
        self.assertIn("interrupted", output)
        self.assertIn("it ended without a word", output)
        run(self.job("killed", **self.KEYS), check=True)
        code, output = run([PROGRAM, "status", self.folder / "killed", "--json"])
        self.assertEqual(json.loads(output)["state"], "done")

    def test_a_signal_takes_the_block_away(self):
        def at_screen(text):
            if re.search("segment [0-9]", text) and not self.sent:
                self.sent = True
                self.terminal.send_signal(signal.SIGTERM)
        self.sent = False
        status, screen, screens, _ = self.on_terminal(self.job("ended", **self.KEYS), at_screen=at_screen)
        self.assertEqual(status, 143)
        self.assert_block(screens)
        self.assertNotIn("░", screen.text())
        self.assertIn("stopping now", screen.text())
        code, output = run([PROGRAM, "status", self.folder / "ended"])
        self.assertIn("interrupted", output)

    # --- Terminals that are not with the run ---------------------------------------------------------

    def on_terminal_that_nobody_reads(self, words):
        """Takes no output: Ctrl-S was typed, so to speak. Returns the process and the other end."""
        main, own = pty.openpty()
        self.addCleanup(os.close, main)
        termios.tcflow(own, termios.TCOOFF)
        process = subprocess.Popen([str(w) for w in words], stdin=own, stdout=own, stderr=own, start_new_session=True,
                                   env=environment(TERM="xterm", LC_ALL="C.UTF-8"))
        self.addCleanup(os.close, own)
        process.output = Path(os.devnull)
        self.addCleanup(process.wait)
        self.addCleanup(self.end, process)
        return process, main

    def test_a_terminal_that_takes_no_output_holds_nobody(self):
        process, main = self.on_terminal_that_nobody_reads(self.job("stopped", **self.KEYS) + ["--log-level=debug"])
        self.assertEqual(process.wait(120), 0)
        self.assertTrue(list((self.folder / "stopped/final").glob("*.mkv")))
        self.assertTrue((self.folder / "stopped/report/index.html").exists(), "what comes behind the block")
        self.assertEqual(select.select([main], [], [], 0)[0], [], "it took something: nothing was tested")

    def test_mpiruns_terminal_that_takes_no_output_holds_no_rank(self):
        # mpirun itself waits for its terminal.
        process, main = self.on_terminal_that_nobody_reads(self.mpirun(2) + self.job("stopped-2", **self.KEYS))
        self.wait_until(lambda: len(ranks_of(process)) == 2, process)
        ranks = ranks_of(process).values()
        self.wait_until(lambda: not any(map(is_running, ranks)))
        self.assertTrue(list((self.folder / "stopped-2/final").glob("*.mkv")))
        self.assertTrue((self.folder / "stopped-2/report/index.html").exists())

    def test_sigterm_ends_a_run_whose_terminal_takes_no_output(self):
        process, main = self.on_terminal_that_nobody_reads(self.job("held", **self.KEYS))
        self.wait_until(lambda: list((self.folder / "held/segments").glob("*.h5")), process)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 143)
        self.assertLess(time.monotonic() - begin, 5)
        self.assertEqual(select.select([main], [], [], 0)[0], [], "it took something: nothing was tested")

    def test_in_the_background_of_a_shell_it_draws_nothing(self):
        script = 'set -m; "$@" & wait $!'
        words = ["setsid", "-c", "-w", "bash", "-c", script, "-", *self.job("background", **self.KEYS)]
        status, screen, screens, _ = self.on_terminal([*words, "--progress-every=0.5"])
        self.assertEqual(status, 0, screen.text())
        self.assertFalse([s for s in screens if "░" in s])
        self.assertRegex(screen.text(), WORKING)

    # --- Lines -----------------------------------------------------------------------------------

    def test_without_a_terminal_a_line_tells_how_it_goes(self):
        _, output = run(self.job("lines", **self.KEYS) + ["--progress-every=0.5"], check=True)
        self.assertNotIn("\x1b", output)
        lines = re.findall(rf"(?m)^[0-9:]{{8}} info    \[0\] {WORKING} ([0-9]+) of 14 frames", output)
        self.assertGreater(len(lines), 2, output)
        self.assertEqual(lines, sorted(lines, key=int))
        _, output = run(self.job("silence", **self.KEYS) + ["--progress=off", "--progress-every=0.5"], check=True)
        self.assertNotIn("status: working", output)

    def test_json_lines_are_all_there_is(self):
        words = self.mpirun(2) + self.job("json", **self.KEYS) + ["--log-json", "--progress-every=0.5"]
        # On a terminal too.
        status, screen, _, taken = self.on_terminal(words, columns=200)
        self.assertEqual(status, 0, screen.text())
        texts = [json.loads(line) for line in taken.decode().splitlines() if line]
        self.assertTrue(any(t["room"] == "status" and "working" in t["text"] for t in texts))
        self.assertTrue(any(t["text"].startswith("made ") for t in texts))

    def test_lines_of_several_ranks_are_whole(self):
        _, output = run(self.mpirun(3) + self.job("whole", **self.KEYS) + ["--log-level=debug"], check=True)
        for line in output.splitlines():
            self.assertRegex(line, r"^[0-9:]{8} (debug  |info   |warning|error  ) \[[0-2]\] [a-z]+: ")

    # --- vsr-dist status --------------------------------------------------------------------------

    def test_status_during_and_after_a_run(self):
        process = self.begin("told", **self.KEYS)
        files = self.folder / "told/status"
        self.wait_until(lambda: list(files.glob("*.json")), process)
        _, output = run([PROGRAM, "status", self.folder / "told"], check=True)
        self.assertRegex(output, "reds_demo_000.mkv (working|joining)")
        watch = subprocess.run([PROGRAM, "status", self.folder / "told", "--watch"], capture_output=True, text=True,
                               timeout=100, check=True)
        self.assertIn(" done ", watch.stdout)
        self.assert_ends(process)
        _, output = run([PROGRAM, "status", self.folder / "told", "--json"], check=True)
        told = json.loads(output)
        self.assertEqual((told["state"], told["frames_upscaled"], told["frames_encoded"]), ("done", 14, 14))
        self.assertEqual(told["films"], ["film_pitchOK.mkv"])
        self.assertEqual(list(faults(told)), [])
        self.assertEqual(told["segment_states"], "d" * 7)
        # Nobody has left a word: by the records.
        for file in files.iterdir():
            file.unlink()
        before = sorted((p, p.stat().st_mtime_ns) for p in (self.folder / "told").rglob("*"))
        _, output = run([PROGRAM, "status", self.folder / "told"], check=True)
        self.assertIn(" done ", output)
        self.assertIn("7 of 7 segments, 7 chunks", output)
        after = sorted((p, p.stat().st_mtime_ns) for p in (self.folder / "told").rglob("*"))
        self.assertEqual(before, after, "who asks leaves no trace")
        next((self.folder / "told/final").glob("*.mkv")).unlink()
        _, output = run([PROGRAM, "status", self.folder / "told"], check=True)
        self.assertIn("interrupted", output)
        self.assertIn("nobody is at work here", output)

    def test_a_film_whose_pieces_are_discarded_is_done_all_the_same(self):
        run(self.job("discarded", segment__keep="off", **self.KEYS), check=True)
        for file in (self.folder / "discarded/status").iterdir():
            file.unlink()
        self.assertEqual(list((self.folder / "discarded/segments").glob("*.h5")), [])
        _, output = run([PROGRAM, "status", self.folder / "discarded", "--json"], check=True)
        told = json.loads(output)
        self.assertEqual((told["state"], told["segment_states"], told["segments_upscaled"]), ("done", "d" * 7, 7))

    def test_watching_from_another_terminal(self):
        process = self.begin("watched", **self.KEYS)
        self.wait_until(lambda: list((self.folder / "watched/status").glob("*.json")), process)
        status, screen, screens, _ = self.on_terminal([PROGRAM, "status", self.folder / "watched", "--watch"])
        self.assertEqual(status, 0, screen.text())
        self.assert_block(screens, "reds_demo_000.mkv working")
        self.assertIn(" done ", screen.text())
        self.assertNotIn("working", screen.text())
        self.assert_ends(process)

    def test_a_lease_that_nobody_renews_is_no_sign_of_life(self):
        run(self.job("left", **self.KEYS), check=True)
        (self.folder / "left/leases/job-0123456789abcdef.lease").write_text("of a host that is gone")
        begin = time.monotonic()
        _, output = run([PROGRAM, "status", self.folder / "left"], check=True)
        self.assertIn(" done ", output, "nobody has renewed it")
        self.assertGreater(time.monotonic() - begin, 10)

    def test_status_of_what_is_no_run(self):
        (self.folder / "empty").mkdir()
        for folder in ("empty", "nothing"):
            status, output = run([PROGRAM, "status", self.folder / folder])
            self.assert_one_line_error(status, output, 2, "no run was begun", "run.dir")

    def test_status_of_a_failed_run_says_why(self):
        process = self.begin("fails", **self.KEYS)
        self.wait_until(lambda: list((self.folder / "fails/segments").glob("0001.h5")), process)
        shutil.rmtree(self.folder / "fails/chunks")  # no chunk can be written any more
        (self.folder / "fails/chunks").write_text("no folder")
        process.wait(60)
        _, output = run([PROGRAM, "status", self.folder / "fails"], check=True)
        self.assertIn("reds_demo_000.mkv failed", output)
        self.assertIn("chunks/", output)

    def assert_told_at_once_beside_one_that_is_gone(self, name):
        """Its lease and its status are there still, of some minutes ago."""
        gone, run_dir = "job-0123456789abcdef", self.folder / name
        (run_dir / f"leases/{gone}.lease").write_text("of a host that is gone")
        status = run_dir / f"status/{gone}.json"
        told = json.loads(next((run_dir / "status").glob("job-*.json")).read_text())
        status.write_text(json.dumps({**told, "ranks": [{**rank, "host": "elsewhere"} for rank in told["ranks"]]}))
        os.utime(status, (time.time() - 100,) * 2)
        begin = time.monotonic()
        _, output = run([PROGRAM, "status", run_dir, "--json"], check=True)
        self.assertLess(time.monotonic() - begin, 10)  # of 16 for a sign of life
        self.assertNotIn("elsewhere", output)
        (run_dir / f"leases/{gone}.lease").unlink()
        status.unlink()

    def test_two_jobs_that_share_a_run_are_told_together(self):
        keys = {**self.KEYS, "segment__frames": 1, "input__end": 1.2}
        first = self.begin("shared", **keys)
        files = self.folder / "shared/status"
        self.wait_until(lambda: list(files.glob("*.json")), first)
        second = self.begin("shared", **keys)
        self.wait_until(lambda: len(list(files.glob("*.json"))) == 2, second)
        _, text = run([PROGRAM, "status", self.folder / "shared"], check=True)
        _, output = run([PROGRAM, "status", self.folder / "shared", "--json"], check=True)
        told = json.loads(output)
        self.assertEqual(told["state"], "working", output)
        self.assertEqual(len(told["ranks"]), 2)
        self.assertEqual(told["frames_total"], 21)
        self.assertEqual(len(re.findall(r"(?m)^[^ ].*: (working|joining|planning)[^:]*: upscaled", text)), 2, text)
        self.assert_told_at_once_beside_one_that_is_gone("shared")
        self.assert_ends(first)
        self.assert_ends(second)
        _, output = run([PROGRAM, "status", self.folder / "shared", "--json"], check=True)
        self.assertEqual(json.loads(output)["state"], "done")

    # --- The page ---------------------------------------------------------------------------------

    def test_two_jobs_on_one_host_have_a_page_each(self):
        first = self.begin("page-1", **self.KEYS)
        second = self.begin("page-2", **self.KEYS)
        urls = []
        for process in (first, second):
            self.wait_until(lambda p=process: "status page: " in p.output.read_text(), process)
            urls.append(re.search(r"status page: (http://127\.0\.0\.1:[0-9]+/)", process.output.read_text())[1])
        self.assertNotEqual(urls[0], urls[1])
        for url, process in zip(urls, (first, second)):
            self.wait_until(lambda u=url: self.told_by(u)["frames_total"] == 14, process)
            self.assertEqual(list(faults(self.told_by(url))), [])
        self.assert_ends(first)
        self.assert_ends(second)

    @staticmethod
    def told_by(url, token=None):
        request = urllib.request.Request(url + "api/run")
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        with urllib.request.urlopen(request, timeout=5) as answer:
            return json.load(answer)

    def test_wrong_places_for_the_page_are_told_before_anything_is_made(self):
        for key, value, word in (("listen", "0.0.0.0:0", "token"), ("listen", "here", "ADDRESS:PORT"),
                                 ("token_file", self.folder / "no-token", "no-token")):
            status, output = run(self.job("wrong", **{**self.KEYS, f"status__{key}": value}))
            self.assert_one_line_error(status, output, 2, word)
            self.assertFalse((self.folder / "wrong").exists())

    def test_the_token_is_asked_for_and_stands_nowhere(self):
        token = "a-secret-of-the-tests-4711"
        file = self.folder / "token"
        file.write_text(token + "\n")
        file.chmod(0o600)
        process = self.begin("secret", status__token_file=file, status__listen="127.0.0.1:0", **self.KEYS)
        self.wait_until(lambda: "status page: " in process.output.read_text(), process)
        url = re.search(r"status page: (http://\S+/)", process.output.read_text())[1]
        with self.assertRaises(urllib.error.HTTPError) as refused:
            self.told_by(url)
        self.assertEqual(refused.exception.code, 401)
        refused.exception.close()
        self.wait_until(lambda: self.told_by(url, token)["state"] in ("working", "joining", "planning"), process)
        output = self.assert_ends(process)
        self.assertNotIn(token, output)
        for path in (self.folder / "secret").rglob("*"):
            if path.is_file():
                self.assertNotIn(token.encode(), path.read_bytes(), path)
        _, output = run([*self.job("secret", status__token_file=file), f"--input.file={file}", "--print-config"])
        self.assertNotIn(token, output)

    def test_a_short_token_is_refused_and_a_busy_port_is_not(self):
        status, output = run(self.job("short", **self.KEYS), env=environment(VSR_STATUS_TOKEN="1234"))
        self.assert_one_line_error(status, output, 2, "VSR_STATUS_TOKEN", "16")
        self.assertNotIn("1234", output)
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            _, output = run(self.job("busy", **{**self.KEYS, "status__listen": f"127.0.0.1:{port}"}), check=True)
        self.assertIn("the run goes on without a status page", output)


if __name__ == "__main__":
    unittest.main(verbosity=2)
