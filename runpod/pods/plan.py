"""What is told and looked at before anything is rented: the film, hours and money, the volume, what can be had."""

import math
import os

from . import catalogue, cost, film as films, room
from .api import ApiError
from .basics import PODS, USAGE, Failure, complain, many, signals, tell
from .reap import left_over, words_of
from .state import others_of
from .volume import Volume

# A member is refused (409) when it would delete itself.
CLUSTER = "; a cluster has no deadline of its own: nothing but vsr-pods ends it, or you at the console"


def prices_of(entries, config):
    cloud = config["pods", "cloud"].lower()
    told = {gpu["id"]: gpu["price"].get(cloud) for gpu in entries if isinstance(gpu.get("price"), dict)}
    return {name: price for name, price in told.items() if price and isinstance(price, (int, float))}


def refuse_films_of_others(config, state):
    """Whose names are the same."""
    results, known = config.file("job", "results"), state.contents.results
    same = known and os.path.realpath(known) == os.path.realpath(results)  # by whichever way
    if known is not None and not same and any((results / "final").glob("*")):
        raise Failure(USAGE, f"job.results {results}: there are films that pods.name = {config['pods', 'name']} has not fetched; "
                             "name another folder")


def check_results(config, state):
    """They come last, when all is paid for."""
    results = config.file("job", "results").absolute()
    refuse_films_of_others(config, state)
    there = next(path for path in (results, *results.parents) if path.exists())
    if not there.is_dir():
        raise Failure(USAGE, f"job.results {results}: {there} is a file; name a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise Failure(USAGE, f"job.results {results}: nothing can be written into {there}; name another folder")


# Of the job: there is nothing in it that a pod which only encodes could do.
NOT_APART = {"segment.codec": "none", "final.encoder": "copy", "cluster.final": "central", "cluster.encoders": "0"}


def check_job(config, job):
    for key, value in NOT_APART.items():
        if config["encoders", "count"] and job.values.get(key) == value:
            raise Failure(USAGE, f"encoders.count: {job.path} has {key} = {value}, with which nothing is encoded apart; set "
                                 "encoders.count = 0, or change the job")


def encoders_of(config, offers):
    """What the estimate has to know of them: as what can be had first, else as the table says, else of the highest price;
    None without encoders."""
    if not config["encoders", "count"]:
        return None
    flavor = offers[0].name if offers else config["encoders", "flavors"][0]
    price = offers[0].price if offers else None if flavor in cost.known()["cpus"] else config["encoders", "max_price"]
    return cost.encoders(flavor, config["encoders", "count"], config["encoders", "vcpus"], price)


def gpus_to_be_had(entries, config, center, not_needed):
    """(offers, why not the others)."""
    try:
        return catalogue.offers(entries, config, center)
    except Failure as error:
        if not not_needed:
            raise
        complain(error)
        return [], {}


def encoders_to_be_had(api, config, center):
    """(offers, why not the others); a catalogue that fails now ends nothing that would go on without encoders."""
    if not config["encoders", "count"]:
        return [], {}
    try:
        return catalogue.encoder_offers(api, config, center)
    except ApiError as error:
        if error.code in (401, 402, 403):
            raise
        complain(f"{error}; goes on without encoders until it answers; set encoders.count = 0 to do without them")
        return [], {}


def tell_cost(config, job, gpus, prices, encoders, chosen=None, there=True, measured=None):
    """The table, by what was `measured` on this film (state.Contents) where anything was; and whether the limits are below what it says of the chosen type, without encoders where none are
    `there`. (The film, the estimate of the chosen type without encoders), or None for what is not known."""
    check_job(config, job)
    count = config["pods", "gpus_per_pod"] * config["pods", "count"]
    known = [gpu for gpu in gpus if gpu in cost.known()["gpus"]]
    film = alone = None
    try:
        film, rates = films.look(job.film, job.path)
        rates = films.with_measured(rates, measured)
        signals.check()
        for line in cost.table(film, rates, known or None, sorted({1, count}), prices, advise=not encoders):
            tell(line)
        for line in cost.encoder_table(film, rates, known, count, encoders, prices) if encoders else []:
            tell(line)
        if chosen in known:
            alone = cost.estimate(film, chosen, count, prices.get(chosen), rates=rates)
            tell_limits(config, alone, encoders and there and cost.with_encoders(film, alone, encoders, rates))
    except cost.Refused as error:
        raise Failure(error.status, error) from None
    except cost.CostError as error:
        tell(f"no estimate of hours and money: {error}")
    return film, alone


def tell_limits(config, alone, shared):
    """Whether what is estimated, of GPUs alone or `shared` with encoders, is more than the limits, or pods end before."""
    one, hours, dollars = shared or alone, config["limits", "max_hours"], config["limits", "max_usd"]
    if one.hours > hours or one.dollars > dollars:
        tell(f"NOTE: by this the film takes {one.hours:.1f} hours and ${one.dollars:.2f}, more than limits.max_hours "
             "or max_usd: everything would be ended before it is made, to go on with later")
    elif shared:  # each pod's own deadline is reckoned as if all stayed until then (limits.deadline)
        start, encoders = cost.known()["overhead_h"], shared.encoders
        both = alone.price + encoders.pods * encoders.price
        most = alone.price + encoders.pods * config["encoders", "max_price"]
        wanted = max(most * shared.gpu_h, alone.price * start + both * (shared.hours - start))
        if dollars < wanted:
            tell(f"NOTE: by their deadlines pods end themselves before the film is made, as those are reckoned as if all were "
                 f"paid until then; set limits.max_usd to {math.ceil(wanted)} or more")


def tell_of_unknown(session):
    """What is rented by a state that was lost, say: it costs, too."""
    known = {rental.name for state in (session.state, *others_of(session.state)) for rental in state.contents.rentals}
    for kind, each in left_over(session.api, 0)[0]:
        if each["name"] not in known:
            complain(f"{each['name']} ({', '.join(filter(None, words_of(kind, each)))}) is rented, too, and known to no state in "
                     f"{session.state.folder}; unless another vsr-pods is at work with it, 'vsr-pods reap --older 0' ends it, and all "
                     "others, after asking")


def tell_volume(session, job, film, volume):
    """Its size and what it costs; that of one which is to be made is settled here."""
    config, least = session.config, room.needed(job, film)
    if volume:
        gb, key = volume["size"], f"volume {volume['id']}"
        tell(f"the network volume {volume['id']} in {volume['dataCenter']}: {room.words(gb, volume.get('type', 'STANDARD'))}")
        if not config["volume", "id"] and not session.state.contents.volume:
            tell(f"NOTE: {volume.get('name')} is found by its name, no state here knows it; where it is another film's, whose folder "
                 "is elsewhere, set another pods.name")
    else:
        gb, key = room.size(config, job, film), "volume.create_gb"
        config.values["volume", "create_gb"] = gb
        would = "would be" if session.options.dry_run else "will be"
        tell(f"a network volume in {config['volume', 'data_center']} {would} made: "
             f"{room.words(gb, config['volume', 'type'])}, used or not, until 'vsr-pods down --volume'")
    if remark := room.remark(gb, least, key, config["volume", "grow_to_gb"], bool(volume)):
        tell(remark)


def plan(session, job):
    """Tells what would be rented, of what, for how much; nothing is rented by it."""
    config, api = session.config, session.api
    if config["pods", "image"].startswith("OWNER/"):
        raise Failure(USAGE, f"{config.path}: pods.image is still the example's; name the image that you made and pushed "
                             "(docs/image.md)")
    check_results(config, session.state)
    tell_of_unknown(session)
    volume = Volume(session).there()
    if not volume:
        catalogue.check_data_center(api, config)
    center = volume["dataCenter"] if volume else config["volume", "data_center"]
    entries = catalogue.gpus(api, config)
    encoders, prices = encoders_to_be_had(api, config, center), prices_of(entries, config)
    told, upscaled = session.state.told_before()
    encoders_alone = encoders[0] and upscaled and session.options.command == "auto"  # 'up' rents both sorts, as ever
    offers, reasons = gpus_to_be_had(entries, config, center, encoders_alone)
    film, alone = tell_cost(config, job, [*(offer.name for offer in offers), *reasons], prices, encoders_of(config, encoders[0]),
                            offers[0].name if offers else None, bool(encoders[0]), session.state.contents.measured)
    if told:
        tell(f"the run was told to be {told}; hours and money above are those of all of it")
    tell_volume(session, job, film, volume)
    tell_what(center, offers, reasons, config.gpus_of_one())
    if encoders_alone:
        tell_encoders_alone(config, center, *encoders)
        return
    tell_offers(config, center, offers)
    if config["encoders", "count"]:
        tell_encoders(config, center, *encoders, offers[0].price * config.gpus_of_one() * config.places(), alone)


def tell_what(center, offers, reasons, each=1):
    for offer in offers:
        price = f"${offer.price * each:.2f} an hour"
        price = price if offer.told else f"at most {price}, as the service tells none"
        tell(f"{offer.name}: {price}, availability in {center} {offer.availability}")
    for name, why in reasons.items():
        tell(f"{name} {why}")


def tell_encoders(config, center, offers, reasons, gpus_price, alone):
    """`gpus_price`: of all GPUs, an hour; `alone`: what they take without encoders, None where that is not known."""
    tell_what(center, offers, reasons)
    what = many(config["encoders", "count"], "encoder") + f" of {config['encoders', 'vcpus']} vCPUs"
    if not offers:
        then = f" (then {cost.hours_text(alone.hours)} hours, {cost.dollars_text(alone.dollars)})" if alone else ""
        tell(f"{what}: none can be had in {center} now; goes on without{then}, and tries again")
        return
    price = offers[0].price * config["encoders", "count"]
    tell(f"and, once the film is on the volume, {what} each, the first of these that can be had: "
         f"${price:.2f} an hour in all, ${gpus_price + price:.2f} an hour while both are there; when all is upscaled, what has a "
         "GPU is ended")


def tell_encoders_alone(config, center, offers, reasons):
    """Where an earlier start has upscaled all."""
    tell_what(center, offers, reasons)
    count = config["encoders", "count"]
    tell(f"all is upscaled by what was told last: rents {many(count, 'encoder')} of {config['encoders', 'vcpus']} vCPUs, the first "
         f"of these that can be had: ${offers[0].price * count:.2f} an hour in all; a GPU only where there is none, or something is "
         "to be upscaled again")


def tell_offers(config, center, offers):
    each = config.gpus_of_one()
    if not offers:
        raise Failure(PODS, f"no pod can be had in {center} now; try later, or name other GPUs")
    cluster = config["pods", "kind"] == "cluster"
    each_has = " each" if config["pods", "count"] > 1 else ""
    what = ("an Instant Cluster of " if cluster else "") + many(config["pods", "count"], "pod")
    tell(f"rents {what} with {many(config['pods', 'gpus_per_pod'], 'GPU')}{each_has}, the first of these that can be had: "
         f"${offers[0].price * each * config.places():.2f} an hour in all; at most ${config['limits', 'max_usd']:g} and "
         f"{config['limits', 'max_hours']:g} hours (volume apart)" + (CLUSTER if cluster else ""))
