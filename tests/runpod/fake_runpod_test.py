#!/usr/bin/env python3
"""The made-up RunPod that other tests believe in does what the service's documents say."""

import http.client
import json
import threading
import time
import unittest
import urllib.error
import urllib.request

from fake_runpod import PUBLISHED_LIMITS, Driver, FakeRunPod, Limiter

GPU = "NVIDIA GeForce RTX 4090"
LIMIT_S = 30  # for whatever should come soon, on a busy machine


def pod_body(**more):
    return {"name": "vsrdist-1-1", "image": "image:1", "gpu": {"id": GPU, "count": 1}, "ports": ["22/tcp"], **more}


class Recorder(Driver):
    """Remembers what it was told, and may be slow, fail, or lose its pods."""

    def __init__(self):
        self.started, self.ended, self.sizes, self.off, self.broken = [], [], [], set(), False

    def start(self, pod):
        if self.broken:
            raise RuntimeError("no such image")
        self.started.append(pod)
        return "192.0.2.1", 2200, "root"

    def end(self, pod):
        self.ended.append(pod)

    def is_on(self, pod):
        return pod.id not in self.off

    def resize(self, volume):
        self.sizes.append(volume["size"])


class FakeRunPodTest(unittest.TestCase):
    def setUp(self):
        self.driver = Recorder()
        self.fake = FakeRunPod(self.driver)
        self.addCleanup(self.fake.close)
        self.cloud = self.fake.cloud

    def ask(self, method, path, body=None, key=None, headers=None):
        """(status, object); the headers of the answer are kept."""
        data = None if body is None else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {key or self.fake.key}", "Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(self.fake.url + path, data, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
                status, self.headers, text = answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                status, self.headers, text = error.code, error.headers, error.read()
            self.assertEqual(self.headers["Content-Type"], "application/problem+json")
        return status, json.loads(text) if text else None

    def refused(self, status, method, path, body=None, **how):
        """The one-line reason of an answer that has to have this status."""
        got, answer = self.ask(method, path, body, **how)
        self.assertEqual((got, answer.get("status")), (status, status), answer)
        return " ".join([answer["detail"], *answer.get("errors", [])])

    def make(self, path="/pods", **more):
        status, made = self.ask("POST", path, {"/pods": pod_body, "/clusters": self.cluster_body}[path](**more))
        self.assertEqual(status, 201, made)
        return made

    @staticmethod
    def cluster_body(**more):
        return {"name": "vsrdist-1", "type": "TRAINING", "image": "image:1", "ports": ["22/tcp"],
                "compute": {"gpuTypeId": GPU, "gpuCountPerPod": 2, "podCount": 3}, **more}

    def volume(self, center="EU-RO-1", size=10):
        status, made = self.ask("POST", "/network-volumes", {"name": "v", "size": size, "dataCenter": center})
        self.assertEqual(status, 201, made)
        return made["id"]

    def until(self, true):
        end = time.monotonic() + LIMIT_S
        while not true():
            self.assertLess(time.monotonic(), end, self.cloud.troubles)
            time.sleep(0.01)

    def status(self, identity):
        return self.ask("GET", f"/pods/{identity}")[1].get("status")

    def ready(self, identity):
        self.until(lambda: self.ask("GET", f"/pods/{identity}")[1]["ssh"]["direct"])
        return self.ask("GET", f"/pods/{identity}")[1]

    # Requests

    def test_only_the_key_opens_it(self):
        self.assertIn("invalid", self.refused(401, "GET", "/pods", key="another"))
        request = urllib.request.Request(self.fake.url + "/pods")
        with self.assertRaises(urllib.error.HTTPError) as raised:
            urllib.request.urlopen(request)
        self.assertEqual(raised.exception.code, 401)
        raised.exception.close()
        self.make()
        self.assertNotIn(self.fake.key, repr(self.fake.requests))
        self.assertEqual([(m, p, s) for m, p, _, s in self.fake.requests],
                         [("GET", "/pods", 401), ("GET", "/pods", 401), ("POST", "/pods", 201)])
        self.assertEqual(self.fake.asked("POST", "/pods"), [pod_body()])

    def test_a_pods_own_key_ends_that_pod_only(self):
        one, two = self.cloud.pods[self.make()["id"]], self.make()["id"]
        self.refused(403, "DELETE", f"/pods/{two}", key=one.key)
        self.refused(403, "GET", "/pods", key=one.key)
        self.assertEqual(self.ask("DELETE", f"/pods/{one.id}", key=one.key)[0], 204)
        self.refused(401, "GET", f"/pods/{one.id}", key=one.key)

    def test_bodies_that_do_not_match_the_schema_are_422(self):
        for change, words in (({"imageName": "x"}, "unexpected property 'imageName'"),
                              ({"gpu": {"id": GPU, "type": 1}}, "gpu: unexpected property 'type'"),
                              ({"gpu": {"id": GPU, "count": "1"}}, "gpu.count"),
                              ({"mounts": {"network": [{"volumeId": "v"}]}}, "missing property 'path'"),
                              ({"cloud": "ANY"}, "cloud"), ({"env": {"A": 1}}, "env.A"), ({"name": ""}, "name"),
                              ({"disk": True}, "disk"), ({"cmd": ["x"]}, "cmd")):
            self.assertIn(words, self.refused(422, "POST", "/pods", pod_body(**change)))
        without = pod_body()
        del without["image"]
        self.assertIn("image", self.refused(422, "POST", "/pods", without))
        self.assertIn("podCount", self.refused(422, "POST", "/clusters", self.cluster_body(
            compute={"gpuTypeId": GPU, "gpuCountPerPod": 1, "podCount": 1})))
        self.refused(422, "POST", "/clusters", self.cluster_body(registry="r"))
        self.refused(422, "POST", "/network-volumes", {"name": "v", "size": 9, "dataCenter": "EU-RO-1"})
        self.assertEqual(self.cloud.left(), [])

    def test_broken_rules_and_no_capacity_are_400(self):
        volume = self.volume()
        mounted = {"mounts": {"network": [{"volumeId": volume, "path": "/workspace"}]}}
        both = {"network": mounted["mounts"]["network"], "persistent": {"size": 20, "path": "/workspace"}}
        for change, words in (({"cpu": {"id": "cpu3c"}}, "exactly one of"),
                              ({"gpu": {"id": "NVIDIA GeForce RTX 4091"}}, "unknown gpu"),
                              ({"gpu": {"id": GPU, "count": 9}}, "maximum of 8"),
                              ({"gpu": {"id": GPU, "minCudaVersion": "12.10"}}, "currently available"),
                              ({"mounts": both}, "mounts.persistent"), ({"dataCenterIds": ["XX-1"]}, "unknown data center"),
                              ({**mounted, "dataCenterIds": ["US-KS-2"]}, "is in data center EU-RO-1"),
                              ({**mounted, "cloud": "COMMUNITY"}, "secure cloud"),
                              ({"env": {f"V{i}": "" for i in range(51)}}, "50 environment")):
            self.assertIn(words, self.refused(400, "POST", "/pods", pod_body(**change)))
        self.refused(404, "POST", "/pods", pod_body(mounts={"network": [{"volumeId": "none", "path": "/w"}]}))
        self.cloud.gpus[GPU]["stock"] = {"EU-RO-1": 1}
        first = self.make(**mounted)
        self.assertEqual(first["dataCenterId"], "EU-RO-1")
        self.assertIn("currently available", self.refused(400, "POST", "/pods", pod_body(name="two")))
        self.assertEqual(self.ask("DELETE", f"/pods/{first['id']}")[0], 204)
        self.make(name="two")

    def test_no_balance_is_402_and_an_empty_one_stops_pods(self):
        self.cloud.balance = 0.5
        self.refused(402, "POST", "/pods", pod_body())
        self.cloud.balance = 1
        identity = self.make()["id"]
        self.cloud.clock.factor = 1e6
        self.until(lambda: self.status(identity) == "EXITED")

    def test_unknown_things_are_404_and_large_bodies_413(self):
        for method, path in (("GET", "/pods/none"), ("DELETE", "/pods/none"), ("GET", "/clusters/none"),
                             ("DELETE", "/network-volumes/none"), ("GET", "/catalog/gpus/none"), ("GET", "/nothing")):
            self.refused(404, method, path)
        self.refused(405, "DELETE", "/pods")
        self.refused(413, "POST", "/pods", pod_body(args="x" * (100 << 10)))

    def test_more_requests_than_allowed_are_429_until_retry_after(self):
        self.fake.limit((2, 1))
        answers = [self.ask("GET", "/pods")[0] for _ in range(2)]
        self.assertEqual(answers, [200, 200])
        status, _ = self.ask("GET", "/pods")
        if status == 429:  # else the three took longer than a second
            self.assertEqual(self.headers["Retry-After"], "1")
        self.until(lambda: self.ask("GET", "/pods")[0] == 200)
        limiter = Limiter(PUBLISHED_LIMITS)
        self.assertEqual({limiter.wait_s(i / 2) for i in range(60)}, {0})
        self.assertEqual([limiter.wait_s(t) for t in (30, 59.5, 60)], [30, 1, 0])
        self.assertEqual({limiter.wait_s(100 + i) for i in range(2939)}, {0})
        self.assertEqual(limiter.wait_s(3100), 500)

    def test_failures_come_before_or_after_the_deed_and_as_often_as_told(self):
        self.fake.fail("POST", "/pods", 502, times=2)
        for _ in range(2):
            self.refused(502, "POST", "/pods", pod_body())
        self.assertEqual(self.cloud.left(), [])
        self.make()
        self.fake.fail("POST", "/pods", 504, after=True)
        self.refused(504, "POST", "/pods", pod_body(name="ghost"))
        self.assertEqual(self.cloud.left(), ["ghost", "vsrdist-1-1"])
        self.fake.fail("GET", "/pods/.*", 429, headers={"Retry-After": "7"})
        self.refused(429, "GET", "/pods/any")
        self.assertEqual(self.headers["Retry-After"], "7")
        self.fake.fail("POST", "/pods", 0, after=True)
        with self.assertRaises((http.client.RemoteDisconnected, ConnectionError)):
            self.ask("POST", "/pods", pod_body(name="silent"))
        self.assertIn("silent", self.cloud.left())

    # Pods

    def test_a_pod_is_made_started_and_ended(self):
        self.assertEqual(self.ask("PUT", "/account/ssh-keys", {"keys": ["ssh-ed25519 AAAA me"]})[0], 200)
        volume = self.volume()
        made = self.make(startSsh=True, env={"SSH_PUBLIC_KEY": "k", "VSRDIST_FOLDER": "/w/f"}, gpu={"id": GPU, "count": 2},
                         mounts={"network": [{"volumeId": volume, "path": "/w"}]})
        self.assertEqual((made["status"], made["ssh"]["direct"], made["cost"]), ("PROVISIONING", None, 1.38))
        self.assertEqual(self.ready(made["id"])["ssh"]["direct"],
                         {"host": "192.0.2.1", "port": 2200, "username": "root", "command": "ssh root@192.0.2.1 -p 2200"})
        environment = self.driver.started[0].environment
        self.assertEqual(environment["PUBLIC_KEY"], "ssh-ed25519 AAAA me")
        self.assertEqual({k: environment[k] for k in ("RUNPOD_POD_ID", "RUNPOD_GPU_COUNT", "RUNPOD_VOLUME_ID", "SSH_PUBLIC_KEY")},
                         {"RUNPOD_POD_ID": made["id"], "RUNPOD_GPU_COUNT": "2", "RUNPOD_VOLUME_ID": volume, "SSH_PUBLIC_KEY": "k"})
        self.assertIn("attached", self.refused(400, "DELETE", f"/network-volumes/{volume}"))
        self.assertEqual(self.ask("DELETE", f"/pods/{made['id']}")[0], 204)
        self.assertEqual(self.driver.ended, self.driver.started)
        self.refused(404, "GET", f"/pods/{made['id']}")
        self.assertEqual(self.ask("GET", "/pods")[1]["pods"], [])
        self.assertEqual(self.ask("DELETE", f"/network-volumes/{volume}")[0], 204)

    def test_a_slow_start_is_seen_step_by_step(self):
        self.cloud.provisioning_s = self.cloud.starting_s = self.cloud.ssh_s = 3600
        identity = self.make()["id"]
        self.assertEqual(self.status(identity), "PROVISIONING")
        self.assertEqual(self.driver.started, [])
        self.ask("DELETE", f"/pods/{identity}")  # does not wait for it
        self.cloud.provisioning_s = 0
        identity = self.make()["id"]
        self.until(lambda: self.status(identity) == "STARTING")
        self.ask("DELETE", f"/pods/{identity}")
        self.cloud.starting_s = 0
        identity = self.make()["id"]
        self.until(lambda: self.status(identity) == "RUNNING")
        self.assertIsNone(self.ask("GET", f"/pods/{identity}")[1]["ssh"]["direct"])
        self.cloud.ssh_s = 0
        self.assertEqual(self.ready(self.make()["id"])["ssh"]["proxy"]["host"], "ssh.runpod.io")
        without = self.make(ports=[])["id"]
        self.until(lambda: self.status(without) == "RUNNING")
        self.assertIsNone(self.ask("GET", f"/pods/{without}")[1]["ssh"]["direct"])

    def test_pods_are_lost_in_three_ways_and_by_themselves(self):
        pods = [self.make(name=f"p{i}")["id"] for i in range(4)]
        for pod in pods:
            self.ready(pod)
        for identity, status in zip(pods, ("EXITED", "ERROR", "TERMINATED")):
            self.cloud.lose(self.cloud.pods[identity], status)
        self.driver.off.add(pods[3])
        self.until(lambda: self.status(pods[3]) == "EXITED")
        self.assertEqual({p["name"]: p["status"] for p in self.ask("GET", "/pods")[1]["pods"]},
                         {"p0": "EXITED", "p1": "ERROR", "p3": "EXITED"})
        self.assertEqual(len(self.driver.ended), 4)
        self.driver.broken = True
        identity = self.make(name="broken")["id"]
        self.until(lambda: self.status(identity) == "ERROR")
        self.assertIn("no such image", self.cloud.troubles[0])

    def test_actions_are_those_of_the_status(self):
        identity = self.make()["id"]
        self.assertEqual(self.ready(identity)["actions"], ["stop", "restart", "terminate"])
        self.refused(409, "POST", f"/pods/{identity}/action", {"action": "start"})
        self.refused(422, "POST", f"/pods/{identity}/action", {"action": "reset"})
        self.assertEqual(self.ask("POST", f"/pods/{identity}/action", {"action": "stop"})[1]["status"], "EXITED")
        self.assertEqual(self.ask("POST", f"/pods/{identity}/action", {"action": "start"})[0], 200)
        self.ready(identity)
        self.assertEqual(len(self.driver.started), 2)
        self.assertEqual(self.ask("POST", f"/pods/{identity}/action", {"action": "terminate"}), (204, None))
        self.assertEqual(self.cloud.left(), [])

    def test_a_long_list_comes_in_pages(self):
        self.fake.page = 2
        names = {self.make(name=f"p{i}")["name"] for i in range(5)}
        found, cursor = [], ""
        while cursor is not None:
            page = self.ask("GET", f"/pods?cursor={cursor}" if cursor else "/pods")[1]
            found += [pod["name"] for pod in page["pods"]]
            self.assertEqual(page["pagination"]["hasNextPage"], page["pagination"]["nextCursor"] is not None)
            cursor = page["pagination"]["nextCursor"]
        self.assertEqual((len(found), set(found)), (5, names))

    def test_the_log_is_a_stream_that_goes_on_where_it_was(self):
        self.driver.log = lambda pod: ["one", "two", "three"]
        identity = self.make()["id"]
        threading.Timer(0.3, lambda: self.cloud.lose(self.cloud.pods[identity])).start()
        request = urllib.request.Request(f"{self.fake.url}/pods/{identity}/logs?tail=2&source=container",
                                         headers={"Authorization": f"Bearer {self.fake.key}"})
        with urllib.request.urlopen(request, timeout=LIMIT_S) as stream:
            lines = stream.read().decode().split("\n\n")
        events = [json.loads(line.split("data: ")[1]) for line in lines if line]
        self.assertEqual([(e["source"], e["line"]) for e in events], [("container", "two"), ("container", "three")])
        request.add_header("Last-Event-ID", lines[0].split("\n")[0].removeprefix("id: "))
        with urllib.request.urlopen(request, timeout=LIMIT_S) as stream:
            self.assertEqual(stream.read().decode().count("data: "), 1)

    # Clusters, volumes, money, catalogue

    def test_a_cluster_comes_and_goes_as_a_whole(self):
        cluster = self.make("/clusters", env={"VSRDIST_FOLDER": "/w/f"})
        path = f"/clusters/{cluster['id']}"
        self.until(lambda: self.ask("GET", path)[1]["pods"]["byStatus"] == {"RUNNING": 3})
        self.until(lambda: self.ask("GET", path)[1]["primary"].get("sshEndpoint") == "192.0.2.1:2200")
        self.assertEqual(self.ask("GET", path)[1]["network"]["cidr"], "10.65.0.0/16")
        members = self.ask("GET", f"{path}/pods")[1]["pods"]
        self.assertEqual([m["cluster"]["rank"] for m in members], [0, 1, 2])
        self.assertEqual(members[1]["cluster"]["ip"], "10.65.0.3")
        environment = self.cloud.pods[members[1]["id"]].environment
        self.assertEqual({k: environment[k] for k in ("NODE_RANK", "NUM_NODES", "NUM_TRAINERS", "WORLD_SIZE", "PRIMARY_ADDR")},
                         {"NODE_RANK": "1", "NUM_NODES": "3", "NUM_TRAINERS": "2", "WORLD_SIZE": "6", "PRIMARY_ADDR": "10.65.0.2"})
        self.assertEqual(self.ask("GET", "/pods")[1]["pods"], [])
        self.assertEqual(len(self.ask("GET", "/pods?includeClusterPods=true")[1]["pods"]), 3)
        self.refused(409, "DELETE", f"/pods/{members[0]['id']}")
        self.refused(409, "POST", f"/pods/{members[0]['id']}/action", {"action": "stop"})
        self.assertEqual([c["id"] for c in self.ask("GET", "/clusters")[1]["clusters"]], [cluster["id"]])
        self.assertEqual(self.ask("DELETE", path)[0], 204)
        self.assertEqual((self.cloud.left(), len(self.driver.ended)), ([], 3))

    def test_half_a_cluster(self):
        self.cloud.stuck_members = 1
        path = f"/clusters/{self.make('/clusters')['id']}"
        self.until(lambda: self.ask("GET", path)[1]["pods"]["byStatus"] == {"RUNNING": 2, "PROVISIONING": 1})
        self.ask("DELETE", path)
        self.cloud.stuck_members, self.cloud.missing_members = 0, 1
        self.assertEqual(self.make("/clusters")["pods"]["total"], 2)
        self.cloud.gpus[GPU]["stock"] = {"EU-RO-1": 5}
        self.refused(400, "POST", "/clusters", self.cluster_body())

    def test_volumes_grow_and_do_not_shrink(self):
        volume = self.volume(size=10)
        self.assertEqual(self.ask("PATCH", f"/network-volumes/{volume}", {"size": 30})[1]["size"], 30)
        self.refused(400, "PATCH", f"/network-volumes/{volume}", {"size": 20})
        self.refused(422, "PATCH", f"/network-volumes/{volume}", {})
        self.refused(422, "PATCH", f"/network-volumes/{volume}", {"dataCenter": "US-KS-2"})
        self.assertEqual(self.ask("GET", f"/network-volumes/{volume}")[1],
                         {"id": volume, "name": "v", "size": 30, "dataCenter": "EU-RO-1", "type": "STANDARD"})
        self.assertEqual([v["id"] for v in self.ask("GET", "/network-volumes")[1]["networkVolumes"]], [volume])
        self.assertEqual(self.driver.sizes, [10, 30])
        self.assertIn("no network volumes", self.refused(
            400, "POST", "/network-volumes", {"name": "v", "size": 10, "dataCenter": "US-TX-3"}))

    def test_money_is_price_by_time_until_a_pod_ends(self):
        identity = self.make()["id"]
        self.cloud.clock.factor = 3600  # a second is an hour
        self.until(lambda: self.cloud.spent() > 0.69)
        before = self.ask("GET", f"/billing/pods?podId={identity}")[1]
        self.assertEqual(before["records"][0]["podId"], identity)
        self.assertGreater(before["metadata"]["totals"]["totalAmount"], 0.69)
        self.cloud.lose(self.cloud.pods[identity], "ERROR")
        self.assertEqual(self.ask("GET", f"/pods/{identity}")[1]["cost"], 0.69)  # goes on costing
        at_error = self.cloud.spent()
        self.until(lambda: self.cloud.spent() > at_error)
        self.ask("DELETE", f"/pods/{identity}")
        spent = self.cloud.spent()
        self.assertEqual(self.ask("GET", "/billing/pods")[1]["metadata"]["totals"]["totalAmount"], spent)
        self.assertEqual(self.cloud.spent(), spent)

    def test_the_catalogue_tells_prices_and_what_is_free(self):
        self.cloud.gpus[GPU]["stock"] = {"EU-RO-1": 1, "US-KS-2": 0}
        gpus = {g["id"]: g for g in self.ask("GET", "/catalog/gpus?include=AVAILABILITY&product=POD&count=1")[1]["gpus"]}
        self.assertEqual(gpus[GPU]["price"], {"secure": 0.69, "community": 0.34})
        self.assertEqual((gpus[GPU]["availability"], [c["id"] for c in gpus[GPU]["dataCenters"]]), ("LOW", ["EU-RO-1"]))
        two = {g["id"]: g for g in self.ask("GET", "/catalog/gpus?include=AVAILABILITY&product=POD&count=2")[1]["gpus"]}
        self.assertEqual((two[GPU]["availability"], "dataCenters" in two[GPU]), ("NONE", False))
        self.assertNotIn("availability", self.ask("GET", "/catalog/gpus")[1]["gpus"][0])
        self.refused(422, "GET", "/catalog/gpus?include=AVAILABILITY")
        self.assertEqual(self.ask("GET", "/catalog/gpus/NVIDIA%20A40")[1]["memory"], 48)
        centers = {c["id"]: c for c in self.ask("GET", "/catalog/datacenters?include=GPU_AVAILABILITY")[1]["dataCenters"]}
        self.assertEqual({g["id"]: g["availability"] for g in centers["US-KS-2"]["gpuAvailability"]}[GPU], "NONE")
        self.assertEqual(centers["US-TX-3"]["networkVolumeTypes"], [])

    def test_pods_without_a_gpu(self):
        body = {"name": "one", "image": "i", "cpu": {"id": "cpu5c", "vcpuCount": 16}, "ports": ["22/tcp"]}
        for change, status, words in (
                ({"cpu": {"vcpuCount": 4}}, 422, "Request validation"), ({"cpu": {"id": "cpu9", "vcpuCount": 4}}, 400, "unknown cpu"),
                ({"cpu": {"id": "cpu5c", "vcpuCount": 12}}, 400, "power of two"),
                ({"cpu": {"id": "cpu5c", "vcpuCount": 64}}, 400, "from 2 to 32"), ({"globalNetworking": True}, 400, "GPU pods only"),
                ({"gpu": {"id": GPU}}, 400, "exactly one of"), ({"dataCenterIds": ["US-KS-2"]}, 400, "currently available"),
                ({"mounts": {"persistent": {"size": 20, "path": "/w"}}}, 400, "mounts.persistent")):
            self.assertIn(words, self.refused(status, "POST", "/pods", {**body, **change}))
        self.cloud.cpus["cpu5c"]["stock"] = {"EU-RO-1": 16}
        status, pod = self.ask("POST", "/pods", body)
        self.assertEqual((status, pod["cpu"], "gpu" in pod), (201, body["cpu"], False))
        self.assertAlmostEqual(pod["cost"], 16 * 0.035)
        self.assertIn("currently available", self.refused(400, "POST", "/pods", {**body, "name": "two"}))
        self.assertEqual(self.ask("DELETE", f"/pods/{pod['id']}")[0], 204)
        query = "?include=AVAILABILITY&product=POD&vcpuCount=16"
        cpus = {cpu["id"]: cpu for cpu in self.ask("GET", f"/catalog/cpus{query}")[1]["cpus"]}
        self.assertEqual((cpus["cpu5c"]["availability"], cpus["cpu5c"]["ramGbPerVcpu"]), ("LOW", 2))
        self.assertEqual([center["id"] for center in cpus["cpu3g"]["dataCenters"]], ["US-KS-2"])
        self.assertNotIn("availability", self.ask("GET", "/catalog/cpus/cpu3c")[1])
        self.refused(404, "GET", "/catalog/cpus/cpu9")
        self.refused(422, "GET", "/catalog/cpus?include=AVAILABILITY&vcpuCount=12")
        self.refused(422, "GET", "/catalog/cpus?vcpuCount=16")


if __name__ == "__main__":
    unittest.main()
