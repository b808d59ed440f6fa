"""Hours and money for a film on each GPU type.

    film, rates = film.look(film_path, job_path)   # by `vsr-dist --dry-run`, else by ffprobe, else CostError
    for line in table(film, rates): print(line)    # a row a type, for 1 and 4 GPUs; what limits; what would help
    one = estimate(film, "NVIDIA L40S", count=4, rates=rates, price=0.86)
    one.hours, one.dollars, one.limit

What is known of the types is in runpod/gpus.json (docs/costs.md tells whence). What knows better replaces it: `prices` and
`price` the live catalogue's, `cores` the pod's own share of its host, `Rates` what was measured on this very film.
All times are hours, all prices dollars an hour for one GPU.
"""

import dataclasses
import functools
import json
import pathlib

from .basics import many

TABLE = pathlib.Path(__file__).resolve().parents[1] / "gpus.json"
SCALE = 4                # the networks' own
CHUNK_THREADS = 2        # of an encoder, where several work at once
SHORT = 1.3              # several cost so much more than one, as their starts count
EXAMPLE = ("cpu5c", 4, 32)  # encoders that are told of where the user names none: flavor, pods, vCPUs of each
EVEN = 1.15              # stages that differ by less limit alike


class CostError(Exception):
    """What cannot be estimated, where, and what to do, in a line."""


class Refused(CostError):
    """No pod could make anything of it either; with the exit status for that."""

    def __init__(self, status, text):
        super().__init__(text)
        self.status = status


@dataclasses.dataclass(frozen=True)
class Film:
    """What of a film and its job costs time."""
    frames: int
    width: int                   # as the network sees it: scaled and cropped
    height: int
    final_height: int = 1440     # 0: the network's own, four times as many lines
    network: str = "c64n7"       # c32n3: the one inside the program
    encoder: str = "libx265"     # copy: nothing is encoded
    preset: str = "slow"
    chunk_frames: int = 480      # that a segment has
    stored_bytes: int = 0        # of segments and films; 0: not known

    @property
    def final_megapixels(self):
        height = self.final_height or SCALE * self.height
        return height * round(height * self.width / self.height / 2) * 2 / 1e6


@dataclasses.dataclass(frozen=True)
class Rates:
    """Measured on this film; 0: not. They replace the table's."""
    gpu: str = ""            # the type that `fps` is of
    fps: float = 0           # frames of the film a second, upscaled by one GPU of it
    core_s_frame: float = 0  # processor time of a frame's encode, seconds
    source: str = ""         # who measured: "the dry run"
    failed: str = dataclasses.field(default="", compare=False)  # why vsr-dist here told nothing


@dataclasses.dataclass(frozen=True)
class Estimate:
    gpu: str
    count: int
    cores: int           # of all pods
    price: float         # of all GPUs, an hour
    upscale_h: float
    encode_h: float      # None: not known
    hours: float         # from the first pod's start to the film; without encode_h at least
    dollars: float       # likewise
    limit: str           # "upscaling", "encoding" or "both"
    source: str          # of the upscaling's rate: "measured" or "estimated"


@dataclasses.dataclass(frozen=True)
class Encoders:
    """Pods without a GPU, which only encode."""
    flavor: str          # the service's id of their processors
    pods: int
    vcpus: int           # of one
    price: float         # of one, an hour

    def __str__(self):
        return f"{many(self.pods, 'encoder')} ({self.flavor}, {self.vcpus} vCPUs, ${self.price:.2f} an hour each)"


@dataclasses.dataclass(frozen=True)
class Shared:
    """An estimate with encoders."""
    gpu: str
    encoders: Encoders
    gpu_h: float         # after which the GPUs are ended
    hours: float         # till the film is made
    dollars: float       # for all of both


@functools.cache
def known(path=TABLE):
    """gpus.json as it stands."""
    return json.loads(pathlib.Path(path).read_text(encoding="utf-8"))


def film_fps(film, gpu, rates=Rates()):
    """Frames of the film a second that one GPU upscales, and whether that is "measured" or "estimated"."""
    gpus, reference = known()["gpus"], known()["reference"]
    if gpu not in gpus:
        raise CostError(f"GPU type: {gpu} is not in {TABLE.name}; it knows {', '.join(gpus)}")
    one = gpus[gpu]
    if rates.fps > 0 and rates.gpu in gpus:
        source = "measured" if rates.gpu == gpu else one["source"]
        return rates.fps * one["rate"] / gpus[rates.gpu]["rate"], source
    if film.network not in reference["networks"]:
        raise CostError(f"network: how fast {film.network} is has not been measured; known are "
                        f"{', '.join(reference['networks'])}; --dry-run of vsr-dist on a GPU tells")
    size = reference["width"] * reference["height"] / (film.width * film.height)
    return reference["networks"][film.network] * reference["film_share"] * size * one["rate"], one["source"]


