"""The pipelines of a plan: which feeds which, and what comes to each."""

from __future__ import annotations

import math
from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import javaproperties

from ..config.component import Destination
from ..config.keys import STREAM_NAME
from ..config.registry import chosen, ours
from ..config.setting import Settings
from ..config.shipped_files import shipped_files
from ..config.work import Load, Onwards, Work
from .loads import Cadence

# docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html, of what is put on a shard
SHARD_RECORDS, SHARD_BYTES = 1000, 2**20
# How full a shard is planned to be, as keys are never spread evenly.
FULL_SHARD = 0.8

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


def wanted_shards(records: float, size_of_one: float) -> int:
    """Return how many shards take what is put on them."""
    full = max(records / SHARD_RECORDS, records * size_of_one / SHARD_BYTES)
    return max(1, math.ceil(full / FULL_SHARD))


def together(each: Sequence[Onwards], stream: str) -> Load:
    """Return what goes on to a stream, with as many shards as that takes, or as the files say."""
    loads = [onwards.load for onwards in each if onwards.stream == stream]
    records = sum(load.records for load in loads)
    longest = max(load.bytes for load in loads)
    shards = max(load.shards for load in loads)
    return Load(records, longest, max(shards, wanted_shards(records, longest)))
