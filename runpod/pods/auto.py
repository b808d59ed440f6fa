"""The whole of it with nobody there: up, push, run, watch, pull, down.

Note [One pod, many, one]. While film and results are copied all GPUs would wait, and be paid. So the film goes up
through the first pod before there are others, and the films come down through one when the others are gone."""

import signal
import time

from . import limits
from .api import ApiError
from .basics import LIMIT, PODS, STORAGE, Failure, Interrupted, clock, complain, setting, signals, span, tell
from .files import Transfer
from .fleet import Fleet
from .jobs import LASTING, JobFailed, Jobs
from .ssh import Unreachable

MOST_RESTARTS = 4  # of a job on one pod, which vsr-until-done itself did not keep alive


class Auto:
    def __init__(self, session):
        self.session, self.config, self.state = session, session.config, session.state
        self.fleet = Fleet(session)
        self.jobs = Jobs(session, self.fleet)
        self.heard, self.restarts = {}, {}  # by rental's name: when it last answered; its job's further starts
        self.online = True  # whether the service answers
        self.begun = False  # whether any job may run
        self.paused_since, self.told, self.said = None, 0.0, ""
        self.furthest = 0  # frames that were upscaled and encoded
        self.advanced, self.warned = None, False  # when they last became more; whether it was said that they do not

    # --- the story

    def find(self):
        """What an earlier start has left: what of it is still there is gone on with."""
        self.fleet.adopt()
        self.look()
        for rental in [rental for rental in self.state.alive() if rental.name in self.fleet.lost]:
            complain(f"{rental} {self.fleet.lost[rental.name]}")
            self.fleet.end(rental)
        self.begun = any(rental.phase == "working" for rental in self.state.alive())

    def run(self, job):
        self.state.begin()
        signals.limit = lambda: limits.check(self.session)
        if not self.state.alive() and not self.fleet.fill(1):
            raise self.fleet.no_capacity()
        if not any(rental.phase == "working" for rental in self.state.alive()):
            self.through_one_pod(lambda transfer: transfer.push(job))
        if not self.is_made():
            self.watch()
        self.keep_one()
        films = self.through_one_pod(lambda transfer: transfer.pull(self.config.file("job", "results")))
        if not films:
            raise Failure(PODS, f"the run has no film in {self.config.folder()}/run/final; 'vsr-pods up' and 'status' "
                                "tell more")
        self.state.contents.finished = True
        self.state.save()
        for film in films:
            tell(f"{film}: {film.stat().st_size / 1e9:.2f} GB")

    def through_one_pod(self, transfer):
        """Through any that is ready, or made so; another one where that is lost meanwhile."""
        while True:
            rental = self.until_ready()
            try:
                return transfer(Transfer(self.session, self.fleet.first(rental)))
            except Unreachable as error:
                self.fleet.replace(rental, str(error))

    def until_ready(self):
        while True:
            self.round(1, work=False)
            for rental in self.state.alive():
                if rental.phase in ("ready", "working") and self.fleet.reachable(rental):
                    return rental
            signals.wait(setting("POLL", 15))

    def is_made(self):
        return any((self.jobs.state(rental) or {}).get("done") for rental in self.state.alive())

    def watch(self):
        """Until the film is made."""
        while True:
            states = self.round(self.config.places(), work=True)
            if any(state.get("done") for state in states.values()):
                tell("the film is made")
                return
            self.look_at_advance(states)
            self.look_at_pause(states)
            self.progress(states)
            signals.wait(setting("POLL", 15))

    def keep_one(self):
        """Of what has answered last; a cluster is one."""
        alive = sorted(self.state.alive(), key=lambda rental: -self.heard.get(rental.name, 0))
        for rental in alive[1:]:
            try:
                self.fleet.end(rental, patience=60)
            except Failure as error:  # the end of all of it ends this one; the film comes first
                if error.status == LIMIT:
                    raise
                complain(error)

    # --- a round of watching

    def round(self, want, work):
        """Looks at everything once and does what is due; what the jobs tell, by rental's name."""
        limits.check(self.session)
        self.look()
        for rental in [rental for rental in self.state.alive() if rental.name in self.fleet.lost]:
            self.fleet.replace(rental, self.fleet.lost[rental.name])
        self.make_ready()
        self.begun = self.begun or work
        states = self.attend() if work else {}
        if self.online and time.monotonic() - self.fleet.refused > setting("AGAIN", 60):
            self.fill(want)
        return states

    def look(self):
        try:
            self.fleet.look()
            self.online = True
        except ApiError as error:
            if not error.may_pass():
                raise
            if self.online:
                complain(f"{error}; goes on without it, and tries again")
            self.online = False
            self.fleet.lost = {}

    def fill(self, want):
        try:
            if not self.fleet.fill(want):
                complain(f"no capacity now: {self.fleet.reasons_text()}; goes on with {len(self.state.alive())} of "
                         f"{want}, and tries again")
        except Failure as error:
            lasting = isinstance(error, ApiError) and not error.may_pass()
            if lasting or not self.state.alive() and not isinstance(error, ApiError):
                raise
            complain(f"{error}; goes on with {len(self.state.alive())} of {want}, and tries again")
            self.fleet.refused = time.monotonic()

    def make_ready(self):
        """Those that were made and have come up."""
        new = [rental for rental in self.state.alive() if rental.phase == "made"]
        for name, answers in self.jobs.of_all(self.jobs.answers, new).items():
            rental = next(rental for rental in new if rental.name == name)
            minutes = self.config["limits", "ready_minutes"]
            if answers:
                rental.phase = "ready"
                self.heard[name] = time.monotonic()
                self.state.save()
                tell(f"{name} is ready")
            elif self.online and clock.now() - rental.asked > minutes * 60:
                self.fleet.replace(rental, f"was not ready within {minutes:g} minutes")

    def attend(self):
        """Checks and starts those that are ready, asks those that work, and ends those that do not answer."""
        ready = [rental for rental in self.state.alive() if rental.phase == "ready"]
        for name, why in self.jobs.of_all(self.check_and_start, ready).items():
            rental = next(rental for rental in ready if rental.name == name)
            if why:
                self.fleet.replace(rental, why)
            elif rental.phase == "working":
                self.heard[name] = time.monotonic()
        working = [rental for rental in self.state.alive() if rental.phase == "working"]
        states = self.jobs.of_all(self.jobs.state, working)
        for rental in working:
            state = states[rental.name]
            if not state:  # no answer, or none that says anything
                del states[rental.name]
            else:
                self.heard[rental.name] = time.monotonic()
                self.look_at_job(rental, state)
        patience = setting("UNREACHABLE", 180)
        for rental in self.state.alive():
            heard = self.heard.setdefault(rental.name, time.monotonic())
            # As long as the service cannot be reached either, it is our own line that is cut.
            if rental.phase != "made" and self.online and time.monotonic() - heard > patience:
                self.fleet.replace(rental, f"has not answered for {patience:g} s")
        return states

    def check_and_start(self, rental):
        try:
            why = self.jobs.check(rental) if self.fleet.reachable(rental) else ""
            if not why and self.fleet.reachable(rental):
                self.jobs.start(rental)
            return why
        except Unreachable:
            return ""
        except JobFailed:
            raise
        except Failure as error:
            if error.status == LIMIT:
                raise
            return "" if isinstance(error, ApiError) and error.may_pass() else str(error)

    def look_at_job(self, rental, state):
        if state.get("running") or state.get("done"):
            return
        status, said = state.get("status"), state.get("said") or "without a word"
        if status in LASTING:
            raise JobFailed(status, f"{rental.name}: the job has failed for good: {said}")
        self.restarts[rental.name] = self.restarts.get(rental.name, 0) + 1
        if self.restarts[rental.name] > MOST_RESTARTS:
            self.fleet.replace(rental, f"does not keep its job running: {said}")
            return
        complain(f"{rental.name}: the job has ended ({said}): is started again")
        why = self.check_and_start(rental)
        if why:
            self.fleet.replace(rental, why)

    def look_at_advance(self, states):
        """As long as the film advances, pods may be lost one after the other."""
        run = newest(states)
        frames = number(run, "frames_upscaled") + number(run, "frames_encoded")
        if frames > self.furthest or run.get("state") == "paused":
            self.advanced, self.warned = time.monotonic(), False
        if frames > self.furthest:
            self.furthest = frames
            self.fleet.replaced.clear()
        self.look_at_standstill()

    def look_at_standstill(self):
        """Nothing is ended for it: a slow encode or a film's joining may take long, too. But somebody should look."""
        self.advanced = self.advanced or time.monotonic()
        still = time.monotonic() - self.advanced
        if self.warned or still < setting("STANDS", 600):
            return
        self.warned = True
        complain(f"no frame more for {span(still)}, and the pods cost all the same: look at 'vsr-pods status --tunnel' and "
                 f"at {self.config.folder()}/log on a pod (ssh -F {self.session.ssh.file} POD); Ctrl-C ends all, and the same "
                 "command goes on")

    def look_at_pause(self, states):
        """A run without room waits; its pods cost all the same."""
        run = newest(states)
        if run.get("state") != "paused":
            self.paused_since = None
            return
        self.paused_since = self.paused_since or time.monotonic()
        minutes = self.config["limits", "paused_minutes"]
        if time.monotonic() - self.paused_since <= minutes * 60:
            return
        try:
            grown = self.fleet.network_volume.grow()
        except ApiError as error:
            if not error.may_pass():
                raise
            self.fleet.strange_words(f"the volume cannot be grown now, which is tried again: {error}")
            return
        if not grown:
            why = run.get("message") or "the volume is full"
            raise Failure(STORAGE, f"the run has paused for {minutes:g} minutes for want of room ({why}); raise "
                                   "volume.grow_to_gb, or make room")
        self.paused_since = None

    def progress(self, states):
        text, now = progress_text(newest(states)), time.monotonic()
        if now - self.told < (setting("STILL", 300) if text == self.said else setting("TELL", 60)):
            return
        self.told, self.said = now, text
        tell(f"{len(states)} of {self.config.places()} at work: {text}, ${self.state.dollars():.2f} of "
             f"${self.config['limits', 'max_usd']:g}")

    # --- the end

    def stop(self, interrupt):
        """After a first Ctrl-C pieces in hand are finished; any other signal may be the machine's shutdown."""
        if not self.begun:
            return
        polite = interrupt.number == signal.SIGINT
        if polite:
            tell("stops the jobs; pieces in hand are finished first, which may take minutes. Ctrl-C once more ends the "
                 "pods at once")
        try:
            self.jobs.stop(now=not polite)
        except Interrupted:
            signals.heed()
        except Failure as error:
            complain(error)