def encode_core_s(film, rates=Rates()):
    """Seconds of one core for a frame's encode; None: not known."""
    if film.encoder == "copy":
        return 0.0
    if rates.core_s_frame > 0:
        return rates.core_s_frame
    megapixel = known()["encode"]["megapixel_core_s"].get(film.encoder, {}).get(film.preset)
    return megapixel and megapixel * film.final_megapixels


def estimate(film, gpu, count=1, price=None, cores=None, rates=Rates()):
    """Of `count` GPUs of one type. `price`: of one, an hour; `cores`: that come with one. Default: the table's.

    Encoders work beside upscaling, so the slower one of both tells. The start of the pods and the last pieces are in
    `hours` and paid for."""
    fps, source = film_fps(film, gpu, rates)
    one = known()["gpus"][gpu]
    price = one["price"] if price is None else price
    cores = one["vcpus"] if cores is None else cores
    upscale_h = film.frames / (fps * count) / 3600
    core_s = encode_core_s(film, rates)
    encode_h = None
    if core_s is not None:
        encode_h = film.frames * core_s / (cores * count) / 3600
    if core_s:  # no sooner than the last chunk
        encode_h = max(encode_h, min(film.frames, film.chunk_frames) * core_s / CHUNK_THREADS / 3600)
    longer = max(upscale_h, encode_h or 0)
    hours = longer + known()["overhead_h"]
    limit = "upscaling" if upscale_h == longer else "encoding"
    if encode_h and longer < EVEN * min(upscale_h, encode_h):
        limit = "both"
    return Estimate(gpu, count, cores * count, price * count, upscale_h, encode_h, hours, hours * price * count, limit,
                    source)


def encoders(flavor, pods, vcpus, price=None):
    """`price`: of one pod, an hour; the table's for None, where it knows the flavor."""
    known_as = known()["cpus"].get(flavor)
    if price is None and not known_as:
        raise CostError(f"encoders: what {flavor} costs is not known; known are {', '.join(known()['cpus'])}")
    return Encoders(flavor, pods, vcpus, known_as["vcpu_price"] * vcpus if price is None else price)


def with_encoders(film, one, beside, rates=Rates()):
    """The same with pods beside it that only encode, where the GPUs end when all is upscaled. Encoders are rented when the
    film is on the volume, so that both starts follow each other; all cores share the encode. None: the encode is not
    known."""
    overhead, core_s = known()["overhead_h"], encode_core_s(film, rates)
    if core_s is None:
        return None
    gpu_h = one.upscale_h + overhead
    rest_h = max(0.0, film.frames * core_s / 3600 - one.cores * one.upscale_h) / (beside.pods * beside.vcpus)
    last_h = min(film.frames, film.chunk_frames) * core_s / CHUNK_THREADS / 3600
    hours = max(gpu_h, 2 * overhead + max(rest_h, last_h))
    return Shared(one.gpu, beside, gpu_h, hours, one.price * gpu_h + beside.pods * beside.price * (hours - overhead))


def hours_text(hours):
    """0.65, 7.8, 33; without the unit."""
    if hours is None:
        return "?"
    return f"{hours:.2f}" if hours < 1 else f"{hours:.1f}" if hours < 10 else f"{hours:.0f}"


def dollars_text(dollars):
    return f"${dollars:.2f}" if dollars < 10 else f"${dollars:.0f}"


def table(film, rates=Rates(), gpus=None, counts=(1, 4), prices=None, cores=None, advise=True):
    """Lines of text: a row for each type (of `gpus`, default all), cheapest first, then what limits and what would help.

    `prices`, `cores`: by type, of one GPU; the table's for types that are not in it. `advise`: of encoders, too."""
    prices, cores = prices or {}, cores or {}
    asked = list(known()["gpus"]) if gpus is None else list(gpus)
    unknown = [gpu for gpu in asked if gpu not in known()["gpus"]]
    rows = [[estimate(film, gpu, count, prices.get(gpu), cores.get(gpu), rates) for count in counts]
            for gpu in asked if gpu not in unknown]
    if not rows:
        raise CostError(f"GPU types: of none of these is known how fast they are: {', '.join(asked) or '(none)'}")
    rows.sort(key=lambda row: (row[0].dollars, row[0].hours))
    titles = [f"{count} GPU{'' if count == 1 else 's'}, hours" for count in counts]
    lines = [f"{'':<60}" + "".join(f" | {title:^32}" for title in titles).rstrip(),
             f"{'GPU':<47} {'cores':>5} {'$/h':>6}" + f" | {'upscale':>8}{'encode':>8}{'in all':>8} {'$':>7}" * len(counts)]
    for row in rows:
        first = row[0]
        name = first.gpu + (" ~" if first.source == "estimated" else "")
        line = f"{name:<47} {first.cores // first.count:>5} {first.price / first.count:>6.2f}"
        for one in row:
            line += (f" | {hours_text(one.upscale_h):>8}{hours_text(one.encode_h):>8}{hours_text(one.hours):>8}"
                     f" {dollars_text(one.dollars):>7}")
        lines.append(line)
    lines += [f"{gpu}: how fast it is is not known" for gpu in unknown]
    return lines + _notes(film, rates, rows, set(prices), advise)


