"""Hosts for tests: network namespaces on one private bridge, each with its own name, mounts, processes and sshd.

All of it lives inside namespaces of the test's own. enter() starts the test anew as the first process of these: when
that ends, in whatever way, the kernel ends every process in them, and with the last one go mounts and links. Nothing
is sent beyond the bridge, nothing of the machine's /etc, /run or ~/.ssh is changed. Standard library only."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from film_support import MPI_ENVIRONMENT, SOURCE, FilmTest

TOOLS, RSYNC = (SOURCE / ".deps" / name for name in ("cluster-tools", "rsync"))  # by tests/support/get-cluster-tools
FOLDER = "VSR_HOSTS_FOLDER"  # set inside the namespaces: where the hosts keep their files
NAMESPACES = ["unshare", "--pid", "--fork", "--kill-child=SIGKILL", "--mount-proc", "--net", "--mount", "--uts"]

# What a session begins with, by ssh or by command().
SESSION = {"PATH": os.environ["PATH"], **{k: v for k, v in MPI_ENVIRONMENT.items() if k != "OMPI_MCA_plm_rsh_agent"}}


def tools_environment():
    """For the tools themselves; the libraries there are only those that the system does not have."""
    libraries = [str(p) for tools in (TOOLS, RSYNC) for lib in ("usr/lib", "lib") for p in tools.glob(f"{lib}/*-linux-gnu")]
    programs = [*(f"{TOOLS}/{folder}" for folder in ("usr/sbin", "usr/bin", "sbin", "bin")), f"{RSYNC}/usr/bin"]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries),
            "PATH": ":".join([*programs, os.environ["PATH"], "/usr/sbin", "/sbin"])}


def tool(name):
    """Full path of a program, unpacked or of the system."""
    return shutil.which(name, path=tools_environment()["PATH"])


def obstacle():
    """Why there can be no hosts here; empty when there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "network namespaces need root"
    for program in ("sshd", "ssh", "ssh-keygen", "ip", "unshare", "nsenter"):
        if tool(program) is None:
            return f"no {program}: tests/support/get-cluster-tools could not fetch it"
    links = "ip link add bridge type bridge && ip link add host1 type veth peer name host2 && mount -t tmpfs none /tmp"
    probe = subprocess.run([*NAMESPACES, "sh", "-c", links], capture_output=True, text=True, env=tools_environment())
    return "" if probe.returncode == 0 else f"no namespaces here: {probe.stderr.strip()}"


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def enter():
    """Goes on as the first process of new namespaces; where there can be none, as before."""
    if FOLDER in os.environ or obstacle():
        return
    folder = Path(tempfile.mkdtemp(prefix="vsr-hosts-"))
    inside = subprocess.Popen([*NAMESPACES, sys.executable, *sys.argv], preexec_fn=die_with_parent,
                              env={**os.environ, FOLDER: str(folder), "TMPDIR": str(folder)})

    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        status = inside.wait()
    finally:
        inside.kill()  # it ignores SIGTERM; with it goes its child, and with that everything
        inside.wait()
        shutil.rmtree(folder, ignore_errors=True)
    sys.exit(status)


def call(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=tools_environment())
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def sshd_config(variables):
    """For sshd, unpacked or of the system, whose sessions begin with these variables; but for the key of the host."""
    session = [f"{word} {path}\n" for word, name in (("SshdSessionPath", "sshd-session"), ("SshdAuthPath", "sshd-auth"))
               for path in TOOLS.glob(f"usr/lib/openssh/{name}")]  # of OpenSSH 9.8 and 10 on
    return (f"PidFile none\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n{''.join(session)}"
            "AuthorizedKeysFile .ssh/authorized_keys\n"
            f"SetEnv {' '.join(f'{name}={value}' for name, value in variables.items())}\n")


ACCOUNTS = {  # of root with a home of its own, and what sshd wants
    "passwd": "root:x:0:0:root:{home}:/bin/sh\nsshd:x:74:65534::/run/sshd:/usr/sbin/nologin\n",
    "shadow": "root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n"}