def newest(states):
    """What vsr-dist tells of the run; each pod tells the same, of all jobs."""
    runs = [state["run"] for state in states.values() if isinstance(state.get("run"), dict)]
    return max(runs, key=lambda run: str(run.get("now")), default={})


def number(run, key, default=0):
    value = run.get(key)
    return value if isinstance(value, (int, float)) else default


def progress_text(run):
    total, how = number(run, "frames_total"), str(run.get("state") or "begins")
    if total <= 0:
        return how
    # Both stages count, as vsr-dist's own percentage has it.
    stages = [number(run, "frames_upscaled"), *([number(run, "frames_encoded")] if run.get("in_chunks") else [])]
    text = f"{how}, {100 * sum(stages) / (total * len(stages)):.1f}% of {total} frames"
    for name, key in (("upscaled", "upscale_fps"), ("encoded", "encode_fps")):
        if number(run, key) > 0:
            text += f", {run[key]:.3g} fps {name}"
    if number(run, "left_s", -1) >= 0:
        text += f", {span(run['left_s'])} left"
    return text


def auto(session, prepare):
    """Nothing is left rented, however it ends. `prepare` gives the job file, or None where the user wants it not."""
    work = Auto(session)
    work.fleet.refuse_strange()
    try:
        work.find()
        job = prepare()
        if job:
            work.run(job)
    except Interrupted as interrupt:
        signals.heed()
        work.stop(interrupt)
        raise
    finally:
        signals.deaf = True
        try:
            work.fleet.end_all()
        finally:
            signals.limit = None
            tell_of_volume(session)


