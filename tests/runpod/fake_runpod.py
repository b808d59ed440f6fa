#!/usr/bin/env python3
"""A RunPod for tests: an HTTP server that speaks REST v2 as its published schema and docs say, with pods by a Driver.

    with FakeRunPod() as fake:      # fake.url, fake.key; fake.cloud: what it holds; fake.requests: what it was asked
        fake.fail("POST", "/pods", 502, after=True)   # makes the pod, then answers 502

Started by itself it serves until interrupted, to try a client by hand. Standard library only."""

import argparse
import http.server
import json
import math
import re
import sys
import threading
import time
import urllib.parse
from collections import deque

from fake_cloud import Cloud, Driver, Refused, time_text  # noqa: F401 (Driver: for those who import this)

LARGEST_BODY = 100 * 1024
PUBLISHED_LIMITS = ((60, 60), (3000, 3600))  # requests in seconds

TITLES = {400: "Bad Request", 401: "Unauthorized", 402: "Payment Required", 403: "Forbidden", 404: "Not Found",
          405: "Method Not Allowed", 409: "Conflict", 413: "Content Too Large", 422: "Unprocessable Entity",
          429: "Too Many Requests", 500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
          504: "Gateway Timeout"}

# Schemas: a type; a range of integers; a set of words; a pattern; [of each entry]; {field: schema}, ! for required.
TEXT, CUDA = re.compile("(?s).+"), re.compile(r"\d+\.\d+")
MOUNTS = {"persistent": {"size!": range(10, 1 << 20), "path!": str}, "network": [{"volumeId!": str, "path!": str}]}
CONTAINER = {"image": str, "args": str, "disk": range(1, 1 << 20), "ports": [str], "env": {"*": str},
             "name!": TEXT, "dataCenterIds": [str], "mounts": MOUNTS, "startJupyter": bool, "startSsh": bool}
POD = {**CONTAINER, "registry": (str, type(None)), "cloud": {"SECURE", "COMMUNITY"}, "templateId": TEXT,
       "globalNetworking": bool, "cpu": {"id!": str, "vcpuCount": range(2, 1024)},
       "gpu": {"id!": str, "count": range(1, 64), "minCudaVersion": CUDA, "allowedCudaVersions": [CUDA]}}
CLUSTER = {**CONTAINER, "type!": {"APPLICATION", "TRAINING", "SLURM", "RAY"},
           "compute!": {"gpuTypeId!": TEXT, "gpuCountPerPod!": range(1, 64), "podCount!": range(2, 251)}}
VOLUME = {"name!": TEXT, "size!": range(10, 4097), "dataCenter!": TEXT, "type": {"STANDARD", "HIGH_PERFORMANCE"}}
VOLUME_CHANGE = {"name": TEXT, "size": range(10, 4097)}
ACTION = {"action!": {"start", "stop", "restart", "terminate"}}
KEYS = {"keys!": [re.compile(r"(ssh|ecdsa|sk)-\S+ \S+([ \t][^\n\r]*)?")]}


def violations(value, schema, where=""):
    """What of a body does not match its schema, a line each."""
    name = where or "body"
    if isinstance(schema, dict):
        if not isinstance(value, dict):
            return [f"{name}: expected object"]
        known = {key.rstrip("!"): inner for key, inner in schema.items()}
        found = [f"{name}: missing property '{key[:-1]}'" for key in schema if key[-1] == "!" and key[:-1] not in value]
        for key, entry in value.items():
            if key not in known and "*" not in known:
                found.append(f"{name}: unexpected property '{key}'")
            else:
                found += violations(entry, known.get(key, known.get("*")), f"{where}.{key}".lstrip("."))
        return found
    if isinstance(schema, list):
        if not isinstance(value, list):
            return [f"{name}: expected array"]
        return [line for i, entry in enumerate(value) for line in violations(entry, schema[0], f"{where}[{i}]")]
    if isinstance(schema, re.Pattern):
        fits = isinstance(value, str) and schema.fullmatch(value)
    elif isinstance(schema, (set, range)):
        fits = (isinstance(value, int if isinstance(schema, range) else str) and not isinstance(value, bool)
                and value in schema)
    else:
        fits = isinstance(value, schema)
    return [] if fits else [f"{name}: {value!r} is not allowed"]


