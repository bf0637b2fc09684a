"""What some pipelines take to carry a load: shards, hosts, calls, money, and what breaks first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..config.kcl_settings import MAX_LEASES
from ..config.keys import APPLICATION_NAME, STREAM_NAME
from ..config.setting import Settings
from ..config.work import Limit, Load
from ..flow.rate import batches
from .balance import Intervals, Spread, Waits, even_out
from .bill import bill
from .costs import items
from .lease_table import LeaseTable, lease_table
from .limits import limits_of
from .loads import play
from .planned import Planned, in_order, together, wanted_shards, work_of
from .processors import vcpus
from .sizes import USUAL_HOSTS, Size, size

# How busy hosts are planned to be: what has waited during an outage is to be caught up with.
BUSY_HOST = 0.7


class Plan(NamedTuple):
    """What is planned."""

    pipelines: Sequence[Planned]
    streams: Mapping[str, Load]
    """Every stream that is read or written, by its name."""
    size: Size
    leases: Mapping[str, LeaseTable]
    """By the application's name."""
    limits: Sequence[Limit]
    """What is used up most comes first."""
    dollars: Sequence[tuple[str, float]]
    """What is to be paid for in a month."""
    waits: Waits
    one_more: Spread
    """What becomes of the leases when a host is added: of the pipeline that has most of them."""


def plan(pipelines: Sequence[Settings], records: float, size_of_one: float, shards: int) -> Plan:
    """Plan so many records a second, of so many bytes each, for the streams that are read first.

    ``shards`` are those of each of these streams; 0: as many as it takes. Raises Unplannable,
    and WrongSize if no hosts do.
    """
    shards = shards or wanted_shards(records, size_of_one)
    streams = {one[STREAM_NAME]: Load(records, size_of_one, shards) for one in pipelines}
    planned: list[Planned] = []
    for settings in in_order(pipelines):
        load = streams[settings[STREAM_NAME]]
        work = work_of(settings, load)
        if work.onwards:
            others = [one.work.onwards for one in planned if one.work.onwards]
            streams[work.onwards.stream] = together([work.onwards, *others], work.onwards.stream)
        planned.append(
            Planned(
                settings,
                load,
                batches(settings, load),
                work,
                play(work.loads) if work.loads else None,
                vcpus(settings, load, work.cost),
            )
        )
    said = {name: load.shards for name, load in streams.items()}
    all_vcpus = sum(one.vcpus for one in planned) / BUSY_HOST
    hosts = size(pipelines, said, _by_leases(planned), all_vcpus)
    leases = {
        one.settings[APPLICATION_NAME]: lease_table(
            one.settings, one.load.shards, one.checkpoints, hosts.hosts
        )
        for one in planned
    }
    limits = list(limits_of(planned, streams, leases, hosts))
    largest = max(planned, key=lambda one: one.load.shards)
    intervals = Intervals.of(largest.settings)
    one_more = even_out([*evenly(largest.load.shards, hosts.hosts), 0], intervals)
    return Plan(
        planned,
        streams,
        hosts,
        leases,
        sorted(limits, key=lambda limit: limit.used, reverse=True),
        [*items(pipelines, hosts, said), *bill(planned, streams, leases)],
        intervals.waits(),
        one_more._replace(seconds=one_more.seconds + intervals.round),  # one may just have been
    )


def _by_leases(planned: Sequence[Planned]) -> int | None:
    """Return how many hosts it takes where a file limits its shards on each; None if no more."""
    each = [(one.load.shards, one.settings[MAX_LEASES]) for one in planned]
    hosts = max((math.ceil(shards / most) for shards, most in each if most), default=0)
    return hosts if hosts > USUAL_HOSTS else None


def evenly(shards: int, hosts: int) -> list[int]:
    """Return the shards of each host."""
    return [shards // hosts + (host < shards % hosts) for host in range(hosts)]
