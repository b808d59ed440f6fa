#!/usr/bin/env python3
"""Tests runpod/vsr-pod and runpod/entrypoint with a stand-in for the program, and with the real one where VSR_PROGRAM
names it. The service's API is a server on the loopback interface."""

import http.server
import json
import os
import runpy
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path
from unittest import mock

SOURCE = Path(__file__).resolve().parents[2]
VSR_POD = SOURCE / "runpod/vsr-pod"
ENTRYPOINT = SOURCE / "runpod/entrypoint"

# Does what the real program does as far as run-until-done and vsr-pod look at it; [stand-in] what: the manner.
STAND_IN = r"""#!/usr/bin/env python3
import configparser, os, pathlib, signal, sys, time
if sys.argv[1] == "status":
    print('{"state": "stand-in", "run": "' + sys.argv[2] + '"}')
    sys.exit()
words = sys.argv[2:] if sys.argv[1] == "doctor" else sys.argv[1:]
job = configparser.ConfigParser()
job.read(words[0])
what, run = job["stand-in"]["what"], pathlib.Path(job["run"]["dir"])
config = f'[run]\ndir = "{run}"\n[stand-in]\nwhat = {what}\n'
if sys.argv[1] == "doctor":
    print("ok", *words)
    sys.exit(5)
if "--print-config" in words:
    print(config, end="")
    sys.exit()
print("role", *(word for word in words if word.startswith("--role")))
print("begins", os.environ.get("OMPI_MCA_btl_tcp_if_include", ""), os.environ.get("NCCL_SOCKET_IFNAME", ""),
      "RUNPOD_API_KEY" in os.environ, flush=True)
if what == "fault":
    print("vsr-dist: input: film.mkv: no such file", file=sys.stderr)
    sys.exit(3)
asked = []
signal.signal(signal.SIGUSR1, lambda *_: asked.append(1))
(run / "pid").parent.mkdir(parents=True, exist_ok=True)
(run / "pid").write_text(str(os.getpid()))
while what == "sleep" and not asked:
    time.sleep(0.05)
if asked:
    print("finished the piece in hand", flush=True)
    sys.exit(130)
(run / "job.ini").write_text(config)
(run / "final").mkdir(exist_ok=True)
(run / "final/film.mkv").write_text("film")
(run / "final/made-from.txt").write_text("file 4 film.mkv\n")
"""


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def wait_until(what, seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := what()):
        if time.monotonic() > deadline:
            raise AssertionError("waited in vain")
        time.sleep(0.05)
    return found


class PodTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="vsr-pod-")
        self.addCleanup(folder.cleanup)
        self.base = Path(folder.name).resolve()
        self.local = self.base / "local"
        self.bin = self.base / "bin"
        self.bin.mkdir()
        self.program = self.write("vsr-dist", STAND_IN)
        self.write("nvidia-smi", "#!/bin/sh\nexit 9\n")
        self.environment = {"PATH": f"{self.bin}:{os.environ['PATH']}:/usr/sbin:/sbin", "HOME": str(self.base),
                            "VSR_POD_LOCAL": str(self.local), "RUNPOD_POD_ID": "pod7"}

    def write(self, name, text):
        path = self.bin / name
        path.write_text(text)
        path.chmod(0o755)
        return path

    def job(self, name, what):
        folder = self.base / name
        folder.mkdir()
        (folder / "job.ini").write_text(f"[run]\ndir = {folder}/run\n[stand-in]\nwhat = {what}\n")
        self.addCleanup(self.pod, "stop", folder, "--now")
        return folder

    def pod(self, *words, **environment):
        return subprocess.run([sys.executable, "-B", VSR_POD, *map(str, words)], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=100, env={**self.environment, **environment})

    def done(self, *words, **environment):
        answer = self.pod(*words, **environment)
        self.assertEqual(answer.returncode, 0, answer.stdout + answer.stderr)
        return answer.stdout

    def state(self, folder):
        return json.loads(self.done("state", folder))

    def program_of(self, folder):
        """The number of the stand-in at work there."""
        file = folder / "run/pid"
        return int(wait_until(lambda: file.exists() and file.read_text()))

    def log(self, folder):
        return (folder / "log/pod7.log").read_text()


