"""The hosts of the stack: how one is made, how many there are, and how one is replaced."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .text import fill, substituted
from .units import shipped

GROUP = "Hosts"  # the logical id, by which a host signals
HOOK = "flush"

# What a host takes until its daemons are healthy: an image starts in one minute, the packages are
# installed in two, a daemon's first start takes up to two, and its first report a minute to arrive.
START = "PT15M"

PORT = """\
- Description: A destination, as the files name it
  IpProtocol: tcp
  FromPort: @port@
  ToPort: @port@
  CidrIp: 0.0.0.0/0
"""

DISK_GIB = 20
HTTPS = 443
SPARE_SECONDS = 60  # beside the stop itself, to hear of it and to say that it is done


def hosts(user_data: str, ports: Iterable[int], stop_seconds: int) -> str:
    """Return launch template, security group, Auto Scaling group and its policy.

    ``ports`` are those of TCP, beside 443, at which what the pipelines use is reached;
    ``stop_seconds`` is how long a stop of their daemons may take.
    """
    beside = sorted(set(ports) - {HTTPS})
    return fill(
        shipped("hosts.yaml"),
        group=GROUP,
        hook=HOOK,
        start=START,
        disk=str(DISK_GIB),
        stop=str(stop_seconds),
        heartbeat=str(stop_seconds + SPARE_SECONDS),
        beside=", and at the ports that the files name" if beside else "",
        ports="".join(fill(PORT, port=str(port)) for port in beside),
        user_data=for_the_stack(user_data),
    )


def for_the_stack(script: str) -> str:
    """Prepare a script for ``Fn::Sub``: bash keeps its ``${…}``, and ``%{…}`` is the stack's."""
    return re.sub(r"%\{(AWS::\w+|\w+Secret)\}", r"${\1}", substituted(script))