def _notes(film, rates, rows, priced, advise):
    lines = [f"vsr-dist here could not look at it: {rates.failed}"] if rates.failed else []
    if any(row[0].source == "estimated" for row in rows):
        lines.append("~ how fast this type upscales is estimated, not measured (docs/costs.md)")
    old = [row[0].gpu for row in rows if row[0].gpu not in priced]
    if old:
        dates = sorted({known()["gpus"][gpu]["price_date"] for gpu in old})
        lines.append(f"prices of one GPU as published in {dates[0]}{' to ' + dates[-1] if len(dates) > 1 else ''}, "
                     "cores as usual with one; today's may differ")
    core_s = encode_core_s(film, rates)
    if core_s is None:
        return lines + [f"the encode is not known: {film.encoder}, preset {film.preset}, was not measured; times and "
                        "money are at least these"]
    usual = encode_core_s(film)
    if rates.core_s_frame > 0 and film.encoder != "copy":
        text = f"a frame's encode takes {core_s:.2g} core-seconds, by {rates.source}"
        if usual and usual > EVEN * core_s:
            text += f"; a cloud host took {usual:.2g} for another film: allow for {usual / core_s:.1f} times as long"
        lines.append(text)
    elif core_s > 0:
        lines.append(f"a frame's encode takes {core_s:.2g} core-seconds, as a cloud host took for another film")
    return lines + _advice(film, rates, rows, advise)


def _advice(film, rates, rows, encoders_too):
    best, most = rows[0][0], rows[0][-1]
    if most.dollars > SHORT * best.dollars:
        return [f"a short film: each pod's start takes a quarter of an hour and is paid for, so {most.count} GPUs cost "
                f"{dollars_text(most.dollars)} in place of {dollars_text(best.dollars)} and save "
                f"{(best.hours - most.hours) * 60:.0f} minutes"]
    if max(best.upscale_h, best.encode_h) < known()["overhead_h"]:
        return ["a short film: most of this is the quarter of an hour that a pod takes to start, and that each one costs: more "
                "pods would only cost more"]
    if best.limit == "upscaling":
        return [f"upscaling limits with {best.gpu}: a faster GPU, or more of them, make it shorter"]
    if best.limit != "encoding":
        return []
    idle = 100 * (1 - best.upscale_h / best.encode_h)
    lines = [f"the encoders limit: {best.gpu} would stand idle {idle:.0f}% of the time. More pods make it shorter for about "
             "the same money"]
    if not encoders_too:
        return lines
    trade = min((with_encoders(film, row[0], encoders(*EXAMPLE), rates) for row in rows),
                key=lambda shared: shared.hours * shared.dollars)
    if trade.hours < best.hours:
        lines.append(f"one {trade.gpu}, ended when all is upscaled, and {trade.encoders} ([encoders] in pods.ini): "
                     f"{hours_text(trade.hours)} hours, {dollars_text(trade.dollars)}")
    return lines


def encoder_table(film, rates, gpus, count, beside, prices):
    """Lines for each type that is known, with so many GPUs and these encoders."""
    pairs = [(with_encoders(film, alone, beside, rates), alone)
             for alone in (estimate(film, gpu, count, prices.get(gpu), rates=rates) for gpu in gpus if gpu in known()["gpus"])]
    if not pairs or pairs[0][0] is None:
        return []
    lines = [f"with {beside}; the GPUs end when all is upscaled:",
             f"{f'GPU, {count} of it' if count > 1 else 'GPU':<47} {'GPU hours':>9} {'in all':>8} {'$':>7}"]
    pairs.sort(key=lambda pair: (pair[0].dollars, pair[0].hours))
    for one, alone in pairs:
        name = one.gpu + (" ~" if alone.source == "estimated" else "")
        lines.append(f"{name:<47} {hours_text(one.gpu_h):>9} {hours_text(one.hours):>8} {dollars_text(one.dollars):>7}")
    worse = [one.gpu for one, alone in pairs if one.hours > alone.hours and one.dollars > alone.dollars]
    if worse:
        of = "" if len(worse) == len(pairs) else f" of {', '.join(worse)}"
        lines.append(f"NOTE: with encoders this{of} takes longer and costs more; set encoders.count = 0")
    return lines
