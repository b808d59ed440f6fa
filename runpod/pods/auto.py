"""The whole of it with nobody there: up, push, run, watch, pull, down.

Note [One pod, many, one]. While film and results are copied all GPUs would wait, and be paid. So the film goes up
through the first pod before there are others, and the films come down through one when the others are gone.

Note [GPUs go first]. What takes long is the encode, and cores without a GPU are cheap. So encoders are rented beside the
pods with a GPU, and these end when all is upscaled and an encoder is at work; a GPU comes back only where there is no
encoder any more, or something is to be upscaled again."""

import signal
import time

from . import limits
from .api import ApiError
from .basics import LIMIT, PODS, Failure, Interrupted, clock, complain, setting, signals, tell
from .files import Transfer
from .fleet import Fleet
from .hardware import CPU, GPU
from .jobs import LASTING, JobFailed, Jobs
from .plan import refuse_films_of_others
from .ssh import Unreachable
from .watch import Watch

MOST_RESTARTS = 4  # of a job on one pod, which vsr-until-done itself did not keep alive


class Auto:
    def __init__(self, session):
        self.session, self.config, self.state = session, session.config, session.state
        self.fleet = Fleet(session)
        self.jobs, self.watching = Jobs(session, self.fleet), Watch(session, self.fleet)
        self.heard, self.restarts = {}, {}  # by rental's name: when it last answered; its job's further starts
        self.online = True  # whether the service answers
        self.begun = False  # whether any job may run
        self.refusal = {}  # by hardware: why there is less of it than is wanted, said already

    # --- the story

    def find(self):
        """What an earlier start has left: what of it is still there is gone on with."""
        self.fleet.adopt()
        self.look()
        for rental in self.state.alive():
            if rental.name in self.fleet.lost:
                complain(f"{rental} {self.fleet.lost[rental.name]}")
            if rental.name in self.fleet.lost or rental.phase == "over":  # which was about to be ended
                self.fleet.end(rental)
        self.begun = any(rental.phase == "working" for rental in self.state.alive())

    def run(self, job):
        self.state.begin()
        signals.limit = lambda: limits.check(self.session)
        self.end_surplus()
        first = self.first_wanted()
        if not self.state.alive() and CPU in first:
            self.fill(CPU, 1)
        if not self.state.alive() and not self.fleet.fill(GPU, 1):
            raise self.fleet.no_capacity()
        if not any(rental.phase == "working" for rental in self.state.alive()):
            self.through_one_pod(lambda transfer: transfer.push(job), first)
        if not (self.begun and self.is_made()):  # before a job has looked, what lies there may be another film
            self.watch()
        refuse_films_of_others(self.config, self.state)  # which may have come since the plan
        self.keep_one()
        films = self.through_one_pod(lambda transfer: transfer.pull(self.config.file("job", "results")), [CPU, GPU])
        if not films:
            raise Failure(PODS, f"the run has no film in {self.config.folder()}/run/final; 'vsr-pods up' and 'status' "
                                "tell more")
        self.state.contents.finished = True
        self.state.save()
        for film in films:
            tell(f"{film}: {film.stat().st_size / 1e9:.2f} GB")

    def first_wanted(self):
        """Note [GPUs go first]: they are not wanted again where an earlier start has upscaled all."""
        return [CPU, GPU] if self.config["encoders", "count"] and self.state.contents.upscaled else [GPU]

    def end_surplus(self):
        """More than the configuration now wants: its counts were made smaller between two starts."""
        for hardware, sort in self.fleet.sorts.items():
            working_first = sorted(self.state.of(hardware), key=lambda rental: (rental.phase != "working", rental.place))
            for rental in working_first[len(sort.places):]:
                tell(f"{rental} is more than is wanted now")
                self.end_now(rental)

    def through_one_pod(self, transfer, hardware):
        """Through any that is ready, or made so; another one, of the first sort that can be had and has not failed, where
        that is lost meanwhile."""
        while True:
            rental = self.until_ready(hardware)
            try:
                return transfer(Transfer(self.session, self.fleet.first(rental)))
            except Unreachable as error:
                self.fleet.replace(rental, str(error))

    def until_ready(self, hardware):
        begun = time.monotonic()
        while True:
            self.round(work=False)
            for rental in self.state.alive():
                if rental.phase in ("ready", "working") and self.fleet.reachable(rental):
                    return rental
            self.replace_silent(begun)
            for each in sorted(hardware, key=self.fleet.has_failed):
                self.fill(each, 0 if self.state.alive() else 1)
            signals.wait(setting("POLL", 15))

    def is_made(self):
        return any((self.jobs.state(rental) or {}).get("done") for rental in self.state.alive())

    def watch(self):
        """Until the film is made."""
        while True:
            states = self.round(work=True)
            if any(state.get("done") for state in states.values()):
                tell("the film is made")
                return
            self.watching.hear(states)
            self.fill_all()
            self.watching.look(states)
            self.end_gpus(states)
            self.end_waiting()
            signals.wait(setting("POLL", 15))

    def fill_all(self):
        """Note [GPUs go first]. Encoders alone can do nothing but what is upscaled; as long as only an earlier start has told
        that there is something, one is enough to see."""
        gpus, encoders, left = self.config.places(), self.config["encoders", "count"], self.watching.segments_left()
        if encoders and left is not None:
            gpus = min(gpus, left)
        self.fill(GPU, gpus)
        if left == 0 and not self.watching.run:
            encoders = min(1, encoders)
        if left == 0 or self.state.of(GPU) or left and not self.watching.only_upscaling_is_left():
            self.fill(CPU, encoders)
        if left == 0 and not self.state.alive():
            self.fill(GPU, 1)

    def end_gpus(self, states):
        """Once all is upscaled; politely, and never the last that work."""
        encoders = [rental for rental in self.state.of(CPU) if states.get(rental.name, {}).get("running")]
        gpus = self.state.of(GPU)
        if self.watching.segments_left() != 0 or not encoders or not gpus:
            return
        spent = sum(rental.dollars(clock.now()) for rental in gpus)
        tell(f"all is upscaled, and {len(encoders)} of {self.config['encoders', 'count']} encoders are at work: ends what has a "
             f"GPU, ${spent:.2f} so far and ${sum(rental.price for rental in gpus):.2f} an hour; encoders cost "
             f"${sum(rental.price for rental in self.state.of(CPU)):.2f} an hour")
        self.end_politely(gpus)

    def end_waiting(self):
        """Encoders, where what is left wants a GPU and none can be had: they cost, and do nothing."""
        encoders, minutes = self.state.of(CPU), self.config["limits", "paused_minutes"]
        waits = encoders and not self.state.of(GPU) and self.watching.only_upscaling_is_left()
        if not waits or self.watching.still() < minutes * 60:
            return
        tell(f"{len(encoders)} encoders have waited for {minutes:g} minutes for a GPU, which cannot be had: ends them; goes on "
             "when there is one")
        self.end_politely(encoders)

    def end_politely(self, rentals):
        for rental in rentals:
            rental.phase = "over"
            self.state.save()
            self.jobs.stop_one(rental, now=True)
            self.end_now(rental)

    def end_now(self, rental):
        """One that is not needed any more. What cannot be ended now is ended later, with all."""
        try:
            self.fleet.end(rental, patience=60)
        except Failure as error:
            if error.status == LIMIT:
                raise
            complain(error)

    def keep_one(self):
        """The cheapest of what has answered last; a cluster is one."""
        late = max(self.heard.values(), default=0) - 2 * setting("POLL", 15)
        alive = sorted(self.state.alive(), key=lambda rental: (self.heard.get(rental.name, 0) < late, rental.price))
        for rental in alive[1:]:
            self.end_now(rental)

    # --- a round of watching

    def round(self, work):
        """Looks at everything once and does what is due; what the jobs tell, by rental's name."""
        limits.check(self.session)
        self.look()
        for rental in [rental for rental in self.state.alive() if rental.name in self.fleet.lost]:
            self.fleet.replace(rental, self.fleet.lost[rental.name])
        self.make_ready()
        self.begun = self.begun or work
        return self.attend() if work else {}

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

    def fill(self, hardware, want):
        """Without encoders it goes on, whatever the service says of them, unless it knows us no more."""
        if not want or not self.online or time.monotonic() - self.fleet.refused[hardware] <= setting("AGAIN", 60):
            return
        why = ""
        try:
            if not self.fleet.fill(hardware, want):
                why = f"no capacity now: {self.fleet.reasons_text()}"
        except Failure as error:
            from_service = isinstance(error, ApiError)
            if hardware == CPU:
                lasting = from_service and error.code in (401, 402, 403)
            else:
                lasting = from_service and not error.may_pass() or not from_service and not self.state.alive()
            if lasting:
                raise
            why = str(error)
            self.fleet.refused[hardware] = time.monotonic()
        if why and why != self.refusal.get(hardware):  # else at every try, for hours
            complain(f"{why}; goes on with {len(self.state.of(hardware))} of {want}{self.fleet.sorts[hardware].plural}, and tries "
                     "again")
        self.refusal[hardware] = why

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
        self.replace_silent()
        return states

    def replace_silent(self, since=0.0):
        """Those that have come up, and from which nothing was heard `since` then; while film or results are copied nobody
        listens."""
        patience = setting("UNREACHABLE", 180)
        for rental in self.state.alive():
            heard = max(since, self.heard.setdefault(rental.name, time.monotonic()))
            # As long as the service cannot be reached either, it is our own line that is cut.
            if rental.phase != "made" and self.online and time.monotonic() - heard > patience:
                self.fleet.replace(rental, f"has not answered for {patience:g} s")

    def check_and_start(self, rental):
        try:
            return self.jobs.check_and_start(rental) if self.fleet.reachable(rental) else ""
        except Unreachable:
            return ""
        except JobFailed as error:
            if self.depends_on(rental):
                raise
            self.fleet.give_up(rental.place)
            return str(error)
        except Failure as error:
            if error.status == LIMIT:
                raise
            return "" if isinstance(error, ApiError) and error.may_pass() else str(error)

    def depends_on(self, rental):
        """Whether what cannot be done there ends the run: not an encoder beside others, or once the run is known."""
        return rental.hardware == GPU or not self.state.of(GPU) and not self.watching.run

    def look_at_job(self, rental, state):
        if state.get("running") or state.get("done"):
            return
        status, said = state.get("status"), state.get("said") or "without a word"
        if status in LASTING and not self.depends_on(rental):
            self.fleet.give_up(rental.place)
            self.fleet.replace(rental, f"cannot do its job: {said}")
            return
        if status in LASTING:
            raise JobFailed(status, f"{rental.name}: the job has failed for good: {advised(said)}")
        self.restarts[rental.name] = self.restarts.get(rental.name, 0) + 1
        if self.restarts[rental.name] > MOST_RESTARTS:
            self.fleet.replace(rental, f"does not keep its job running: {said}")
            return
        complain(f"{rental.name}: the job has ended ({said}): is started again")
        why = self.check_and_start(rental)
        self.heard[rental.name] = time.monotonic()  # however long the check took
        if why:
            self.fleet.replace(rental, why)

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


def advised(said):
    """What vsr-dist says, whose run.dir is ours to choose."""
    what, another, _ = said.partition(" Give another run.dir")
    return f"{what} Give another pods.name for another job" if another else said


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
        if not work.fleet.fill(GPU, session.config.places()) and not session.state.alive():
            raise work.fleet.no_capacity()
        work.fill(CPU, session.config["encoders", "count"])
        want = {hardware: len(session.state.of(hardware)) for hardware in (GPU, CPU)}
        while any(rental.phase in ("asked", "made") for rental in session.state.alive()):
            work.round(work=False)
            for hardware in (GPU, CPU):
                work.fill(hardware, want[hardware])
            signals.wait(setting("POLL", 15) / 3)
        if not session.state.alive():
            raise work.fleet.no_capacity()
    except BaseException:
        signals.deaf = True
        work.fleet.end_all(before)
        raise
    return True
