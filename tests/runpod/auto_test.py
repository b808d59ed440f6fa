#!/usr/bin/env python3
"""runpod/vsr-pods as a whole, against a service and pods that go wrong: whatever happens, there is a line about it, the
film comes or can come later, and nothing is left that costs money."""

import contextlib
import json
import os
import re
import shutil
import threading
import time
import unittest
from unittest import mock

from client_support import GPU, SIGINT, SIGKILL, SIGTERM, ClientTest, has_rsync


DRY_RUN = {"timeline": {"frames": 1000, "width": 1024, "height": 432}, "network": {"name": "c64n7"},
           "plan": {"segment_frames": 480}, "segments_bytes": 90_000_000_000, "films_bytes": 10_000_000_000}


def run_status(**more):
    """What vsr-dist tells of a run, as far as the client reads it."""
    return {"run": {"state": "working", "now": "2026-01-01T00:00:00Z", "frames_total": 1000, "frames_upscaled": 500,
                    "frames_encoded": 100, "in_chunks": True, "upscale_fps": 40.0, "encode_fps": 2.5, "left_s": 4000,
                    "message": "", **more}}


@unittest.skipUnless(has_rsync(), "no rsync here: tests/support/get-cluster-tools fetches one")
class Auto(ClientTest):
    def auto(self, **more):
        return self.start("auto", "--yes", **more)

    def finish(self, process, status=0):
        self.tell_pods("done")
        return self.output_of(process, status)

    def assert_film(self):
        self.assertEqual((self.folder / "results/final/film_pitchOK.mkv").read_text(), "the film " * 1000)
        self.assertEqual((self.workspace / "film/input/film.mkv").read_bytes(), (self.folder / "film.mkv").read_bytes())
        self.assert_nothing_left()

    def log(self):
        return (self.folder / ".vsr-pods/film.log").read_text()

    def states_asked(self):
        return (self.pods / "asked").read_text().count("vsr-pod state")

    def at_work(self, count, process):
        self.wait_for(lambda: len(self.started()) >= count, process)
        return self.started()