class Limiter:
    """So many requests in so many seconds, for each of some windows."""

    def __init__(self, windows):
        self.windows = [(count, seconds, deque()) for count, seconds in windows]

    def wait_s(self, now):
        """0: go on, it counts; else whole seconds after which to come again."""
        wait = 0
        for count, seconds, times in self.windows:
            while times and times[0] <= now - seconds:
                times.popleft()
            if len(times) >= count:
                wait = max(wait, math.ceil(times[0] + seconds - now))
        if wait == 0:
            for _, _, times in self.windows:
                times.append(now)
        return wait


class FakeRunPod:
    def __init__(self, driver=None, address=("127.0.0.1", 0), key="rpa_THE_KEY_OF_THE_ACCOUNT"):
        self.key, self.cloud = key, Cloud(driver)
        self.requests = []       # (method, path with query, body or None, status), in order; never a key
        self.faults = []
        self.limiter = Limiter(())
        self.page = 100          # pods in one answer
        self.server = Server(address, Handler)
        self.server.fake = self
        self.url = f"http://{self.server.server_address[0]}:{self.server.server_address[1]}/v2"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Nothing is asked any more, and all pods end."""
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()
        self.cloud.close()

    def limit(self, *windows):
        """From now on at most so many requests in so many seconds, such as PUBLISHED_LIMITS."""
        self.limiter = Limiter(windows)

    def fail(self, method, path, status, times=1, after=False, detail="upstream failure", headers=()):
        """The next such requests (path: a pattern of all after /v2, without query) are answered so; status 0 closes
        the connection without an answer. With `after` what was asked is done all the same."""
        self.faults.append({"method": method, "path": path, "status": status, "times": times, "after": after,
                            "detail": detail, "headers": dict(headers)})

    def fault(self, method, path):
        for fault in self.faults:
            if fault["method"] == method and fault["times"] > 0 and re.fullmatch(fault["path"], path):
                fault["times"] -= 1
                return fault
        return None

    def asked(self, method, path=".*"):
        """Bodies of such requests so far."""
        return [body for m, p, body, _ in list(self.requests) if m == method and re.fullmatch(path, p.partition("?")[0])]

    # What is answered: (status, object)

    def answer(self, method, path, query, read_body, caller):
        cloud, match = self.cloud, None
        for verb, pattern, schema, function in ROUTES:
            if (match := re.fullmatch(pattern, path)) and verb == method:
                break
        else:
            known = any(re.fullmatch(pattern, path) for _, pattern, _, _ in ROUTES)
            raise Refused(405 if known else 404, "method not allowed" if known else "resource not found")
        if caller is not None and not (path == f"/pods/{caller.id}" and method in ("GET", "DELETE")):
            raise Refused(403, "access denied")
        arguments = [urllib.parse.unquote(group) for group in match.groups()]
        body = read_body() if schema else None
        if schema and (errors := violations(body, schema)):
            raise Refused(422, "Request validation failed.", errors)
        return function(self, cloud, *arguments, *([body] if schema else []), **({"query": query} if not schema else {}))

    def get_pods(self, cloud, query):
        with cloud.lock:
            pods = [p for p in cloud.pods.values() if not p.cluster or query.get("includeClusterPods") == "true"]
            begin, size = int(query.get("cursor", 0)), min(self.page, int(query.get("limit", self.page)))
            more = begin + size < len(pods)
            return 200, {"pods": [p.shown() for p in pods[begin:begin + size]],
                         "pagination": {"hasNextPage": more, "nextCursor": str(begin + size) if more else None}}

    def post_pods(self, cloud, body):
        if "image" not in body and "templateId" not in body:
            raise Refused(422, "Request validation failed.", ["body: missing property 'image'"])
        with cloud.lock:
            return 201, cloud.make_pod(body).shown()

    def get_pod(self, cloud, identity, query):
        with cloud.lock:
            return 200, cloud.pod(identity).shown()

    def delete_pod(self, cloud, identity, query):
        with cloud.lock:
            pod = cloud.alone(identity)
        cloud.halt(pod, "TERMINATED")
        return 204, None

    def post_action(self, cloud, identity, body):
        pod = cloud.act(identity, body["action"])
        return (204, None) if body["action"] == "terminate" else (200, pod.shown())

    def get_clusters(self, cloud, query):
        with cloud.lock:
            return 200, {"clusters": [c.shown(cloud.driver.cidr) for c in cloud.clusters.values()]}

    def post_clusters(self, cloud, body):
        with cloud.lock:
            return 201, cloud.make_cluster(body).shown(cloud.driver.cidr)

    def get_cluster(self, cloud, identity, query):
        with cloud.lock:
            return 200, cloud.cluster(identity).shown(cloud.driver.cidr)

    def get_members(self, cloud, identity, query):
        with cloud.lock:
            return 200, {"pods": [pod.shown() for pod in cloud.cluster(identity).pods]}

    def delete_cluster(self, cloud, identity, query):
        cloud.delete_cluster(identity)
        return 204, None

    def get_volumes(self, cloud, query):
        with cloud.lock:
            return 200, {"networkVolumes": [dict(v) for v in cloud.volumes.values()]}

    def post_volumes(self, cloud, body):
        with cloud.lock:
            return 201, dict(cloud.make_volume(body))

    def get_volume(self, cloud, identity, query):
        with cloud.lock:
            return 200, dict(cloud.volume(identity))

    def patch_volume(self, cloud, identity, body):
        if not body:
            raise Refused(422, "Request validation failed.", ["body: at least one property"])
        with cloud.lock:
            return 200, dict(cloud.change_volume(identity, body))

    def delete_volume(self, cloud, identity, query):
        with cloud.lock:
            cloud.delete_volume(identity)
        return 204, None

    def get_gpus(self, cloud, query):
        with cloud.lock:
            return 200, {"gpus": [gpu_shown(cloud, identity, query) for identity in cloud.gpus]}

    def get_gpu(self, cloud, identity, query):
        with cloud.lock:
            if identity not in cloud.gpus:
                raise Refused(404, f"gpu type {identity} not found")
            return 200, gpu_shown(cloud, identity, query)

    def get_cpus(self, cloud, query):
        with cloud.lock:
            return 200, {"cpus": [cpu_shown(cloud, identity, query) for identity in cloud.cpus]}

    def get_cpu(self, cloud, identity, query):
        with cloud.lock:
            if identity not in cloud.cpus:
                raise Refused(404, f"cpu type {identity} not found")
            return 200, cpu_shown(cloud, identity, query)

    def get_centers(self, cloud, query):
        with cloud.lock:
            return 200, {"dataCenters": [center_shown(cloud, identity, query) for identity in cloud.centers]}

    def get_keys(self, cloud, query):
        return 200, {"keys": list(cloud.ssh_keys)}

    def put_keys(self, cloud, body):
        cloud.ssh_keys = list(body["keys"])
        return 200, {"keys": list(cloud.ssh_keys)}

    def get_billing(self, cloud, query):
        with cloud.lock:
            pods = [p for p in [*cloud.pods.values(), *cloud.gone]
                    if not p.cluster and query.get("podId") in (None, p.id)]
            records = [{"podId": p.id, "startTime": time_text(p.created), "endTime": time_text(time.time()),
                        **amounts(p.bill())} for p in pods]
        return 200, {"records": records, "metadata": {
            "query": query, "recordCount": len(records), "uniquePodCount": len(records),
            "totals": amounts(sum(r["totalAmount"] for r in records))}}


def amounts(dollars):
    return {"totalAmount": dollars, "gpuAmount": dollars, "cpuAmount": 0, "diskAmount": 0}


def level(free, count):
    return "NONE" if free < count else "LOW" if free < 4 * count else "MEDIUM" if free < 16 * count else "HIGH"


def gpu_shown(cloud, identity, query):
    kind = cloud.gpus[identity]
    shown = {"id": identity, "name": identity.removeprefix("NVIDIA ").removeprefix("GeForce "), "pool": None,
             "manufacturer": "NVIDIA", "memory": kind["memory"], "secure": True, "community": True,
             "price": {"secure": kind["price"][0], "community": kind["price"][1]},
             "maxCount": {"secure": kind["most"], "community": kind["most"]}}
    if query.get("include") == "AVAILABILITY":
        if "product" not in query:
            raise Refused(422, "Request validation failed.", ["query: include=AVAILABILITY requires product"])
        count = int(query.get("count", 1))
        centers = [{"id": c, "name": cloud.centers[c]["name"], "availability": level(free, count)}
                   for c, free in kind["stock"].items() if free >= count]
        shown["availability"] = level(sum(kind["stock"].values()), count) if centers else "NONE"
        shown["cudaVersions"] = [{"version": kind["cuda"], "available": bool(centers)}]
        shown |= {"dataCenters": centers} if centers else {}
    return shown


def cpu_shown(cloud, identity, query):
    kind = cloud.cpus[identity]
    shown = {"id": identity, "name": kind["name"], "group": kind["group"], "ramGbPerVcpu": kind["ram"],
             "vcpu": {"min": kind["vcpu"][0], "max": kind["vcpu"][1]},
             "price": {"securePerVcpu": kind["price"][0], "communityPerVcpu": kind["price"][1]}}
    if query.get("include") == "AVAILABILITY":
        count = int(query.get("vcpuCount", 2))
        if count < 2 or count & (count - 1):
            raise Refused(422, "Request validation failed.", ["query: vcpuCount must be a power of two"])
        centers = [{"id": c, "name": cloud.centers[c]["name"], "availability": level(free, count)}
                   for c, free in kind["stock"].items() if free >= count]
        shown |= {"availability": level(sum(kind["stock"].values()), count) if centers else "NONE", "dataCenters": centers}
    elif "vcpuCount" in query or "product" in query:
        raise Refused(422, "Request validation failed.", ["query: vcpuCount and product go with include=AVAILABILITY"])
    return shown


def center_shown(cloud, identity, query):
    shown = {"id": identity, "compliance": [], **cloud.centers[identity]}
    if query.get("include") == "GPU_AVAILABILITY":
        shown["gpuAvailability"] = [{"id": gpu, "name": gpu, "availability": level(kind["stock"][identity], 1)}
                                    for gpu, kind in cloud.gpus.items() if identity in kind["stock"]]
    return shown


ID = "/([^/]+)"
ROUTES = [  # method, path, schema of the body, function
    ("GET", "/pods", None, FakeRunPod.get_pods), ("POST", "/pods", POD, FakeRunPod.post_pods),
    ("GET", f"/pods{ID}", None, FakeRunPod.get_pod), ("DELETE", f"/pods{ID}", None, FakeRunPod.delete_pod),
    ("POST", f"/pods{ID}/action", ACTION, FakeRunPod.post_action),
    ("GET", "/clusters", None, FakeRunPod.get_clusters), ("POST", "/clusters", CLUSTER, FakeRunPod.post_clusters),
    ("GET", f"/clusters{ID}", None, FakeRunPod.get_cluster), ("GET", f"/clusters{ID}/pods", None, FakeRunPod.get_members),
    ("DELETE", f"/clusters{ID}", None, FakeRunPod.delete_cluster),
    ("GET", "/network-volumes", None, FakeRunPod.get_volumes),
    ("POST", "/network-volumes", VOLUME, FakeRunPod.post_volumes),
    ("GET", f"/network-volumes{ID}", None, FakeRunPod.get_volume),
    ("PATCH", f"/network-volumes{ID}", VOLUME_CHANGE, FakeRunPod.patch_volume),
    ("DELETE", f"/network-volumes{ID}", None, FakeRunPod.delete_volume),
    ("GET", "/catalog/gpus", None, FakeRunPod.get_gpus), ("GET", f"/catalog/gpus{ID}", None, FakeRunPod.get_gpu),
    ("GET", "/catalog/cpus", None, FakeRunPod.get_cpus), ("GET", f"/catalog/cpus{ID}", None, FakeRunPod.get_cpu),
    ("GET", "/catalog/datacenters", None, FakeRunPod.get_centers),
    ("GET", "/account/ssh-keys", None, FakeRunPod.get_keys), ("PUT", "/account/ssh-keys", KEYS, FakeRunPod.put_keys),
    ("GET", "/billing/pods", None, FakeRunPod.get_billing),
]


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # a client that was killed
            super().handle_error(request, client_address)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 60  # of a connection that is kept and not used

    def respond(self):
        fake, self.body, self.begun = self.server.fake, None, False
        path, _, query = self.path.partition("?")
        fault, path = None, path.removeprefix("/v2") if path.startswith("/v2/") else path
        try:
            content = self.content()
            caller = self.caller()
            if wait_s := self.too_many():
                self.send(429, problem(Refused(429, "rate limit exceeded")), {"Retry-After": str(wait_s)})
                return
            fault = fake.fault(self.command, path)
            if fault and not fault["after"]:
                raise Refused(fault["status"], fault["detail"])
            query = {k: v[-1] for k, v in urllib.parse.parse_qs(query, keep_blank_values=True).items()}
            if self.command == "GET" and (logs := re.fullmatch(f"/pods{ID}/logs", path)):
                self.stream(fake.cloud.pod(logs[1]), int(query.get("tail", 100)))
                return
            status, answer = fake.answer(self.command, path, query, lambda: self.parsed(content), caller)
            if fault:
                raise Refused(fault["status"], fault["detail"])
            self.send(status, answer)
        except Refused as refused:
            if refused.status == 0:
                self.note(0)
                self.close_connection = True
                return
            self.send(refused.status, problem(refused), fault["headers"] if fault else {})

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = respond

    def content(self):
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        if length > LARGEST_BODY:
            raise Refused(413, f"request body exceeds {LARGEST_BODY} bytes")
        return content

    def parsed(self, content):
        try:
            self.body = json.loads(content)
        except ValueError:
            raise Refused(400, "malformed JSON") from None
        return self.body

    def caller(self):
        """The pod whose key it is; None for the account's."""
        fake, (kind, _, key) = self.server.fake, self.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer" or not key:
            raise Refused(401, "missing bearer token")
        if key == fake.key:
            return None
        for pod in list(fake.cloud.pods.values()):
            if key == pod.key:
                return pod
        raise Refused(401, "invalid bearer token")

    def too_many(self):
        fake = self.server.fake
        with fake.cloud.lock:
            return fake.limiter.wait_s(time.monotonic())

    def note(self, status):
        self.server.fake.requests.append((self.command, self.path.removeprefix("/v2"), self.body, status))

    def send(self, status, answer, headers=None):
        self.note(status)
        data = b"" if answer is None else json.dumps(answer).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if data:
            self.send_header("Content-Type", "application/json" if status < 300 else "application/problem+json")
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self, pod, tail):
        """The container's log as server-sent events, until the pod ends or the client leaves."""
        self.note(200)
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        lines = self.server.fake.cloud.driver.log(pod)
        last = self.headers.get("Last-Event-ID", "").rpartition("/")[2]
        sent = int(last) if last.isdecimal() else max(0, len(lines) - tail)
        while True:
            now = time_text(time.time())
            for line in lines[sent:]:
                sent += 1
                event = json.dumps({"source": "container", "line": line, "ts": now})
                self.wfile.write(f"id: {now}/{sent:012}\ndata: {event}\n\n".encode())
            self.wfile.flush()
            if pod.over.wait(0.1):
                return
            lines = self.server.fake.cloud.driver.log(pod)

    def log_message(self, *_):
        pass


def problem(refused):
    found = {"title": TITLES.get(refused.status, "Error"), "status": refused.status, "detail": refused.detail}
    return found | ({"errors": refused.errors} if refused.errors else {})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    with FakeRunPod(address=("127.0.0.1", parser.parse_args().port)) as fake:
        print(f"export RUNPOD_API_KEY={fake.key}    # and --api-url {fake.url}", flush=True)
        try:
            fake.thread.join()
        except KeyboardInterrupt:
            print(f"spent ${fake.cloud.spent():.4f}, left: {', '.join(fake.cloud.left()) or 'nothing'}")


if __name__ == "__main__":
    sys.exit(main())
