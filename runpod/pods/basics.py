"""What the others share: errors with an exit status, words to the user, waiting that a signal ends, child processes."""

import os
import signal
import subprocess
import sys
import time

USAGE, INPUT, STORAGE, PODS, LIMIT = 2, 3, 6, 7, 8  # exit statuses
TICK_S = 0.1
CONSOLE = "https://console.runpod.io"


class Failure(Exception):
    """Ends a command: its exit status and one line (what, where, what to do)."""

    def __init__(self, status, text):
        super().__init__(" ".join(str(text).split()))
        self.status = status


class Interrupted(Exception):
    def __init__(self, number):
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.status = 128 + number
        self.number = number


def setting(name, default):
    """A number that only tests change: intervals, and how long to try again, in seconds."""
    return float(os.environ.get(f"VSR_PODS_{name}_S", default))


class Signals:
    """Signals become Interrupted where somebody waits or asks, never amid a request to the API or a file's writing."""

    def __init__(self):
        self.received, self.heeded, self.deaf = [], 0, False
        self.limit = None  # raises once money or time is over: whatever takes long ends by it, too

    def listen(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # as under nohup
                signal.signal(number, lambda received, _: self.received.append(received))

    def check(self):
        if self.deaf:
            return
        if len(self.received) > self.heeded:
            raise Interrupted(self.received[-1])
        if self.limit:
            self.limit()

    def heed(self):
        """What has come so far is being acted upon; only another one interrupts again."""
        self.heeded = len(self.received)

    def wait(self, seconds):
        end = time.monotonic() + seconds
        while True:
            self.check()
            left = end - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, TICK_S))


signals = Signals()


class Clock:
    """The time by which money is counted and pods are ended. One that is set back while we run lets no time pass twice;
    where the service's own, by which it bills, says otherwise, that one counts."""

    APART_S = 300  # less is of no account

    def __init__(self):
        self.wall, self.monotonic, self.corrected = time.time(), time.monotonic(), False

    def now(self):
        """Seconds of the epoch."""
        since = self.wall + time.monotonic() - self.monotonic
        return since if self.corrected else max(time.time(), since)

    def hear(self, service):
        """What the service's clock says, in seconds of the epoch. After a sleep ours, too, may stand wrong."""
        apart = service - self.now()
        if abs(apart) <= self.APART_S:
            return
        if not self.corrected:
            complain(f"the clock of this machine is {span(abs(apart))} {'behind' if apart > 0 else 'ahead of'} the service's, "
                     "which is gone by; set it")
        self.wall, self.monotonic, self.corrected = service, time.monotonic(), True


clock = Clock()


class Talk:
    """Lines to the terminal, and with the time to a log. A terminal that is gone or a full disk are no reason to leave
    pods alone, so neither is an error. The API key, should the service repeat it, does not get through."""

    def __init__(self):
        self.log, self.secret = None, None

    def clean(self, text):
        return text.replace(self.secret, "***") if self.secret else text

    def write(self, text, stream, end="\n"):
        try:
            print(text, file=stream, flush=True, end=end)
        except UnicodeError:
            print(ascii(text), file=stream, flush=True, end=end)
        except (OSError, ValueError):
            self.turn_away(stream)

    def ask(self, question):
        self.write(question, sys.stdout, end="")

    def line(self, text, stream=None):
        text = self.clean(text)
        self.write(text, stream or sys.stdout)
        try:
            if self.log:
                with open(self.log, "a", encoding="utf-8", errors="backslashreplace") as log:
                    log.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
        except OSError:
            pass

    @staticmethod
    def turn_away(stream):
        """What is left in its buffer goes nowhere."""
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
        except (OSError, ValueError):
            pass


talk = Talk()


def tell(text):
    talk.line(text)


def complain(text):
    talk.line(f"vsr-pods: {text}", sys.stderr)


def pauses(first=1.0, longest=60.0):
    """Growing pauses, spread so that several who wait do not come back at once."""
    pause = setting("PAUSE", first)
    while True:
        yield pause * (0.75 + 0.5 * int.from_bytes(os.urandom(2), "big") / 65535)
        pause = min(2 * pause, longest)


def run(words, timeout=None, stdin=None, show=False):
    """Runs a program: (status, what it printed, its complaints); 255 after `timeout` seconds. In a session of its own,
    since Ctrl-C is for us to act upon: it is ended when a signal comes. `show`: its output is for the user's eyes."""
    output = None if show else subprocess.PIPE
    try:
        child = subprocess.Popen(words, stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE, stdout=output,
                                 stderr=subprocess.PIPE, start_new_session=True)
    except OSError as error:
        raise Failure(USAGE, f"{words[0]}: {error.strerror}; install it") from None
    end = time.monotonic() + (timeout or float("inf"))
    try:
        while True:
            try:
                out, complaints = child.communicate(stdin, timeout=TICK_S)
                return child.returncode, text_of(out), text_of(complaints)
            except subprocess.TimeoutExpired:
                stdin = None
                signals.check()
                if time.monotonic() > end:
                    return 255, "", f"no answer within {timeout:g} s"
    finally:
        finish(child)


def finish(child):
    """Ends it and what it has started, such as rsync's ssh, which would keep our end of a pipe waiting."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if child.poll() is not None:
            return
        os.killpg(child.pid, number)
        try:
            child.communicate(timeout=3)
        except subprocess.TimeoutExpired:
            continue


def text_of(data):
    return (data or b"").decode(errors="replace")


def last_line(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""


def many(count, what):
    """2, "pod" -> 2 pods"""
    return f"{count} {what}{'s' if count > 1 else ''}"


def span(seconds):
    """4200 -> 1 h 10 min"""
    minutes = max(0, round(seconds / 60))
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"