class GoesWell(Auto):
    def test_one_pod_from_nothing_to_the_film(self):
        self.tell_pods("state", run_status())
        process = self.auto()
        pod, = self.at_work(1, process)
        self.wait_for(lambda: self.cloud.pods, process)
        environment = next(iter(self.cloud.pods.values())).body["env"]
        self.wait_for(lambda: self.said("1 of 1 at work: working, 30.0%"), process)
        output = self.finish(process)
        self.assert_film()
        self.assertIn("1 of 1 at work: working, 30.0% of 1000 frames, 40 fps upscaled, 2.5 fps encoded, 1 h 07 min left",
                      output)
        self.assertEqual(environment["SSH_PUBLIC_KEY"], (self.folder / "key.pub").read_text().strip())
        self.assertAlmostEqual(int(environment["VSRDIST_DEADLINE"]), time.time() + 5 * 3600, delta=60)
        self.assertEqual(environment["VSRDIST_FOLDER"], f"{self.workspace}/film")
        self.assertNotIn(self.fake.key, json.dumps(self.fake.requests))
        self.assertNotIn("RUNPOD_API_KEY", (self.pods / "asked").read_text())  # the environment of ssh
        for path in (self.folder / ".vsr-pods").iterdir():
            self.assertNotIn(self.fake.key, path.read_text())

    def test_film_goes_up_by_one_pod_and_comes_down_by_one(self):
        self.config(pods_count="4")
        process = self.auto()
        self.at_work(4, process)
        sent = [i for i, line in enumerate((self.pods / "asked").read_text().splitlines()) if "rsync --server" in line]
        first = (self.pods / "asked").read_text().splitlines()[: sent[0] + 1]
        self.assertEqual(len({line.split()[0] for line in first}), 1)
        self.finish(process)
        self.assert_film()
        last = [r for r in self.fake.requests if r[0] == "DELETE"]
        self.assertEqual(len(last), 4)

    def test_a_volume_is_made_and_kept_and_deleted_when_asked(self):
        self.config(volume_id="", volume_create_gb="50", volume_data_center="EU-RO-1")
        process = self.auto()
        self.at_work(1, process)
        self.finish(process)
        self.assertEqual(sorted(v["size"] for v in self.cloud.volumes.values()), [50, 100])
        self.run_client("down", "--volume", status=2)  # nobody to ask
        self.run_client("down", "--volume", "--yes")
        self.assertEqual(list(self.cloud.volumes), [self.volume])

    def test_a_cluster(self):
        self.config(pods_kind="cluster", pods_count="2", pods_gpus_per_pod="2", pods_max_price="1")
        process = self.auto()
        self.at_work(1, process)
        self.finish(process)
        self.assert_film()
        body, = self.fake.asked("POST", "/clusters")
        self.assertEqual(body["compute"], {"gpuTypeId": GPU, "gpuCountPerPod": 2, "podCount": 2})
        self.assertEqual((self.workspace / "film/hosts").read_text(), "10.65.0.2 slots=2\n10.65.0.3 slots=2\n")
        self.assertRegex((self.pods / "asked").read_text(), r"node0 vsr-pod start .*/film --cluster .*/film/hosts "
                         r"--ranks-per-host 2 --cidr 10\.65\.0\.0/16\n")

    def test_step_by_step(self):
        self.assertIn("is ready: ssh -F", self.run_client("up", "--yes"))
        (self.folder / "film.mkv").rename(self.folder / "elsewhere.mkv")
        (self.folder / "film.mkv").symlink_to("elsewhere.mkv")
        self.assertIn("pushed", self.run_client("push"))
        self.assertFalse((self.workspace / "film/input/film.mkv").is_symlink())
        self.run_client("run")
        self.tell_pods("state", run_status())
        self.assertRegex(self.run_client("status"), r"RUNNING, \$0.69 an hour, .*; works\nthe run: working, 30.0%")
        self.assertIn("goes on with", self.run_client("up", "--yes"))
        self.assertEqual(len(self.made()), 1)
        tunnel = self.start("status", "--tunnel")
        said = ""
        while "is the page" not in said:
            said += os.read(tunnel.stdout.fileno(), 10000).decode()
        self.assertRegex(said, r"http://127.0.0.1:\d+/ is the page of vsrdist-")
        tunnel.send_signal(SIGINT)
        self.assertIn("the run goes on", self.output_of(tunnel))
        self.tell_pods("done")
        self.run_client("status")
        self.assertIn("an hour until 'vsr-pods down'", self.run_client("pull"))
        self.assertEqual(len(self.cloud.left()), 1)
        self.assertIn("nothing is rented", self.run_client("down"))
        self.assert_film()
        self.run_client("push", status=7)

    def test_a_volume_of_the_jobs_own_size(self):
        self.config(volume_id="", volume_create_gb="auto", volume_data_center="EU-RO-1")
        vsr_dist = self.folder / "bin/vsr-dist"
        vsr_dist.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(DRY_RUN)}\nEND\n")
        vsr_dist.chmod(0o755)
        self.assertIn("a network volume in EU-RO-1 would be made: 126 GB, some $8.82 a month",
                      self.run_client("auto", "--dry-run"))
        process = self.auto()
        self.at_work(1, process)
        self.assertIn("stays, and costs money until", self.finish(process))
        self.assertEqual(sorted(v["size"] for v in self.cloud.volumes.values()), [100, 126])

    def test_a_run_that_stands_still_is_told_of(self):
        self.tell_pods("state", run_status())
        process = self.auto(TELL=60, STILL=0.2, STANDS=0.3)
        self.wait_for(lambda: self.said("no frame more for"), process)
        self.wait_for(lambda: len(re.findall(r"at work: working, 30.0%.* of \$20", self.log())) > 3, process)
        self.assertEqual(self.log().count("no frame more for"), 1)
        self.tell_pods("state", run_status(frames_upscaled=600))
        self.wait_for(lambda: self.log().count("no frame more for") == 2, process)
        self.finish(process)

    def test_dry_runs_rent_nothing(self):
        for command in ("auto", "up"):
            self.assertIn("$0.69 an hour", self.run_client(command, "--dry-run"))
        self.assertEqual([r for r in self.fake.requests if r[0] != "GET"], [])
        self.assertFalse((self.folder / ".vsr-pods").exists())

    def test_without_a_yes_nothing_is_rented(self):
        self.assertIn("give --yes", self.run_client("auto", status=2))
        for typed, status in ((b"n\n", 0), (b"\n", 0), (b"\x03", 130), (b"", 0)):
            self.answer(typed or b"\x04", "auto", status=status)  # Ctrl-D
        self.assertEqual(self.made(), [])


