"""Film, job and model to the volume, films back from it: by rsync through a pod, and compared by SHA-256 at the end,
since a network volume was seen to hold other bytes than were written."""

import hashlib
import re
import shlex
import sys
import threading
import time

from .basics import INPUT, PODS, STORAGE, USAGE, Failure, complain, last_line, pauses, run, setting, signals, tell
from .ssh import ANSWER_S, Unreachable

# Of rsync's complaints, which end with the error's number: its words may be of another language, and names are in them, too.
FULL = re.compile(r"No space left on device|Disk quota exceeded|os error 28|\((28|122)\)$", re.MULTILINE)
IO_ERROR = re.compile(r"\(5\)$", re.MULTILINE)
READS = 3  # of a file on the volume, before it counts as one that cannot be read; likewise for writing it
LOST = (10, 12, 20, 30, 35, 255)  # rsync's own statuses for a connection that is gone


class Transfer:
    """Between here and one pod."""

    def __init__(self, session, member):
        self.session, self.member, self.ssh = session, member, session.ssh
        self.folder = session.config.folder()

    def there(self, path):
        return f"{self.member.alias}:{path}"

    def rsync(self, *words):
        """What has arrived is kept after a lost connection, and the rest follows."""
        command = ["rsync", "-s", "--times", "--partial", "-e",
                   " ".join(map(rsync_quoted, self.ssh.command()))]
        if sys.stdout.isatty():
            command.append("--info=progress2")

        more_tries = READS - 1

        def attempt():
            nonlocal more_tries
            status, _, complaints = run([*command, *map(str, words)], show=sys.stdout.isatty())
            if status == 0:
                return
            why = last_line(complaints.split("rsync error:")[0]) or last_line(complaints) or f"rsync: status {status}"
            if FULL.search(complaints):
                raise Failure(STORAGE, f"no room: {why}; make some here, or enlarge the volume at the console")
            if IO_ERROR.search(complaints) and more_tries > 0:  # which a network volume gives now and then
                more_tries -= 1
            elif status not in LOST:
                raise Failure(STORAGE, f"rsync: {why}")
            raise Unreachable(f"{self.member.alias}: {why}")
        self.patiently(attempt)

    def ask(self, words, timeout=ANSWER_S):
        """(status, output, complaints) of a command there."""
        return self.patiently(lambda: self.ssh.ask(self.member, words, timeout))

    @staticmethod
    def patiently(attempt):
        """Once more after a lost connection, until none has come for a while."""
        longest = setting("TRANSFER", 300)
        end = time.monotonic() + longest
        for pause in pauses(2, 30):
            begun = time.monotonic()
            try:
                return attempt()
            except Unreachable as error:
                now = time.monotonic()
                end = now + longest if now - begun > 60 else end  # something went
                if now > end:
                    raise
                complain(f"{error}; goes on in a moment")
            signals.wait(pause)

    def sums(self, paths):
        """SHA-256 of files there, by name; those that are not there are left out, those that cannot be read are a
        failure: a network volume gives an I/O error now and then."""
        words = ["env", "LC_ALL=C", "sha256sum", "--zero", "-b", "--", *paths]
        for number, pause in enumerate(pauses(2), 1):
            _, output, complaints = self.ask(words, timeout=None)
            found = {}
            for line in output.split("\0"):
                digest, _, path = line.partition(" *")
                if path:
                    found[path] = digest
            absent = [line for line in complaints.splitlines() if line.endswith("No such file or directory")]
            if len(found) + len(absent) >= len(paths):
                return found
            others = [line for line in complaints.splitlines() if line not in absent]
            why = f"{self.member.alias}: {last_line(chr(10).join(others)) or 'sha256sum tells nothing'}"
            if number == READS:
                raise Failure(STORAGE, f"{why}, {READS} times; run the same command again, it goes on where it was")
            complain(f"{why}; reads it again")
            signals.wait(pause)

    def make_folders(self):
        folders = [f"{self.folder}/{name}" for name in ("input", "model", "log")]
        status, _, complaints = self.ask(["mkdir", "-p", *folders])
        if status:
            raise Failure(STORAGE, f"{self.member.alias}: {last_line(complaints)}; is the volume full, or its path "
                                   "wrong?")

    def push(self, job):
        self.make_folders()
        begun = bool(self.sums([f"{self.folder}/run/plan.h5"]))
        for source, target in job.files():
            self.send(source, target, begun)
        written = self.session.state.beside(".job.ini")
        written.write_bytes(job.on_volume())
        self.rsync(written, self.there(f"{self.folder}/job.ini"))

    def send(self, source, target, begun):
        """Never over what a run that has `begun` is made of, whose film would be taken for this one's."""
        ours, there = self.sum_here(source), self.sums([target]).get(target)
        if there == ours:
            tell(f"{source.name} is on the volume already")
            return
        if there and begun:
            raise Failure(USAGE, f"{source}: in {self.folder} on the volume is a run of another {source.name}; give another "
                                 "pods.name")
        tell(f"copies {source.name} ({source.stat().st_size / 1e9:.2f} GB) to the volume")
        # Only what is missing of it first; all of it, compared piece by piece, where that did not give the same file.
        for how in ("--append-verify", "--ignore-times"):
            self.rsync(how, source.resolve(), self.there(target))  # a link as such would be left out
            if self.sums([target]).get(target) == ours:
                return
        raise Failure(STORAGE, f"{target}: what lies on the volume is not what was sent, twice; try another volume")

    def sum_here(self, path):
        """SHA-256, remembered as long as size and time are the same."""
        known, status = self.session.state.contents.hashes, path.stat()
        mark = [status.st_size, status.st_mtime_ns]
        key = str(path.absolute())
        if known.get(key, [])[:2] != mark:
            known[key] = [*mark, sum_of(path)]
            self.session.state.save()
        return known[key][2]

    def pull(self, results):
        """Films, report and logs; the names of the films."""
        run_folder, final, logs = f"{self.folder}/run", results / "final", results / "log/pods"
        if self.ask(["test", "-d", run_folder])[0]:
            raise Failure(PODS, f"there is no run in {run_folder} on the volume yet; 'vsr-pods run' begins it, 'vsr-pods "
                                "status' tells how it is")
        try:
            logs.mkdir(parents=True, exist_ok=True)
            self.session.state.note_results(results)
        except OSError as error:
            raise Failure(STORAGE, f"job.results {results}: {error.strerror}; name another folder") from None
        unfinished = "--exclude=*.part"
        self.rsync("--append-verify", "-r", unfinished, "--exclude=/final/making-*", "--include=/final/***", "--exclude=*",
                   self.there(f"{run_folder}/"), results)
        self.rsync("-r", unfinished, "--include=/report/***", "--include=/log/***", "--include=/run.h5", "--exclude=*",
                   self.there(f"{run_folder}/"), results)
        self.rsync("-r", self.there(f"{self.folder}/log/"), logs)
        films = sorted(path for path in final.glob("*") if path.is_file()) if final.is_dir() else []
        there = self.compare({f"{run_folder}/final/{path.name}": path for path in films})
        # An older film that only lies here is none of this run.
        return [path for path in films if path.suffix != ".txt" and f"{run_folder}/final/{path.name}" in there]

    def compare(self, files):
        """Every film, here and there; the sums of those that are there."""
        there = self.sums(list(files)) if files else {}
        for path, here in files.items():
            if there.get(path) not in (None, sum_of(here)):
                self.rsync("--ignore-times", self.there(path), here)
                if sum_of(here) != there[path]:
                    raise Failure(STORAGE, f"{here}: is not what lies on the volume, twice; run 'vsr-pods pull' again")
        return there


def sum_of(path):
    """SHA-256 of a file here; read in a thread, so that a signal is not kept waiting."""
    result = {}

    def read():
        digest = hashlib.sha256()
        try:
            with open(path, "rb") as file:
                while not result.get("over") and (data := file.read(1 << 20)):
                    digest.update(data)
            result["sum"] = digest.hexdigest()
        except OSError as error:
            result["error"] = error
    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        while reader.is_alive():
            reader.join(0.05)
            signals.check()
    finally:
        result["over"] = True
    if "error" in result:
        raise Failure(INPUT, f"{path}: {result['error'].strerror}")
    return result["sum"]


def rsync_quoted(word):
    """rsync splits its -e at spaces, and knows quotes."""
    return shlex.quote(word) if "'" not in word else '"' + word + '"'
