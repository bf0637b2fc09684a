"""What a second look tells that one cannot: rates, since when, and whether an owner lives."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from ..config.kcl_settings import FAILOVER
from ..config.setting import Settings
from .attention import note, worst_first
from .status import Shard, Status


class Seen(NamedTuple):
    """A shard at the last look, and when the lease's counter was first seen to be what it is."""

    shard: Shard
    at: datetime
    moved: datetime


class Watch:
    """Compares each look at some pipelines with the one before."""

    def __init__(self, each: Sequence[Settings]) -> None:
        self.patience = [timedelta(milliseconds=settings[FAILOVER]) for settings in each]
        self._seen: dict[tuple[int, str], Seen] = {}

    def compare(self, status: Status) -> None:
        """Add to a look what has changed since the last one."""
        seen = {}
        for number, (pipeline, patience) in enumerate(
            zip(status.pipelines, self.patience, strict=True)
        ):
            standing = []
            for shard in pipeline.shards:
                now = _compared(shard, status.at, self._seen.get((number, shard.shard)))
                seen[number, shard.shard] = now
                if shard.state == "reading" and status.at - now.moved > patience:
                    standing.append(shard)
            if standing:
                how = "the owner does not renew its lease, and may be dead: {} of {.owner}"
                note(pipeline, "leaseNotRenewed", worst_first(standing), how)
        self._seen = seen


def _compared(shard: Shard, at: datetime, before: Seen | None) -> Seen:
    if before is None:
        return Seen(shard, at, at)
    last = before.shard
    shard.owner_since = last.owner_since if shard.owner == last.owner else at
    if shard.behind is not None and last.behind is not None:
        shard.shrinks = (last.behind - shard.behind) / (at - before.at).total_seconds()
    moved = before.moved if shard.counter == last.counter else at
    return Seen(shard, at, moved)
