"""runpod/vsr-pods from an empty account to the film, and back to an empty account: pods are namespaces with real sshd, a
real vsr-pod and a real vsr-dist (pods_support.py); the service is tests/runpod/fake_runpod.py."""

import os
import shutil
import signal
import subprocess
import time
import unittest
from pathlib import Path

import hosts_support
from film_support import CLIP, PROGRAM, SMALL_FILM, environment, frame_hashes, run
from pods_support import PodsTest

GPU = "NVIDIA GeForce RTX 4090"

# Seven segments; what a lost pod had in hand goes to another after five seconds.
FILM = {**SMALL_FILM, "input__end": "0.84", "segment__frames": 3, "cluster__patience": 5}

# The same with chunks that take a while, and that no other job takes from one that stands still.
SLOW_ENCODE = {**FILM, "final__height": 1152, "final__preset": "slower", "cluster__patience": 600}
ENCODERS = {"count": 1, "flavors": "cpu5c", "vcpus": 2, "max_price": 1}

CONFIG = {
    "pods": {"name": "film", "count": 1, "gpus": GPU, "max_price": 1, "image": "someone/vsr-dist:1"},
    "volume": {"create_gb": 10, "data_center": "EU-RO-1"},
    "job": {"file": "job.ini", "input": "film.mkv", "results": "results"},
    "limits": {"max_usd": 5, "max_hours": 1, "ready_minutes": 5},
}

# A client that looks often.
OFTEN = {f"VSR_PODS_{name}_S": str(seconds) for name, seconds in
         {"POLL": 1, "PAUSE": 0.2, "AGAIN": 1, "SETTLE": 2, "TELL": 1, "NODE": 60}.items()}


