#!/usr/bin/env python3
"""What the status server tells programs: JSON by its schema, events, and metrics by Prometheus itself."""

import copy
import json
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request
from pathlib import Path

from schema_support import RUN_STATUS, faults
from web_support import PATIENCE_S, DemoRun, get, tool, tools_environment, until

TOKEN = "a-token-of-some-length"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def next_event(url):
    """The data of the first event of a stream."""
    with urllib.request.urlopen(url, timeout=PATIENCE_S) as stream:
        for line in stream:
            if line.startswith(b"data: "):
                return json.loads(line.removeprefix(b"data: "))
    raise AssertionError("the stream ended without an event")


class StatusData(unittest.TestCase):
    def start(self, *options):
        run = DemoRun(*options)
        self.addCleanup(run.close)
        return run

    def test_json_is_as_its_schema_says(self):
        run = self.start()
        for line, told in (("progress 0", '"segments_upscaled":0,'), ("progress 0.42", '"segments_encoded":50,'),
                           ("notice room: what", "room: what"), ("state done", '"films":["'), ("state failed", '"failed"')):
            run.tell(line)
            # One snapshot a second.
            until(line, lambda told=told: told in get(f"{run.url}api/run")[2].decode())
            for status in (json.loads(get(f"{run.url}api/run")[2]), next_event(f"{run.url}api/events")):
                self.assertEqual(list(faults(status)), [])
        self.assertIn("segments", json.loads(get(f"{run.url}api/run")[2]))
        self.assertNotIn("segments", next_event(f"{run.url}api/events"))

    def test_the_schema_finds_what_is_wrong(self):
        status = json.loads(get(f"{self.start().url}api/run")[2])

        def spoilt(change):
            other = copy.deepcopy(status)
            change(other)
            return list(faults(other))

        for change in (lambda s: s.pop("state"), lambda s: s.update(state="asleep"), lambda s: s.update(more=1),
                       lambda s: s.update(version=2), lambda s: s.update(left_s="soon"), lambda s: s.update(width=1.5),
                       lambda s: s.update(segment_states="x"), lambda s: s["ranks"][0].update(gpu={}),
                       lambda s: s["ranks"][0]["work"][0].update(frame=-1), lambda s: s.pop("history"),
                       lambda s: s.update(quality_db=None), lambda s: s["segments"][0].update(has_preview=1)):
            self.assertNotEqual(spoilt(change), [])
        self.assertEqual(spoilt(lambda s: s["ranks"][0].update(gpu=None)), [])

    def test_the_schema_tells_of_every_value(self):
        """Names, types and a word on each, so that a unit can be looked up."""
        for part in (RUN_STATUS, *RUN_STATUS["$defs"].values()):
            self.assertFalse(part["additionalProperties"])
            for name, value in part["properties"].items():
                self.assertTrue(value.get("description"), name)

    def test_promtool_finds_no_fault(self):
        run = self.start()
        run.tell('film a "film"\\ of mine.mkv')
        named = b'film="a \\"film\\"\\\\ of mine.mkv"'
        metrics = until("the name", lambda: [text for text in [get(f"{run.url}metrics")[2]] if named in text])[0]
        done = subprocess.run([tool("promtool"), "check", "metrics"], input=metrics, capture_output=True,
                              env=tools_environment(), timeout=PATIENCE_S)
        self.assertEqual((done.returncode, done.stderr.decode()), (0, ""))

    def test_prometheus_scrapes_it(self):
        run = self.start(f"--token={TOKEN}")
        run.tell("progress 0.5")
        folder = Path(tempfile.mkdtemp(prefix="vsr-prometheus-"))
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        (folder / "token").write_text(TOKEN)
        server = run.url.removeprefix("http://").rstrip("/")
        (folder / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s}\nscrape_configs:\n- job_name: vsr-dist\n"
            f"  authorization: {{credentials_file: {folder}/token}}\n  static_configs: [{{targets: ['{server}']}}]\n")
        port = free_port()
        with open(folder / "log", "wb") as log:
            prometheus = subprocess.Popen(
                [tool("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
                 f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log, env=tools_environment())
        try:
            def value(query):
                try:
                    address = f"http://127.0.0.1:{port}/api/v1/query?query={urllib.parse.quote(query)}"
                    result = json.loads(get(address)[2])["data"]["result"]
                except (OSError, KeyError, ValueError):  # not up yet
                    return None
                return float(result[0]["value"][1]) if result else None

            def wait_for(wanted):
                until(wanted, lambda: {query: value(query) for query in wanted} == wanted)

            wait_for({"up": 1, "vsr_dist_film_frames": 57600, "vsr_dist_frames_encoded_total": 28800,
                      'vsr_dist_state{state="working"}': 1, "sum(vsr_dist_segments)": 120, "count(vsr_dist_rank_up)": 4})
            run.tell("progress 0.75")
            wait_for({"vsr_dist_frames_encoded_total": 43200})
        except AssertionError as error:
            raise AssertionError(f"{error}\n{(folder / 'log').read_text()[-2000:]}") from error
        finally:
            prometheus.terminate()
            prometheus.wait(timeout=PATIENCE_S)

    def test_a_hundred_clients_cost_next_to_nothing(self):
        """Half of them read; the others leave all that comes in the kernel's buffers."""
        run = self.start("--segments=2000", "--ranks=16")
        server = urllib.parse.urlsplit(run.url)
        clients = [socket.create_connection((server.hostname, server.port)) for _ in range(100)]
        for client in clients:
            self.addCleanup(client.close)
            client.sendall(b"GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")

        def read(wanted):
            """Events until there are so many; an event a second comes to each."""
            events, end = 0, time.monotonic() + PATIENCE_S
            while events < wanted and time.monotonic() < end:
                for client in select.select(clients[:50], [], [], 0.1)[0]:
                    events += client.recv(1 << 20).count(b"event: run")
            self.assertGreaterEqual(events, wanted, "they are served")

        def used():  # seconds of a processor, all threads
            tasks = Path(f"/proc/{run.process.pid}/task").glob("*/schedstat")
            return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

        read(100)
        before, begin = used(), time.monotonic()
        read(200)
        share = (used() - before) / (time.monotonic() - begin)
        print(f"100 clients: {100 * share:.2f}% of one processor", file=sys.stderr)
        self.assertLess(share, 0.05)


if __name__ == "__main__":
    unittest.main(verbosity=2)
