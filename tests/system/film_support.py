"""What the tests that drive the whole program share. Standard library only."""

import contextlib
import json
import math
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("VSR_PROGRAM", SOURCE / "build" / "vsr-dist"))
CLIP = SOURCE / "tests" / "data" / "reds_demo_000.mkv"

# mpirun as root in a container, more ranks than cores, no ssh: all of no concern on one host.
MPI_ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_plm_rsh_agent": "true",
    "PRTE_ALLOW_RUN_AS_ROOT": "1",
    "PRTE_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
}

# Tests that start ranks can be run with another Open MPI than the one the program was built with.
OTHER_MPI = os.environ.get("VSR_TEST_OPENMPI")
if OTHER_MPI:
    MPI_ENVIRONMENT |= {
        "OPAL_PREFIX": OTHER_MPI,
        "LD_LIBRARY_PATH": f"{OTHER_MPI}/lib",
        "PATH": f"{OTHER_MPI}/bin:{os.environ['PATH']}",
    }

# 14 frames, 64x64, in segments of 4, 4, 4 and 2. By x264, since x265 (3.5) makes other bytes of small pictures now
# and then (docs/roadmap.md).
SMALL_FILM = dict(input__file=CLIP, input__end="0.56", preprocess__width=64, preprocess__height=64, segment__frames=4,
                  stream__overlap=1, stream__max_seq_len=5, final__height=192, final__fps=24, final__encoder="libx264",
                  final__preset="ultrafast", final__params="", final__tune="", final__variants="pitchOK")


def environment(**more):
    return {**os.environ, **MPI_ENVIRONMENT, **more}


def run(arguments, timeout=300, env=None, check=False):
    """Runs a program in a process group of its own; ends the whole group when it is late."""
    process = subprocess.Popen(
        [str(a) for a in arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env=env or environment(),
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        raise AssertionError(f"{arguments[0]} took more than {timeout} s:\n{output}") from None
    if check and process.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, arguments))}: {process.returncode}\n{output}")
    return process.returncode, output


def mpirun(ranks, arguments, **options):
    if ranks == 1:
        return run(arguments, **options)
    launcher = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks)]
    return run(launcher + list(arguments), **options)


def ranks_of(process):
    """Process ids of a start by rank: {0: pid} without mpirun, or what of its children have begun by now."""
    if Path(process.args[0]).name != "mpirun":
        return {0: process.pid}
    ranks = {}
    for entry in Path("/proc").iterdir():
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1]) if entry.name.isdecimal() else 0
            if parent != process.pid:
                continue
            variables = dict(v.partition(b"=")[::2] for v in (entry / "environ").read_bytes().split(b"\0"))
            ranks[int(variables[b"OMPI_COMM_WORLD_RANK"])] = int(entry.name)
        except (OSError, KeyError):  # gone meanwhile, or not a rank
            continue
    return ranks


