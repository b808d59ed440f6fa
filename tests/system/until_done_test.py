"""scripts/run-until-done: what ends a run is mended, what cannot be is told, and nothing is left running."""

import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

from film_support import PROGRAM, SMALL_FILM, SOURCE, FilmTest, environment, frame_hashes, run


class UntilDone(FilmTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        run(cls("film").job("undisturbed", **SMALL_FILM), check=True)
        cls.reference = frame_hashes(cls("film").film("undisturbed"))

    def film(self, name="undisturbed"):
        return self.folder / name / "final/film_pitchOK.mkv"

    def command(self, name, *options, program=PROGRAM, **more):
        return [sys.executable, SOURCE / "scripts/run-until-done", "--program", program, *options,
                *self.job(name, **{**SMALL_FILM, **more})[1:]]

    def start(self, name, *options):
        """In the background; (the process, the file of its output)."""
        output = self.folder / f"{name}.txt"
        with open(output, "wb") as file:
            process = subprocess.Popen([str(a) for a in self.command(name, *options)], stdin=subprocess.DEVNULL,
                                       stdout=file, stderr=subprocess.STDOUT,
                                       env=environment(OMPI_MCA_rmaps_base_oversubscribe="1"))
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)  # ends what it started, too
        return process, output

    def programs_of(self, name):
        """Processes that work in a run's directory, but for the script."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdecimal() else []
            except OSError:  # gone meanwhile
                continue
            if f"--run.dir={self.folder / name}".encode() in words and not any(b"until-done" in w for w in words):
                found.append((int(entry.name), Path(os.fsdecode(words[0])).name))
        return found

    def wait_for_record(self, name, output):
        deadline = time.monotonic() + 60
        while not list((self.folder / name / "segments").glob("*.h5")):
            self.assertLess(time.monotonic(), deadline, output.read_text())
            time.sleep(0.02)
        return [pid for pid, program in self.programs_of(name) if program == PROGRAM.name]

    def assert_made(self, name, process, output):
        status = process.wait(timeout=120)
        self.assertEqual(status, 0, output.read_text())
        self.assertEqual(frame_hashes(self.film(name)), self.reference)
        self.assertEqual(self.programs_of(name), [])
        # All of it is in the log too.
        self.assertEqual((self.folder / name / "log/until-done.log").read_text(), output.read_text())
        return output.read_text()

    def test_runs_that_are_killed_or_stand_still_are_started_again_and_make_the_same_film(self):
        # At the same time, since most of it is waiting.
        still = self.start("still", "--stall", "0.05")
        for rank in self.wait_for_record("still", still[1]):
            os.kill(rank, signal.SIGSTOP)
        killed = self.start("killed")
        ranks = self.wait_for_record("killed", killed[1])
        self.assertEqual(len(ranks), 1)
        os.kill(ranks[0], signal.SIGKILL)
        bereft = self.start("bereft", "--ranks", "2")
        ranks = self.wait_for_record("bereft", bereft[1])
        self.assertEqual(len(ranks), 2)
        os.kill(max(ranks), signal.SIGKILL)

        text = self.assert_made("killed", *killed)
        self.assertIn("no film yet (ended by signal 9); starts again in 5 s", text)
        self.assertIn("segments are kept", text)
        self.assertIn("starts again in 5 s", self.assert_made("bereft", *bereft))
        self.assertIn("nothing changed for 0.05 minutes: ends process", self.assert_made("still", *still))

    def test_sigterm_ends_the_run_and_leaves_nothing(self):
        for options in ((), ("--ranks", "2")):
            name = f"termed-{len(options)}"
            process, output = self.start(name, *options)
            self.wait_for_record(name, output)
            process.terminate()
            self.assertEqual(process.wait(timeout=20), 143, output.read_text())
            self.assertEqual(self.programs_of(name), [])
            if not options:  # mpirun lets ranks go on for a second, enough for a film this small
                self.assertFalse(self.film(name).exists())

    def test_sigint_finishes_the_segments_in_hand(self):
        process, output = self.start("asked", "--ranks", "2")
        self.wait_for_record("asked", output)
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(timeout=60), 130, output.read_text())
        self.assertEqual(self.programs_of("asked"), [])
        self.assertFalse(list((self.folder / "asked/segments").glob("*.part")))

    def test_what_no_start_mends_ends_at_once(self):
        for status, words, command in (
                (2, "--fresh is not", self.command("undisturbed", "--fresh")),
                (2, "with cluster.final = central a job that only encodes",
                 self.command("encodes", "--role=encode", cluster__final="central")),
                (2, "above 0", self.command("undisturbed", "--stall", "0")),
                (2, "no host name", self.command("undisturbed", "--hosts", self.host_file("-oProxyCommand=id"))),
                (2, "segment.frame", self.command("undisturbed", segment__frame=3)),
                (2, "run of another job", self.command("undisturbed", stream__overlap=2)),
                (3, "no such file", self.command("no-film", input__file="none.mkv")),
                (4, "none.pth", self.command("no-model", model__checkpoint="none.pth"))):
            result, output = run(command)
            self.assertEqual(result, status, output)
            self.assertIn(words, output)
            self.assertLessEqual(output.count("run-until-done: starts "), 1, output)
            self.assertNotIn("starts again", output)

    def test_a_film_of_other_settings_does_not_count(self):
        # A program that changes nothing: only what lies there can tell. With the same job it is the film, else not.
        idle = self.fake("idle/vsr-dist", f'case "$*" in *--print-config) exec {PROGRAM} "$@";; esac')
        self.assertEqual(run(self.command("undisturbed", program=idle))[0], 0)
        status, output = run(self.command("undisturbed", "--tries", "1", program=idle, final__crf=20))
        self.assertEqual(status, 7, output)

    def test_a_film_that_was_encoded_by_a_job_that_only_encodes_counts_whatever_others_upscale_with(self):
        idle = self.fake("idle/vsr-dist", f'case "$*" in *--print-config) exec {PROGRAM} "$@";; esac')
        other = dict(model__checkpoint="/nowhere/weights.pth", program=idle)
        self.assertEqual(run(self.command("undisturbed", "--role=encode", **other))[0], 0)
        self.assertEqual(run(self.command("undisturbed", "--tries", "1", **other))[0], 7)
        for key in ("final__crf", "segment__frames"):
            self.assertEqual(run(self.command("undisturbed", "--tries", "1", "--role=encode", program=idle, **{key: 20}))[0], 7)
        # Nor does one that finds the film made change by what the others are started again.
        before = (self.folder / "undisturbed/job.ini").read_text()
        run(self.job("undisturbed", **SMALL_FILM, model__checkpoint="/nowhere/weights.pth") + ["--role=encode"], check=True)
        self.assertEqual((self.folder / "undisturbed/job.ini").read_text(), before)
        self.assertEqual(run(self.command("undisturbed", program=idle))[0], 0)

    def fake(self, name, script):
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    def host_file(self, text):
        path = self.folder / "hosts"
        path.write_text(text)
        return path

    def test_a_dead_host_is_left_out_and_no_film_is_no_success(self):
        # mpirun returns 0 and has made nothing, as one that lost a rank may.
        self.fake("bin/ssh", 'echo "$*" >> "$0.log"\ncase "$*" in *dead*) echo no route >&2; exit 255;; esac')
        self.fake("bin/mpirun", 'while [ "$1" != --hostfile ]; do shift; done\ncat "$2" >> "$0.log"\necho "$3 $4" >> "$0.log"')
        hosts = self.host_file("# all\nlocalhost slots=1\nliving slots=2 # two\n\ndead-1 slots = 4\n")
        env = environment(PATH=f"{self.folder / 'bin'}:{os.environ['PATH']}")
        status, output = run(self.command("lost", "--hosts", hosts, "--ranks", "7", "--tries", "2"), env=env)
        self.assertEqual(status, 7, output)
        self.assertEqual(output.count("dead-1 does not answer and is left out: no route"), 2)
        self.assertIn("2 starts in a row brought nothing; the last one: ended with status 0", output)
        started = (self.folder / "bin/mpirun.log").read_text()
        self.assertEqual(started, "localhost slots=1\nliving slots=2\n-n 3\n" * 2)
        asked = sorted((self.folder / "bin/ssh.log").read_text().splitlines())
        self.assertEqual(asked, [f"-o BatchMode=yes -o ConnectTimeout=10 {host} true"
                                 for host in ("dead-1", "dead-1", "living", "living")])
        hosts = self.host_file("dead-1 slots=4\n")
        status, output = run(self.command("lost", "--hosts", hosts, "--ranks-per-host", "2", "--tries", "1"), env=env)
        self.assertEqual(status, 7, output)
        self.assertIn("the last one: no host answers", output)


if __name__ == "__main__":
    unittest.main(verbosity=2)