class GoesWrong(Auto):
    def refused(self, status, said, **config):
        self.config(**config)
        output = self.run_client("auto", "--yes", status=status)
        self.assertRegex(output, said)
        self.assertTrue(output.splitlines()[-1].startswith("vsr-pods: "), output)
        self.assert_nothing_left()

    def test_bad_input_costs_nothing(self):
        self.refused(2, "NVIDIA GTX 1 is not among the service's GPUs", pods_gpus="NVIDIA GTX 1")
        self.refused(8, "above pods.max_price", pods_max_price="0.5")
        self.refused(2, "is in EU-RO-1, not in US-KS-2", volume_data_center="US-KS-2")
        self.refused(2, "has no network volume vol9", volume_id="vol9")
        self.refused(2, "did you mean count", pods_cuont="3")
        self.refused(3, "the film is not there", job_input="none.mkv")
        self.refused(3, "is a folder", job_input="home")
        self.refused(2, "did you mean EU-RO-1", volume_id="", volume_create_gb="50", volume_data_center="EU-R0-1")
        self.refused(2, "key is a file; name a folder", job_results="key/results")
        self.refused(3, "there is no .*/none", ssh_key="none")
        self.refused(7, "not available in EU-RO-1", pods_gpus="NVIDIA L40S")
        self.refused(8, "limits.max_usd", limits_max_usd="0.02")
        self.assertEqual(self.made(), [])
        self.config()
        process = self.start("auto", "--yes", environment={"RUNPOD_API_KEY": "rpa_WRONG"})
        self.assertIn("401", self.output_of(process, 7))

    @unittest.skipUnless(shutil.which("ffprobe"), "there is no ffprobe")
    def test_a_film_that_is_none_costs_nothing(self):
        (self.folder / "text.mkv").write_text("no film")
        self.refused(3, "found no picture in .*text.mkv", job_input="text.mkv")
        self.assertEqual(self.made(), [])

    def test_no_balance_stops_everything(self):
        self.cloud.balance = 0.1
        self.refused(8, "402 .*balance")

    def test_no_capacity_goes_on_with_the_next_type(self):
        self.config(pods_gpus=f"{GPU}, NVIDIA A40")
        self.fake.fail("POST", "/pods", 400, detail="There are no instances currently available")
        process = self.auto()
        self.at_work(1, process)
        self.assertEqual([pod.gpu["id"] for pod in self.cloud.pods.values()], ["NVIDIA A40"])
        self.finish(process)
        self.assertEqual(len(self.fake.asked("POST", "/pods")), 2)

    def test_no_capacity_at_all(self):
        self.fake.fail("POST", "/pods", 400, detail="no instances", times=9)
        self.refused(7, "no pod can be had: .* was refused .no instances.")

    def test_fewer_than_wanted_work_and_the_rest_comes_later(self):
        self.config(pods_gpus="NVIDIA A40", pods_count="3")  # of which two are free
        process = self.auto()
        self.at_work(2, process)
        self.cloud.gpus["NVIDIA A40"]["stock"]["EU-RO-1"] += 1
        self.at_work(3, process)
        self.assertIn("goes on with 2 of 3", self.finish(process))
        self.assert_film()

    def test_a_pod_whose_answer_was_lost_is_not_rented_twice(self):
        self.fake.fail("POST", "/pods", 502, after=True)
        process = self.auto()
        self.at_work(1, process)
        self.assertEqual(len(self.cloud.pods), 1)
        self.finish(process)
        self.assert_film()
        self.assertEqual(len(self.cloud.gone), 1)

    def test_lost_pods_are_replaced(self):
        self.config(pods_count="2")
        process = self.auto()
        first, second = self.at_work(2, process)
        for name, status in ((first, "EXITED"), (second, "TERMINATED")):
            self.cloud.lose(next(pod for pod in self.cloud.pods.values() if pod.name == name), status)
        self.at_work(4, process)
        output = self.finish(process)
        self.assertIn(f"{first} (", output)
        self.assertRegex(output, "is EXITED: is replaced")
        self.assertRegex(output, "is gone: is replaced")
        self.assert_film()

    def test_a_pod_that_does_not_answer_is_replaced(self):
        process = self.auto()
        first, = self.at_work(1, process)
        self.tell_pods(f"cut-{first}")
        self.at_work(2, process)
        self.assertRegex(self.finish(process), f"{first} .* has not answered for 1 s: is replaced")
        self.assert_film()

    def test_a_pod_that_has_lost_its_address_before_the_film_is_sent_is_replaced(self):
        self.run_client("up", "--yes")
        next(iter(self.cloud.pods.values())).ssh = None
        process = self.auto()
        self.at_work(1, process)
        self.assertIn("has not answered for 1 s: is replaced", self.finish(process))
        self.assert_film()

    def test_nothing_is_replaced_while_our_own_line_is_cut(self):
        process = self.auto()
        self.at_work(1, process)
        self.fake.fail("GET", "/pods", 0, times=1000)
        self.tell_pods("cut")
        self.wait_for(lambda: self.said("goes on without it"), process)
        time.sleep(1.5)  # longer than UNREACHABLE
        (self.pods / "cut").unlink()
        asked = self.states_asked()
        self.wait_for(lambda: self.states_asked() > asked + 2, process)
        self.fake.faults.clear()
        output = self.finish(process)
        self.assertIn("goes on without it", output)
        self.assertEqual(len(self.made()), 1)
        self.assert_film()

    def test_a_slow_start_has_an_end(self):
        self.config(limits_ready_minutes="0.01")
        self.cloud.stuck = lambda pod: len(self.made()) < 2
        process = self.auto()
        self.at_work(1, process)
        self.assertIn("was not ready within 0.01 minutes: is replaced", self.finish(process))
        self.assert_film()

    def test_a_pod_that_fails_its_check_is_replaced_twice_at_most(self):
        self.tell_pods("check", "5 failure  gpu  none: no NVIDIA driver")
        output = self.run_client("auto", "--yes", status=7)
        self.assertIn("3 pods in a row did not get as far as working", output)
        self.assertIn("no NVIDIA driver", output.splitlines()[-1])
        self.assertEqual(len(self.made()), 3)
        self.assert_nothing_left()

    def test_a_job_that_no_pod_can_do_ends_all(self):
        for text, status, said in (("3 failure  input  film.mkv: no stream", 3, "no stream"),
                                   ("127 ", 2, "no vsr-pod in it"),
                                   ("6 failure  commits  a write fails: Disk quota exceeded", 6, "grow it")):
            self.tell_pods("check", text)
            self.assertIn(said, self.run_client("auto", "--yes", status=status))
            self.assert_nothing_left()
        (self.pods / "check").unlink()
        process = self.auto()
        self.at_work(1, process)
        self.tell_pods("state", {"running": False, "status": 4, "said": "vsr-dist: model: film.pth: is damaged"})
        self.assertIn("failed for good: vsr-dist: model: film.pth: is damaged", self.output_of(process, 3))
        self.assert_nothing_left()

    def test_a_job_that_has_ended_is_started_again_and_at_last_its_pod_replaced(self):
        process = self.auto()
        first, = self.at_work(1, process)
        self.tell_pods(f"state-{first}", {"running": False, "status": 137, "said": "Killed"})
        self.at_work(2, process)
        output = self.finish(process)
        self.assertEqual(output.count("is started again"), 4)
        self.assertIn("does not keep its job running: Killed", output)
        self.assert_film()

    def test_a_pod_that_tells_nothing_of_its_job_is_replaced(self):
        process = self.auto()
        first, = self.at_work(1, process)
        self.tell_pods(f"state-{first}", "[1]")  # which its vsr-pod fails with
        self.at_work(2, process)
        self.assertIn("has not answered for 1 s: is replaced", self.finish(process))
        self.assert_film()

    def test_jobs_that_never_make_a_frame_do_not_cost_for_ever(self):
        self.tell_pods("state", {"running": False, "status": 137, "said": "Killed"})
        output = self.run_client("auto", "--yes", status=7)
        self.assertIn("3 pods in one place were lost without a frame more", output.splitlines()[-1])
        self.assertEqual(len(self.made()), 3)
        self.assert_nothing_left()

    def test_a_run_without_room_gets_more_or_ends(self):
        self.config(limits_paused_minutes="0.01", volume_grow_to_gb="150")
        self.tell_pods("state", run_status(state="paused", message="no room"))
        output = self.run_client("auto", "--yes", status=6)
        self.assertIn("grown from 100 to 150 GB", output)
        self.assertIn("no room", output.splitlines()[-1])
        self.assert_nothing_left()

    def test_a_member_that_is_lost_costs_the_cluster(self):
        self.config(pods_kind="cluster", pods_count="2")
        process = self.auto()
        self.at_work(1, process)
        self.cloud.lose(next(pod for pod in self.cloud.pods.values() if pod.rank == 1), "ERROR")
        self.at_work(2, process)
        self.assertRegex(self.finish(process), "has a member that is ERROR: is replaced")
        self.assertEqual(len(self.fake.asked("POST", "/clusters")), 2)
        self.assert_film()

    def test_half_a_cluster_is_none(self):
        self.config(pods_kind="cluster", pods_count="3", limits_ready_minutes="0.01")
        self.cloud.missing_members, self.cloud.stuck_members = 1, 0
        output = self.run_client("auto", "--yes", status=7)
        self.assertIn("was not ready within", output)
        self.assert_nothing_left()

    def test_dearer_than_the_catalogue_says(self):
        real = self.cloud.rate
        self.cloud.rate = lambda body: 2 * real(body)
        self.assertIn("costs $1.38 an hour, above pods.max_price", self.run_client("auto", "--yes", status=8))
        self.assert_nothing_left()


