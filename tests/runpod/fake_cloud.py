"""The service behind fake_runpod.py: GPUs, data centres, volumes, pods and clusters that come, cost money and go.

What a pod is made of is left to a Driver. Standard library only."""

import copy
import datetime
import secrets
import threading
import time
import traceback

DATA_CENTERS = {  # those of GPUS below
    "EU-RO-1": {"name": "Romania 1", "region": "EUROPE", "globalNetwork": True, "networkVolumeTypes": ["STANDARD"]},
    "US-KS-2": {"name": "US Kansas 2", "region": "NORTH_AMERICA", "globalNetwork": True,
                "networkVolumeTypes": ["STANDARD", "HIGH_PERFORMANCE"]},
    "US-TX-3": {"name": "US Texas 3", "region": "NORTH_AMERICA", "globalNetwork": False, "networkVolumeTypes": []},
}

# price: dollars an hour for one, on the secure and the community cloud; stock: how many are free where.
GPUS = {
    "NVIDIA GeForce RTX 4090": {"memory": 24, "price": (0.69, 0.34), "most": 8, "cuda": "12.8",
                                "stock": {"EU-RO-1": 16, "US-KS-2": 16, "US-TX-3": 16}},
    "NVIDIA GeForce RTX 5090": {"memory": 32, "price": (0.94, 0.69), "most": 8, "cuda": "13.0",
                                "stock": {"EU-RO-1": 8}},
    "NVIDIA L40S": {"memory": 48, "price": (0.86, 0.79), "most": 8, "cuda": "12.8", "stock": {"US-KS-2": 8}},
    "NVIDIA A40": {"memory": 48, "price": (0.40, 0.35), "most": 10, "cuda": "12.4", "stock": {"EU-RO-1": 2}},
    "NVIDIA H100 80GB HBM3": {"memory": 80, "price": (2.99, 2.69), "most": 8, "cuda": "12.8",
                              "stock": {"EU-RO-1": 32, "US-KS-2": 32}},
}

# price: dollars an hour for a vCPU, as GPUS have it; vcpu: least and most of a pod; stock: vCPUs that are free where.
CPUS = {
    "cpu5c": {"name": "Compute-Optimized", "group": "Gen 5", "ram": 2, "price": (0.035, 0.03), "vcpu": (2, 32),
              "stock": {"EU-RO-1": 256}},
    "cpu3c": {"name": "Compute-Optimized", "group": "Gen 3", "ram": 2, "price": (0.03, 0.025), "vcpu": (2, 32),
              "stock": {"EU-RO-1": 256, "US-KS-2": 256}},
    "cpu3g": {"name": "General Purpose", "group": "Gen 3", "ram": 4, "price": (0.04, 0.035), "vcpu": (2, 32),
              "stock": {"US-KS-2": 64}},
}

NO_CAPACITY = "There are no instances currently available with the requested specifications."
CLUSTER_CIDR = "10.65.0.0/16"
ACTIONS = {"PROVISIONING": ["stop", "terminate"], "STARTING": ["stop", "terminate"],
           "RUNNING": ["stop", "restart", "terminate"], "EXITED": ["start", "terminate"],
           "ERROR": ["start", "terminate"]}
FREE = ("EXITED", "TERMINATED")  # costs nothing; a pod in ERROR does


class Refused(Exception):
    """An answer other than 2xx."""

    def __init__(self, status, detail, errors=()):
        super().__init__(detail)
        self.status, self.detail, self.errors = status, detail, list(errors)


class Driver:
    """What makes pods; this one makes none, its pods are an address where nothing listens.

    start() and end() of one pod never overlap; those of several pods do."""

    def start(self, pod):
        """Starts the container with `pod.environment`; (host, port, user) of its sshd, or None without one."""
        return "127.0.0.1", 1, "root"

    def end(self, pod):
        """Ends it at once, as a power cut does. Also called where start() has failed, never was, or it has ended."""

    def is_on(self, pod):
        """False once its first process has ended by itself."""
        return True

    def address(self, cluster, rank):
        """Of a member on the network of its cluster, CLUSTER_CIDR unless the driver knows another (`cidr`)."""
        return f"10.65.0.{rank + 2}"

    cidr = CLUSTER_CIDR

    def resize(self, volume):
        """A network volume was made, or has grown to `volume["size"]` GB."""

    def log(self, pod):
        """Lines that the container has written."""
        return ["container started"]


