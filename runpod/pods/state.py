"""What is rented, on disk: written whole before anything is asked of the service and after, so that a client that was
killed at any moment finds its pods again. One client at a time, by a lock."""

import fcntl
import hashlib
import json
import os
import secrets
import threading
from dataclasses import asdict, dataclass, field, fields
from typing import Optional, get_args

from .basics import STORAGE, USAGE, Failure, clock, complain

VERSION = 1
PREFIX = "vsrdist-"


@dataclass
class Rental:
    """A pod or a cluster: what is begun, paid and ended as one. Its name is on disk before it exists."""

    name: str
    kind: str  # pods or clusters: the service's own words, as in its paths
    place: int  # which of [pods] count, or of [encoders]; one that is lost is replaced in its place
    gpu: str  # the service's name of the type; of the processors where there is no GPU
    price: float  # dollars an hour, all of it
    asked: float  # when it was first asked for; the times are seconds of the epoch
    id: Optional[str] = None
    phase: str = "asked"  # then made (it has an id), ready (ssh works), working (its job was started), over (and ended)
    ended: Optional[float] = None
    hardware: str = "gpu"  # or cpu: it only encodes
    twins: float = 0.0  # dollars of what a request has made beside it, whose answer was lost

    def dollars(self, now):
        return self.price / 3600 * max(0.0, (self.ended or now) - self.asked) + self.twins

    def __str__(self):
        return f"{self.name} ({self.id or 'no id yet'}, {self.gpu})"


@dataclass
class Contents:
    version: int = VERSION
    began: float = 0.0  # by a start that found nothing rented; [limits] max_hours counts from here
    batch: int = 0  # of names: vsrdist-<batch>-<number>
    number: int = 0
    finished: bool = False  # the film is fetched: the next start is another run, with its own money
    upscaled: bool = False  # all of it, by what was told last: encoders alone make the film
    results: Optional[str] = ""  # folder into which was fetched last; None: a version that noted none began this run
    told: str = ""  # how the run was, when its jobs told last
    measured: dict = field(default_factory=dict)  # by it: gpu, fps of one, core_s_frame (cost.Rates)
    volume: dict = field(default_factory=dict)  # name, id
    rentals: list = field(default_factory=list)
    failures: dict = field(default_factory=dict)  # by place: rentals that were lost before their job began
    hashes: dict = field(default_factory=dict)  # of local files: size, time, SHA-256
    account: dict = field(default_factory=dict)  # in which it is rented: url, and of the key a salted hash