class Ends(Auto):
    @contextlib.contextmanager
    def killed_at_work(self):
        """An `auto` that was killed with a pod at work; its state file can be changed."""
        process = self.auto()
        self.at_work(1, process)
        process.send_signal(SIGKILL)
        process.wait()
        path = self.folder / ".vsr-pods/film.json"
        state = json.loads(path.read_text())
        yield state
        path.write_text(json.dumps(state))

    def test_time(self):
        self.config(limits_max_hours="0.01")
        output = self.output_of(self.auto(), 8)
        self.assertIn("limits.max_hours: 0.01 hours are over", output.splitlines()[-1])
        self.assert_nothing_left()

    def test_money(self):
        with self.killed_at_work() as state:
            state["rentals"][0]["asked"] -= 29 * 3600  # at $0.69 the 20 dollars are gone
        output = self.run_client("auto", status=8)
        self.assertIn("goes on with", output)
        self.assertRegex(output.splitlines()[-1], r"limits.max_usd: \$2\d\.\d\d of \$20 are spent")
        self.assert_nothing_left()

    def test_time_that_is_over_in_a_polite_stop(self):
        self.tell_pods("stop-takes", "60")
        with self.killed_at_work() as state:
            state["began"] = time.time() - 5 * 3600 + 6
        asked, process = self.states_asked(), self.auto()
        self.wait_for(lambda: self.states_asked() > asked + 2, process)
        process.send_signal(SIGINT)
        self.assertIn("limits.max_hours", self.output_of(process, 130))
        self.assert_nothing_left()

    def test_another_key_ends_nothing_by_its_not_found(self):
        self.run_client("up", "--yes")
        other = {"RUNPOD_API_KEY": "rpa_OTHER"}
        for words in (("auto",), ("up",), ("pull",)):
            output = self.output_of(self.start(*words, environment=other), 2)
            self.assertIn("rented with another API key", output)
        self.fake.key, key = "rpa_OTHER", self.fake.key  # another account, which has no such pod
        pods, self.cloud.pods = self.cloud.pods, {}
        self.assertIn("STILL RENTED", self.output_of(self.start("down", environment=other), 7))
        self.fake.key, self.cloud.pods = key, pods
        self.run_client("down")
        self.assert_nothing_left()

    def test_ctrl_c_is_polite_and_a_second_one_is_not(self):
        process = self.auto()
        first, = self.at_work(1, process)
        process.send_signal(SIGINT)
        output = self.output_of(process, 130)
        self.assertIn("Ctrl-C once more", output)
        self.assertEqual((self.pods / "stopped").read_text(), f"{first} \n")
        self.assert_nothing_left()
        (self.pods / "stopped").unlink()
        self.tell_pods("stop-takes", "60")
        process = self.auto()
        self.at_work(1, process)
        process.send_signal(SIGINT)
        self.wait_for((self.pods / "stopped").exists, process)
        process.send_signal(SIGINT)
        self.output_of(process, 130)
        self.assert_nothing_left()

    def test_sigterm_stops_at_once(self):
        process = self.auto()
        first, = self.at_work(1, process)
        process.send_signal(SIGTERM)
        self.output_of(process, 143)
        self.assertEqual((self.pods / "stopped").read_text(), f"{first} --now\n")
        self.assert_nothing_left()

    def test_ctrl_c_before_anything_works(self):
        self.cloud.provisioning_s = 60
        process = self.auto()
        self.wait_for(lambda: self.cloud.pods, process)
        process.send_signal(SIGINT)
        self.output_of(process, 130)
        self.assert_nothing_left()

    def test_ctrl_c_while_the_volume_is_made_rents_nothing(self):
        self.config(volume_id="", volume_create_gb="50", volume_data_center="EU-RO-1")
        make, asked, go_on = self.cloud.make_volume, threading.Event(), threading.Event()

        def make_slowly(body):
            asked.set()
            go_on.wait(60)
            return make(body)
        with mock.patch.object(self.cloud, "make_volume", make_slowly):
            process = self.auto()
            self.wait_for(asked.is_set, process)
            process.send_signal(SIGINT)
            go_on.set()
            self.assertIn("stays, and costs money until 'vsr-pods down --volume'", self.output_of(process, 130))
        self.assertEqual(self.made(), [])
        self.assertIn("stays, and costs money", self.run_client("down"))

    def test_killed_and_started_again_it_finds_its_pods(self):
        self.config(pods_count="2")
        process = self.auto()
        before = self.at_work(2, process)
        process.send_signal(SIGKILL)
        process.wait()
        self.assertEqual(len(self.cloud.left()), 2)
        again = self.start("auto")  # agreed to already
        self.wait_for(lambda: self.fake.requests, again)
        output = self.finish(again)
        self.assertIn("goes on with", output)
        self.assertEqual(sorted(self.made()), before)
        self.assert_film()

    def test_killed_before_it_heard_of_its_pod(self):
        self.fake.fail("POST", "/pods", 502, after=True)
        self.fake.fail("GET", "/pods", 503, times=1000)
        process = self.auto()
        self.wait_for(lambda: self.cloud.pods, process)
        process.send_signal(SIGKILL)
        process.wait()
        rental, = self.state()["rentals"]
        self.assertIsNone(rental["id"])
        self.fake.faults.clear()
        self.assertIn("ended", self.run_client("down"))
        self.assert_nothing_left()

    def test_asked_for_and_never_made_is_forgotten(self):
        with self.killed_at_work() as state:
            state["rentals"].append({**state["rentals"][0], "name": "vsrdist-1-2", "id": None, "phase": "asked"})
        self.run_client("down")
        self.assert_nothing_left()

    def test_what_was_about_to_be_ended_is_ended_first(self):
        with self.killed_at_work() as state:
            state["rentals"][0]["phase"] = "over"
        self.finish(self.auto())
        self.assert_film()
        self.assertEqual(len(self.made()), 2)

    def test_a_start_after_the_pods_time_asks_again(self):
        with self.killed_at_work() as state:
            state["began"] -= 100 * 3600
        self.cloud.lose(next(iter(self.cloud.pods.values())), "TERMINATED")  # by its deadline
        self.assertIn("give --yes", self.run_client("auto", status=2))
        self.finish(self.auto())
        self.assert_film()

    def test_up_ends_what_it_made_and_nothing_else(self):
        self.run_client("up", "--yes")
        self.config(pods_count="3")
        self.cloud.stuck = lambda pod: True
        process = self.start("up")
        self.wait_for(lambda: len(self.cloud.pods) == 3, process)
        process.send_signal(SIGINT)
        self.output_of(process, 130)
        self.assertEqual(self.cloud.left(), self.made()[:1])

    def test_a_twin_that_came_late_is_ended(self):
        process = self.auto()
        first, = self.at_work(1, process)
        body = {**next(iter(self.cloud.pods.values())).body}
        twin = self.cloud.make_pod(body)
        self.wait_for(lambda: twin.id not in self.cloud.pods, process)
        self.wait_for(lambda: self.said("is there twice"), process)
        self.assertGreater(self.state()["rentals"][0]["twins"], 0)  # which max_usd pays
        self.finish(process)
        self.assert_film()

    def test_what_cannot_be_ended_is_said(self):
        process = self.auto()
        first, = self.at_work(1, process)
        identity = next(iter(self.cloud.pods))
        self.fake.fail("DELETE", "/pods/.*", 500, times=1000)
        process.send_signal(SIGTERM)
        output = self.output_of(process, 7)
        self.assertRegex(output.splitlines()[-1],
                         f"STILL RENTED: {first} .{identity}, .*console.runpod.io.*vsr-pods down")
        self.fake.faults.clear()
        self.run_client("down")
        self.assert_nothing_left()

    def test_a_deletion_that_fails_for_a_while(self):
        process = self.auto()
        self.at_work(1, process)
        self.fake.fail("DELETE", "/pods/.*", 429, times=2, headers={"Retry-After": "1"})
        self.finish(process)
        self.assert_film()

    def test_two_clients_do_not_meet(self):
        process = self.auto()
        self.at_work(1, process)
        self.assertIn(f"process {process.pid}", self.run_client("down", status=2))
        self.run_client("status")
        self.finish(process)

    def test_nobody_could_read_what_it_says(self):
        self.tell_pods("done")
        process = self.auto(begin=lambda: os.closerange(0, 3))
        self.assertEqual(process.wait(60), 0)
        self.assert_film()

    def test_nobody_reads_what_it_says(self):
        process = self.auto()
        self.at_work(1, process)
        process.stdout.close()
        self.tell_pods("done")
        self.assertEqual(process.wait(60), 0)
        self.assert_film()
        self.assertIn("the film is made", (self.folder / ".vsr-pods/film.log").read_text())


