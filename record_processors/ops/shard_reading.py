"""The records of a shard, read once, outside of the KCL."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from ..aws.clients import Client
from ..aws.failures import call
from ..flow.record import Position
from ..flow.retry import Retry

# Five reads a second may be made of a shard, by all that read it: docs.aws.amazon.com/kinesis/
# latest/APIReference/API_GetRecords.html
SECONDS_BETWEEN_READS = 0.25


def list_shards(kinesis: Client, stream: str, retry: Retry) -> Iterator[dict[str, Any]]:
    """Yield all shards that the stream still knows, as ListShards gives them. Raises Fatal."""
    how: dict[str, Any] = {"StreamName": stream}
    while how:
        page = call(
            retry,
            f"listing the shards of {stream}",
            lambda: kinesis.list_shards(**how),  # noqa: B023
        )
        yield from page["Shards"]
        token = page.get("NextToken")
        how = {"NextToken": token} if token else {}


def records(
    kinesis: Client, stream: str, shard: str, where: Position | datetime | str, retry: Retry
) -> Iterator[Sequence[dict[str, Any]]]:
    """Yield the shard's records from ``where`` on, as GetRecords gives them, until now.

    A position's own record is the first, if the stream still holds it. Raises Fatal.
    """
    how: dict[str, Any] = {"ShardIteratorType": where}
    if isinstance(where, Position):
        number = str(where.sequence)
        how = {"ShardIteratorType": "AT_SEQUENCE_NUMBER", "StartingSequenceNumber": number}
    elif isinstance(where, datetime):
        how = {"ShardIteratorType": "AT_TIMESTAMP", "Timestamp": where}
    what = f"reading {shard} of {stream}"
    answer = call(
        retry,
        what,
        lambda: kinesis.get_shard_iterator(StreamName=stream, ShardId=shard, **how),
    )
    iterator: str | None = answer["ShardIterator"]
    while iterator is not None:
        page = call(
            retry,
            what,
            lambda: kinesis.get_records(ShardIterator=iterator),  # noqa: B023
        )
        yield page["Records"]
        iterator = page.get("NextShardIterator")
        if page.get("MillisBehindLatest", 0) == 0:
            return
        time.sleep(SECONDS_BETWEEN_READS)
