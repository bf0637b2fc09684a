"""How far behind in time a shard is: what is the first record beyond its checkpoint, if any.

One read of the shard, at the checkpoint's record. It tells when that record arrived, whether the
stream still has it, and what comes after it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from ..aws.clients import Client
from ..aws.failures import call
from ..aws.findings import code_of, why
from ..config.kcl_settings import INITIAL_TIMESTAMP
from ..config.keys import STREAM_NAME
from ..config.setting import Settings
from ..errors import ConnectorError
from ..flow.record import Position
from ..flow.retry import Retry
from ..kcl.leases import AT_TIMESTAMP, LATEST, TRIM_HORIZON, Lease
from .aggregate import user_records

TRIES, FIRST_WAIT = 3, 250  # ms, when others read the shard as fast as it may be read
# Seconds. A read of 10 MB shuts a shard for 5 s, and the next reader is the first who comes then:
# docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
LONGEST_WAIT = 1
RECORDS = 2  # the one at the checkpoint, and the next
# Kinesis gives empty pages where there are no records for a while:
# docs.aws.amazon.com/streams/latest/dev/troubleshooting-consumers.html
PAGES = 5

NOTHING = timedelta(0)
NO_CHECKPOINT = "it has no checkpoint yet, and begins at LATEST"
BUSY = "others read it as fast as it may be read"
HARMLESS = frozenset({NO_CHECKPOINT})  # why there is no lag to be known


class Lag(NamedTuple):
    """How far behind a shard is.

    ``behind`` is the age of the first record that is not checkpointed, zero if there is none; None
    if that is not known, and ``unknown`` says why. ``reached`` is when the checkpoint's record
    arrived, where that is known. ``lost`` is the end of a sentence about records that the stream
    does not have any more.
    """

    behind: timedelta | None = None
    reached: datetime | None = None
    unknown: str = ""
    lost: str = ""


class ShardReader:
    """Reads the few records of a stream that tell how far behind its shards are.

    May be used by several threads. For ``patience`` seconds from now on, what is refused for its
    pace is tried again and again; after that, a few times each.
    """

    def __init__(self, kinesis: Client, settings: Settings, patience: float = 0) -> None:
        self.kinesis = kinesis
        self.no_answer: Lag | None = None  # once there is none, the other shards are not tried
        self.stream = settings[STREAM_NAME]
        self.begins = settings[INITIAL_TIMESTAMP]
        self.patient_until = time.monotonic() + patience

    def lag(self, lease: Lease) -> Lag:
        """Return how far behind a shard is that has not ended."""
        if lease.checkpoint == LATEST:
            return Lag(unknown=NO_CHECKPOINT)
        if self.no_answer is not None:
            return self.no_answer
        try:
            if isinstance(lease.checkpoint, Position):
                return self._beyond(lease.shard, lease.checkpoint)
            return self._from(lease.shard, lease.checkpoint)
        except ConnectorError as error:
            lag, code = _failed(error)
            if not code:
                self.no_answer = lag
            return lag

    def _from(self, shard: str, sentinel: str) -> Lag:
        """Look for the first record from where a shard without a checkpoint is begun."""
        begin: dict[str, Any] = {"ShardIteratorType": TRIM_HORIZON}
        if sentinel == AT_TIMESTAMP:
            begin = {"ShardIteratorType": AT_TIMESTAMP, "Timestamp": self.begins}
        try:
            for record in self._records(shard, begin):
                return Lag(_age(record))
        except _Sparse as sparse:
            return Lag(sparse.behind)
        return Lag(NOTHING)

    def _beyond(self, shard: str, checkpoint: Position) -> Lag:
        """Look for the first record that is not checkpointed, from the checkpoint's own on.

        That one too may be unfinished: it may hold user records beyond the checkpoint.
        """
        begin = {
            "ShardIteratorType": "AT_SEQUENCE_NUMBER",
            "StartingSequenceNumber": str(checkpoint.sequence),
        }
        reached = None
        try:
            for record in self._records(shard, begin):
                if int(record["SequenceNumber"]) > checkpoint.sequence:
                    return Lag(_age(record), reached, lost="" if reached else _gap(record))
                reached = record["ApproximateArrivalTimestamp"]
                if user_records(record["Data"]) > checkpoint.sub_sequence + 1:
                    return Lag(_age(record), reached)
        except _Sparse as sparse:
            return Lag(sparse.behind, reached)
        return Lag(NOTHING, reached)

    def _records(self, shard: str, begin: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Yield the records from there on, to the shard's end. Raises Fatal, _Sparse."""
        what = f"reading {shard} of {self.stream}"
        iterator = call(
            self._retry(),
            what,
            lambda: self.kinesis.get_shard_iterator(StreamName=self.stream, ShardId=shard, **begin),
        ).get("ShardIterator")
        left = 0
        for _ in range(PAGES):
            page = call(
                self._retry(),
                what,
                lambda here=iterator: self.kinesis.get_records(ShardIterator=here, Limit=RECORDS),  # type: ignore[misc]
            )
            yield from page["Records"]
            iterator = page.get("NextShardIterator")
            left = page.get("MillisBehindLatest", 0)
            if not left or not iterator:
                return
        raise _Sparse(timedelta(milliseconds=left))

    def _retry(self) -> Retry:
        patience = max(self.patient_until - time.monotonic(), 0)
        return Retry(TRIES, FIRST_WAIT, patience=patience, longest=LONGEST_WAIT)


class _Sparse(Exception):
    """There are records further on, behind pages without any; they are at most so old."""

    def __init__(self, behind: timedelta) -> None:
        super().__init__()
        self.behind = behind


def _age(record: dict[str, Any]) -> timedelta:
    arrived: datetime = record["ApproximateArrivalTimestamp"]
    return max(datetime.now(timezone.utc) - arrived, NOTHING)  # clocks differ


def _gap(record: dict[str, Any]) -> str:
    arrived = record["ApproximateArrivalTimestamp"].astimezone(timezone.utc)
    return (
        "the stream does not have the record at its checkpoint any more: what came after that, and "
        f"before {arrived:%Y-%m-%d %H:%M:%S} UTC, is lost, if anything did"
    )


def _failed(error: ConnectorError) -> tuple[Lag, str]:
    """Say what it means that a shard cannot be read; and the code of the answer, "" without one."""
    cause: BaseException = error
    while isinstance(cause, ConnectorError) and cause.__cause__ is not None:
        cause = cause.__cause__
    code = code_of(cause)
    reason = why(cause, "kinesis:GetRecords") if isinstance(cause, Exception) else str(cause)
    if code == "ResourceNotFoundException":
        lost = "the stream does not have the shard any more, and it was not read to its end"
        return Lag(lost=lost), code
    if code == "InvalidArgumentException":
        return Lag(lost=f"the stream does not know its checkpoint: {reason}"), code
    if code == "ProvisionedThroughputExceededException":
        return Lag(unknown=BUSY), code
    return Lag(unknown=reason), code