class Transfers(Auto):
    def test_a_film_of_the_same_size_with_other_bytes_is_sent_again(self):
        target = self.workspace / "film/input/film.mkv"
        target.parent.mkdir(parents=True)
        target.write_bytes(b"x" * (self.folder / "film.mkv").stat().st_size)
        os.utime(target, ns=(1, (self.folder / "film.mkv").stat().st_mtime_ns))
        process = self.auto()
        self.at_work(1, process)
        self.finish(process)
        self.assert_film()

    def test_half_of_it_goes_on(self):
        target = self.workspace / "film/input/film.mkv"
        target.parent.mkdir(parents=True)
        target.write_bytes((self.folder / "film.mkv").read_bytes()[:60000])
        process = self.auto()
        self.at_work(1, process)
        self.finish(process)
        self.assert_film()

    def test_what_cannot_be_fetched_is_told(self):
        self.run_client("up", "--yes")
        self.run_client("push")
        self.assertIn("there is no run in", self.run_client("pull", status=7))
        (self.workspace / "film/run").mkdir()
        (self.folder / "results").write_text("a file")
        self.assertRegex(self.run_client("pull", status=6), "job.results .*/results: (Not a directory|File exists)")
        self.run_client("down")

    def test_an_older_film_here_is_none_of_this_run(self):
        self.run_client("up", "--yes")
        half = self.workspace / "film/run/final/making-1a2b/film_pitchOK.mkv"
        half.parent.mkdir(parents=True)
        half.write_text("half of it")
        (self.workspace / "film/log").mkdir()
        self.run_client("pull")
        older = self.folder / "results/final/older.mkv"
        older.parent.mkdir(parents=True, exist_ok=True)
        older.write_text("older")
        self.assertIn("there is no film yet", self.run_client("pull"))
        self.assertEqual([path.name for path in older.parent.iterdir()], ["older.mkv"])
        self.assertFalse(self.state()["finished"])
        self.run_client("down")

    def test_films_that_another_has_fetched_meanwhile_are_not_written_over(self):
        process = self.auto()
        self.at_work(1, process)
        theirs = self.folder / "results/final/film_pitchOK.mkv"
        theirs.parent.mkdir(parents=True)
        theirs.write_text("another film")
        self.assertIn("pods.name = film has not fetched; name another folder", self.finish(process, 2))
        self.assertEqual(theirs.read_text(), "another film")
        self.assert_nothing_left()

    def test_another_film_of_the_same_name_is_refused_before_it_is_sent(self):
        process = self.auto()
        self.at_work(1, process)
        self.finish(process)
        (self.workspace / "film/run/plan.h5").write_text("a plan")
        with open(self.folder / "film.mkv", "ab") as film:
            film.write(b"more of it")
        self.assertIn(f"in {self.workspace}/film on the volume is a run of another film.mkv; give another pods.name",
                      self.run_client("auto", "--yes", status=2))
        self.assertFalse((self.workspace / "film/input/film.mkv").read_bytes().endswith(b"more of it"))
        self.assert_nothing_left()

    def test_a_second_start_sends_and_fetches_nothing_twice(self):
        process = self.auto()
        self.at_work(1, process)
        self.finish(process)
        self.assertIn("film.mkv is on the volume already", self.run_client("auto", "--yes"))
        self.assert_film()
        self.assertEqual(len(self.cloud.gone), 2)


