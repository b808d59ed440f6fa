"""scripts/slurm: both job scripts, submitted to a Slurm of the test's own over two hosts (hosts_support.py)."""

import os
import re
import subprocess
import time
import unittest

import hosts_support
from film_support import PROGRAM, SMALL_FILM, SOURCE, frame_hashes

# Two nodes, without GPUs.
CONFIG = """ClusterName=test
SlurmctldHost=host1
SlurmUser=root
AuthType=auth/none
CredType=cred/none
PluginDir={plugins}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=1,bf_interval=1
ReturnToService=2
NodeName=host[1-2] CPUs=4
PartitionName=films Nodes=ALL Default=YES MaxTime=INFINITE
"""


class Slurm(hosts_support.HostsTest):
    COUNT = 2

    @classmethod
    def setUpClass(cls):
        plugins = [path.parent for path in hosts_support.TOOLS.glob("usr/lib/*/slurm-wlm/auth_none.so")]
        programs = {name: hosts_support.tool(f"{name}-wlm") for name in ("slurmctld", "slurmd", "slurmstepd")}
        if not plugins or not all(programs.values()):
            raise unittest.SkipTest("no Slurm with auth/none: tests/support/get-cluster-tools could not fetch it")
        super().setUpClass()
        folder = cls.folder / "slurm"
        (folder / "state").mkdir(parents=True)
        (folder / "slurm.conf").write_text(CONFIG.format(plugins=plugins[0], folder=folder))
        (folder / "gres.conf").write_text("Name=gpu File=/dev/zero\n")
        tools = hosts_support.tools_environment()
        cls.env = {"SLURM_CONF": folder / "slurm.conf", "PATH": tools["PATH"], "VSR_ROOT": SOURCE, "VSR_PROGRAM": PROGRAM,
                   "LD_LIBRARY_PATH": f"{tools['LD_LIBRARY_PATH']}:{plugins[0]}"}
        first, second = cls.hosts.all
        cls.daemon(first, programs["slurmctld"], "-D")
        for host in (first, second):
            cls.daemon(host, programs["slurmd"], "-D", "-N", host.name, "-d", programs["slurmstepd"])
        test = cls("test_one_job_over_two_nodes_makes_the_film")
        test.wait_until("nodes are idle", lambda: test.command("sinfo", "-h", "-o", "%T %D").strip() == "idle 2")
        test.command(PROGRAM, test.job_file("undisturbed"))
        cls.reference = frame_hashes(test.film("undisturbed"))

    @classmethod
    def daemon(cls, host, *words):
        with open(cls.folder / "slurm/daemons.log", "ab") as log:
            daemon = subprocess.Popen(host.command(words, cls.env), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        cls.addClassCleanup(daemon.wait)
        cls.addClassCleanup(daemon.kill)  # of nsenter; the daemon itself goes with the test's namespaces

    def command(self, *words):
        """On the first host; what it printed."""
        done = subprocess.run(self.hosts.all[0].command(words, self.env), stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def wait_until(self, what, true, timeout_s=60):
        deadline = time.monotonic() + timeout_s
        while not true():
            if time.monotonic() > deadline:
                logs = [*(self.folder / "slurm").glob("*.log"), *self.folder.glob("*.out")]
                self.fail(f"{what}: not within {timeout_s} s\n{self.command('squeue')}" +
                          "".join(f"== {path.name}\n{path.read_text(errors='replace')}" for path in logs))
            time.sleep(0.2)

    def film(self, name):
        return self.folder / name / "final/film_pitchOK.mkv"

    def job_file(self, name):
        path = self.folder / f"{name}.ini"
        path.write_text(self.command(*self.job(name, **SMALL_FILM), "--print-config"))
        return path

    def submit(self, name, script, *options):
        """sbatch as a user would call it, but for what this cluster is smaller in; the job's number."""
        said = self.command("sbatch", "--cpus-per-task=1", f"--output={self.folder}/{name}-%j.out", *options,
                            SOURCE / "scripts/slurm" / script, self.job_file(name))
        return re.fullmatch(r"Submitted batch job ([0-9]+)\n", said).group(1)

    def output(self, name):
        return "".join(path.read_text() for path in sorted(self.folder.glob(f"{name}-*.out")))

    def fields(self, job):
        """What Slurm tells of a job, of each task of an array."""
        return [dict(re.findall(r"(\w+)=(\S*)", line)) for line in
                self.command("scontrol", "--oneliner", "show", "job", job).splitlines()]

    def wait_for_state(self, job, state, timeout_s=60):
        self.wait_until(f"job {job} {state}", lambda: all(f["JobState"] == state for f in self.fields(job)), timeout_s)

    def assert_made(self, name, job):
        self.wait_for_state(job, "COMPLETED")
        self.assertEqual(frame_hashes(self.film(name)), self.reference, self.output(name))

    def test_one_job_over_two_nodes_makes_the_film(self):
        job = self.submit("one", "one-job.sbatch", "--ntasks-per-node=1", "--gpus-per-node=0")
        self.assert_made("one", job)
        self.assertIn("2 of 2 ranks upscale", self.output("one"))
        self.assertEqual(self.fields(job)[0]["NodeList"], "host[1-2]")

    def test_a_job_whose_time_is_over_finishes_its_segments_and_goes_on_when_it_is_its_turn_again(self):
        job = self.submit("over", "one-job.sbatch", "--ntasks-per-node=1", "--gpus-per-node=0")
        segments = self.folder / "over/segments"
        self.wait_until("a segment is committed", lambda: list(segments.glob("*.h5")))
        self.command("scancel", "--batch", "--signal=USR1", job)  # as by --signal
        self.wait_for_state(job, "PENDING")
        self.assertEqual(list(segments.glob("*.part")), [])
        kept = {path: path.stat().st_mtime_ns for path in segments.glob("*.h5")}
        self.assertFalse(self.film("over").exists(), "too late to show anything")
        # Slurm lets it wait two minutes; within a second its nodes would not take it again.
        self.command("scontrol", "update", f"JobId={job}", "StartTime=now+4")
        self.assert_made("over", job)
        self.assertIn("segments are kept", self.output("over"))
        self.assertEqual({path: path.stat().st_mtime_ns for path in kept}, kept)

    def test_an_array_makes_the_film(self):
        job = self.submit("array", "array.sbatch", "--array=1-2", "--gpus=0")
        self.wait_until("both tasks have begun", lambda: len(list(self.folder.glob("array-*.out"))) == 2)
        self.assert_made("array", job)
        self.assertEqual(self.output("array").count("run-until-done: the film is made"), 2, self.output("array"))


if __name__ == "__main__":
    hosts_support.enter()
    unittest.main(verbosity=2)
