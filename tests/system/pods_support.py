"""Pods for tests: what tests/runpod/fake_runpod.py rents out are namespaces (hosts_support.py), each with a root file
system of its own, the machine's cards that it has rented, the real runpod/entrypoint as first process and the real sshd.
Standard library only."""

import itertools
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

import hosts_support
from film_support import MPI_ENVIRONMENT, PROGRAM, SOURCE, FilmTest
from hosts_support import ACCOUNTS, FOLDER, RSYNC, TOOLS, Machine, call, tool, tools_environment

sys.path.insert(0, str(SOURCE / "tests/runpod"))
from fake_runpod import Driver, FakeRunPod  # noqa: E402

CLIENT = SOURCE / "runpod/vsr-pods"
ENTRYPOINT = SOURCE / "runpod/entrypoint"
LIMIT_S = 300  # for whatever is to come, on a busy machine
HERE = "10.77.0.1"  # of the client, on the bridge that pods have their eth0 on

# Names in /dev; a pod whose card is not here works by its processors.
CARDS = sorted(path.name for path in Path("/dev").glob("nvidia[0-9]*"))
DRIVER = [name for name in ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools") if Path("/dev", name).exists()]

# What the image has in /usr/local/bin.
PROGRAMS = {"vsr-dist": PROGRAM, "vsr-pod": SOURCE / "runpod/vsr-pod", "vsr-until-done": SOURCE / "scripts/run-until-done",
            "python3": sys.executable}
SEEN = [SOURCE, PROGRAM.resolve().parent, TOOLS.resolve(), RSYNC.resolve(), sys.base_prefix]

# The image's own environment. One thread each, as many pods share few cores.
IMAGE = {**{k: v for k, v in MPI_ENVIRONMENT.items() if k != "OMPI_MCA_plm_rsh_agent"}, "OMP_NUM_THREADS": "1"}

# A pod's root: the machine's, but for what a container has of its own. Everything goes with the namespace.
ROOT = """set -e
mount -t tmpfs -o mode=755 none {root}
for path in /*; do
  if [ -L "$path" ]; then cp -P "$path" {root}
  elif [ -d "$path" ]; then
    mkdir {root}"$path"
    case "$path" in /dev | /proc | /root | /run | /tmp | /workspace) ;; *) mount --rbind "$path" {root}"$path" ;; esac
  fi
done
for path in {seen}; do  # though it may lie where a pod has its own
  [ -e {root}"$path" ] || {{ mkdir -p {root}"$path"; mount --rbind "$path" {root}"$path"; }}
done
mount -t proc none {root}/proc
mount -t tmpfs -o mode=755,nodev none {root}/dev
for device in null zero full random urandom tty {cards}; do
  touch {root}/dev/$device
  mount --bind /dev/$device {root}/dev/$device
done
ln -s /proc/self/fd {root}/dev/fd
mkdir {root}/dev/shm
mount -t tmpfs none {root}/dev/shm
mount -t tmpfs -o mode=755 none {root}/etc/ssh
mount --bind {etc}/passwd {root}/etc/passwd
mount --bind {etc}/shadow {root}/etc/shadow
chmod 700 {root}/root
chmod 1777 {root}/tmp
mkdir -p {root}/pod/bin {root}{mount_point}
cp {etc}/sshd_config {root}/pod
{links}
mount --bind {volume} {root}{mount_point}
hostname {name}
exec chroot {root} {entrypoint}
"""


class PodMachine(Machine):
    def __init__(self, pods, pod, number, cards):
        super().__init__(f"pod{number}")
        self.cards, self.pods, self.pod, self.address = cards, pods, pod, f"10.77.{number // 250}.{number % 250 + 2}"
        self.log = pods.folder / f"{self.name}.log"
        volume, mount_point = pod.volume or (None, "/workspace")
        storage = pods.volumes / volume if volume else pods.folder / f"{self.name}-disk"
        storage.mkdir(exist_ok=True)
        root = pods.folder / f"{self.name}-root"
        root.mkdir()
        script = ROOT.format(
            root=root, etc=pods.folder / "etc", volume=storage, mount_point=shlex.quote(mount_point),
            name=pod.environment["RUNPOD_POD_HOSTNAME"], entrypoint=ENTRYPOINT,
            seen=shlex.join(map(str, SEEN)), cards=" ".join([*cards, *(DRIVER if cards else ())]),
            links="\n".join(f"ln -s {path} {root}/pod/bin/{name}" for name, path in PROGRAMS.items()))
        self.start(["sh", "-c", script], self.log, {
            **IMAGE, **pods.session, "HOME": "/root", "VSR_SSHD_CONFIG": "/pod/sshd_config", **pod.environment})
        mac = f"02:00:00:00:{number // 256:02x}:{number % 256:02x}"
        self.plug(f"{self.name}e", "bridge", "eth0", f"{self.address}/16", mac)
        # Pods of one site do not reach each other by their public addresses; the client reaches all.
        call("ip", "link", "set", f"{self.name}e", "type", "bridge_slave", "isolated", "on")
        if pod.ip:
            self.plug(f"{self.name}c", "cluster", "ens1", f"{pod.ip}/16", mac.replace("02:", "06:", 1))

    def command(self, words):
        return [str(word) for word in ["nsenter", "-t", self.first, "--net", "--mount", "--uts", "--pid", "--root", "--wd=/",
                                       "env", "-i", *(f"{k}={v}" for k, v in self.pods.session.items()), *words]]


class Pods(Driver):
    """The driver. The client's side is the test's own namespace, at HERE, with a home of its own."""

    cidr = "10.65.0.0/16"

    def __init__(self):
        self.folder = Path(os.environ[FOLDER])
        self.machines, self.numbers, self.mib_per_gb = {}, itertools.count(1), 300
        self.lock, self.cards = threading.Lock(), {}  # by pod's id
        call("mount", "-t", "tmpfs", "none", self.folder)  # goes with the namespaces
        self.volumes, self.home, etc = (self.folder / name for name in ("volumes", "home", "etc"))
        for folder in (self.volumes, self.home, etc, self.folder / "tmp"):
            folder.mkdir()
        for name, text in ACCOUNTS.items():
            (etc / name).write_text(text.format(home="/root"))
        (etc / "here").write_text(ACCOUNTS["passwd"].format(home=self.home))  # where ssh looks, whatever HOME says
        call("mount", "--bind", etc / "here", "/etc/passwd")
        tools = tools_environment()
        self.session = {"PATH": f"/pod/bin:{tools['PATH']}", "LD_LIBRARY_PATH": tools["LD_LIBRARY_PATH"]}
        (etc / "sshd_config").write_text(hosts_support.sshd_config(self.session))
        self.key = self.folder / "key"
        call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self.key)
        call("ip", "link", "set", "lo", "up")
        for bridge in ("bridge", "cluster"):
            call("ip", "link", "add", bridge, "type", "bridge")
            call("ip", "link", "set", bridge, "up")
        call("ip", "addr", "add", f"{HERE}/16", "dev", "bridge")

    def start(self, pod):
        machine = self.machines[pod.id] = PodMachine(self, pod, next(self.numbers), self.take_cards(pod))
        return machine.address, 22, "root"

    def take_cards(self, pod):
        """As many as it has rented, as far as there are any; nodes of a cluster start at the same time."""
        with self.lock:
            taken = {card for identity, cards in self.cards.items() for card in cards
                     if identity not in self.machines or self.machines[identity].is_on()}
            free = [card for card in CARDS if card not in taken]
            self.cards[pod.id] = free[:pod.gpu["count"] if pod.gpu else 0]
            return self.cards[pod.id]

    def end(self, pod):
        if pod.id in self.machines:
            self.machines[pod.id].off()

    def is_on(self, pod):
        return self.machines[pod.id].is_on()

    def log(self, pod):
        return self.machines[pod.id].log.read_text(errors="replace").splitlines() if pod.id in self.machines else []

    def resize(self, volume):
        """A quota, of so many MiB for each GB; takes no memory before files do."""
        folder, size = self.volumes / volume["id"], f"size={volume['size'] * self.mib_per_gb}m"
        if folder.exists():
            call("mount", "-o", f"remount,{size}", folder)
        else:
            folder.mkdir()
            call("mount", "-t", "tmpfs", "-o", size, "none", folder)

    def fill(self, folder):
        """What a volume has left is somebody else's now, until it grows."""
        status = os.statvfs(folder)
        call("mount", "-o", f"remount,size={(status.f_blocks - status.f_bfree) * status.f_frsize}", folder)

    @staticmethod
    def talking():
        """Whether an ssh is under way."""
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdecimal() and re.match(r"\d+ \(ssh\) [^ZX]", (entry / "stat").read_text()):
                    return True
            except OSError:  # gone meanwhile
                continue
        return False

    def running(self):
        return [machine for machine in list(self.machines.values()) if machine.is_on()]


