"""`vsr-dist doctor`: what it says of a sound machine and of broken ones, and that it leaves nothing behind."""

import json
import os
import signal
import subprocess
import time
import unittest

from film_support import CLIP, PROGRAM, FilmTest, environment, mpirun, run

# An ssh that stays on this host: it takes the words behind "--" as sshd would, and knows some hosts by name.
SSH = """#!/bin/bash
while [[ $# -gt 0 && $1 != -- ]]; do shift; done
shift; host=$1; shift
case $host in
  down) echo "connect to host down port 22: Connection refused" >&2; exit 255 ;;
  old) echo "vsr-dist 0.0.1"; exit ;;
  bare) exec sh -c "/nonexistent/bare-vsr-dist" ;;
  one-way) [[ $1 == *" --version" ]] || { SSH_CONNECTION="127.0.0.1 1 127.0.0.1 22" PATH=@BIN@/none:$PATH exec sh -c "$*"; } ;;
  walled) [[ $1 == *" --version" ]] || exit 1 ;;
  asleep) echo $$ > @BIN@/asleep; exec sleep 600 ;;
esac
SSH_CONNECTION="127.0.0.1 1 127.0.0.1 22" exec sh -c "$*"
"""


class Doctor(FilmTest):
    def setUp(self):
        self.here = self.folder / self.id().rsplit(".", 1)[-1]
        self.here.mkdir()

    def doctor(self, *arguments, ranks=1, **more):
        """Exit status, and the checks by name: a list each, since ranks may differ."""
        command = [PROGRAM, "doctor", "--json", "--stream.device=cpu", *arguments]
        if not any(str(argument).startswith("--run.dir") for argument in arguments):
            command.append(f"--run.dir={self.here / 'run'}")
        status, output = mpirun(ranks, command, env=environment(**more))
        begin = output.find('{"program"')
        self.assertGreaterEqual(begin, 0, output)
        document = json.loads(output[begin:output.rindex("}") + 1])
        checks = {}
        for check in document["checks"]:
            self.assertIn(check["verdict"], ("ok", "warning", "failure"))
            if check["verdict"] == "warning":
                self.assertTrue(check["advice"], check)
            checks.setdefault(check["name"], []).append(check)
        if ranks == 1:
            self.assertEqual(status, document["exit_status"], output)
        self.assertEqual(document["ranks"], ranks)
        return document["exit_status"], checks

    def assert_failed(self, checks, *names):
        failed = {name for name, found in checks.items() if any(c["verdict"] == "failure" for c in found)}
        self.assertEqual(failed, set(names), checks)

    def test_a_sound_machine(self):
        status, checks = self.doctor()
        self.assertEqual(status, 0, checks)
        for name in ("run directory", "claims", "commits", "space", "clock", "program", "processors", "memory",
                     "shared memory", "limits", "interfaces", "loopback", "gpu", "encoders", "model", "network",
                     "ten frames"):
            self.assertIn(name, checks)
        self.assertIn("10 of 10 frames, 256x256", checks["ten frames"][0]["seen"])
        self.assertEqual(list(self.here.iterdir()), [])

    def test_a_job_with_its_film(self):
        job = self.here / "job.ini"
        job.write_text(f"[input]\nfile = {CLIP}\n[final]\nheight = native\npreset = ultrafast\n[run]\ndir = a/run\n")
        status, checks = self.doctor(job, f"--run.dir={self.here / 'a' / 'run'}")
        self.assertEqual(status, 0, checks)
        self.assertIn("h264, 320x180", checks["input"][0]["seen"])
        self.assertEqual(list(self.here.iterdir()), [job])

    def test_a_line_each_for_people(self):
        status, output = run([PROGRAM, "doctor", f"--run.dir={self.here}", "--stream.device=cpu"])
        self.assertEqual(status, 0, output)
        lines = output.splitlines()
        self.assertEqual({line.split()[0] for line in lines[:-1]} - {"ok", "warning"}, set(), output)
        self.assertIn("failures: 0", lines[-1])

    def test_ranks_look_each_at_their_own(self):
        status, checks = self.doctor(ranks=2)
        self.assertEqual(status, 0, checks)
        ranks = sorted(rank for line in checks["network"] for rank in line["ranks"])
        self.assertEqual(ranks, [0, 1])
        self.assertEqual(checks["memory"][0]["ranks"], [0])  # the host's
        for name in ("versions", "claims of ranks", "clocks"):
            self.assertEqual(checks[name][0]["verdict"], "ok", checks[name])
        self.assertEqual(list(self.here.iterdir()), [])

    def test_ranks_that_fail_end_with_that_status(self):
        status, output = mpirun(2, [PROGRAM, "doctor", "--run.dir=/proc/nowhere", "--stream.device=cpu"])
        self.assertEqual(status, 6, output)
        self.assertEqual(output.count("/proc/nowhere: cannot be created"), 1, output)
        status, output = mpirun(2, [PROGRAM, "doctor", "/nonexistent.ini"])
        self.assert_one_line_error(status, output, 2, "/nonexistent.ini")

    def test_a_run_directory_that_cannot_be_made(self):
        status, checks = self.doctor("--run.dir=/proc/nowhere")
        self.assertEqual(status, 6)
        self.assert_failed(checks, "run directory")

    def test_an_encoder_that_is_not_there(self):
        status, checks = self.doctor("--final.encoder=libnothing")
        self.assertEqual(status, 2)
        self.assert_failed(checks, "encoders")
        self.assertIn("libnothing", checks["encoders"][0]["seen"])
        self.assertIn("prores", checks["ten frames"][0]["seen"])

    def test_a_film_and_a_model_that_are_not_there(self):
        status, checks = self.doctor("--input.file=/nonexistent.mkv")
        self.assertEqual(status, 3)
        self.assert_failed(checks, "input")
        status, checks = self.doctor("--model.checkpoint=/nonexistent.pth")
        self.assertEqual(status, 4)
        self.assert_failed(checks, "model")

    def test_an_interface_that_is_not_there(self):
        status, checks = self.doctor(OMPI_MCA_btl_tcp_if_include="nowhere0")
        self.assertEqual(status, 7)
        self.assert_failed(checks, "interfaces")

    def bin(self):
        """A PATH with the ssh above in front."""
        folder = self.here / "bin"
        (folder / "none").mkdir(parents=True)
        for path, text in ((folder / "ssh", SSH.replace("@BIN@", str(folder))),
                           (folder / "none" / "ssh", "#!/bin/sh\necho 'Permission denied (publickey).'; exit 255\n")):
            path.write_text(text)
            path.chmod(0o755)
        return f"{folder}:{os.environ['PATH']}"

    def hosts(self, *lines):
        path = self.here / "hosts"
        path.write_text("".join(f"{line}\n" for line in lines))
        return f"--hosts={path}"

    def test_peers_there_and_back(self):
        hosts = ("fine slots=2", "down", "old port=2222", "bare", "one-way", "walled")
        status, checks = self.doctor(self.hosts(*hosts), PATH=self.bin())
        self.assertEqual(status, 7)
        self.assert_failed(checks, "peer down", "peer old", "peer bare", "peer walled")
        self.assertEqual(checks["peer fine"][0]["verdict"], "ok", checks["peer fine"])
        self.assertIn("reaches us at 127.0.0.1", checks["peer fine"][0]["seen"])
        self.assertEqual(checks["peer one-way"][0]["verdict"], "warning", checks["peer one-way"])
        self.assertIn("Permission denied", checks["peer one-way"][0]["seen"])
        self.assertIn("Connection refused", checks["peer down"][0]["seen"])
        self.assertIn("vsr-dist 0.0.1", checks["peer old"][0]["seen"])
        self.assertIn("bare-vsr-dist: not found", checks["peer bare"][0]["seen"])
        self.assertIn("cannot connect to port", checks["peer walled"][0]["seen"])

    def test_names_that_are_none_reach_no_ssh(self):
        path = self.bin()
        for name in ("-oProxyCommand=touch${IFS}x", "a;touch", "$(touch)", "a'b"):
            status, output = run([PROGRAM, "doctor", self.hosts("fine", name)], env=environment(PATH=path))
            self.assert_one_line_error(status, output, 2, "hosts:2", name)

    def test_a_stop_ends_ssh_and_leaves_nothing(self):
        path = self.bin()
        asleep = self.here / "bin" / "asleep"
        process = subprocess.Popen(
            [PROGRAM, "doctor", self.hosts("asleep"), f"--run.dir={self.here / 'run'}", "--stream.device=cpu"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            env=environment(PATH=path))
        try:
            deadline = time.monotonic() + 60
            while not (asleep.exists() and asleep.read_text().strip()):
                self.assertLess(time.monotonic(), deadline, "ssh was not asked")
                self.assertIsNone(process.poll())
                time.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(timeout=30), 143)
        finally:
            process.kill()
            process.wait()
        with self.assertRaises(ProcessLookupError):
            os.kill(int(asleep.read_text()), 0)
        self.assertFalse((self.here / "run").exists())


if __name__ == "__main__":
    unittest.main(verbosity=2)