class StartStateStop(PodTest):
    def test_a_film_is_made(self):
        folder = self.job("film", "film")
        self.assertEqual(self.state(folder), {"pod": "pod7", "running": False, "done": False, "status": None, "said": "",
                                              "run": {"state": "stand-in", "run": f"{folder}/run"}})
        self.done("start", folder, RUNPOD_API_KEY="secret")
        wait_until(lambda: not self.state(folder)["running"])
        state = self.state(folder)
        self.assertEqual((state["done"], state["status"]), (True, 0))
        self.assertIn("the film is made", state["said"])
        self.assertIn("begins   False", self.log(folder))  # the key is not the job's

    def test_twice_is_once(self):
        folder = self.job("film", "sleep")
        self.done("start", folder)
        first = self.program_of(folder)
        answer = self.done("start", folder)
        self.assertIn("already", answer)
        self.assertTrue(self.state(folder)["running"])
        self.assertTrue(is_alive(first))
        self.assertEqual(self.log(folder).count("starts"), 1)

    def test_two_jobs_beside_each_other(self):
        one, other = self.job("one", "sleep"), self.job("other", "sleep")
        self.done("start", one)
        self.done("start", other)
        pids = [self.program_of(one), self.program_of(other)]
        self.done("stop", one, "--now")
        self.assertEqual([is_alive(pid) for pid in pids], [False, True])

    def test_stop_lets_the_piece_in_hand_be_finished(self):
        folder = self.job("film", "sleep")
        self.done("start", folder)
        pid = self.program_of(folder)
        self.assertIn("stopped", self.done("stop", folder))
        self.assertFalse(is_alive(pid))
        self.assertIn("finished the piece in hand", self.log(folder))
        state = self.state(folder)
        self.assertEqual((state["running"], state["done"], state["status"]), (False, False, 130))
        self.assertIn("nothing runs", self.done("stop", folder))

    def test_stop_now_does_not(self):
        folder = self.job("film", "sleep")
        self.done("start", folder)
        pid = self.program_of(folder)
        self.done("stop", folder, "--now")
        self.assertFalse(is_alive(pid))
        self.assertNotIn("finished", self.log(folder))
        self.assertEqual(self.state(folder)["status"], 143)

    def test_a_killed_job_leaves_nothing_behind_and_can_be_started_again(self):
        folder = self.job("film", "sleep")
        self.done("start", folder)
        pid = self.program_of(folder)
        keeper = json.loads(next(self.local.glob("*.json")).read_text())["process"]
        os.kill(keeper, signal.SIGKILL)
        wait_until(lambda: not self.state(folder)["running"])
        self.assertFalse(is_alive(pid))
        self.assertEqual(self.state(folder)["status"], 137)
        (folder / "run/pid").unlink()
        self.done("start", folder)
        self.assertTrue(is_alive(self.program_of(folder)))
        self.assertIsNone(self.state(folder)["status"])

    def test_a_faulty_job_ends_with_the_programs_status(self):
        folder = self.job("film", "fault")
        self.done("start", folder)
        wait_until(lambda: not self.state(folder)["running"])
        state = self.state(folder)
        self.assertEqual(state["status"], 3)
        self.assertIn("film.mkv: no such file", state["said"])

    def test_check_is_the_doctor(self):
        folder = self.job("film", "film")
        answer = self.pod("check", folder)
        self.assertEqual((answer.returncode, answer.stdout), (5, f"ok {folder}/job.ini\n"))

    def test_a_job_that_only_encodes_wants_no_gpu(self):
        folder = self.job("film", "film")
        answer = self.pod("check", folder, "--role=encode")
        self.assertEqual(answer.stdout, f"ok {folder}/job.ini --stream.device=cpu\n")
        self.done("start", folder, "--role=encode")
        wait_until(lambda: not self.state(folder)["running"])
        self.assertIn("role --role=encode\n", self.log(folder))
        self.assertTrue(self.state(folder)["done"], self.log(folder))

    def test_a_rank_for_each_of_several_gpus(self):
        self.write("mpirun", '#!/bin/sh\necho "mpirun $*"; shift 4; exec "$@"\n')
        for gpus, words in ((1, ""), (2, "mpirun --bind-to none -n 2")):
            with self.subTest(gpus=gpus):
                listed = "".join(f"GPU {n}: NVIDIA L4 (UUID: GPU-{n})\\n" for n in range(gpus))
                self.write("nvidia-smi", f"#!/bin/sh\nprintf '{listed}'\n")
                folder = self.job(f"gpus{gpus}", "film")
                self.done("start", folder)
                wait_until(lambda: not self.state(folder)["running"])
                self.assertEqual(self.state(folder)["status"], 0, self.log(folder))
                self.assertEqual("mpirun --bind-to none -n 2" in self.log(folder), bool(words))

    def test_a_session_gets_what_the_pod_was_given(self):
        self.local.mkdir()
        (self.local / "environment").write_text("RUNPOD_POD_ID=pod7\nVSR_PROGRAM=/no/such/program\n")
        folder = self.job("film", "film")
        answer = self.pod("start", folder)
        if shutil.which(SOURCE / "build/vsr-dist"):
            self.skipTest("a program in build/ takes the place of the one that is missing")
        self.assertEqual(answer.returncode, 3)
        self.assertIn("/no/such/program", answer.stderr)

    def test_what_the_pod_was_given_are_bytes_in_lines_and_no_value_makes_another_variable(self):
        self.local.mkdir()
        ends = [f"VSR_{n}=a{end}RUNPOD_POD_ID=forged".encode() for n, end in enumerate("\x0b\x0c\r\x1c\x85\u2028")]
        (self.local / "environment").write_bytes(b"\n".join([b"VSR_X=\xff", *ends, b"RUNPOD_POD_ID=given", b""]))
        folder = self.job("film", "film")
        self.environment.pop("RUNPOD_POD_ID")
        self.assertEqual(self.state(folder)["pod"], "given")

    def test_words_that_are_none(self):
        folder = self.job("film", "film")
        for words, status, said in (
                (["start"], 2, "FOLDER"),
                (["begin", folder], 2, "begin"),
                (["start", self.base / "none"], 3, "no job.ini"),
                (["state", self.base / "none"], 3, "no job.ini"),
                (["start", folder, "--ranks", "0"], 2, "1 to 9999"),
                (["start", folder, "--ranks", "2; reboot"], 2, "no number"),
                (["start", folder, "--cluster", "hosts"], 2, "go together"),
                (["start", folder, "--cluster", "h", "--ranks-per-host", "1", "--cidr", "10.65.0.1/16"], 2, "10.65.0.0/16"),
                (["start", folder, "--cluster", "h", "--ranks-per-host", "1", "--cidr", "10.65.0.0/16", "--role=encode"], 2,
                 "without --ranks and --role"),
                (["start", folder, "--role=upscale"], 2, "invalid choice"), (["state", folder, "--role=encode"], 2, "unrecognized"),
                (["guard", "now"], 2, "now")):
            with self.subTest(words=words):
                answer = self.pod(*words)
                self.assertEqual(answer.returncode, status, answer.stderr)
                self.assertIn(said, answer.stderr)
                self.assertNotIn("Traceback", answer.stderr)


