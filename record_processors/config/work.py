"""What a destination does to carry a load, for `plan`: what it costs, buys, and how far it goes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


class Load(NamedTuple):
    """What comes to a pipeline, spread evenly over the shards of its stream."""

    records: float
    """A second, of all shards together."""
    bytes: float
    """Of one record's data."""
    shards: int


class Cost(NamedTuple):
    """What a child of one shard takes, by tests/bench/README.md: records of 300 bytes."""

    micros: float
    """Microseconds of CPU for a record."""
    most: float = math.inf
    """Records a second that a child delivers, where each call is answered after 5 ms."""


class Bought(NamedTuple):
    """Something that AWS counts, and what a million of it costs."""

    what: str
    a_second: float
    dollars_a_million: float


class Limit(NamedTuple):
    """How far something goes, in what the words of ``what`` count, and what to do beyond that."""

    what: str
    now: float
    most: float
    remedy: str
    source: str

    @property
    def used(self) -> float:
        """The part that is used up; 1 is all of it."""
        return self.now / self.most


class Onwards(NamedTuple):
    """What goes on to another stream."""

    stream: str
    load: Load


class Loads(NamedTuple):
    """Loads of files into one table, of which one is done at a time."""

    what: str
    files: float
    """A second, of all children together."""
    children: int
    """That each load what comes to them."""
    most_files: int
    """In one load: as many are waited for."""
    patience: float
    """Seconds, after which a child loads what it has."""
    lasts: float
    """Seconds that a load is taken to last."""


class Work(NamedTuple):
    """What a destination does for a load."""

    cost: Cost
    bought: Sequence[Bought] = ()
    limits: Sequence[Limit] = ()
    onwards: Onwards | None = None
    loads: Loads | None = None