def tell_of_volume(session):
    """One that vsr-pods made; without an id it was asked for, and no answer was read."""
    volume = session.state.contents.volume
    if volume:
        tell(f"the volume {volume['name']} {'stays' if volume.get('id') else 'may have been made'}, and costs money until "
             "'vsr-pods down --volume'")


def tell_of_rented(session):
    alive = session.state.alive()
    if alive:
        tell(f"still rented: {', '.join(map(str, alive))}, ${session.state.dollars_an_hour():.2f} an hour until 'vsr-pods down'")


def up(session, prepare):
    """Makes what is missing of the pods and waits until they are ready; whether the user wanted that. What it has made
    it ends if it fails; what was there before it names."""
    work = Auto(session)
    work.fleet.refuse_strange()
    try:
        return make_all(session, work, prepare)
    except BaseException:
        tell_of_rented(session)
        tell_of_volume(session)
        raise


def make_all(session, work, prepare):
    work.find()
    if not prepare():
        return False
    session.state.begin()
    before = {rental.name for rental in session.state.alive()}
    try:
        if not work.fleet.fill(session.config.places()) and not session.state.alive():
            raise work.fleet.no_capacity()
        want = len(session.state.alive())
        while any(rental.phase in ("asked", "made") for rental in session.state.alive()):
            work.round(want, work=False)
            signals.wait(setting("POLL", 15) / 3)
        if not session.state.alive():
            raise work.fleet.no_capacity()
    except BaseException:
        signals.deaf = True
        work.fleet.end_all(before)
        raise
    return True
