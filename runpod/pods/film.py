"""Where a film's figures come from: Film and Rates (cost.py) by vsr-dist, by ffprobe, or from an earlier run's status."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import tempfile

from . import job_file
from .basics import INPUT, USAGE, Failure, last_line, run
from .cost import CHUNK_THREADS, EVEN, SCALE, CostError, Film, Rates, Refused

MODEL = 4                # status of vsr-dist
DRY_RUN_S = 300          # it takes a quarter of a minute
# Bytes a pixel of what is kept, as vsr-dist itself reckons (launcher/planning.cpp): of segments by codec, and of films at
# crf 16, of which chunks are another one; six more halve them.
SEGMENT_BYTES, FILM_BYTES = {"prores": 0.6, "dnxhr": 0.55, "ffv1": 1.3, "png": 3.5, "none": 0}, 0.06


def look(film_path, job_path=None, program=None):
    """Film and rates of a film and its job file: by vsr-dist's --dry-run where there is the program (`program`, or
    vsr-dist in PATH), else by ffprobe. Raises CostError."""
    job = job_values(job_path) if job_path else {}
    program = program or shutil.which("vsr-dist")
    why = ""
    if program:
        status, output, why = dry_run(program, film_path, job_path)
        here_alone = "GPU" in why or "memory do not hold" in why  # what the job wants and this machine lacks is named
        if status == USAGE and not here_alone:
            raise Refused(USAGE, f"{why} (vsr-dist here; where that is of this machine alone, take vsr-dist out of PATH)")
        if status == INPUT or status == MODEL and not here_alone:
            raise Refused(INPUT, why)
        if status == 0:
            return film_of_dry_run(document_of(output), job)
    try:
        return film_of_ffprobe(film_path, job), Rates(failed=why)
    except Refused:
        raise
    except CostError as error:
        raise CostError(f"{error} ({why or 'there is no vsr-dist'})") from None


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
        raise Refused(INPUT, f"film: ffprobe found no picture in {path}: {last_line(complaints) or 'it said nothing'}") from None
    try:
        up, down = map(int, stream["avg_frame_rate"].split("/"))
        seconds = float(stream.get("duration") or found["format"]["duration"])
        rate = up / down
    except (ValueError, LookupError, ZeroDivisionError):
        raise CostError(f"film: ffprobe does not tell how long {path} is") from None
    begin, end = _seconds(job.get("input.start", "0")), _seconds(job.get("input.end", "0"))
    seconds = (min(end, seconds) if end > 0 else seconds) - begin
    if seconds <= 0:
        raise Refused(INPUT, f"job file: nothing of {path} is left by input.start and input.end")
    width, height = int(stream["width"]), int(stream["height"])
    if job.get("preprocess.preset") == "pal-dvd":
        width, height = 1024, 576
    width = _number(job, "preprocess.width", width)
    height = _number(job, "preprocess.height", height)
    crop = re.match(r"(\d+):(\d+):", job.get("preprocess.crop", ""))
    if crop:
        width, height = int(crop[1]), int(crop[2])
    film = Film(frames=max(1, round(seconds * rate)), width=width, height=height,
                network="c32n3" if job.get("model.checkpoint", "embedded") == "embedded" else "c64n7",
                chunk_frames=_number(job, "segment.frames", 480), **_encode_of(job))
    return dataclasses.replace(film, stored_bytes=_stored_bytes(film, job))


def _stored_bytes(film, job):
    """Of segments, chunks and films."""
    segments = SEGMENT_BYTES.get(job.get("segment.codec", "prores"), max(SEGMENT_BYTES.values()))
    films = 1 if job.get("final.fps") == "source" else len(job.get("final.variants", "pitchOK,pitchLOW").split(","))
    films_bytes = (films + 1) * FILM_BYTES * 2 ** ((16 - _number(job, "final.crf", 16)) / 6) * film.final_megapixels * 1e6
    return round(film.frames * (segments * SCALE ** 2 * film.width * film.height + films_bytes))


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
    upscaling, and an encode that waited for upscaling nothing of the encode; nor does the begin or the end of one, where some
    encoders have nothing in hand."""
    cards = [rank["gpu"]["name"] for rank in status.get("ranks", []) if rank.get("gpu")]
    fps = status.get("upscale_fps_mean", -1)
    known_fps = fps > 0 and len(set(cards)) == 1
    core_s = 0.0
    encode = status.get("encode_fps_mean", -1)
    cores = sum(rank["cpus"] for rank in status.get("ranks", []))
    if status.get("in_chunks") and encode > 0 and fps > EVEN * encode and _all_encode(status, cores):
        core_s = cores / encode
    return Rates(gpu=cards[0] if known_fps else "", fps=fps / len(cards) if known_fps else 0, core_s_frame=core_s,
                 source="this film's run")


def _all_encode(status, cores):
    """Whether each of the encoders has made two chunks and has another one."""
    encoded, encoders = status.get("segments_encoded", 0), cores / CHUNK_THREADS
    return encoded >= 2 * encoders and status.get("segments_total", 0) - encoded >= encoders


def measured_by(status):
    """The same as an object of JSON, of what it tells alone; empty where that is something else than it should be."""
    try:
        rates = rates_of_status(status)
    except (AttributeError, LookupError, TypeError):
        return {}
    told = {"gpu": rates.gpu, "fps": rates.fps, "core_s_frame": rates.core_s_frame}
    return {name: value for name, value in told.items() if value}


def with_measured(rates, measured):
    """`rates`, but for what measured_by() tells."""
    if not measured:
        return rates
    known = {name: value for name, value in measured.items() if name in ("fps", "core_s_frame") and value > 0}
    by_run = known | ({"gpu": measured["gpu"]} if "fps" in known else {})
    return dataclasses.replace(rates, source="this film's run", **by_run)


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
        raise Refused(USAGE, f"job file: {text} is no time such as 90, 1:30 or 0:01:30.5") from None
    return seconds
