"""How far what a plan uses goes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from ..config.kcl_settings import is_pushed
from ..config.keys import APPLICATION_NAME, STREAM_NAME
from ..config.setting import Settings
from ..config.work import Limit, Load
from ..errors import counted
from .lease_table import LeaseTable
from .planned import SHARD_BYTES, SHARD_RECORDS, Planned
from .sizes import Size

POLLED_BYTES = 2 * SHARD_BYTES  # a second of a shard, by all who poll it together: the same page


def polls(settings: Settings, stream: str) -> bool:
    """Whether a pipeline reads the stream, and not by a consumer of its own."""
    return settings[STREAM_NAME] == stream and not is_pushed(settings)


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
        polled = sum(polls(one.settings, stream) for one in planned)
        if polled > 1:  # one alone can read more than can be written
            yield Limit(
                f"bytes a second read of a shard of {stream} by {polled} that poll it",
                polled * each * load.bytes,
                POLLED_BYTES,
                f"retrievalMode = FANOUT for some, or more shards of {stream}",
                source,
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