class FilmOnPods(PodsTest):
    """A job to be done by rented pods, and its film as an undisturbed run here makes it."""

    FILM = FILM

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.reference = cls("assert_film").film_made_here("undisturbed", **cls.FILM)

    def setUp(self):
        super().setUp()
        self.write_job(**self.FILM)
        shutil.copy(CLIP, self.work / "film.mkv")
        self.configure()

    def film_made_here(self, name, **keys):
        run(self.job(name, **keys), env=environment(OMP_NUM_THREADS="1"), check=True)
        return frame_hashes(self.folder / name / "final/film_pitchOK.mkv")

    def write_job(self, **keys):
        _, text = run([*self.job("asked", **keys), "--print-config"], check=True)
        (self.work / "job.ini").write_text(text)

    def configure(self, **changes):
        """pods.ini: section__key=value over CONFIG."""
        values = {section: dict(keys) for section, keys in CONFIG.items()}
        values |= {"ssh": {"key": self.pods.key}, "api": {"url": self.fake.url}}
        for name, value in changes.items():
            section, _, key = name.partition("__")
            values.setdefault(section, {})[key] = value
        lines = [f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in keys.items())
                 for section, keys in values.items()]
        (self.work / "pods.ini").write_text("\n".join(lines))

    def begin(self, *words, **more):
        return self.client("--config", "pods.ini", "--yes", *words, **{**OFTEN, **more})

    def does(self, *words, status=0):
        return self.ends(self.begin(*words), status)

    # What is on the volume, and who works

    @property
    def volume(self):
        (identity,) = self.cloud.volumes
        return self.pods.volumes / identity

    def records(self):
        """Segments that are committed, and when."""
        if not self.cloud.volumes:
            return {}
        return {path: path.stat().st_mtime_ns for path in self.volume.glob("film/run/segments/*.h5")}

    def jobs(self, machine):
        """Processes of the job itself, not those that check it or ask how it is."""
        found = []
        for pid, _ in machine.processes("vsr-dist"):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[1:-1]
            except OSError:  # gone meanwhile
                continue
            if words in ([b"/workspace/film/job.ini"], [b"/workspace/film/job.ini", b"--role=encode"]):
                found.append(pid)
        return found

    def working(self):
        return [machine for machine in self.pods.running() if self.jobs(machine)]

    def pause(self, machine):
        for pid in self.jobs(machine):
            os.kill(pid, signal.SIGSTOP)

    def holds_a_chunk(self, machine):
        leases = self.volume.glob("film/run/leases/chunk-*.lease")
        return any(machine.pod.id in path.read_text() for path in leases if path.exists())

    def paused_with_a_chunk(self, machine):
        if not self.holds_a_chunk(machine):
            return False
        self.pause(machine)
        if not self.holds_a_chunk(machine):  # it was just about to be done
            self.go_on(machine)
            return False
        return True

    def go_on(self, machine):
        for pid in self.jobs(machine):
            os.kill(pid, signal.SIGCONT)

    def posts(self):
        return [body["name"] for body in self.fake.asked("POST", "/pods")]

    def gpu_ends_before_the_encoder_makes_the_film(self, segments):
        """The two pods. The first stands still from when it has committed a segment until the second works, the second with
        a chunk in hand until the first is ended."""
        self.configure(**{f"encoders__{key}": value for key, value in ENCODERS.items()})
        auto = self.begin("auto")
        self.wait_for("a segment is committed", self.records, auto)
        (gpu,) = self.working()
        self.pause(gpu)
        self.wait_for("the encoder works", lambda: len(self.working()) == 2, auto)
        (encoder,) = [machine for machine in self.working() if machine is not gpu]
        self.assertEqual((gpu.pod.body.get("cpu"), encoder.pod.body["cpu"]), (None, {"id": "cpu5c", "vcpuCount": 2}))
        self.go_on(gpu)
        self.wait_for("the encoder stands still with a chunk in hand", lambda: self.paused_with_a_chunk(encoder), auto)
        self.wait_for("the GPU's pod is ended", lambda: not gpu.is_on(), auto)
        self.assertEqual(len(self.records()), segments)
        self.assertFalse((self.volume / "film/run/final/film_pitchOK.mkv").exists())
        self.go_on(encoder)
        said = self.ends(auto)
        self.assertIn("all is upscaled, and 1 of 1 encoders are at work: ends what has a GPU, $", said)
        (log,) = self.volume.glob(f"film/log/{encoder.pod.name}.log")
        self.assertIn("this job only encodes", log.read_text())
        self.assertNotIn("nobody upscales", log.read_text())
        self.assertEqual(len(self.posts()), 2, said)
        self.assert_nothing_left()
        return gpu, encoder

    # What has to hold at the end

    def assert_film(self, reference=None):
        self.assertEqual(frame_hashes(self.work / "results/final/film_pitchOK.mkv"), reference or self.reference)

    def assert_key_is_nowhere(self, *outputs):
        """The account's key is in the header of requests and nowhere else."""
        places = [repr(self.fake.requests), self.logs(), *outputs]
        places += [path.read_text(errors="replace") for path in self.work.rglob(".vsr-pods/*") if path.is_file()]
        for text in places:
            self.assertNotIn(self.fake.key, text)


