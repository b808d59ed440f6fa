"""Hours and money for a film on each GPU type.

    film, rates = look(film_path, job_path)        # by `vsr-dist --dry-run`, else by ffprobe, else CostError
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
import os
import pathlib
import re
import shutil
import tempfile

from . import job_file
from .basics import INPUT, Failure, last_line, run

TABLE = pathlib.Path(__file__).resolve().parents[1] / "gpus.json"
SCALE = 4                # the networks' own
CHUNK_THREADS = 2        # of an encoder, where several work at once
SHORT = 1.3              # several cost so much more than one, as their starts count
EVEN = 1.15              # stages that differ by less limit alike
DRY_RUN_S = 300          # it takes a quarter of a minute


class CostError(Exception):
    """What cannot be estimated, where, and what to do, in a line."""


class NoFilm(CostError):
    """No pod could make anything of it either."""

    status = INPUT


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


def with_encoders(film, one, pods, rates=Rates()):
    """Hours and dollars of the same where the GPUs end when all is upscaled, and so many pods without a GPU, each with a
    job of its own on the same run, encode what is left."""
    kind = known()["cpu_pod"]
    overhead = known()["overhead_h"]
    upscale_h = one.upscale_h + overhead
    core_h = film.frames * encode_core_s(film, rates) / 3600 - one.cores * one.upscale_h
    encode_h = max(0.0, core_h) / (pods * kind["vcpus"]) + overhead
    return upscale_h + encode_h, one.price * upscale_h + pods * kind["price"] * encode_h


def hours_text(hours):
    """0.65, 7.8, 33; without the unit."""
    if hours is None:
        return "?"
    return f"{hours:.2f}" if hours < 1 else f"{hours:.1f}" if hours < 10 else f"{hours:.0f}"


def dollars_text(dollars):
    return f"${dollars:.2f}" if dollars < 10 else f"${dollars:.0f}"


def table(film, rates=Rates(), gpus=None, counts=(1, 4), prices=None, cores=None):
    """Lines of text: a row for each type (of `gpus`, default all), cheapest first, then what limits and what would help.

    `prices`, `cores`: by type, of one GPU; the table's for types that are not in it."""
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
    return lines + _notes(film, rates, rows, set(prices))


def _notes(film, rates, rows, priced):
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
    return lines + _advice(film, rates, rows)


def _advice(film, rates, rows):
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
    pods, kind = 4, known()["cpu_pod"]
    trades = [(*with_encoders(film, row[0], pods, rates), row[0].gpu) for row in rows]
    hours, dollars, gpu = min(trades, key=lambda trade: trade[0] * trade[1])
    if hours < best.hours:
        lines.append(f"one {gpu}, ended when all is upscaled, and then {pods} pods without a GPU ({kind['vcpus']} cores, "
                     f"about ${kind['price']:.2f} an hour each) on the same run: {hours_text(hours)} hours, "
                     f"{dollars_text(dollars)}")
    return lines


# --- where a film's figures come from

def look(film_path, job_path=None, program=None):
    """Film and rates of a film and its job file: by vsr-dist's --dry-run where there is the program (`program`, or
    vsr-dist in PATH), else by ffprobe. Raises CostError."""
    job = job_values(job_path) if job_path else {}
    program = program or shutil.which("vsr-dist")
    why = ""
    if program:
        status, output, why = dry_run(program, film_path, job_path)
        if status == INPUT:
            raise NoFilm(why)
        if status == 0:
            return film_of_dry_run(document_of(output), job)
    try:
        return film_of_ffprobe(film_path, job), Rates(failed=why)
    except CostError as error:
        raise type(error)(f"{error} ({why or 'there is no vsr-dist'})") from None


def dry_run(program, film_path, job_path):
    """(status, output, last complaint). Of a run that is not there yet: one of the job's own here is another one."""
    with tempfile.TemporaryDirectory() as folder:
        words = [str(program), *([str(job_path)] if job_path else []), "--dry-run", "--json",
                 f"--input.file={pathlib.Path(film_path).resolve()}", f"--run.dir={folder}/run"]
        try:
            status, output, complaints = run(words, DRY_RUN_S)
        except Failure as error:
            return None, "", str(error)
    return status, output, last_line(complaints) or "it said nothing"


def document_of(output):
    try:
        return json.loads(output)
    except ValueError as error:
        raise CostError(f"vsr-dist --dry-run --json: is no JSON ({error})") from None


