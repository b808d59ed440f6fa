#!/usr/bin/env python3
"""Tests scripts/fetch-model against a server on the loopback interface."""

import hashlib
import http.server
import pathlib
import re
import runpy
import subprocess
import sys
import tempfile
import threading
import unittest

SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "scripts/fetch-model"


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.body` under any name, as `server.plan` says: a list of what to do in turn."""

    def do_GET(self):
        server = self.server
        server.requests.append(self.headers.get("Range"))
        action = server.plan.pop(0) if server.plan else "whole"
        if isinstance(action, int):
            self.send_error(action)
            return
        match = re.match(r"bytes=(\d+)-$", self.headers.get("Range") or "")
        begin = int(match[1]) if match and action != "no ranges" else 0
        if begin >= len(server.body):
            self.send_error(416)
            return
        self.send_response(206 if begin else 200)
        if begin:
            self.send_header("Content-Range", f"bytes {begin}-{len(server.body) - 1}/{len(server.body)}")
        self.send_header("Content-Length", str(len(server.body) - begin))
        self.end_headers()
        end = begin + (len(server.body) - begin) // 2 if action == "cut" else len(server.body)
        self.wfile.write(server.body[begin:end])

    def log_message(self, *arguments):
        pass


class FetchModel(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.plan, self.server.requests = [], []
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        # Bytes whose SHA-256 begins with given digits cannot be made, so a copy of the script gets
        # the digits of these bytes.
        self.server.body = bytes(range(256)) * 4001
        digits = hashlib.sha256(self.server.body).hexdigest()[:8]
        self.script = self.folder / "fetch-model"
        self.script.write_text(SCRIPT.read_text().replace("-28f6920c.pth", f"-{digits}.pth"))
        self.target = self.folder / f"models/basicvsr_plusplus_denoise-{digits}.pth"
        self.part = self.target.with_name(self.target.name + ".part")

    def fetch(self, configuration="denoise", url=None):
        url = url or f"http://127.0.0.1:{self.server.server_port}/some/where"
        return subprocess.run(
            [sys.executable, str(self.script), configuration, "--dir", str(self.target.parent),
             "--base-url", url],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
            env={"PATH": "/usr/bin:/bin", "VSR_FETCH_PAUSE_S": "0.01", "no_proxy": "127.0.0.1"})

    def assert_fetched(self, result):
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertEqual(self.target.read_bytes(), self.server.body)
        self.assertFalse(self.part.exists())

    def test_fetches_and_is_quick_the_second_time(self):
        self.assert_fetched(self.fetch())
        self.assert_fetched(self.fetch())
        self.assertEqual(len(self.server.requests), 1)

    def test_wrong_bytes_are_refused_and_removed(self):
        self.server.body = self.server.body[:-1] + b"x"
        result = self.fetch()
        self.assertEqual(result.returncode, 4)
        self.assertIn("not the published file", result.stdout)
        self.assertEqual(list(self.target.parent.iterdir()), [])

    def test_damaged_file_in_place_is_told_and_left(self):
        self.target.parent.mkdir()
        self.target.write_bytes(b"damaged")
        result = self.fetch()
        self.assertEqual(result.returncode, 4)
        self.assertIn("damaged", result.stdout)
        self.assertEqual(self.target.read_bytes(), b"damaged")

    def test_not_found_is_one_line_without_a_retry(self):
        self.server.plan = [404]
        result = self.fetch()
        self.assertEqual(result.returncode, 6)
        self.assertIn("HTTP status 404", result.stdout)
        self.assertNotIn("Traceback", result.stdout)
        self.assertEqual(len(self.server.requests), 1)
        self.assertFalse(self.target.exists())

    def test_cut_connection_goes_on_where_it_stopped(self):
        self.server.plan = ["cut", "cut"]
        self.assert_fetched(self.fetch())
        half = len(self.server.body) // 2
        self.assertEqual(self.server.requests[:2], [None, f"bytes={half}-"])

    def test_cut_for_good_keeps_the_part_and_the_next_start_resumes(self):
        self.server.plan = ["cut"] + [503] * 4
        result = self.fetch()
        self.assertEqual(result.returncode, 6)
        self.assertIn("run the same command again", result.stdout)
        self.assertFalse(self.target.exists())
        self.assertEqual(self.part.stat().st_size, len(self.server.body) // 2)
        self.assert_fetched(self.fetch())
        self.assertEqual(self.server.requests[-1], f"bytes={len(self.server.body) // 2}-")

    def test_server_without_ranges_starts_over(self):
        self.server.plan = ["cut", "no ranges"]
        self.assert_fetched(self.fetch())

    def test_foreign_part_is_thrown_away(self):
        self.target.parent.mkdir()
        self.part.write_bytes(b"something else")
        self.assert_fetched(self.fetch())

    def test_part_longer_than_the_file_is_thrown_away(self):
        self.target.parent.mkdir()
        self.part.write_bytes(self.server.body + b"more")
        self.assert_fetched(self.fetch())

    def test_nobody_listens(self):
        self.server.shutdown()
        self.server.server_close()
        result = self.fetch()
        self.assertEqual(result.returncode, 6)
        self.assertNotIn("Traceback", result.stdout)

    def test_unknown_configuration_and_scheme(self):
        self.assertEqual(self.fetch("reds5").returncode, 2)
        self.assertEqual(self.fetch(url="file:///etc").returncode, 2)

    def test_every_name_ends_in_its_digits(self):
        models = runpy.run_path(str(SCRIPT))["MODELS"]
        self.assertEqual(len(models), 10)
        for name, _ in models.values():
            self.assertRegex(name, r"^basicvsr_plusplus_[a-z0-9_]+-[0-9a-f]{8}\.pth$")


if __name__ == "__main__":
    unittest.main()
