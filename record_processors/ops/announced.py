"""The files whose messages a second stage has still before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ..aws.clients import client
from ..config.kcl_settings import INITIAL_POSITION, INITIAL_TIMESTAMP
from ..config.keys import S3_BUCKET, STREAM_NAME
from ..config.setting import Settings
from ..errors import ConnectorError, Rejected
from ..files.file import File
from ..files.message import read_message
from ..flow.record import Position
from ..flow.retry import Retry
from ..kcl.first_leases import checkpoint, parents
from ..kcl.leases import AT_TIMESTAMP, LATEST, SHARD_END, TRIM_HORIZON
from .checkpoints import checkpoints
from .shard_reading import list_shards, records


class NotBegun(ConnectorError):
    """Who reads the messages begins with those that come when it does, and has not begun yet."""


def announced(settings: Settings) -> Iterator[File]:
    """Yield the files that messages behind the checkpoints announce. Raises NotBegun, Fatal."""
    kinesis, retry = client("kinesis", settings), Retry.from_settings(settings)
    stream, passed = settings[STREAM_NAME], checkpoints(settings)
    shards = list(list_shards(kinesis, stream, retry))
    for shard, begin in begins(shards, passed, checkpoint(settings)):
        where: Position | datetime | str = begin
        if begin == LATEST:
            raise NotBegun(
                f"{INITIAL_POSITION.key} is LATEST, and {shard} of {stream} has no checkpoint yet: "
                "nobody knows from which message on files are loaded; ask again when stage two has "
                "begun"
            )
        if begin == AT_TIMESTAMP:
            where = datetime.fromtimestamp(settings[INITIAL_TIMESTAMP] or 0, timezone.utc)
        for page in records(kinesis, stream, shard, where, retry):
            for record in page:
                if isinstance(begin, Position) and int(record["SequenceNumber"]) <= begin.sequence:
                    continue
                try:
                    yield read_message(record["Data"], settings[S3_BUCKET])
                except Rejected:
                    continue  # it will be a dead letter


def begins(
    shards: Sequence[Mapping[str, Any]], passed: Mapping[str, Position | str], initial: str
) -> Iterator[tuple[str, Position | str]]:
    """Yield each shard that KCL has still to read, and from where: a position, or a word of its.

    A shard without a lease is done with if one that came from it has a lease; and is read from its
    beginning after one that it came from. Where neither is, KCL begins with it at ``initial``.
    See ``HierarchicalShardSyncer`` and ``LeaseCleanupManager`` of KCL 3.
    """
    came_from = {str(shard["ShardId"]): parents(dict(shard)) for shard in shards}
    ancestors = {shard: set(_ancestors(shard, came_from)) for shard in came_from}
    done = set[str]().union(*(ancestors[shard] for shard in passed if shard in ancestors))
    for shard, before in ancestors.items():
        if (where := passed.get(shard)) is not None:
            if where != SHARD_END:
                yield shard, where
        elif shard not in done:
            yield shard, initial if before.isdisjoint(passed) else TRIM_HORIZON


def _ancestors(shard: str, came_from: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for parent in came_from.get(shard, ()):
        yield parent
        yield from _ancestors(parent, came_from)