def film_of_dry_run(document, job=None):
    """Film and rates from what `vsr-dist --dry-run --json` prints, and `job` (job_values()) for what it does not tell."""
    try:
        timeline, time = document["timeline"], document.get("time") or {}
        film = Film(timeline["frames"], timeline["width"], timeline["height"], network=document["network"]["name"],
                    chunk_frames=document["plan"]["segment_frames"],
                    stored_bytes=document.get("segments_bytes", 0) + document.get("films_bytes", 0),
                    **_encode_of(job or {}))
        upscaling = time.get("upscaling") or {}
        gpus = time.get("gpus", 0)
        return film, Rates(gpu=time.get("gpu", "") if gpus else "",
                           fps=upscaling.get("fps", 0) / gpus if gpus else 0,
                           core_s_frame=time.get("core_s_frame", 0), source="the dry run here")
    except (AttributeError, LookupError, TypeError) as error:
        raise CostError(f"vsr-dist --dry-run --json: not as expected ({error}); is it another version?") from None


def film_of_ffprobe(path, job):
    """Of a film that ffprobe reads, and `job` (job_values()); filters of the job's own are not looked into."""
    ffprobe = shutil.which("ffprobe")
    if not ffprobe:
        raise CostError("film: neither vsr-dist nor ffprobe is here to look at it; install FFmpeg")
    command = [ffprobe, "-v", "error", "-select_streams", "v:0", "-show_entries",
               "stream=width,height,avg_frame_rate,duration:format=duration", "-of", "json", "file:" + str(path)]
    _, output, complaints = run(command, DRY_RUN_S)
    try:
        found = json.loads(output)
        stream = found["streams"][0]
    except (ValueError, LookupError):
        raise NoFilm(f"film: ffprobe found no picture in {path}: {last_line(complaints) or 'it said nothing'}") from None
    try:
        up, down = map(int, stream["avg_frame_rate"].split("/"))
        seconds = float(stream.get("duration") or found["format"]["duration"])
        rate = up / down
    except (ValueError, LookupError, ZeroDivisionError):
        raise CostError(f"film: ffprobe does not tell how long {path} is") from None
    begin, end = _seconds(job.get("input.start", "0")), _seconds(job.get("input.end", "0"))
    seconds = (min(end, seconds) if end > 0 else seconds) - begin
    width, height = int(stream["width"]), int(stream["height"])
    if job.get("preprocess.preset") == "pal-dvd":
        width, height = 1024, 576
    width = _number(job, "preprocess.width", width)
    height = _number(job, "preprocess.height", height)
    crop = re.match(r"(\d+):(\d+):", job.get("preprocess.crop", ""))
    if crop:
        width, height = int(crop[1]), int(crop[2])
    return Film(frames=max(1, round(seconds * rate)), width=width, height=height,
                network="c32n3" if job.get("model.checkpoint", "embedded") == "embedded" else "c64n7",
                chunk_frames=_number(job, "segment.frames", 480), **_encode_of(job))


def _encode_of(job):
    encoder, preset = job.get("final.encoder", "libx265"), job.get("final.preset", "auto")
    return {"encoder": encoder, "preset": "slow" if (encoder, preset) == ("libx265", "auto") else preset,
            "final_height": 0 if job.get("final.height") == "native" else _number(job, "final.height", 1440)}


def job_values(path):
    """Keys and values of a job file, "section.key": "value"."""
    try:
        return job_file.parse(os.fsdecode(pathlib.Path(path).read_bytes()))[1]
    except OSError as error:
        raise CostError(f"job file: {path}: {error}") from None


def rates_of_status(status):
    """Of a run of this film: what `vsr-dist status RUN --json` says. Ranks with GPUs of several types tell nothing of
    upscaling, and an encode that waited for upscaling nothing of the encode."""
    cards = [rank["gpu"]["name"] for rank in status.get("ranks", []) if rank.get("gpu")]
    fps = status.get("upscale_fps_mean", -1)
    known_fps = fps > 0 and len(set(cards)) == 1
    core_s = 0.0
    encode = status.get("encode_fps_mean", -1)
    if status.get("in_chunks") and encode > 0 and fps > EVEN * encode:
        core_s = sum(rank["cpus"] for rank in status["ranks"]) / encode
    return Rates(gpu=cards[0] if known_fps else "", fps=fps / len(cards) if known_fps else 0, core_s_frame=core_s,
                 source="this film's run")


def _number(job, key, default):
    value = job.get(key, "")
    return int(value) if value.isdigit() else default


def _seconds(text):
    """A job file's time: 90, 1:30, 0:01:30.5."""
    seconds = 0.0
    try:
        for part in text.split(":"):
            seconds = 60 * seconds + float(part)
    except ValueError:
        raise CostError(f"job file: {text} is no time such as 90, 1:30 or 0:01:30.5") from None
    return seconds
