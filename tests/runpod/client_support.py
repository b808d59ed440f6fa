"""runpod/vsr-pods in tests: against fake_runpod.py, with an `ssh` that runs its command right here and a `vsr-pod` that
only says that it works. rsync is real. So volume and pods share one folder, and nothing needs a network."""

import fcntl
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
import unittest
from pathlib import Path

from fake_runpod import Driver, FakeRunPod

SOURCE = Path(__file__).resolve().parents[2]
CLIENT = SOURCE / "runpod/vsr-pods"
RSYNC = SOURCE / ".deps/rsync"  # by tests/support/get-cluster-tools, where the system has none
FILM = SOURCE / "tests/data/reds_demo_000.mkv"
GPU = "NVIDIA GeForce RTX 4090"
LIMIT_S = 60

SSH = """#!{python}
import os, sys, time
words, alone = sys.argv[1:], ("-T", "-N")
if "-N" in words:
    time.sleep(600)
while words[0].startswith("-"):
    del words[: 1 if words[0] in alone else 2]
alias = words.pop(0)
if words[:1] == ["--"]:
    del words[0]
command, folder = " ".join(words), os.environ["FAKE_PODS"]
with open(folder + "/asked", "a") as asked:
    asked.write(alias + " " + command + "\\n")
    asked.write("".join(sorted(os.environ)) + "\\n" if "RUNPOD_API_KEY" in os.environ else "")
if os.path.exists(folder + "/cut-" + alias) or os.path.exists(folder + "/cut"):
    sys.stderr.write("ssh: connect to host " + alias + ": Connection timed out\\n")
    sys.exit(255)
os.environ.update(POD=alias, PATH=folder + "/bin:" + os.environ["PATH"])
os.execvp("sh", ["sh", "-c", command])
"""

VSR_POD = """#!{python}
import json, os, sys, time
command, folder, pods, pod = sys.argv[1], sys.argv[2], os.environ["FAKE_PODS"], os.environ["POD"]
def told(name):
    for path in (pods + "/" + name + "-" + pod, pods + "/" + name):
        if os.path.exists(path):
            return open(path).read()
    return ""
started = pods + "/started-" + pod
if command == "check" and told("check"):
    status, text = told("check").split(" ", 1)
    print(text)
    sys.exit(int(status))
if command == "start":
    assert open(folder + "/job.ini").read()
    open(started, "w").write(" ".join(sys.argv[3:]))
if command == "stop":
    open(pods + "/stopped", "a").write(pod + " " + " ".join(sys.argv[3:]) + "\\n")
    time.sleep(float(told("stop-takes") or 0))
    if os.path.exists(started):
        os.remove(started)
if command == "state":
    done = bool(told("done"))
    if done:
        os.makedirs(folder + "/run/final", exist_ok=True)
        open(folder + "/run/final/film_pitchOK.mkv", "w").write("the film " * 1000)
    state = {{"pod": pod, "running": os.path.exists(started) and not done, "done": done, "status": None, "said": "",
             "run": None}}
    state.update(json.loads(told("state") or "{{}}"))
    print(json.dumps(state))
"""

CONFIG = {
    "pods": {"name": "film", "count": "1", "gpus": GPU, "max_price": "1", "image": "image:1"},
    "volume": {"id": "VOLUME"}, "job": {"file": "job.ini"}, "limits": {"max_usd": "20", "max_hours": "5"},
    "ssh": {"key": "key"}, "api": {},
}
QUICK = {"POLL": 0.1, "PAUSE": 0.05, "AGAIN": 0.3, "SETTLE": 0.5, "PATIENCE": 3, "LOOK": 0.3, "TELL": 0,
         "UNREACHABLE": 1, "END": 3, "TRANSFER": 1, "NODE": 4}


class Pods(Driver):
    def start(self, pod):
        return "127.0.0.1", 22, "root"


def rsync_environment():
    libraries = ":".join(str(path) for path in RSYNC.glob("usr/lib/*-linux-gnu"))
    return {"PATH": f"{RSYNC}/usr/bin:{os.environ['PATH']}", "LD_LIBRARY_PATH": libraries}


def has_rsync():
    return shutil.which("rsync", path=rsync_environment()["PATH"]) is not None


def make_key(path, passphrase=""):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", path], check=True)


class ClientTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vsr-pods-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.fake = FakeRunPod(Pods())
        self.addCleanup(self.fake.close)
        self.cloud = self.fake.cloud
        self.workspace = self.folder / "workspace"  # under the same path here and on the pods
        self.volume = self.cloud.make_volume({"name": "mine", "size": 100, "dataCenter": "EU-RO-1"})["id"]
        self.pods = self.folder / "pods"
        for name in ("pods/bin", "bin", "home", "workspace"):
            (self.folder / name).mkdir(parents=True)
        for path, text in ((self.folder / "bin/ssh", SSH), (self.pods / "bin/vsr-pod", VSR_POD)):
            path.write_text(text.format(python=sys.executable))
            path.chmod(0o755)
        make_key(self.folder / "key")
        shutil.copyfile(FILM, self.folder / "film.mkv")
        (self.folder / "job.ini").write_text("[input]\nfile = film.mkv\n")
        self.config()

    def config(self, **changes):
        """Writes pods.ini; a change is section_key=value, None leaves the key out."""
        values = {section: dict(keys) for section, keys in CONFIG.items()}
        values["volume"] |= {"id": self.volume, "path": str(self.workspace)}
        values["api"]["url"] = self.fake.url
        for name, value in changes.items():
            section, _, key = name.partition("_")
            values.setdefault(section, {})[key] = value
        text = "".join(f"[{section}]\n" + "".join(f"{k} = {v}\n" for k, v in keys.items() if v is not None)
                       for section, keys in values.items())
        (self.folder / "pods.ini").write_text(text)

    def environment(self, **more):
        quick = {f"VSR_PODS_{name}_S": str(value) for name, value in {**QUICK, **more}.items()}
        tools = rsync_environment()
        return {**tools, "PATH": f"{self.folder}/bin:{tools['PATH']}", "HOME": str(self.folder / "home"),
                "RUNPOD_API_KEY": self.fake.key, "FAKE_PODS": str(self.pods), "no_proxy": "*", **quick}

    def start(self, *words, environment=None, stdin=subprocess.DEVNULL, begin=None, **more):
        process = subprocess.Popen([sys.executable, "-B", CLIENT, *words], cwd=self.folder, stdin=stdin, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
                                   preexec_fn=begin,
                                   env={**self.environment(**more), **(environment or {})})
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def run_client(self, *words, status=0, **more):
        """What it says; with the exit status that it has to have."""
        process = self.start(*words, **more)
        return self.output_of(process, status)

    def answer(self, typed, *words, status=0):
        """What it says after its question was answered at a terminal."""
        ours, theirs = pty.openpty()
        process = self.start(*words, stdin=theirs, begin=lambda: fcntl.ioctl(0, termios.TIOCSCTTY))
        said = ""
        while "[y/N]" not in said:
            said += os.read(process.stdout.fileno(), 10000).decode()
        os.write(ours, typed)
        output = self.output_of(process, status)
        os.close(ours)
        os.close(theirs)
        return output

    def output_of(self, process, status=0):
        output, _ = process.communicate(timeout=LIMIT_S)
        self.assertNotIn("Traceback", output)
        self.assertNotIn(self.fake.key, output)
        self.assertEqual(process.returncode, status, output)
        return output

    def tell_pods(self, name, text="yes"):
        """What the pods' vsr-pod says from now on."""
        part = self.pods / ".part"
        part.write_text(text if isinstance(text, str) else json.dumps(text))
        part.replace(self.pods / name)

    def wait_for(self, condition, process=None):
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            if process and process.poll() is not None:
                self.fail(process.stdout.read())
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.02)

    def started(self):
        return sorted(path.name.partition("-")[2] for path in self.pods.glob("started-*"))

    def said(self, text):
        """Whether it has, so far."""
        log = self.folder / ".vsr-pods/film.log"
        return log.exists() and text in log.read_text()

    def state(self):
        return json.loads((self.folder / ".vsr-pods/film.json").read_text())

    def made(self):
        """Names of pods that were asked for, in turn; with those that were refused."""
        return [body["name"] for body in self.fake.asked("POST", "/pods")]

    def assert_nothing_left(self):
        self.assertEqual(self.cloud.left(), [])


SIGINT, SIGTERM, SIGKILL = signal.SIGINT, signal.SIGTERM, signal.SIGKILL