class LeftOver(ClientTest):
    def make(self, name):
        return self.cloud.make_pod({"name": name, "image": "i", "gpu": {"id": GPU}}).id

    def test_reap_ends_what_is_old_and_ours(self):
        self.make("vsrdist-1790000000-1")
        self.make("somebody-elses")
        old = self.cloud.make_cluster({"name": "vsrdist-1790000000-2", "image": "i", "type": "TRAINING",
                                       "compute": {"gpuTypeId": GPU, "gpuCountPerPod": 1, "podCount": 2}})
        old.created -= 48 * 3600
        (self.folder / "pods.ini").unlink()
        words = ("reap", "--api-url", self.fake.url)
        self.assertIn("vsrdist-1790000000-2", self.run_client(*words, "--dry-run"))
        self.run_client(*words, status=2)
        self.assertEqual(len(self.cloud.left()), 5)
        self.run_client(*words, "--yes")
        self.assertEqual(self.cloud.left(), ["somebody-elses", "vsrdist-1790000000-1"])
        self.run_client(*words, "--yes", "--older", "0")
        self.assertEqual(self.cloud.left(), ["somebody-elses"])

    def test_what_no_state_knows_is_told(self):
        self.make("vsrdist-1790000000-1")
        self.assertRegex(self.run_client("auto", "--dry-run"), r"vsrdist-1790000000-1 \(pod.*\) is rented, too, and known to no state "
                         "in .*; unless another vsr-pods is at work with it, 'vsr-pods reap --older 0' ends it, and all others")

    def test_reap_needs_no_configuration_that_is_right(self):
        self.make("vsrdist-1790000000-1")
        (self.folder / "pods.ini").write_text("[limits]\nmax_used = 5\n")
        said = self.run_client("reap", "--api-url", self.fake.url, "--older", "0", "--yes")
        self.assertIn("did you mean max_usd?; goes on without it", said)
        self.assertEqual(self.cloud.left(), [])

    def test_down_needs_no_configuration_that_is_right(self):
        for wrong in ({"pods_cuont": "3"}, {"pods_name": None}, {"limits_max_usd": "much"}, {"api_url": "nowhere"}):
            self.config()
            self.run_client("up", "--yes")
            self.assertTrue(self.cloud.left())
            self.config(**wrong)
            self.assertIn("goes on without it", self.run_client("down"))
            self.assertEqual(self.cloud.left(), [])

    def test_down_ends_no_other_films_pods(self):
        self.run_client("up", "--yes")
        self.config(pods_name="other", pods_cuont="3")
        self.assertIn("nothing is rented by it; there are the states of film", self.run_client("down"))
        self.assertEqual(len(self.cloud.left()), 1)

    def test_down_without_a_state_says_so(self):
        (self.folder / "pods.ini").unlink()
        self.assertIn("holds no state", self.run_client("down", status=2))

    def test_after_reap(self):
        self.run_client("up", "--yes")
        name, = self.cloud.left()
        self.run_client("reap", "--older", "0", "--yes")
        self.assertRegex(self.run_client("status"), f"{name} .* is gone, .* at most; 'vsr-pods down' notes that")
        self.assertRegex(self.run_client("down"), f"{name} .* was gone already")
        self.assertIn("nothing is rented", self.run_client("status"))

    def test_down_needs_no_ssh(self):
        self.run_client("up", "--yes")
        self.assertTrue(self.cloud.left())
        (self.folder / "key").rename(self.folder / "elsewhere")
        self.run_client("down")
        self.assertEqual(self.cloud.left(), [])

    def test_the_examples_image_is_not_rented(self):
        self.config(pods_image="OWNER/vsr-dist:cuda12")
        self.assertIn("pods.image", self.run_client("auto", "--yes", status=2))
        self.assertEqual(self.cloud.left(), [])

    def test_reap_takes_names_that_are_none_and_a_kind_that_is_not_told(self):
        self.make("vsrdist-1790000000-1")
        nameless = self.cloud.pods[self.make("vsrdist-1790000000-2")]
        nameless.name = None
        self.fake.fail("GET", "/clusters", 403, times=9)
        words = ("reap", "--api-url", self.fake.url, "--older", "0", "--yes")
        self.assertIn("403", self.run_client(*words, status=7))
        self.assertEqual([pod.name for pod in self.cloud.pods.values()], [None])

    def test_another_rsync_is_told_before_anything_is_rented(self):
        rsync = self.folder / "bin/rsync"
        rsync.write_text("#!/bin/sh\necho openrsync: protocol version 29, rsync version 2.6.9 compatible\n")
        rsync.chmod(0o755)
        self.assertIn("not 3.1 or newer", self.run_client("auto", "--yes", status=2))
        self.assertEqual(self.fake.requests, [])

    def test_words(self):
        for words in ((), ("dance",), ("reap", "--older", "-1"), ("push", "--dry-run"), ("up", "now")):
            self.assertRegex(self.run_client(*words, status=2), "error:")
        self.assertIn("vsr-pods auto --dry-run", self.run_client(status=2))
        self.assertRegex(self.run_client("pulll", status=2), "no command pulll; did you mean pull\\?\nsuch as\n")
        self.assertIn("auto", self.run_client("--help"))
        self.assertIn("http", self.run_client("auto", "--api-url", "http://example.org", status=2))
        self.run_client("auto", "--config", "none.ini", status=2)
        keyless = self.start("auto", environment={"RUNPOD_API_KEY": ""})
        self.assertIn("RUNPOD_API_KEY", self.output_of(keyless, 2))


if __name__ == "__main__":
    unittest.main()
