"""What some pipelines take to carry a load: shards, hosts, calls, money, and what breaks first."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import javaproperties

from ..aws.prices import (
    CONSUMER_SHARD_HOUR,
    FAN_OUT_GIB,
    MILLION_PUT_UNITS,
    MONTH_SECONDS,
    PUT_UNIT_BYTES,
    SHARD_HOUR,
)
from ..config.component import Destination
from ..config.kcl_settings import MAX_LEASES, RETRIEVAL_MODE
from ..config.keys import APPLICATION_NAME, STREAM_NAME
from ..config.registry import chosen, ours
from ..config.setting import Settings
from ..config.shipped_files import shipped_files
from ..config.work import Bought, Limit, Load, Onwards, Work
from ..errors import counted
from ..flow.rate import batches
from .balance import Intervals, Spread, Waits, even_out
from .costs import items
from .lease_table import LeaseTable, lease_table
from .loads import Cadence, play
from .processors import vcpus
from .sizes import HOURS_A_MONTH, USUAL_HOSTS, Size, size

# docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html, of what is put on a shard
SHARD_RECORDS, SHARD_BYTES = 1000, 2**20
# How full a shard is planned to be, as keys are never spread evenly; and a host's processors, as
# what has waited during an outage is to be caught up with.
FULL_SHARD, BUSY_HOST = 0.8, 0.7

UNIT = Load(1, 1, 1)


class Unplannable(Exception):
    """Pipelines of which no plan can be made, and why, in one sentence."""


class Planned(NamedTuple):
    """One pipeline of the plan."""

    settings: Settings
    load: Load
    batches: float
    """A second, of all shards."""
    work: Work
    loads: Cadence | None
    vcpus: float

    @property
    def checkpoints(self) -> float:
        """A second: one for each batch, unless a load lasts so long that there are fewer."""
        return min(self.batches, self.loads.an_hour / 3600) if self.loads else self.batches


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


def of_destination(name: str) -> list[Settings]:
    """Return the shipped file of a destination; before it that of the stage that feeds it, if any.

    Raises KeyError.
    """
    texts = shipped_files("properties")
    shipped = {
        one: Settings(file, javaproperties.loads(texts[file]))
        for one, each in ours(Destination.named_by)
        if each.shipped and (file := f"{each.shipped.name}.properties")
    }
    wanted = shipped[name]
    feeding = [one for one in shipped.values() if written_by(one) == wanted[STREAM_NAME]]
    return [*feeding, wanted]


def work_of(settings: Settings, load: Load) -> Work:
    """Return what the destination of a pipeline does for a load."""
    destination: type[Destination] = chosen(settings.texts).destination
    return destination.work(settings, load)


def written_by(settings: Settings) -> str | None:
    """Return the stream that a pipeline writes to; None if it writes to none."""
    onwards = work_of(settings, UNIT).onwards
    return onwards.stream if onwards else None


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
            streams[work.onwards.stream] = _together([work.onwards, *others], work.onwards.stream)
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
    limits = list(_limits(planned, streams, leases, hosts))
    largest = max(planned, key=lambda one: one.load.shards)
    intervals = Intervals.of(largest.settings)
    return Plan(
        planned,
        streams,
        hosts,
        leases,
        sorted(limits, key=lambda limit: limit.used, reverse=True),
        [*items(pipelines, hosts, said), *_dollars(planned, streams, leases)],
        intervals.waits(),
        even_out([*evenly(largest.load.shards, hosts.hosts), 0], intervals),
    )


def _by_leases(planned: Sequence[Planned]) -> int | None:
    """Return how many hosts it takes where a file limits its shards on each; None if no more."""
    each = [(one.load.shards, one.settings[MAX_LEASES]) for one in planned]
    hosts = max((math.ceil(shards / most) for shards, most in each if most), default=0)
    return hosts if hosts > USUAL_HOSTS else None


def evenly(shards: int, hosts: int) -> list[int]:
    """Return the shards of each host."""
    return [shards // hosts + (host < shards % hosts) for host in range(hosts)]


def wanted_shards(records: float, size_of_one: float) -> int:
    """Return how many shards take what is put on them."""
    full = max(records / SHARD_RECORDS, records * size_of_one / SHARD_BYTES)
    return max(1, math.ceil(full / FULL_SHARD))


def _together(each: Sequence[Onwards], stream: str) -> Load:
    """Return what goes on to a stream, with as many shards as that takes, or as the files say."""
    loads = [onwards.load for onwards in each if onwards.stream == stream]
    records = sum(load.records for load in loads)
    longest = max(load.bytes for load in loads)
    shards = max(load.shards for load in loads)
    return Load(records, longest, max(shards, wanted_shards(records, longest)))


def in_order(pipelines: Sequence[Settings]) -> list[Settings]:
    """Return them so that each comes after those that write what it reads. Raises Unplannable."""
    by_path = {one.path: one for one in pipelines}
    written = {one.path: written_by(one) for one in pipelines}
    feeding = {
        one.path: [path for path, stream in written.items() if stream == one[STREAM_NAME]]
        for one in pipelines
    }
    try:
        return [by_path[path] for path in TopologicalSorter(feeding).static_order()]
    except CycleError as error:
        raise Unplannable(f"{error.args[1][0]} reads what comes of its own rows") from None


def _limits(
    planned: Sequence[Planned],
    streams: Mapping[str, Load],
    leases: Mapping[str, LeaseTable],
    hosts: Size,
) -> Iterator[Limit]:
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


def _dollars(
    planned: Sequence[Planned], streams: Mapping[str, Load], leases: Mapping[str, LeaseTable]
) -> Iterator[tuple[str, float]]:
    for stream, load in streams.items():
        hours = load.shards * SHARD_HOUR * HOURS_A_MONTH
        yield f"{counted(load.shards, 'shard')} of {stream}", hours
        units = load.records * math.ceil(load.bytes / PUT_UNIT_BYTES)
        yield f"what is put on {stream}", _of_a_month(Bought("", units, MILLION_PUT_UNITS))
    for one in planned:
        if one.settings[RETRIEVAL_MODE] == "FANOUT":
            gib = one.load.records * one.load.bytes * MONTH_SECONDS / 2**30
            hours = one.load.shards * CONSUMER_SHARD_HOUR * HOURS_A_MONTH
            yield f"fan-out of {one.settings[STREAM_NAME]}", hours + gib * FAN_OUT_GIB
        for bought in one.work.bought:
            yield bought.what, _of_a_month(bought)
    for name, table in leases.items():
        yield f"leases of {name}, in DynamoDB", table.dollars_a_month


def _of_a_month(bought: Bought) -> float:
    return bought.a_second * MONTH_SECONDS / 1e6 * bought.dollars_a_million
