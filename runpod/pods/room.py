"""The network volume's size: what the job takes there, and what a month of it costs.

Prices are the service's of October 2026, for STANDARD volumes; its API tells none."""

import math

from .basics import USAGE, Failure
from .config import AUTO

CHEAPER_FROM_GB, DOLLARS_GB, DOLLARS_GB_MORE = 1000, 0.07, 0.05
LEAST_GB, MOST_GB = 10, 4096  # that there are
SPARE = 1.25  # what mezzanines and films take is known to a quarter or so
USUAL_GB, USUAL_WITHOUT_MEZZANINES_GB = 1160, 200  # of a film of two hours, where nothing here can look at it


def dollars_a_month(gb):
    return DOLLARS_GB * min(gb, CHEAPER_FROM_GB) + DOLLARS_GB_MORE * max(0, gb - CHEAPER_FROM_GB)


def words(gb, kind="STANDARD"):
    return f"{gb} GB, {'some' if kind == 'STANDARD' else 'more than'} ${dollars_a_month(gb):.2f} a month"


def needed(job, film):
    """Gigabytes; 0 where it is not known."""
    if not film or not film.stored_bytes:
        return 0
    sent = sum(source.stat().st_size for source, _ in job.files())
    return max(LEAST_GB, math.ceil(SPARE * (film.stored_bytes + sent) / 1e9))


def usual(job):
    return USUAL_WITHOUT_MEZZANINES_GB if job.values.get("segment.codec") == "none" else USUAL_GB


def size(config, job, film):
    """Of a volume that is to be made."""
    given = config["volume", "create_gb"]
    gb = (needed(job, film) or usual(job)) if given == AUTO else given
    if gb > MOST_GB:
        raise Failure(USAGE, f"volume.create_gb: the job takes some {gb} GB, and volumes have {MOST_GB} at most; segment.codec = none "
                             "in the job file takes far less")
    return gb


def remark(gb, least, key, grow_to_gb=0, there=False):
    """On a size that was given, or nothing; `key`: where it was; `there`: the volume is."""
    if least > max(gb, grow_to_gb):
        how = "enlarge it at the console, or set volume.grow_to_gb" if there else "give more"
        return (f"NOTE: {key}: the job takes up to some {least} GB, more than {max(gb, grow_to_gb)}: the run would pause for want of "
                f"room, and be ended; {how}")
    if least and gb > 2 * least + 20:
        return (f"NOTE: {key}: far more than this job takes, for which {least} GB would be enough (some "
                f"${dollars_a_month(least):.2f} a month)")
    return ""
