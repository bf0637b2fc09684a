"""Where metrics go: ``statsd://host:port`` or ``emf://host:port``."""

from __future__ import annotations

import re
from typing import NamedTuple

from .types import ValueType, did_you_mean

MOST_PORT = 65_535
# The port at which each mostly listens, to tell who left it out.
PORTS = {"statsd": 8125, "emf": 25888}
NONE = "none"


class Agent(NamedTuple):
    """What listens for metrics, and in which format."""

    protocol: str
    host: str
    port: int


def _read(value: str) -> Agent | None:
    if value == NONE:
        return None
    protocol, separator, place = value.partition("://")
    if not separator or protocol not in PORTS:
        near = did_you_mean(protocol, [*PORTS, NONE])
        raise ValueError(f"not statsd://host:port, emf://host:port or {NONE}{near}")
    bare = re.fullmatch(r"\[([0-9A-Fa-f:.]+(?:%[\w.-]+)?)\](.*)|([A-Za-z0-9_.-]+)(.*)", place)
    if not bare:
        hint = "; an IPv6 address goes in brackets: [::1]" if place.count(":") > 1 else ""
        raise ValueError(f"{place!r} does not begin with a host{hint}")
    host, rest = (bare[1], bare[2]) if bare[1] else (bare[3], bare[4])
    if not rest:
        raise ValueError(f"the port is missing: {protocol}://{place}:{PORTS[protocol]}, say")
    port = re.fullmatch(r":([0-9]{1,5})", rest)
    if not port or not 1 <= int(port[1]) <= MOST_PORT:
        hint = "; an IPv6 address goes in brackets: [::1]" if rest.count(":") > 1 else ""
        raise ValueError(f"{rest!r} after the host is not : and a port, 1 to {MOST_PORT}{hint}")
    return Agent(protocol, host, int(port[1]))


agent = ValueType(f"statsd://host:port, emf://host:port or {NONE}", _read)
