"""Ends pods that were forgotten: by the prefix of their names and their age, whichever state or machine made them."""

import re
import time
from datetime import datetime

from .basics import Failure, complain, span, tell
from .state import PREFIX


def age(each):
    """Seconds; by the service's word, else by the name."""
    try:
        return time.time() - datetime.fromisoformat(str(each["createdAt"]).replace("Z", "+00:00")).timestamp()
    except (KeyError, ValueError):
        match = re.match(PREFIX + r"(\d+)-", each.get("name", ""))
        return time.time() - int(match[1]) if match else 0.0


def left_over(api, hours):
    """(kind, pod or cluster) of those that are older."""
    return [(kind, each) for kind in ("pods", "clusters") for each in api.list(kind)
            if re.match(PREFIX + r"\d+-\d+$", each.get("name", "")) and age(each) >= hours * 3600]


def reap(api, hours, only_tell, agreed):
    """`agreed` asks the user, once he has seen the list."""
    found = left_over(api, hours)
    for kind, each in found:
        more = [each["id"], kind[:-1], each.get("status"), each.get("cost") and f"${each['cost']:.2f} an hour"]
        tell(f"{each['name']} ({', '.join(filter(None, more))}), {span(age(each))} old")
    if not found:
        tell(f"nothing named {PREFIX}... is {hours:g} hours old or older")
    if not found or only_tell or not agreed(f"end {len(found)} of them for good?"):
        return
    last = None
    for kind, each in found:
        try:
            api.delete(kind, each["id"])
            tell(f"ended {each['name']}")
        except Failure as error:
            complain(error)
            last = error
    if last:
        raise last