class Cluster(PodTest):
    def test_mpi_and_nccl_are_told_the_interface(self):
        self.write("mpirun", '#!/bin/sh\necho "mpirun $*"; env | grep -E "^(OMPI|PRTE)_MCA_[bpom]"\n'
                             'while [ "$1" != "--hostfile" ]; do shift; done; cat "$2"; shift 4; exec "$@"\n')
        folder = self.job("film", "film")
        (folder / "hosts").write_text("127.0.0.1 slots=1\n")
        self.done("start", folder, "--cluster", folder / "hosts", "--ranks-per-host", "3", "--cidr", "127.0.0.0/8")
        wait_until(lambda: not self.state(folder)["running"])
        log = self.log(folder)
        self.assertEqual(self.state(folder)["status"], 0, log)
        for line in ("OMPI_MCA_btl_tcp_if_include=127.0.0.0/8", "OMPI_MCA_oob_tcp_if_include=127.0.0.0/8",
                     "PRTE_MCA_prte_if_include=lo", "OMPI_MCA_mca_base_env_list=NCCL_SOCKET_IFNAME=lo",
                     "127.0.0.1 slots=3", "begins 127.0.0.0/8 lo"):
            self.assertIn(line, log)
        self.assertIn("accept-new", (self.base / ".ssh/config").read_text())

    def test_no_interface_there(self):
        folder = self.job("film", "film")
        answer = self.pod("start", folder, "--cluster", "h", "--ranks-per-host", "1", "--cidr", "203.0.113.0/24")
        self.assertEqual(answer.returncode, 7)
        self.assertIn("no interface of this node has an address in 203.0.113.0/24", answer.stderr)

    def guard(self, rank, home, volume, **environment):
        home.mkdir()
        guard = subprocess.Popen([sys.executable, "-B", VSR_POD, "guard"], stdout=subprocess.DEVNULL,
                                 env={**self.environment, "HOME": str(home), "VSRDIST_FOLDER": str(volume),
                                      "NODE_RANK": str(rank), "NUM_NODES": "2", **environment})
        self.addCleanup(guard.wait)
        self.addCleanup(guard.kill)
        guard.children = Path(f"/proc/{guard.pid}/task/{guard.pid}/children").read_text
        return guard

    def test_the_first_node_is_let_in_on_the_others(self):
        homes = [self.base / "node0", self.base / "node1"]
        volume = self.base / "volume"
        volume.mkdir()
        (volume / "cluster.pub").write_text("ssh-ed25519 AAAA pod3-1234\n")  # of an earlier cluster
        deadline = str(int(time.time()) + 1000)
        other = self.guard(1, homes[1], volume, VSRDIST_DEADLINE=deadline)
        wait_until(other.children)
        (homes[1] / ".ssh").mkdir()
        first = self.guard(0, homes[0], volume, VSRDIST_DEADLINE=deadline)
        accepted = homes[1] / ".ssh/authorized_keys"
        wait_until(accepted.exists)
        wait_until(lambda: accepted.read_text() == (homes[0] / ".ssh/id_ed25519.pub").read_text())
        self.assertEqual(accepted.stat().st_mode & 0o777, 0o600)
        wait_until(lambda: not first.children() and not other.children())  # nobody looks at the volume any more

    def test_a_dead_volume_does_not_hold_the_guard(self):
        volume = self.base / "volume"
        volume.mkdir()
        os.mkfifo(volume / "cluster.pub")  # who reads it hangs
        guard = self.guard(1, self.base / "node1", volume, VSRDIST_DEADLINE=str(int(time.time()) + 4))
        (looks,) = wait_until(guard.children).split()
        self.assertEqual(guard.wait(timeout=20), 7)  # there is no key to delete the pod with
        wait_until(lambda: not is_alive(looks))


