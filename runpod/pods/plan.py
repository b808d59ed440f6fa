"""What is told and looked at before anything is rented: the film, hours and money, the volume, what can be had."""

import os

from . import catalogue, cost, room
from .basics import PODS, USAGE, Failure, signals, tell
from .volume import Volume

# A member is refused (409) when it would delete itself.
CLUSTER = "; a cluster has no deadline of its own: nothing but vsr-pods ends it, or you at the console"


def many(count, what):
    return f"{count} {what}{'s' if count > 1 else ''}"


def prices_of(entries, config):
    cloud = config["pods", "cloud"].lower()
    return {gpu["id"]: gpu["price"][cloud] for gpu in entries if (gpu.get("price") or {}).get(cloud)}


def check_results(config):
    """They come last, when all is paid for."""
    results = config.file("job", "results").absolute()
    there = next(path for path in (results, *results.parents) if path.exists())
    if not there.is_dir():
        raise Failure(USAGE, f"job.results {results}: {there} is a file; name a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise Failure(USAGE, f"job.results {results}: nothing can be written into {there}; name another folder")


def tell_cost(config, job, gpus, prices, chosen=None):
    """The table; and whether the limits are below what it says of the chosen type. The film, or None where it could not
    be looked at."""
    count = config["pods", "gpus_per_pod"] * config["pods", "count"]
    known = [gpu for gpu in gpus if gpu in cost.known()["gpus"]]
    film = None
    try:
        film, rates = cost.look(job.film, job.path)
        signals.check()
        for line in cost.table(film, rates, known or None, sorted({1, count}), prices):
            tell(line)
        if chosen in known:
            one = cost.estimate(film, chosen, count, prices.get(chosen), rates=rates)
            if one.hours > config["limits", "max_hours"] or one.dollars > config["limits", "max_usd"]:
                tell(f"NOTE: by this the film takes {one.hours:.1f} hours and ${one.dollars:.2f}, more than limits.max_hours "
                     "or max_usd: everything would be ended before it is made, to go on with later")
    except cost.NoFilm as error:
        raise Failure(error.status, error) from None
    except cost.CostError as error:
        tell(f"no estimate of hours and money: {error}")
    return film


def tell_volume(session, job, film, volume):
    """Its size and what it costs; that of one which is to be made is settled here."""
    config, least = session.config, room.needed(job, film)
    if volume:
        gb, key = volume["size"], f"volume {volume['id']}"
        tell(f"the network volume {volume['id']} in {volume['dataCenter']}: {room.words(gb, volume.get('type', 'STANDARD'))}")
    else:
        gb, key = room.size(config, job, film), "volume.create_gb"
        config.values["volume", "create_gb"] = gb
        would = "would be" if session.options.dry_run else "will be"
        tell(f"a network volume in {config['volume', 'data_center']} {would} made: "
             f"{room.words(gb, config['volume', 'type'])}, used or not, until 'vsr-pods down --volume'")
    if remark := room.remark(gb, least, key):
        tell(remark)


def plan(session, job):
    """Tells what would be rented, of what, for how much; nothing is rented by it."""
    config, api = session.config, session.api
    if config["pods", "image"].startswith("OWNER/"):
        raise Failure(USAGE, f"{config.path}: pods.image is still the example's; name the image that you made and pushed "
                             "(docs/image.md)")
    check_results(config)
    volume = Volume(session).there()
    if not volume:
        catalogue.check_data_center(api, config)
    center = volume["dataCenter"] if volume else config["volume", "data_center"]
    offers, reasons = catalogue.offers(api, config, center)
    prices = prices_of(catalogue.gpus(api, config), config)
    film = tell_cost(config, job, [*(offer.gpu for offer in offers), *reasons], prices, offers[0].gpu if offers else None)
    tell_volume(session, job, film, volume)
    tell_offers(config, center, offers, reasons)


def tell_offers(config, center, offers, reasons):
    each = config.gpus_of_one()
    for offer in offers:
        tell(f"{offer.gpu}: ${offer.price * each:.2f} an hour, availability in {center} {offer.availability}")
    for gpu, why in reasons.items():
        tell(f"{gpu} {why}")
    if not offers:
        raise Failure(PODS, f"no pod can be had in {center} now; try later, or name other GPUs")
    cluster = config["pods", "kind"] == "cluster"
    what = ("an Instant Cluster of " if cluster else "") + many(config["pods", "count"], "pod")
    tell(f"rents {what} with {many(config['pods', 'gpus_per_pod'], 'GPU')} each, the first of these that can be had: "
         f"${offers[0].price * each * config.places():.2f} an hour in all; at most ${config['limits', 'max_usd']:g} and "
         f"{config['limits', 'max_hours']:g} hours (volume apart)" + (CLUSTER if cluster else ""))
