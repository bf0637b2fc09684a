"""The files whose messages a second stage has still before it."""

from __future__ import annotations

from collections.abc import Iterator

from ..aws.clients import client
from ..config.keys import S3_BUCKET, STREAM_NAME
from ..config.setting import Settings
from ..errors import Rejected
from ..files.file import File
from ..files.message import read_message
from ..flow.record import Position
from ..flow.retry import Retry
from ..kcl.leases import SHARD_END, TRIM_HORIZON
from .checkpoints import checkpoints
from .shard_reading import records, shards


def announced(settings: Settings) -> Iterator[File]:
    """Yield the files that messages behind the checkpoints announce. Raises Fatal.

    A shard without a lease has not been begun with: all of it is before us.
    """
    kinesis, retry = client("kinesis", settings), Retry.from_settings(settings)
    stream, passed = settings[STREAM_NAME], checkpoints(settings)
    for shard in shards(kinesis, stream, retry):
        checkpoint = passed.get(shard, TRIM_HORIZON)
        if checkpoint == SHARD_END:
            continue
        where = checkpoint if isinstance(checkpoint, Position) else TRIM_HORIZON
        for page in records(kinesis, stream, shard, where, retry):
            for record in page:
                if where != TRIM_HORIZON and int(record["SequenceNumber"]) <= where.sequence:  # type: ignore[union-attr]
                    continue
                try:
                    yield read_message(record["Data"], settings[S3_BUCKET])
                except Rejected:
                    continue  # it will be a dead letter