class Service(http.server.BaseHTTPRequestHandler):
    """Answers as `server.answers` says, in turn; the last one for ever."""

    def do_DELETE(self):
        self.server.requests.append((self.path, self.headers.get("Authorization")))
        status = self.server.answers.pop(0) if len(self.server.answers) > 1 else self.server.answers[0]
        if status == "nonsense":
            self.wfile.write(b"nonsense\r\n\r\n")
            return
        self.send_response(status)
        if status == 429:
            self.send_header("Retry-After", "0")
        if status == 302:
            self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *arguments):
        pass


class Guard(PodTest):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        self.server.answers, self.server.requests = [204], []
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.environment.update(VSRDIST_API_URL=f"http://127.0.0.1:{self.server.server_port}/v2", RUNPOD_API_KEY="key-7")

    def test_at_the_deadline_the_job_and_the_pod_end(self):
        folder = self.job("film", "sleep")
        self.done("start", folder)
        pid = self.program_of(folder)
        begin = time.time()
        said = self.done("guard", VSRDIST_DEADLINE=str(int(begin) + 2))
        self.assertGreaterEqual(time.time(), int(begin) + 2)
        self.assertFalse(is_alive(pid))
        self.assertEqual(self.state(folder)["status"], 143)
        self.assertEqual(self.server.requests, [("/v2/pods/pod7", "Bearer key-7")])
        self.assertNotIn("key-7", said)

    def test_the_service_is_asked_again_where_that_may_help(self):
        for answers, requests, status in (
                ([429, 503, 204], 3, 0), ([409, 204], 2, 0), (["nonsense", 204], 2, 0), ([404], 1, 0), ([403], 1, 7),
                ([401], 1, 7), ([302], 1, 7)):
            with self.subTest(answers=answers):
                self.server.answers, self.server.requests = list(answers), []
                answer = self.pod("guard", VSRDIST_DEADLINE="1")
                self.assertEqual((answer.returncode, len(self.server.requests)), (status, requests), answer.stdout)
                self.assertIn(str(answers[0]), answer.stdout)
                self.assertEqual("goes on costing" in answer.stdout, status == 7)

    def test_it_is_asked_for_hours_with_growing_pauses(self):
        """As a member of a cluster, by a clock that goes only in pauses."""
        pauses, delete_pod = [], runpy.run_path(str(VSR_POD))["delete_pod"]
        clock = mock.Mock(monotonic=lambda: sum(pauses), sleep=pauses.append)
        self.server.answers = [409]
        with mock.patch.dict(delete_pod.__globals__, time=clock, say=lambda _: None), \
                mock.patch.dict(os.environ, self.environment):
            self.assertFalse(delete_pod())
        self.assertEqual(pauses, sorted(pauses))
        self.assertEqual((pauses[0], pauses[-1]), (1, 60))
        self.assertGreater(sum(pauses), 8 * 3600)
        self.assertEqual(len(self.server.requests), len(pauses))

    def test_no_trouble_with_jobs_keeps_the_pod(self):
        folder = self.job("film", "sleep")
        self.done("start", folder)
        pid = self.program_of(folder)
        for number, text in enumerate((b"{}", b"[]", b"\xff", b'{"folder": 7}', b'{"folder": "a\\udcffb"}')):
            (self.local / f"{number}.json").write_bytes(text)
        (self.local / "folder.json").mkdir()
        said = self.done("guard", VSRDIST_DEADLINE="1")
        self.assertIn("0.json could not be stopped", said)
        self.assertFalse(is_alive(pid))
        self.assertEqual(len(self.server.requests), 1)

    def test_words_that_no_request_can_have(self):
        for name, value in (("RUNPOD_API_KEY", "key-7\nx"), ("RUNPOD_POD_ID", b"\xff"), ("VSRDIST_API_URL", "https://[/v2")):
            with self.subTest(name=name):
                answer = self.pod("guard", VSRDIST_DEADLINE="1", **{name: value})
                self.assertEqual(answer.returncode, 7, answer.stderr)
                self.assertIn("not well-formed", answer.stdout)
                self.assertNotIn("key-7", answer.stdout + answer.stderr)

    def test_without_a_key_it_says_so(self):
        answer = self.pod("guard", VSRDIST_DEADLINE="1", RUNPOD_API_KEY="")
        self.assertEqual(answer.returncode, 7)
        self.assertIn("goes on costing", answer.stdout)
        self.assertEqual(self.server.requests, [])

    def test_the_key_goes_over_no_open_line(self):
        answer = self.pod("guard", VSRDIST_DEADLINE="1", VSRDIST_API_URL="http://192.0.2.1/v2")
        self.assertEqual(answer.returncode, 7)
        self.assertIn("https only", answer.stdout)

    def test_a_deadline_that_is_none(self):
        answer = self.pod("guard", VSRDIST_DEADLINE="tomorrow")
        self.assertEqual(answer.returncode, 2)
        self.assertIn("'tomorrow'", answer.stderr)


