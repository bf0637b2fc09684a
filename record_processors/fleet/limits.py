"""How far what a plan uses goes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from ..config.keys import APPLICATION_NAME, STREAM_NAME
from ..config.work import Limit, Load
from ..errors import counted
from .lease_table import LeaseTable
from .planned import SHARD_BYTES, SHARD_RECORDS, Planned
from .sizes import Size


def limits_of(
    planned: Sequence[Planned],
    streams: Mapping[str, Load],
    leases: Mapping[str, LeaseTable],
    hosts: Size,
) -> Iterator[Limit]:
    """Yield them, of each stream, of each pipeline, and of the hosts."""
    for stream, load in streams.items():
        each, source = load.records / load.shards, "…/streams/latest/dev/service-sizes-and-limits"
        more = f"more shards of {stream}"
        pack = f"{more}, or many records in one, as the Kinesis Producer Library packs them"
        yield Limit(f"records a second of a shard of {stream}", each, SHARD_RECORDS, pack, source)
        yield Limit(
            f"bytes a second of a shard of {stream}", each * load.bytes, SHARD_BYTES, more, source
        )
    for one in planned:
        name = one.settings[APPLICATION_NAME]
        yield leases[name].limit(name)
        yield from one.work.limits
        if one.work.cost.most < math.inf:
            yield Limit(
                f"records a second of a child of {name}",
                one.load.records / one.load.shards,
                one.work.cost.most,
                f"more shards of {one.settings[STREAM_NAME]}: a shard has one child",
                "tests/bench/README.md, answers after 5 ms",
            )
    yield Limit(
        f"vCPUs of {counted(hosts.hosts, 'host')} of {hosts.type.name}",
        sum(one.vcpus for one in planned),
        hosts.hosts * hosts.type.vcpus,
        "more hosts, at most one for each shard, or larger ones",
        "tests/bench/README.md",
    )