class Clock:
    """Seconds of the service's accountant, who may be faster than ours; the factor may change at any time."""

    def __init__(self):
        self.factor_, self.since, self.before = 1, time.monotonic(), 0

    def now(self):
        return self.before + (time.monotonic() - self.since) * self.factor_

    @property
    def factor(self):
        return self.factor_

    @factor.setter
    def factor(self, value):
        self.before, self.since, self.factor_ = self.now(), time.monotonic(), value


def time_text(epoch_s):
    return datetime.datetime.fromtimestamp(epoch_s, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def cpu_of(body):
    """What is asked for; None where it is a GPU."""
    return {"vcpuCount": 2, **body["cpu"]} if "cpu" in body else None


class Pod:
    def __init__(self, cloud, identity, body, center, rate, cluster=None, rank=None):
        self.cloud, self.id, self.name, self.body = cloud, identity, body["name"], body
        self.center, self.rate, self.cluster, self.rank = center, rate, cluster, rank
        self.status, self.ssh, self.ip = "PROVISIONING", None, None
        self.created, self.started = time.time(), None
        self.spent, self.billed_since = 0.0, cloud.clock.now()
        self.over = threading.Event()  # it is to leave the status it has
        self.turn = threading.Lock()   # held while the driver starts or ends it
        self.key = f"rpa_{identity}_of_this_pod_alone"

    @property
    def gpu(self):
        return {"count": 1, **self.body["gpu"]} if "gpu" in self.body else None

    @property
    def cpu(self):
        return cpu_of(self.body)

    @property
    def volume(self):
        """(id, path) of its network volume, or None."""
        for mount in self.body.get("mounts", {}).get("network", []):
            return mount["volumeId"], mount["path"]
        return None

    @property
    def environment(self):
        """Of the container: what the request asks for, and what the service adds."""
        count = self.gpu["count"] if self.gpu else 0
        own = {"RUNPOD_POD_ID": self.id, "RUNPOD_API_KEY": self.key, "RUNPOD_DC_ID": self.center,
               "RUNPOD_POD_HOSTNAME": f"{self.id}-64411eb2", "RUNPOD_GPU_COUNT": str(count),
               "RUNPOD_CPU_COUNT": str(self.cpu["vcpuCount"] if self.cpu else 8)}
        if self.volume:
            own["RUNPOD_VOLUME_ID"] = self.volume[0]
        if self.body.get("startSsh") and self.cloud.ssh_keys:
            own["PUBLIC_KEY"] = "\n".join(self.cloud.ssh_keys)
        if self.cluster:
            nodes, primary = len(self.cluster.pods), self.cluster.pods[0].ip
            own |= {"NODE_RANK": str(self.rank), "NUM_NODES": str(nodes), "NUM_TRAINERS": str(count),
                    "NODE_ADDR": self.ip, "PRIMARY_ADDR": primary, "MASTER_ADDR": primary, "PRIMARY_PORT": "29400",
                    "MASTER_PORT": "29400", "HOST_NODE_ADDR": f"{primary}:29400", "WORLD_SIZE": str(nodes * count)}
        return own | self.body.get("env", {})

    def cost(self):
        """Dollars an hour, now."""
        return 0.0 if self.status in FREE else self.rate

    def bill(self):
        """Dollars so far."""
        now = self.cloud.clock.now()
        self.spent += self.cost() * (now - self.billed_since) / 3600
        self.billed_since = now
        return self.spent

    def set_status(self, status):
        self.bill()  # what the status before has cost
        self.status = status
        if status == "RUNNING":
            self.started = time.time()

    def shown(self):
        user = f"{self.id}-64411eb2"
        endpoint = lambda host, port, user: {"host": host, "port": port, "username": user,
                                             "command": f"ssh {user}@{host} -p {port}"}
        shown = {
            "id": self.id, "name": self.name, "status": self.status, "actions": ACTIONS.get(self.status, []),
            "image": self.body.get("image", ""), "args": self.body.get("args", ""), "disk": self.body.get("disk", 20),
            "ports": self.body.get("ports", []), "env": self.body.get("env", {}), "registry": self.body.get("registry"),
            "mounts": self.body.get("mounts", {}), "cloud": self.body.get("cloud", "SECURE"),
            "dataCenterId": self.center, "cudaVersion": self.cloud.gpus[self.gpu["id"]]["cuda"] if self.gpu else None,
            "ssh": {"proxy": None if self.status == "PROVISIONING" else endpoint("ssh.runpod.io", 22, user),
                    "direct": endpoint(*self.ssh) if self.ssh and self.status == "RUNNING" else None},
            "template": None, "cost": self.cost(), "locked": False, "globalNetworking": {"enabled": False},
            "runtime": {"uptime": int(time.time() - self.started)} if self.status == "RUNNING" else None,
            "createdAt": time_text(self.created), "startedAt": time_text(self.started) if self.started else None}
        shown |= {"gpu": {k: self.gpu[k] for k in ("id", "count")}} if self.gpu else {"cpu": self.cpu}
        if self.cluster:
            shown["cluster"] = {"id": self.cluster.id, "rank": self.rank, **({"ip": self.ip} if self.ip else {})}
        return copy.deepcopy(shown)


class Cluster:
    def __init__(self, identity, body, center):
        self.id, self.name, self.body, self.center = identity, body["name"], body, center
        self.pods, self.created = [], time.time()

    def shown(self, cidr):
        counts = {}
        for pod in self.pods:
            counts[pod.status] = counts.get(pod.status, 0) + 1
        primary = {"podId": self.pods[0].id, "status": self.pods[0].status}
        if self.pods[0].ssh and self.pods[0].status == "RUNNING":
            primary["sshEndpoint"] = "{}:{}".format(*self.pods[0].ssh)
        return {"id": self.id, "name": self.name, "type": self.body["type"], "compute": self.body["compute"],
                "dataCenterId": self.center, "pods": {"total": len(self.pods), "byStatus": counts},
                "network": {"cidr": cidr}, "primary": primary, "createdAt": time_text(self.created)}


class Cloud:
    """All of an account. What tests may turn is public; `lock` guards it against the threads of requests and pods."""

    def __init__(self, driver=None):
        self.driver, self.clock, self.lock = driver or Driver(), Clock(), threading.RLock()
        self.gpus, self.cpus, self.centers = copy.deepcopy(GPUS), copy.deepcopy(CPUS), copy.deepcopy(DATA_CENTERS)
        self.volumes, self.pods, self.clusters, self.gone, self.ssh_keys = {}, {}, {}, [], []
        self.balance = 100.0          # dollars, less what has been spent
        self.provisioning_s = 0.02    # from PROVISIONING to STARTING,
        self.starting_s = 0.02        # ... from there to RUNNING
        self.ssh_s = 0.02             # ... and from there to `ssh.direct`
        self.stuck = lambda pod: False           # those stay PROVISIONING for ever
        self.stuck_members, self.missing_members = 0, 0  # so many of the next clusters stay so, or are never made
        self.troubles = []            # what drivers have raised
        self.threads = []

    def identity(self, kind):
        return kind + secrets.token_hex(5)

    # Where it can be

    def place(self, gpu, count, pods, wanted, volume, cloud="SECURE"):
        """The data centre for so many pods, whose stock is taken; Refused where there is none."""
        kind = self.gpus.get(gpu["id"])
        if kind is None:
            raise Refused(400, f"unknown gpu type: {gpu['id']}")
        if count > kind["most"]:
            raise Refused(400, f"gpu count {count} exceeds the maximum of {kind['most']} for {gpu['id']}")
        wanted = self.wanted_centers(wanted, volume, cloud)
        least = max([gpu.get("minCudaVersion", "0.0"), *gpu.get("allowedCudaVersions", [])[:1]], key=version)
        return self.take(kind, count * pods if version(kind["cuda"]) >= version(least) else float("inf"), wanted)

    def place_cpu(self, cpu, wanted, volume, cloud):
        """The same for one pod without a GPU."""
        kind, count = self.cpus.get(cpu["id"]), cpu["vcpuCount"]
        if kind is None:
            raise Refused(400, f"unknown cpu type: {cpu['id']}")
        if count & (count - 1) or not kind["vcpu"][0] <= count <= kind["vcpu"][1]:
            raise Refused(400, f"vcpuCount {count} is no power of two from {kind['vcpu'][0]} to {kind['vcpu'][1]}")
        return self.take(kind, count, self.wanted_centers(wanted, volume, cloud))

    def take(self, kind, count, wanted):
        for center in wanted or self.centers:
            if kind["stock"].get(center, 0) >= count:
                kind["stock"][center] -= count
                return center
        raise Refused(400, NO_CAPACITY)

    def wanted_centers(self, wanted, volume, cloud):
        for center in wanted:
            if center not in self.centers:
                raise Refused(400, f"unknown data center: {center}")
        if volume is not None:
            home = self.volume(volume)["dataCenter"]
            if cloud != "SECURE":
                raise Refused(400, "network volumes are only available on secure cloud")
            if wanted and home not in wanted:
                raise Refused(400, f"network volume {volume} is in data center {home}, not in {', '.join(wanted)}")
            return [home]
        return wanted

    def afford(self, rate):
        if self.balance - self.spent() < rate:
            raise Refused(402, "insufficient balance: an hour of this pod has to be paid for in advance")

    def rate(self, body):
        gpu, cpu = {"count": 1, **body.get("gpu", {})}, cpu_of(body)
        kind = self.cpus.get(cpu["id"], {}) if cpu else self.gpus.get(gpu["id"], {})
        each = kind.get("price", (0, 0))[body.get("cloud", "SECURE") == "COMMUNITY"]
        return each * (cpu["vcpuCount"] if cpu else gpu["count"])

    # Volumes

    def volume(self, identity):
        if identity not in self.volumes:
            raise Refused(404, f"network volume {identity} not found")
        return self.volumes[identity]

    def make_volume(self, body):
        center = self.centers.get(body["dataCenter"])
        kind = body.get("type", "STANDARD")
        if center is None or kind not in center["networkVolumeTypes"]:
            raise Refused(400, f"data center {body['dataCenter']} has no network volumes of type {kind}")
        volume = {"id": self.identity("vol"), "type": kind, **body}
        self.volumes[volume["id"]] = volume
        self.driver.resize(volume)
        return volume

    def change_volume(self, identity, body):
        volume = self.volume(identity)
        if body.get("size", volume["size"]) < volume["size"]:
            raise Refused(400, f"network volume size cannot be reduced from {volume['size']} GB")
        volume.update(body)
        self.driver.resize(volume)
        return volume

    def delete_volume(self, identity):
        self.volume(identity)
        for pod in self.pods.values():
            if pod.volume and pod.volume[0] == identity:
                raise Refused(400, f"network volume {identity} is attached to pod {pod.id}")
        del self.volumes[identity]

    # Pods

    def pod(self, identity):
        if identity not in self.pods:
            raise Refused(404, f"pod {identity} not found")
        return self.pods[identity]

    def alone(self, identity):
        """A pod that may be changed by itself."""
        pod = self.pod(identity)
        if pod.cluster:
            raise Refused(409, f"pod {identity} belongs to cluster {pod.cluster.id}; manage it there")
        return pod

    def make_pod(self, body):
        mounts = body.get("mounts", {})
        if ("gpu" in body) == ("cpu" in body):
            raise Refused(400, "exactly one of gpu or cpu must be set")
        if "persistent" in mounts and ("cpu" in body or mounts.get("network")):
            raise Refused(400, "mounts.persistent goes neither with mounts.network nor with cpu")
        if "cpu" in body and body.get("globalNetworking"):
            raise Refused(400, "global networking is for GPU pods only")
        if len(body.get("env", {})) > 50:
            raise Refused(400, "at most 50 environment variables")
        volume = mounts["network"][0]["volumeId"] if mounts.get("network") else None
        self.afford(self.rate(body))
        where = body.get("dataCenterIds", []), volume, body.get("cloud", "SECURE")
        center = (self.place_cpu(cpu_of(body), *where) if "cpu" in body else
                  self.place(body["gpu"], body["gpu"].get("count", 1), 1, *where))
        pod = Pod(self, self.identity("pod"), body, center, self.rate(body))
        self.pods[pod.id] = pod
        self.begin(pod)
        return pod

    def begin(self, pod):
        pod.over = threading.Event()
        pod.set_status("PROVISIONING")
        thread = threading.Thread(target=self.live, args=(pod, pod.over), daemon=True)
        self.threads = [t for t in self.threads if t.is_alive()] + [thread]
        thread.start()

    def live(self, pod, over):
        """A pod's life, in a thread of its own, until `over`."""
        def becomes(status):
            with self.lock:
                if not over.is_set():
                    pod.set_status(status)
            return not over.is_set()

        if self.stuck(pod) or over.wait(self.provisioning_s) or not becomes("STARTING"):
            return
        try:
            with pod.turn:
                address = None if over.is_set() else self.driver.start(pod)
        except Exception:  # whatever it is, the pod is what suffers
            self.troubles.append(traceback.format_exc())
            becomes("ERROR")
            return
        if over.wait(self.starting_s) or not becomes("RUNNING") or over.wait(self.ssh_s):
            return
        with self.lock:
            pod.ssh = address if "22/tcp" in pod.body.get("ports", []) else None
        while not over.wait(0.1):
            if self.spent() >= self.balance:
                self.halt(pod, "EXITED", over)
            elif not self.driver.is_on(pod):
                self.halt(pod, "EXITED", over)

    def halt(self, pod, status, only=None):
        """Takes its compute away; a pod that is TERMINATED is no longer listed."""
        with self.lock:
            if only is not None and only.is_set():
                return
            pod.over.set()
            if status == "TERMINATED" and self.pods.pop(pod.id, None):
                self.gone.append(pod)
                if pod.gpu:
                    self.gpus[pod.gpu["id"]]["stock"][pod.center] += pod.gpu["count"]
                else:
                    self.cpus[pod.cpu["id"]]["stock"][pod.center] += pod.cpu["vcpuCount"]
            pod.ssh = None
            pod.set_status(status)
        with pod.turn:
            self.driver.end(pod)

    def lose(self, pod, status="EXITED"):
        """Takes a pod away in mid-run: EXITED, ERROR, or TERMINATED (gone from all lists)."""
        self.halt(pod, status)

    def act(self, identity, action):
        pod = self.alone(identity)
        if action not in ACTIONS.get(pod.status, []):
            raise Refused(409, f"action {action} is not valid for a pod that is {pod.status}")
        if action != "start":
            self.halt(pod, "TERMINATED" if action == "terminate" else "EXITED")
        if action in ("start", "restart"):
            self.begin(pod)
        return pod

    # Clusters

    def cluster(self, identity):
        if identity not in self.clusters:
            raise Refused(404, f"cluster {identity} not found")
        return self.clusters[identity]

    def make_cluster(self, body):
        compute, network = body["compute"], body.get("mounts", {}).get("network")
        gpu = {"id": compute["gpuTypeId"], "count": compute["gpuCountPerPod"]}
        member = {k: v for k, v in body.items() if k not in ("compute", "type")} | {"gpu": gpu}
        self.afford(self.rate(member) * compute["podCount"])
        center = self.place(gpu, gpu["count"], compute["podCount"], body.get("dataCenterIds", []),
                            network[0]["volumeId"] if network else None)
        cluster = Cluster(self.identity("cluster"), body, center)
        count = compute["podCount"] - self.missing_members
        for rank in range(count):
            own = {**member, "name": f"{body['name']}-{rank}"}
            pod = Pod(self, self.identity("pod"), own, center, self.rate(own), cluster, rank)
            pod.ip = self.driver.address(cluster, rank)
            cluster.pods.append(pod)
        self.clusters[cluster.id] = cluster
        for pod in cluster.pods:
            self.pods[pod.id] = pod
            if pod.rank < count - self.stuck_members:
                self.begin(pod)
        return cluster

    def delete_cluster(self, identity):
        cluster = self.cluster(identity)
        del self.clusters[identity]
        for pod in cluster.pods:
            self.halt(pod, "TERMINATED")

    # Money

    def spent(self):
        """Dollars, for all pods there have ever been."""
        with self.lock:
            return sum(pod.bill() for pod in [*self.pods.values(), *self.gone])

    def left(self):
        """Names of what is still there and may cost money: pods and clusters, volumes not."""
        with self.lock:
            return sorted(x.name for x in [*self.pods.values(), *self.clusters.values()])

    def close(self):
        for pod in list(self.pods.values()):
            self.halt(pod, "TERMINATED")
        self.clusters.clear()
        for thread in self.threads:
            thread.join()


def version(text):
    return tuple(int(part) for part in text.split("."))