class Entrypoint(PodTest):
    """As first process of namespaces with private /run and /etc/ssh, and a stand-in for sshd."""

    def setUp(self):
        super().setUp()
        for program in ("unshare", "ssh-keygen", "mount"):
            if shutil.which(program, path=self.environment["PATH"]) is None:
                self.skipTest(f"no {program} here")
        probe = subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"], capture_output=True, text=True)
        if probe.returncode != 0:
            self.skipTest(f"no namespaces here: {probe.stderr.strip()}")
        self.write("sshd", f'#!/bin/sh\necho "$@" > {self.base}/sshd.txt\n'
                           f'env >> {self.base}/sshd.txt\nexec sleep 1000\n')

    def begin(self, **environment):
        script = ("mount -t tmpfs none /run && mkdir -p /etc/ssh && mount -t tmpfs none /etc/ssh || exit 1; "
                  f"(while ! [ -s /etc/ssh/ssh_host_ed25519_key ]; do sleep 0.1; done; ls -l /etc/ssh > {self.base}/etc-ssh.txt;"
                  f" cp /run/vsr-pod/environment {self.base}/kept.txt; sleep 0.1; echo > {self.base}/orphan.txt) & "
                  f"exec {ENTRYPOINT}")
        self.environment.pop("VSR_POD_LOCAL")
        output = self.base / "entrypoint.txt"
        with open(output, "wb") as file:
            process = subprocess.Popen(["unshare", "--pid", "--fork", "--mount-proc", "--mount", "--net",
                                        "--kill-child=SIGKILL", "sh", "-c", script],
                                       stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                                       env={**self.environment, **environment})
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        process.said = output.read_text
        return process

    @staticmethod
    def first_of(process):
        return int(wait_until(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text).split()[0])

    def test_who_may_come_in_and_what_sessions_get(self):
        (self.base / ".ssh").mkdir()
        (self.base / ".ssh/authorized_keys").write_text("ssh-ed25519 AAAA before\n")
        process = self.begin(SSH_PUBLIC_KEY="ssh-ed25519 BBBB mine", PUBLIC_KEY="ssh-ed25519 CCCC account\nssh-ed25519 AAAA before",
                             RUNPOD_API_KEY="key-7", NODE_RANK="1", VSRDIST_FOLDER="/workspace/my film", OTHER="x",
                             VSR_SSHD_OPTIONS="-o X11Forwarding=no -p 2222")
        wait_until(lambda: (self.base / "orphan.txt").exists() and "started" in process.said())
        keys = self.base / ".ssh/authorized_keys"
        self.assertEqual(keys.read_text().splitlines(),
                         ["ssh-ed25519 AAAA before", "ssh-ed25519 BBBB mine", "ssh-ed25519 CCCC account"])
        self.assertEqual(keys.stat().st_mode & 0o777, 0o600)
        kept = (self.base / "kept.txt").read_text().splitlines()
        for line in ("NODE_RANK=1", "VSRDIST_FOLDER=/workspace/my film", "RUNPOD_POD_ID=pod7"):
            self.assertIn(line, kept)
        sshd = (self.base / "sshd.txt").read_text()
        for text in ("\n".join(kept), process.said(), sshd):
            self.assertNotIn("key-7", text)
        self.assertNotIn("OTHER", "\n".join(kept))
        self.assertIn("-D -e -o PasswordAuthentication=no -o PermitRootLogin=prohibit-password "
                      "-o X11Forwarding=no -p 2222 -f /dev/null", sshd)
        self.assertIn("ssh_host_ed25519_key", (self.base / "etc-ssh.txt").read_text())
        os.kill(self.first_of(process), signal.SIGTERM)
        self.assertEqual(process.wait(timeout=10), 0, process.said())

    def test_reaps_orphans(self):
        process = self.begin()
        wait_until((self.base / "orphan.txt").exists)
        first = self.first_of(process)
        children = Path(f"/proc/{first}/task/{first}/children")

        def no_dead_child():
            states = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in children.read_text().split()]
            return len(states) == 2 and "Z" not in states  # sshd and the guard

        wait_until(no_dead_child)

    def test_ends_at_the_deadline(self):
        process = self.begin(VSRDIST_DEADLINE=str(int(time.time()) + 1))
        self.assertEqual(process.wait(timeout=20), 0, process.said())
        self.assertIn("the pod's time is over", process.said())

    def test_a_deadline_that_is_none_is_told(self):
        process = self.begin(VSRDIST_DEADLINE="soon")
        self.assertEqual(process.wait(timeout=20), 2, process.said())
        self.assertIn("VSRDIST_DEADLINE is 'soon'", process.said())

    def test_a_command_takes_its_place(self):
        answer = subprocess.run([ENTRYPOINT, "echo", "a  b"], capture_output=True, text=True, env=self.environment)
        self.assertEqual((answer.returncode, answer.stdout), (0, "a  b\n"))