def is_running(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ffprobe(path, *entries):
    _, text = run(["ffprobe", "-v", "error", "-of", "json", *entries, path], check=True)
    return json.loads(text)


def frame_hashes(path, *filters):
    """MD5 of every decoded picture of the first video stream."""
    arguments = ["ffmpeg", "-v", "error", "-i", path, "-map", "0:v:0", *filters, "-f", "framemd5", "-"]
    _, text = run(arguments, check=True)
    return [line.split(",")[-1].strip() for line in text.splitlines() if not line.startswith("#")]


def luma_means(path):
    """Mean luma of every picture, 0..1."""
    arguments = ["ffmpeg", "-v", "error", "-i", path, "-map", "0:v:0", "-vf", "scale=16:16,format=gray",
                 "-f", "rawvideo", "-"]
    data = subprocess.run([str(a) for a in arguments], capture_output=True, check=True,
                          stdin=subprocess.DEVNULL).stdout
    return [sum(data[i:i + 256]) / 256 / 255 for i in range(0, len(data), 256)]


def samples(path, stream):
    """The first channel of a sound track at 48 kHz, -1..1, starting at time 0 of the film."""
    arguments = ["ffmpeg", "-v", "error", "-i", path, "-map", f"0:a:{stream}", "-af",
                 "aresample=48000:async=1:first_pts=0,pan=mono|c0=c0", "-f", "s16le", "-"]
    data = subprocess.run([str(a) for a in arguments], capture_output=True, check=True,
                          stdin=subprocess.DEVNULL).stdout
    return [int.from_bytes(data[i:i + 2], "little", signed=True) / 32768 for i in range(0, len(data) - 1, 2)]


def loud_stretches(signal_samples, rate=48000, level=0.05, gap_s=0.3):
    """Beginnings, in seconds, of stretches that are louder than `level`."""
    begins, last = [], -math.inf
    for index, value in enumerate(signal_samples):
        if abs(value) > level:
            if index - last > gap_s * rate:
                begins.append(index / rate)
            last = index
    return begins


def dominant_frequency(signal_samples, rate=48000):
    """By upward zero crossings over the middle half: enough for a clean sine."""
    middle = signal_samples[len(signal_samples) // 4: len(signal_samples) * 3 // 4]
    crossings = [i + a / (a - b) for i, (a, b) in enumerate(zip(middle, middle[1:])) if a < 0 <= b]
    return (len(crossings) - 1) * rate / (crossings[-1] - crossings[0])


class FilmTest(unittest.TestCase):
    """A test with a folder of its own and a job to run in it."""

    @classmethod
    def setUpClass(cls):
        for program in ("ffmpeg", "ffprobe"):
            if shutil.which(program) is None:
                raise unittest.SkipTest(f"{program} is not installed")
        if OTHER_MPI and not Path(OTHER_MPI, "bin/mpirun").exists():
            raise unittest.SkipTest(f"no Open MPI in {OTHER_MPI}: tests/support/get-cluster-tools could not fetch it")
        cls.folder = Path(tempfile.mkdtemp(prefix="vsr-system-"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def job(self, name, run_dir=None, **keys):
        """Arguments of the program for a job: section__key=value."""
        run_dir = run_dir or self.folder / name
        arguments = [PROGRAM, f"--run.dir={run_dir}", "--stream.device=cpu"]
        return arguments + [f"--{key.replace('__', '.')}={value}" for key, value in keys.items()]

    def begin(self, name, ranks=1, options=(), **keys):
        """Starts a job in the background; its output goes to `process.output`, a file."""
        words = [str(a) for a in [*self.job(name, **keys), *options]]
        if ranks > 1:
            words = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks), *words]
        output = Path(tempfile.mkstemp(prefix="out-", dir=self.folder)[1])
        with open(output, "wb") as file:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                                       env=environment(), start_new_session=True)
        process.output = output
        self.addCleanup(process.wait)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        """Ends a job that may be over, mpirun's ranks too, which it puts in groups of their own."""
        ranks = ranks_of(process) if process.poll() is None else {}
        for pid in [*ranks.values(), process.pid]:
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def wait_until(self, true, process=None, timeout=120):
        deadline = time.monotonic() + timeout
        while not true():
            if process is not None and process.poll() is not None and not true():
                self.fail(f"it ended with {process.returncode}:\n{process.output.read_text()}")
            self.assertLess(time.monotonic(), deadline, process.output.read_text() if process else "waited in vain")
            time.sleep(0.02)

    def assert_ends(self, process, status=0, timeout=180):
        try:
            found = process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.fail(f"it does not end:\n{process.output.read_text()}")
        output = process.output.read_text(errors="replace")
        self.assertEqual(found, status, output)
        return output

    def assert_one_line_error(self, status, output, expected_status, *words):
        lines = [line for line in output.splitlines() if line.startswith("vsr-dist: ")]
        self.assertEqual(status, expected_status, output)
        self.assertEqual(len(lines), 1, output)
        for word in words:
            self.assertIn(word, lines[0])