class Machine:
    """A first process in namespaces of its own, and links to bridges: without that process it is off."""

    def __init__(self, name):
        self.name, self.links = name, []

    def start(self, words, log, environment):
        with open(log, "ab") as file:
            self.process = subprocess.Popen([*NAMESPACES, *map(str, words)], stdin=subprocess.DEVNULL, stdout=file,
                                            stderr=file, env=environment)
        self.first = self.child_of(self.process.pid)
        self.processes_of = os.readlink(f"/proc/{self.first}/ns/pid")

    def plug(self, link, bridge, interface, address, mac):
        """Its interface `interface` goes to a bridge, where the other end is named `link`."""
        call("ip", "link", "add", link, "type", "veth", "peer", "name", interface, "address", mac, "netns", self.first)
        self.links.append(link)
        for words in (["link", "set", "lo", "up"], ["addr", "add", address, "dev", interface],
                      ["link", "set", interface, "up"]):
            call("nsenter", f"--net=/proc/{self.first}/ns/net", tool("ip"), *words)
        call("ip", "link", "set", link, "master", bridge)
        call("ip", "link", "set", link, "up")

    @staticmethod
    def child_of(pid):
        """The first process of the namespaces that `unshare` made, once it is in them."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            if children and os.readlink(f"/proc/{children[0]}/ns/net") != os.readlink("/proc/self/ns/net"):
                return int(children[0])
            time.sleep(0.01)
        raise AssertionError("unshare started nothing")

    def is_on(self):
        return self.process.poll() is None

    def off(self):
        """A power cut: no process of it gets to say anything."""
        if self.is_on():
            for link in self.links:
                call("ip", "link", "delete", link)
            self.process.kill()
            self.process.wait()
        self.links = []

    def processes(self, *names):
        """(pid, program) of what runs on it, by names of programs; all but sshd without."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if not entry.name.isdecimal() or os.readlink(entry / "ns/pid") != self.processes_of:
                    continue
                name = (entry / "comm").read_text().strip()
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
            except OSError:  # gone meanwhile
                continue
            if state not in "ZX" and (name in names if names else name != "sshd"):
                found.append((int(entry.name), name))
        return found


class Host(Machine):
    """A name, an address, and an sshd as first process."""

    def __init__(self, hosts, number):
        super().__init__(f"host{number}")
        self.hosts, self.number, self.address = hosts, number, f"10.77.0.{number}"
        self.boot()

    def boot(self):
        """Switches it on; with it comes its link."""
        folder = self.hosts.folder
        files = "".join(f"mount --bind {folder}/etc/{name} /etc/{name}\n" for name in ("hosts", "passwd", "shadow"))
        script = f"""set -e
            hostname {self.name}
            {files}
            mount -t tmpfs none /run && mkdir -m 755 /run/sshd
            mount -t tmpfs none /dev/shm
            exec {tool("sshd")} -D -e -f {folder}/etc/sshd_config"""
        self.start(["sh", "-c", script], folder / f"{self.name}.log", tools_environment())
        mac = f"02:00:00:00:00:{self.number:02x}"  # the same each time, as others remember it
        self.plug(self.name, "bridge", "eth0", f"{self.address}/24", mac)

    def command(self, words, env=()):
        """What runs `words` on this host, in the session that ssh would give."""
        variables = {**SESSION, "HOME": self.hosts.folder / "home", "TMPDIR": self.hosts.folder / "tmp", **dict(env)}
        inside = ["nsenter", "-t", self.first, "--net", "--mount", "--uts", "--pid", f"--wd={self.hosts.folder}"]
        return [str(w) for w in [*inside, "env", "-i", *(f"{k}={v}" for k, v in variables.items()), *words]]

    def cut(self):
        """Nothing reaches it any more, and nobody is told."""
        call("ip", "link", "set", self.name, "down")

    def join(self):
        call("ip", "link", "set", self.name, "up")

    def private(self, folder):
        """From now on a folder that no other host sees; empty."""
        folder.mkdir(parents=True, exist_ok=True)
        call("nsenter", "-t", self.first, "--mount", "mount", "-t", "tmpfs", "none", folder)


