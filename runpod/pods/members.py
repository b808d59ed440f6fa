"""What the service tells of a pod, as far as it can be used."""

import re
from dataclasses import dataclass
from typing import Optional

OVER = ("EXITED", "ERROR", "TERMINATED")


@dataclass
class Member:
    """A pod, alone or a cluster's, as the service tells of it; host, port and user once ssh can reach it."""

    alias: str  # for ssh
    id: str
    status: str
    host: str = ""
    port: int = 0
    user: str = ""
    cost: float = 0.0
    rank: Optional[int] = None
    ip: str = ""  # on the cluster's own network


def object_of(entry):
    return entry if isinstance(entry, dict) else {}


def member_of(pod, alias, strange):
    """`strange` is called with what cannot be used of the service's words: such a pod is not ready."""
    cost = pod.get("cost")
    member = Member(alias, str(pod["id"]), str(pod.get("status") or ""), cost=cost if isinstance(cost, (int, float)) else 0.0,
                    rank=rank_of(pod), ip=address_of(object_of(pod.get("cluster")).get("ip"), alias, strange))
    if member.status not in OVER and pod.get("ssh"):
        direct = object_of(pod["ssh"]).get("direct")
        if direct or not isinstance(pod["ssh"], dict):
            member.host, member.port, member.user = direct_of(object_of(direct), alias, strange)
    return member


def rank_of(pod):
    rank = object_of(pod.get("cluster")).get("rank")
    return rank if isinstance(rank, int) else None


def address_of(text, alias, strange):
    """On the cluster's network; it gets into a host file."""
    if not text or isinstance(text, str) and re.fullmatch(r"[0-9A-Fa-f.:]+", text):
        return text or ""
    strange(f"{alias}: the service tells a strange address in the cluster: {text}")
    return ""


def direct_of(direct, alias, strange):
    """(host, port, user) for ssh."""
    host, port, user = str(direct.get("host")), direct.get("port"), str(direct.get("username"))
    if (re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.:-]*", host) and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", user)
            and isinstance(port, int) and 0 < port < 65536):
        return host, port, user
    strange(f"{alias}: the service tells a strange address for ssh: {user}@{host}, port {port}; it counts as not ready")
    return "", 0, ""
