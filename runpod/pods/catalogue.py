"""Which of the GPUs that the user would take can be had now, and for how much."""

import difflib
import urllib.parse
from dataclasses import dataclass

from .api import ApiError
from .basics import LIMIT, USAGE, Failure, setting


@dataclass
class Offer:
    gpu: str  # the service's id
    price: float  # dollars an hour for one GPU
    availability: str


def gpus(api, config):
    """The catalogue's entries, for pods of so many GPUs."""
    product = "CLUSTER" if config["pods", "kind"] == "cluster" else "POD"
    query = urllib.parse.urlencode({"include": "AVAILABILITY", "product": product,
                                    "count": config["pods", "gpus_per_pod"]})
    return [gpu for gpu in objects_of(api, "gpus", query) if gpu.get("id")]


def objects_of(api, key, query):
    """Of a catalogue's answer; what is no list of objects may be another one the next time."""
    path = f"/catalog/{key}"
    found = api.request("GET", f"{path}?{query}").get(key)
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ApiError("GET", path, 0, f"the answer has no {key}")
    return found


def offers(api, config, data_center):
    """(what can be had, in the user's order; why the others cannot). Raises when nothing ever could be."""
    entries = gpus(api, config)
    known = {key.lower(): gpu for gpu in entries for key in (gpu.get("name"), gpu["id"]) if key}
    found, reasons, unknown = [], {}, {}
    for name in config["pods", "gpus"]:
        gpu = known.get(name.lower())
        if gpu is None:
            near = difflib.get_close_matches(name.lower(), known, 1, 0.4)
            hint = f"did you mean {known[near[0]]['id']}?" if near else "'vsr-pods cost' lists them"
            unknown[name] = f"is not among the service's GPUs; {hint}"
            continue
        price, why = judge(gpu, config, data_center)
        if why:
            reasons[gpu["id"]] = why
        else:
            found.append(Offer(gpu["id"], price, availability(gpu, data_center)))
    if len(unknown) == len(config["pods", "gpus"]):
        raise Failure(USAGE, "pods.gpus: " + " ".join(f"{name} {why}" for name, why in unknown.items()))
    if not found and all("max_price" in why for why in reasons.values()):
        said = "; ".join(f"{gpu} {why}" for gpu, why in reasons.items())
        raise Failure(LIMIT, f"nothing is rented: {said}; raise it or name other GPUs")
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
    """(price, why it cannot be had or nothing)."""
    cloud = config["pods", "cloud"].lower()
    price, most = (gpu.get("price") or {}).get(cloud), gpu.get("maxCount")
    most = most.get(cloud) if isinstance(most, dict) else most
    if not price:
        return None, f"is not in the {cloud} cloud"
    if price > config["pods", "max_price"]:
        return price, f"costs ${price:.2f} an hour, above pods.max_price = {config['pods', 'max_price']:g}"
    if most is not None and most < config["pods", "gpus_per_pod"]:
        return price, f"comes in pods of up to {most}, below pods.gpus_per_pod"
    least = version(config["pods", "min_cuda"])
    cuda = [each for each in gpu.get("cudaVersions") or [] if isinstance(each, dict) and each.get("available")]
    if cuda and all(version(each.get("version", "0")) < least for each in cuda):
        return price, f"is on no machine with CUDA {config['pods', 'min_cuda']} now"
    if availability(gpu, data_center) == "NONE":
        return price, f"is not available in {data_center} now"
    return price, ""


def version(text):
    return tuple(int(part) if part.isdecimal() else 0 for part in str(text).split("."))


def availability(gpu, data_center):
    """In the volume's data centre: pods elsewhere could not use it. A centre that is not listed has none."""
    centers = gpu.get("dataCenters")
    if centers is None or not data_center:
        return gpu.get("availability") or "UNKNOWN"
    return next((each.get("availability", "UNKNOWN") for each in centers if each.get("id") == data_center), "NONE")

