"""How the run is, by what the jobs tell: whether it advances, waits for room, and what is left to be upscaled."""

import time

from . import film as films
from .api import ApiError
from .basics import STORAGE, Failure, complain, setting, span, tell
from .hardware import CPU, GPU


class Watch:
    def __init__(self, session, fleet):
        self.session, self.config, self.state, self.fleet = session, session.config, session.state, fleet
        self.run = {}  # what was told last
        self.paused_since, self.told, self.said = None, 0.0, ""
        self.furthest = 0  # frames that were upscaled and encoded
        self.advanced, self.warned = None, False  # when they last became more; whether it was said that they do not

    def look(self, states):
        self.look_at_advance(states)
        self.look_at_pause(states)
        self.progress(states)

    def hear(self, states):
        """What is kept of it is for the next start, which may have nobody to ask."""
        self.run = newest(states) or self.run
        upscaled = self.segments_left() == 0
        if upscaled != self.state.contents.upscaled:
            self.state.contents.upscaled = upscaled
            self.state.save()

    def segments_left(self):
        """To be upscaled; None as long as that is not known. An earlier start's word counts until somebody tells of the run,
        or might have by now."""
        if not self.run:
            return 0 if self.state.contents.upscaled and self.still() < setting("STANDS", 600) else None
        total = number(self.run, "segments_total")
        return max(0, int(total - number(self.run, "segments_upscaled"))) if total > 0 else None

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
        still = self.still()
        if self.warned or still < setting("STANDS", 600):
            return
        self.warned = True
        complain(f"no frame more for {span(still)}, and the pods cost all the same: look at 'vsr-pods status --tunnel' and "
                 f"at {self.config.folder()}/log on a pod (ssh -F {self.session.ssh.file} POD); Ctrl-C ends all, and the same "
                 "command goes on")

    def only_upscaling_is_left(self):
        """All that is upscaled is encoded."""
        return bool(self.segments_left()) and number(self.run, "segments_encoded") >= number(self.run, "segments_upscaled")

    def still(self):
        """Seconds since the film has advanced."""
        self.advanced = self.advanced or time.monotonic()
        return time.monotonic() - self.advanced

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
        run, now = newest(states), time.monotonic()
        told = progress_text(run or self.run) + ("" if run or not self.run else " when last told")
        text = f"{self.at_work(states)} at work: {told}"
        if now - self.told < (setting("STILL", 300) if text == self.said else setting("TELL", 60)):
            return
        self.told, self.said = now, text
        self.note(run)
        tell(f"{text}, ${self.state.dollars():.2f} of ${self.config['limits', 'max_usd']:g}")

    def note(self, run):
        """For the plan of a later start."""
        if not run:
            return
        contents = self.state.contents
        contents.told = progress_text({**run, "left_s": -1})
        contents.measured = {**contents.measured, **films.measured_by(run)}  # the last chunks tell of no encode any more
        self.state.save()

    def at_work(self, states):
        encoders = [rental for rental in self.state.of(CPU) if rental.name in states]
        gpus = f"{len(states) - len(encoders)} of {self.config.places()}"
        if not self.config["encoders", "count"]:
            return gpus
        alone = self.segments_left() == 0 and not self.state.of(GPU)
        return ("" if alone else f"{gpus} with a GPU and ") + f"{len(encoders)} of {self.config['encoders', 'count']} encoders"


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


