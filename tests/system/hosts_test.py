"""A film over several hosts: each a network namespace with a name, processes and sshd of its own (hosts_support.py)."""

import os
import shutil
import signal
import sys
import unittest

import hosts_support
from film_support import CLIP, SMALL_FILM, SOURCE, frame_hashes

# Seven segments.
FILM = {**SMALL_FILM, "input__end": "0.84", "segment__frames": 3}

# A host that is gone without a word is noticed after some 6 s; Open MPI's own settings take 8 minutes.
NOTICE = {f"{prefix}_MCA_oob_tcp_keepalive_{name}": value for prefix in ("OMPI", "PRTE")
          for name, value in (("time", "3"), ("intvl", "1"), ("probes", "3"))}
END_S = 30  # until everything on all hosts has ended, on a busy machine


class Hosts(hosts_support.HostsTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        test = cls("test_three_hosts_make_the_film_of_one")
        test.assert_ends(test.on(test.hosts.all[0], test.job("undisturbed", **FILM)))
        test.doCleanups()
        cls.reference = test.made("undisturbed")

    def setUp(self):
        for host in self.hosts.all:
            for pid, _ in host.processes():  # of a test that has failed
                os.kill(pid, signal.SIGKILL)
        super().setUp()

    def made(self, name):
        """The bytes of all mezzanines, and the pictures of the film."""
        segments = sorted((self.folder / name / "segments").glob("*.mov"))
        self.assertEqual(len(segments), 7)
        return [path.read_bytes() for path in segments], frame_hashes(self.folder / name / "final/film_pitchOK.mkv")

    def over_all(self, name, *options, **env):
        """mpirun on the first host, over all of them."""
        words = ["mpirun", "--bind-to", "none", "--hostfile", self.hosts.file(), *self.job(name, **FILM), *options]
        return self.on(self.hosts.all[0], words, **env)

    def kill_mpirun(self):
        (launcher, _), = self.hosts.all[0].processes("mpirun", "prterun")
        os.kill(launcher, signal.SIGKILL)

    def records(self, name):
        return {p: p.stat().st_mtime_ns for p in (self.folder / name / "segments").glob("*.h5")}

    def wait_for_record(self, name, process):
        self.wait_until(lambda: self.records(name), process)

    def assert_all_end(self, process):
        """Every program, on every host; mpirun's status may be anything (Open MPI 5: 0 with a host lost)."""
        self.wait_until(lambda: not any(host.processes() for host in self.hosts.all), timeout=END_S)
        return process.wait(timeout=END_S)

    def assert_kept(self, name, kept):
        now = self.records(name)
        self.assertEqual({path: now.get(path) for path in kept}, kept, "a committed segment was made again")
        self.assertEqual(self.made(name), self.reference)

    def assert_goes_on(self, name):
        """The same command again, over all hosts."""
        kept = self.records(name)
        self.assertFalse((self.folder / name / "final/film_pitchOK.mkv").exists(), "too late to show anything")
        self.assertIn("segments are kept", self.assert_ends(self.over_all(name)))
        self.assert_kept(name, kept)

    def test_three_hosts_make_the_film_of_one(self):
        process = self.over_all("three")
        self.assertIn("3 of 3 ranks upscale", self.assert_ends(process))
        self.assertEqual(self.made("three"), self.reference)
        for rank, host in enumerate(self.hosts.all):
            self.assertIn("committed", (self.folder / f"three/log/rank-{rank}.log").read_text(), host.name)
        self.assert_all_end(process)

    def test_kill_9_of_mpirun_leaves_nothing_on_any_host(self):
        process = self.over_all("headless")
        self.wait_for_record("headless", process)
        for host in self.hosts.all:
            self.assertTrue(host.processes(), f"nothing runs on {host.name}")
        self.kill_mpirun()
        self.assert_all_end(process)
        self.assert_goes_on("headless")

    def test_a_cut_link_ends_the_run_on_both_sides_of_it(self):
        process = self.over_all("cut", **NOTICE)
        self.wait_for_record("cut", process)
        self.hosts.all[2].cut()
        self.assert_all_end(process)
        self.hosts.all[2].join()
        self.hosts.wait_for(self.hosts.all[2])
        self.assert_goes_on("cut")

    def test_the_film_is_made_by_those_this_side_of_a_cut_link_before_mpirun_notices(self):
        # The host that is cut off still sees the storage, so what it has in hand may be committed and never told.
        process = self.over_all("apart", "--cluster.patience=5")
        self.wait_for_record("apart", process)
        self.hosts.all[2].cut()
        self.wait_until((self.folder / "apart/final/made-from.txt").exists, process)
        self.assertEqual(self.made("apart"), self.reference)
        self.assertIn("rank 2 on host3 has not been heard of", process.output.read_text())
        self.kill_mpirun()
        self.hosts.all[2].join()
        self.assert_all_end(process)

    def test_the_film_is_finished_without_a_host_that_has_lost_power(self):
        # The last option takes the program, which is the first word of a job.
        words = [sys.executable, SOURCE / "scripts/run-until-done", "--hosts", self.hosts.file(), "--ranks-per-host", "1",
                 "--program", *self.job("bereft", **FILM)]
        process = self.on(self.hosts.all[0], words, **NOTICE)
        self.wait_for_record("bereft", process)
        self.hosts.all[2].off()
        kept = self.records("bereft")
        said = self.assert_ends(process)
        self.assertIn("host3 does not answer and is left out", said)
        self.assertIn("2 of 2 ranks upscale", said)
        self.assert_kept("bereft", kept)
        self.assert_all_end(process)

    def apart_but_for_mpi(self, name):
        """Arguments of a job on hosts of which the first one alone has film and run directory."""
        film = self.folder / "films" / name / "clip.mkv"
        film.parent.mkdir(parents=True)
        for host in self.hosts.all[1:]:
            self.addCleanup(host.off)  # mounts go with it
            for folder in (film.parent, self.folder / name):
                host.private(folder)
        shutil.copy(CLIP, film)
        return self.job(name, **{**FILM, "input__file": film, "cluster__storage": "local"})

    def test_hosts_that_have_nothing_in_common_but_mpi_make_the_same_film(self):
        words = self.apart_but_for_mpi("alone")
        process = self.on(self.hosts.all[0], ["mpirun", "--bind-to", "none", "--hostfile", self.hosts.file(), *words])
        self.assertIn("3 of 3 ranks upscale", self.assert_ends(process))
        self.assertEqual(self.made("alone"), self.reference)
        makers = [(self.folder / "alone/log/rank-0.log").read_text().count("committed")]
        self.assertLess(makers[0], 14, "the others made none of seven segments and chunks")

    def test_with_local_storage_too_a_lost_host_costs_what_it_had_in_hand(self):
        words = self.apart_but_for_mpi("lonely")
        run = [sys.executable, SOURCE / "scripts/run-until-done", "--hosts", self.hosts.file(), "--ranks-per-host", "1",
               "--program", *words]
        process = self.on(self.hosts.all[0], run, **NOTICE)
        self.wait_for_record("lonely", process)
        self.hosts.all[2].off()
        kept = self.records("lonely")
        self.assert_ends(process)
        self.assert_kept("lonely", kept)

    def test_jobs_on_two_hosts_share_a_film(self):
        jobs = [self.on(host, self.job("shared", **FILM)) for host in self.hosts.all[:2]]
        for job in jobs:
            self.assertIn("segment", self.assert_ends(job))
        self.assertEqual(self.made("shared"), self.reference)

    def test_a_job_takes_over_from_one_whose_host_has_lost_power(self):
        words = [*self.job("heir", **FILM), "--cluster.patience=5"]
        lost = self.on(self.hosts.all[1], words)
        self.wait_for_record("heir", lost)
        heir = self.on(self.hosts.all[0], words)
        self.hosts.all[1].off()
        kept = self.records("heir")
        self.assert_ends(heir)
        self.assert_kept("heir", kept)
        # What the dead one has left behind keeps nobody from another film.
        self.assert_ends(self.on(self.hosts.all[0], [*words, "--final.height=256"]))

    def doctor(self, launcher, *options):
        program, *job = self.job("doctor", **FILM)
        return self.on(self.hosts.all[0], [*launcher, program, "doctor", *job, *options])

    def test_the_doctor_names_a_host_that_does_not_see_the_run_directory(self):
        self.hosts.all[2].private(self.folder / "doctor")
        self.addCleanup(self.hosts.all[2].off)  # mounts go with it
        doctor = self.doctor(["mpirun", "--bind-to", "none", "--hostfile", self.hosts.file()])
        said = self.assert_ends(doctor, 6)
        self.assertRegex(said, r"failure +run directory +rank 2 on host3: what rank 0 made in \S+ is not seen here")
        self.assertRegex(said, r"ok +interfaces +rank 1 on host2: eth0 10\.77\.0\.2")

    def test_the_doctor_reaches_hosts_by_ssh_and_names_the_one_that_does_not_answer(self):
        hosts = self.hosts.file()
        self.hosts.all[2].off()
        said = self.assert_ends(self.doctor([], "--hosts", hosts), 7)
        self.assertRegex(said, r"ok +peer host2 ")
        self.assertRegex(said, r"failure +peer host3 ")


if __name__ == "__main__":
    hosts_support.enter()
    unittest.main(verbosity=2)