class State:
    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.path = folder / f"{name}.json"
        self.lock, self.writing = None, threading.Lock()
        self.contents = Contents()
        if self.path.exists():
            self.load()

    def beside(self, ending):
        return self.folder / f"{self.name}{ending}"

    def load(self):
        try:
            stored = json.loads(self.path.read_text())
            if stored["version"] != VERSION:
                raise Failure(USAGE, f"{self.path}: was written by another version of vsr-pods; end its pods with that, or by "
                                     "'vsr-pods reap --older 0'")
            self.contents = Contents(**{"results": None, **stored})
            self.contents.rentals = [Rental(**rental) for rental in self.contents.rentals]
            check(self.contents)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Failure(STORAGE, f"{self.path}: cannot be read ({error}); end what it knew by 'vsr-pods reap --older "
                                   f"0', which tells of volumes, too ({PREFIX}...-{self.name}), then remove the file") from None

    def hold(self):
        """From here on no other client works with this state, until the process ends."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.lock = os.open(self.beside(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(self.lock, 0)
            os.pwrite(self.lock, str(os.getpid()).encode(), 0)
        except BlockingIOError:
            holder = os.pread(self.lock, 20, 0).decode()
            raise Failure(USAGE, f"another vsr-pods (process {holder}) is at work with {self.path}; wait, or end it "
                                 f"by Ctrl-C or 'kill {holder}', whereupon it ends what it has to end") from None
        except OSError as error:
            raise Failure(STORAGE, f"{self.folder}: {error.strerror}; set state.folder to one that can be "
                                   "written") from None
        if self.path.exists():
            self.load()

    def save(self):
        with self.writing:  # jobs are started by several threads
            self.write(self.beside(".json.part"))

    def write(self, part):
        try:
            with open(part, "w") as file:
                json.dump(asdict(self.contents), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self.path)
            folder = os.open(self.folder, os.O_RDONLY)
            os.fsync(folder)
            os.close(folder)
        except OSError as error:
            raise Failure(STORAGE, f"{self.path}: {error.strerror}; nothing is rented that could not be written "
                                   "down") from None

    def begin(self):
        """Before the first of several pods: a new batch of names, and a new run where the last one is finished."""
        contents = self.contents
        if contents.finished:
            contents.rentals = [rental for rental in contents.rentals if not rental.ended]
            contents.finished = False
            self.forget_run()
        if not self.alive():
            contents.began, contents.failures = clock.now(), {}
            contents.batch = int(contents.began)
            contents.number = 100 * secrets.randbelow(900)  # two films may be begun within a second
        self.save()

    def forget_run(self):
        """What its jobs have told."""
        self.contents.upscaled, self.contents.told, self.contents.measured = False, "", {}

    def told_before(self):
        """How the run was, and whether all is upscaled, as far as begin() does not make it another one."""
        return ("", False) if self.contents.finished else (self.contents.told, self.contents.upscaled)

    def next_name(self):
        self.contents.number += 1
        return f"{PREFIX}{self.contents.batch}-{self.contents.number}"

    def note_account(self, url, key):
        """Where something is about to be rented; saved with it."""
        self.contents.account = account_of(url, key)

    def note_results(self, folder):
        self.contents.results = str(folder)
        self.save()

    def differs(self, url, key):
        """With which other key or address what is alive was rented, whose 'not found' does not mean gone; or nothing."""
        known = self.contents.account
        if not known or not self.alive() or is_account(known, url, key):
            return ""
        return "another API key" if known.get("url") == url else f"api.url = {known.get('url')}"

    def alive(self):
        return [rental for rental in self.contents.rentals if not rental.ended]

    def dollars(self):
        """So far, of this run, by the prices asked; over several starts."""
        now = clock.now()
        return sum(rental.dollars(now) for rental in self.contents.rentals)

    def of(self, hardware):
        return [rental for rental in self.alive() if rental.hardware == hardware]

    def dollars_an_hour(self):
        return sum(rental.price for rental in self.alive())


def states_in(folder):
    """Their names."""
    return sorted(path.stem for path in folder.glob("*.json"))


def others_of(state):
    """States of other films beside it."""
    for name in states_in(state.folder):
        if name == state.name:
            continue
        try:
            yield State(state.folder, name)
        except Failure as error:
            complain(error)


def check(contents):
    """Raises TypeError at what is not of its kind: a state that was mended by hand, say."""
    for thing in (contents, *contents.rentals):
        for each in fields(thing):
            value, kinds = getattr(thing, each.name), get_args(each.type) or (each.type,)
            if not isinstance(value, (*kinds, int) if float in kinds else kinds):
                raise TypeError(f"{each.name} is {value!r}")
    inner = [(contents.failures.values(), int), (contents.hashes.values(), list), (contents.account.values(), str),
             ([each.kind in ("pods", "clusters") or each.kind for each in contents.rentals], bool),
             ([contents.volume.get(key, "") for key in ("name", "id")], str), ([contents.volume.get("account", {})], dict)]
    for values, kind in inner:
        for value in values:
            if not isinstance(value, kind):
                raise TypeError(f"{value!r} stands where it should not")


def account_of(url, key):
    """As it is noted: nothing of it gives the key away."""
    salt = secrets.token_hex(8)
    return {"url": url, "salt": salt, "key": hash_of(salt, key)}


def is_account(known, url, key):
    return known == {**known, "url": url, "key": hash_of(known.get("salt"), key)}


def hash_of(salt, key):
    """Short: it tells keys apart, and gives none away."""
    return hashlib.sha256(f"{salt}{key}".encode()).hexdigest()[:8]
