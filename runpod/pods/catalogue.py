"""Which of the GPUs, and of the processors for encoders, that the user would take can be had now, and for how much."""

import difflib
import urllib.parse
from dataclasses import dataclass

from .api import ApiError
from .basics import LIMIT, USAGE, Failure, setting


@dataclass
class Offer:
    name: str  # the service's id
    price: float  # dollars an hour for one GPU, or for a pod without one
    availability: str
    told: bool = True  # False: the service tells no price, and this is the most that it may be


def gpus(api, config):
    """The catalogue's entries, for pods of so many GPUs."""
    product = "CLUSTER" if config["pods", "kind"] == "cluster" else "POD"
    query = urllib.parse.urlencode({"include": "AVAILABILITY", "product": product,
                                    "count": config["pods", "gpus_per_pod"]})
    return [gpu for gpu in objects_of(api, "gpus", query) if isinstance(gpu.get("id"), str)]


def objects_of(api, key, query, patience=None):
    """Of a catalogue's answer; what is no list of objects may be another one the next time."""
    path = f"/catalog/{key}"
    found = api.request("GET", f"{path}?{query}", patience=patience).get(key)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ApiError("GET", path, 0, f"the answer has no {key}")
    return found


def cpus(api, config):
    """The catalogue's entries, for pods of so many vCPUs."""
    query = urllib.parse.urlencode({"include": "AVAILABILITY", "product": "POD", "vcpuCount": config["encoders", "vcpus"]})
    # It goes on without them, so nothing waits long.
    listed = objects_of(api, "cpus", query, patience=setting("LOOK", 20))
    return [cpu for cpu in listed if isinstance(cpu.get("id"), str)]


def offers(entries, config, data_center):
    """(what can be had of gpus(), in the user's order; why the others cannot). Raises when nothing ever could be."""
    known = {key.lower(): gpu for gpu in entries for key in (gpu.get("name"), gpu["id"]) if isinstance(key, str)}
    return choose("pods.gpus", config["pods", "gpus"], known, "GPUs; 'vsr-pods cost' lists them",
                  lambda gpu: judge(gpu, config, data_center))


def encoder_offers(api, config, data_center):
    """The same of pods without a GPU."""
    known = {cpu["id"].lower(): cpu for cpu in cpus(api, config)}
    return choose("encoders.flavors", config["encoders", "flavors"], known, f"processors, which are {', '.join(known)}",
                  lambda cpu: judge_cpu(cpu, config, data_center))


def choose(key, wanted, known, whose, judge_one):
    """`judge_one` gives (offer, why it cannot be had or nothing) of an entry."""
    found, reasons, unknown = [], {}, {}
    for name in wanted:
        entry = known.get(name.lower())
        if entry is None:
            near = difflib.get_close_matches(name.lower(), known, 1, 0.4)
            what, _, hint = whose.partition("; ")
            unknown[name] = f"is not among the service's {what}" + (
                f"; did you mean {known[near[0]]['id']}?" if near else f"; {hint}" if hint else "")
            continue
        try:
            offer, why = judge_one(entry)
        except (AttributeError, KeyError, TypeError, ValueError):
            offer, why = None, "is told of in words that cannot be used"
        if why:
            reasons[entry["id"]] = why
        else:
            found.append(offer)
    if len(unknown) == len(wanted):
        raise Failure(USAGE, f"{key}: " + " ".join(f"{name} {why}" for name, why in unknown.items()))
    if not found and all("max_price" in why for why in reasons.values()):
        said = "; ".join(f"{name} {why}" for name, why in reasons.items())
        raise Failure(LIMIT, f"nothing is rented: {said}; raise it or name others")
    if not found and all(why.startswith("comes ") or "max_price" in why for why in reasons.values()):
        said = "; ".join(f"{name} {why}" for name, why in (reasons | unknown).items())
        raise Failure(USAGE, f"{key}: none of these can ever be had: {said}; change that or name others")
    return found, reasons | unknown