@unittest.skipUnless(os.environ.get("VSR_PROGRAM"), "VSR_PROGRAM names no program")
class RealProgram(PodTest):
    def setUp(self):
        super().setUp()
        self.environment["VSR_PROGRAM"] = os.environ["VSR_PROGRAM"]
        self.folder = self.base / "film"
        self.folder.mkdir()
        (self.folder / "job.ini").write_text(f"""
[input]
file = {SOURCE}/tests/data/reds_demo_000.mkv
end = 0.48
[preprocess]
width = 160
height = 96
[segment]
frames = 2
[stream]
overlap = 1
device = cpu
[run]
dir = {self.folder}/run
[final]
height = 192
fps = 24
encoder = libx264
preset = ultrafast
params =
tune =
variants = pitchOK
""")
        self.addCleanup(self.pod, "stop", self.folder, "--now")

    def test_started_stopped_started_again_and_made(self):
        self.done("start", self.folder)
        wait_until(lambda: list((self.folder / "run/segments").glob("*.h5")), 60)  # of six
        self.done("stop", self.folder)
        state = self.state(self.folder)
        self.assertEqual((state["running"], state["done"], state["status"]), (False, False, 130), self.log(self.folder))
        self.assertIsInstance(state["run"], dict)
        self.done("start", self.folder)
        wait_until(lambda: not self.state(self.folder)["running"], 100)
        state = self.state(self.folder)
        self.assertEqual((state["done"], state["status"]), (True, 0), self.log(self.folder))
        self.assertTrue((self.folder / "run/final/film_pitchOK.mkv").exists())


if __name__ == "__main__":
    unittest.main()