class PodsTest(FilmTest):
    """A test with a RunPod and a client; `hosts_support.enter()` has to have been called."""

    @classmethod
    def setUpClass(cls):
        if FOLDER not in os.environ:
            raise unittest.SkipTest(hosts_support.obstacle())
        for program in ("rsync", "chroot"):
            if tool(program) is None:
                raise unittest.SkipTest(f"no {program}: tests/support/get-cluster-tools could not fetch it")
        cls.pods = Pods()
        super().setUpClass()

    def setUp(self):
        self.fake = FakeRunPod(self.pods)
        self.addCleanup(self.fake.close)
        self.cloud = self.fake.cloud
        self.work = Path(tempfile.mkdtemp(prefix="client-", dir=self.folder))

    def tearDown(self):
        """Whatever a test was about: what is not rented does not run."""
        rented = set(self.cloud.pods)
        for identity, machine in self.pods.machines.items():
            if identity not in rented:
                self.assertFalse(machine.is_on(), f"{machine.name} runs and is not rented")
        self.assertEqual(self.cloud.troubles, [])

    # The client

    def client(self, *words, **environment):
        """Starts vsr-pods; its output goes to `process.output`, a file."""
        output = Path(tempfile.mkstemp(prefix="out-", dir=self.folder)[1])
        variables = {**tools_environment(), "HOME": str(self.pods.home), "RUNPOD_API_KEY": self.fake.key, **environment}
        with open(output, "wb") as file:
            process = subprocess.Popen([sys.executable, "-B", str(CLIENT), *map(str, words)], cwd=self.work, env=variables,
                                       stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True)
        process.output = output
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def ends(self, process, status=0):
        """What it has said, once it has ended with this status."""
        return self.assert_ends(process, status, timeout=LIMIT_S)

    def wait_for(self, what, true, process=None):
        """With what is known of pods, should it not come."""
        deadline = time.monotonic() + LIMIT_S
        while not true():
            ended = process is not None and process.poll() is not None and not true()
            if ended or time.monotonic() > deadline:
                said = f"{process.output.read_text()}\n" if process else ""
                self.fail(f"{what}: {f'vsr-pods ended with {process.returncode}' if ended else 'waited in vain'}\n{said}"
                          f"{self.logs()}")
            time.sleep(0.05)

    def logs(self):
        files = [*self.pods.folder.glob("*.log"), *self.pods.volumes.glob("*/*/log/*.log")]
        return "".join(f"== {path}\n{path.read_text(errors='replace')[-3000:]}\n" for path in sorted(files))

    # What is left

    def assert_nothing_left(self):
        """No pod is rented, and no process of any that ever was is there."""
        self.assertEqual(self.cloud.left(), [])
        for machine in self.pods.machines.values():
            self.assertFalse(machine.is_on(), machine.name)
            self.wait_for(f"all of {machine.name} ends", lambda m=machine: not m.processes() and not m.processes("sshd"))