class Pods(FilmOnPods):
    def test_a_lost_pod_is_replaced_and_the_film_is_that_of_an_undisturbed_run(self):
        self.configure(pods__count=2)
        auto = self.begin("auto")
        self.wait_for("the first pod commits a segment", self.records, auto)
        (first,) = self.working()
        self.pause(first)  # so that there is something left to do
        self.wait_for("the second pod works", lambda: len(self.working()) == 2, auto)
        (second,) = [machine for machine in self.working() if machine is not first]
        self.pause(second)
        kept = self.records()
        self.wait_for("no ssh that would hang is under way", lambda: not self.pods.talking(), auto)
        self.cloud.lose(first.pod)  # as a power cut
        self.wait_for("a third pod is rented", lambda: len(self.posts()) == 3, auto)
        self.assertFalse((self.volume / "film/run/final/film_pitchOK.mkv").exists(), "too late to show anything")
        self.go_on(second)
        said = self.ends(auto)
        self.assertEqual({path: self.records().get(path) for path in kept}, kept, "a committed segment was made again")
        self.assert_film()
        self.assertRegex(said, f"{first.pod.name} .* is EXITED: is replaced")
        self.assertEqual(len(set(self.posts())), 3, said)
        self.assertGreater(self.cloud.spent(), 0)
        self.assert_nothing_left()
        self.assertEqual(len(self.cloud.volumes), 1)  # stays, until it is asked for
        self.assert_key_is_nowhere(said)

    def test_one_mpirun_over_the_nodes_of_a_cluster(self):
        self.configure(pods__kind="cluster", pods__count=3)
        auto = self.begin("auto")
        said = self.ends(auto)
        self.assert_film()
        log = (self.volume / "film/run/log/rank-0.log").read_text()
        self.assertIn("3 of 3 ranks upscale", log, said)
        hosts = (self.volume / "film/hosts").read_text()
        self.assertEqual(hosts, "".join(f"10.65.0.{n} slots=1\n" for n in (2, 3, 4)))
        self.assert_nothing_left()
        self.assert_key_is_nowhere(said)

    def test_a_killed_client_finds_its_pod_again_and_ctrl_c_leaves_a_run_to_go_on_with(self):
        auto = self.begin("auto")
        self.wait_for("a segment is committed", self.records, auto)
        auto.kill()
        auto.wait()
        (pod,) = self.working()
        self.pause(pod)
        again = self.begin("auto")
        self.wait_for("it has found its pod and asked it", lambda: " at work: " in again.output.read_text(), again)
        self.go_on(pod)
        again.send_signal(signal.SIGINT)
        said = self.ends(again, 130)
        self.assertEqual(len(self.posts()), 1, said)
        self.assert_nothing_left()
        kept = self.records()
        self.assertTrue(kept)
        self.assertEqual(list(self.volume.glob("film/run/segments/*.part")), [], "a piece in hand was not finished")
        said = self.does("auto")
        self.assertEqual({path: self.records().get(path) for path in kept}, kept, said)
        self.assertEqual(len(self.posts()), 2, said)
        self.assert_film()
        self.assert_nothing_left()

    def test_a_full_volume_grows(self):
        self.configure(limits__paused_minutes=0.4, volume__grow_to_gb=30)
        auto = self.begin("auto")
        self.wait_for("a segment is committed", self.records, auto)
        self.pods.fill(self.volume)
        said = self.ends(auto)
        self.assertEqual(self.fake.asked("PATCH", "/network-volumes/.*"), [{"size": 30}], said)
        self.assert_film()
        self.assert_nothing_left()

    def test_the_gpu_is_ended_when_all_is_upscaled_and_an_encoder_makes_the_film(self):
        reference = self.film_made_here("slow-encode", **SLOW_ENCODE)
        self.write_job(**SLOW_ENCODE)
        self.gpu_ends_before_the_encoder_makes_the_film(segments=7)
        self.assert_film(reference)

    def test_step_by_step(self):
        self.does("up")
        (body,) = self.fake.asked("POST", "/pods")
        deadline = int(body["env"]["VSRDIST_DEADLINE"])  # should nobody end it
        self.assertTrue(time.time() < deadline <= time.time() + 3600, deadline)
        (pod,) = self.pods.running()
        self.does("push")
        self.does("run")
        self.wait_for("the job runs", lambda: self.records())
        self.assertRegex(self.does("status"), "film|frames|segment")
        self.wait_for("the film is made", (self.volume / "film/run/final/made-from.txt").exists)
        self.does("pull")
        self.assert_film()
        self.does("down")
        self.assertFalse(pod.is_on())
        self.assert_nothing_left()
        self.does("down", "--volume")
        self.assertEqual(self.cloud.volumes, {})

    def test_a_pod_whose_client_is_gone_ends_itself_when_its_time_is_over(self):
        # The pod's key goes over no open line, so that only the end of its container is left to it.
        body = {"name": "late", "image": "any", "gpu": {"id": GPU}, "ports": ["22/tcp"],
                "env": {"VSRDIST_DEADLINE": str(int(time.time()) + 1), "VSRDIST_API_URL": "http://192.0.2.1/v2"}}
        with self.cloud.lock:
            pod = self.cloud.make_pod(body)
        self.wait_for("it ends itself", lambda: pod.status == "EXITED")
        self.assertIn("time is over", "\n".join(self.pods.log(pod)))
        self.assertEqual(pod.cost(), 0)


if __name__ == "__main__":
    hosts_support.enter()
    unittest.main(verbosity=2)