def check_data_center(api, config):
    """Before a volume is made there: whether there is such a one, with volumes of that type."""
    wanted, kind = config["volume", "data_center"], config["volume", "type"]
    try:
        answer = api.request("GET", "/catalog/datacenters", patience=setting("LOOK", 20))
    except ApiError:
        return  # what is wrong with the service or the key is told by the next request
    listed = {str(each["id"]): each for each in answer.get("dataCenters") or [] if isinstance(each, dict) and each.get("id")}
    if listed and wanted not in listed:
        near = difflib.get_close_matches(wanted.upper(), listed, 1, 0.5)
        raise Failure(USAGE, f"volume.data_center: the service has no {wanted}; "
                             + (f"did you mean {near[0]}?" if near else f"it has {', '.join(listed)}"))
    kinds = listed.get(wanted, {}).get("networkVolumeTypes")
    if isinstance(kinds, list) and kind not in kinds:
        others = [name for name, each in listed.items() if kind in (each.get("networkVolumeTypes") or [])]
        raise Failure(USAGE, f"volume.data_center: {wanted} has no {kind} volumes; those are in {', '.join(others) or 'none'}")


def judge(gpu, config, data_center):
    cloud = config["pods", "cloud"].lower()
    price, most = (gpu.get("price") or {}).get(cloud), gpu.get("maxCount")
    most = most.get(cloud) if isinstance(most, dict) else most
    if not price:
        return None, f"is not in the {cloud} cloud"
    if price > config["pods", "max_price"]:
        return None, f"costs ${price:.2f} an hour, above pods.max_price = {config['pods', 'max_price']:g}"
    if most is not None and most < config["pods", "gpus_per_pod"]:
        return None, f"comes in pods of up to {most}, below pods.gpus_per_pod = {config['pods', 'gpus_per_pod']}"
    least = version(config["pods", "min_cuda"])
    cuda = [each for each in gpu.get("cudaVersions") or [] if isinstance(each, dict) and each.get("available")]
    if cuda and all(version(each.get("version", "0")) < least for each in cuda):
        return None, f"is on no machine with CUDA {config['pods', 'min_cuda']} now"
    return if_available(gpu, price, data_center)


def judge_cpu(cpu, config, data_center):
    vcpus, most, told = config["encoders", "vcpus"], config["encoders", "max_price"], price_of_cpu(cpu, config)
    sizes = cpu.get("vcpu") if isinstance(cpu.get("vcpu"), dict) else {}
    least, largest = (sizes.get(key) for key in ("min", "max"))
    if isinstance(least, int) and vcpus < least or isinstance(largest, int) and vcpus > largest:
        return None, f"comes with {least} to {largest} vCPUs, not with encoders.vcpus = {vcpus}"
    if told and told > most:
        return None, f"costs ${told:.2f} an hour with {vcpus} vCPUs, above encoders.max_price = {most:g}"
    return if_available(cpu, told or most, data_center, bool(told))


def price_of_cpu(cpu, config):
    """Dollars an hour of a pod; None where the service does not tell."""
    prices = cpu.get("price")
    each = prices.get(f"{config['pods', 'cloud'].lower()}PerVcpu") if isinstance(prices, dict) else None
    return each * config["encoders", "vcpus"] if isinstance(each, (int, float)) and each > 0 else None


def if_available(entry, price, data_center, told=True):
    now = availability(entry, data_center)
    return (None, f"is not available in {data_center} now") if now == "NONE" else (Offer(entry["id"], price, now, told), "")


def version(text):
    return tuple(int(part) if part.isdecimal() else 0 for part in str(text).split("."))


def availability(entry, data_center):
    """In the volume's data centre: pods elsewhere could not use it. A centre that is not listed has none."""
    centers = entry.get("dataCenters")
    if centers is None or not data_center:
        return entry.get("availability") or "UNKNOWN"
    return next((each.get("availability", "UNKNOWN") for each in centers if each.get("id") == data_center), "NONE")