class Hosts:
    """So many hosts on one bridge, named host1, host2, ...; any can reach any by plain ssh."""

    def __init__(self, count):
        self.folder = Path(os.environ[FOLDER])
        call("mount", "-t", "tmpfs", "none", self.folder)  # goes with the namespaces
        (self.folder / "etc").mkdir()
        (self.folder / "tmp").mkdir()
        self.write_accounts(count)
        self.write_keys()
        call("ip", "link", "set", "lo", "up")
        call("ip", "link", "add", "bridge", "type", "bridge")
        call("ip", "link", "set", "bridge", "up")
        self.all = [Host(self, number) for number in range(1, count + 1)]
        for host in self.all:
            self.wait_for(host)

    def write_accounts(self, count):
        """Root with a home here, and the account that sshd wants; seen on the hosts only."""
        for name, text in ACCOUNTS.items():
            (self.folder / "etc" / name).write_text(text.format(home=self.folder / "home"))
        addresses = "".join(f"10.77.0.{n} host{n}\n" for n in range(1, count + 1))
        (self.folder / "etc/hosts").write_text(f"127.0.0.1 localhost\n{addresses}")

    def write_keys(self):
        home, etc = self.folder / "home", self.folder / "etc"
        (home / ".ssh").mkdir(parents=True, mode=0o700)
        home.chmod(0o755)
        for key in (etc / "host_key", home / ".ssh/id_ed25519"):
            call("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
        shutil.copy(home / ".ssh/id_ed25519.pub", home / ".ssh/authorized_keys")
        public = (etc / "host_key.pub").read_text()
        (home / ".ssh/known_hosts").write_text(f"host* {public}10.77.0.* {public}")
        (etc / "sshd_config").write_text(f"HostKey {etc}/host_key\n"
                                         f"{sshd_config({**SESSION, 'TMPDIR': self.folder / 'tmp'})}")

    def wait_for(self, host):
        deadline = time.monotonic() + 20
        while True:
            words = [tool("ssh"), "-oBatchMode=yes", "-oConnectTimeout=2", host.name, "hostname"]
            asked = subprocess.run(self.all[0].command(words), capture_output=True, text=True, env=tools_environment())
            if asked.stdout.strip() == host.name:
                return
            if time.monotonic() > deadline:
                log = (self.folder / f"{host.name}.log").read_text()
                raise AssertionError(f"{host.name} does not answer: {asked.stderr}{log}")
            time.sleep(0.1)

    def file(self, slots=1, hosts=None):
        """A host file as mpirun reads it."""
        path = self.folder / "hosts"
        path.write_text("".join(f"{host.name} slots={slots}\n" for host in hosts or self.all))
        return path


class HostsTest(FilmTest):
    """A test with hosts; `enter()` has to have been called."""

    COUNT = 3

    @classmethod
    def setUpClass(cls):
        if FOLDER not in os.environ:
            raise unittest.SkipTest(obstacle())
        cls.hosts = Hosts(cls.COUNT)
        for host in cls.hosts.all:
            cls.addClassCleanup(host.off)
        super().setUpClass()

    def setUp(self):
        """All hosts are on and reach each other, whatever the test before has done."""
        for host in self.hosts.all:
            if not host.is_on():
                host.boot()
            host.join()
        for host in self.hosts.all:
            self.hosts.wait_for(host)

    def on(self, host, words, **env):
        """Starts a program on a host; its output goes to `process.output`, a file."""
        output = Path(tempfile.mkstemp(prefix="out-", dir=self.folder)[1])
        with open(output, "wb") as file:
            process = subprocess.Popen(host.command(words, env), stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        process.output = output
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)  # of nsenter; what it started ends with the test's namespaces at the latest
        return process
