"""Ends pods that were forgotten: by the prefix of their names and their age, whichever state or machine made them."""

import re
from datetime import datetime

from . import volume
from .basics import Failure, clock, complain, span, tell
from .state import PREFIX


def age(each):
    """Seconds; by the service's word, else by the name. Our clock may be a little behind, and nothing is younger than 0."""
    try:
        text = re.sub(r"\.\d+", "", str(each["createdAt"]))  # Python 3.9 takes three digits or six of a second
        made = datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except (KeyError, ValueError):
        match = re.match(PREFIX + r"(\d+)-", name_of(each))
        made = int(match[1]) if match else clock.now()
    return max(0.0, clock.now() - made)


def name_of(each):
    return str(each.get("name") or "")


def left_over(api, hours):
    """(kind, pod or cluster) of those that are older; and the last failure, which hides only its own kind."""
    found, last = [], None
    for kind in ("pods", "clusters"):
        try:
            found += [(kind, each) for each in api.list(kind)
                      if re.match(PREFIX + r"\d+-\d+$", name_of(each)) and age(each) >= hours * 3600]
        except Failure as error:
            complain(error)
            last = error
    return found, last


def words_of(kind, each):
    cost = each.get("cost")
    return [str(each["id"]), kind[:-1], str(each.get("status") or ""),
            f"${cost:.2f} an hour" if cost and isinstance(cost, (int, float)) else ""]


def reap(api, hours, only_tell, agreed):
    """`agreed` asks the user, once he has seen the list."""
    found, last = left_over(api, hours)
    for kind, each in found:
        tell(f"{each['name']} ({', '.join(filter(None, words_of(kind, each)))}), {span(age(each))} old")
    if not found and not last:
        tell(f"nothing named {PREFIX}... is {hours:g} hours old or older")
    if found and not only_tell and agreed(f"end {len(found)} of them for good?"):
        for kind, each in found:
            try:
                api.delete(kind, each["id"])
                tell(f"ended {each['name']}")
            except Failure as error:
                complain(error)
                last = error
    volume.tell_of_left_over(api)
    if last:
        raise last
