"""Kinesis' streams as moto has them, but as exact and as quick as the pipelines need.

moto scans a shard from its first record at every read, goes on filling a shard that has been
split, and moves the records of the parents into the children, where they are read again. Here a
shard keeps its records, in a list, and a closed one takes no more.
"""

import base64
import itertools
import time
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import datetime, timezone
from hashlib import md5
from operator import attrgetter
from typing import Any

import msgspec
from moto.core.exceptions import JsonRESTError
from moto.kinesis import models
from moto.kinesis.exceptions import InvalidArgumentError

#: How many records, and how many bytes of them, one GetRecords carries at most.
RECORDS_READ, BYTES_READ = 10_000, 10 * 1024 * 1024
#: What a shard gives in a second to all who read it: after 10 MB it gives nothing for five seconds.
#: docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html
BYTES_A_SECOND = 2 * 1024 * 1024
_KEY_CHARACTERS = 256

# One count for all shards: a number is unique, and every number of a child shard is above those of
# its parents. It stands where the real ones are known to have theirs, between the second in which
# the shard was made and that of the record: see ``destinations/opensearch/versions.py``.
_DIGITS = 56
_COUNT = itertools.count()
_BEGAN = int(time.time())
_A_SECOND = 1 << 16


def _next_number() -> int:
    count = next(_COUNT)
    now = _BEGAN + 1 + count // _A_SECOND
    return 2 << 184 | _BEGAN << 148 | count << 80 | now << 36 | 2


class Record(msgspec.Struct, rename="pascal", gc=False):
    """A record as GetRecords gives it; `gc=False`, for there are hundreds of thousands."""

    data: bytes
    partition_key: str
    sequence_number: str
    approximate_arrival_timestamp: float  # seconds since 1970, to the millisecond

    def to_json(self) -> dict[str, Any]:
        """Give the shape that moto's own GetRecords passes on."""
        arrival = datetime.fromtimestamp(self.approximate_arrival_timestamp, timezone.utc)
        return {
            "Data": self.data,
            "PartitionKey": self.partition_key,
            "SequenceNumber": self.sequence_number,
            "ApproximateArrivalTimestamp": arrival,
        }

    @property
    def size(self) -> int:
        """Bytes that count towards Kinesis' limits."""
        return len(self.data) + len(self.partition_key)


_number = attrgetter("sequence_number")
_arrival = attrgetter("approximate_arrival_timestamp")


class Shard(models.Shard):
    """A shard whose records stay where they were put, in order of their numbers.

    moto's own `records` stays empty, so that a split or a merge finds nothing to move.
    """

    def __init__(
        self,
        shard_id: int,
        starting_hash: int,
        ending_hash: int,
        parent: str | None = None,
        adjacent_parent: str | None = None,
    ) -> None:
        super().__init__(shard_id, starting_hash, ending_hash, parent, adjacent_parent)
        self.kept: list[Record] = []
        self.first_number = _next_number()

    def append(self, data: bytes, partition_key: str, arrival: float) -> str:
        """Keep a record; gives its sequence number."""
        number = str(_next_number())
        self.kept.append(Record(data, partition_key, number, arrival))
        return number

    def read(self, after: int, limit: int) -> Sequence[Record]:
        """Give the records whose numbers are above `after`, as many as one call may carry."""
        start = bisect_right(self.kept, str(after).zfill(_DIGITS), key=_number)
        records = self.kept[start : start + limit]
        for count, total in enumerate(itertools.accumulate(record.size for record in records)):
            if total > BYTES_READ:
                return records[: max(count, 1)]
        return records

    def give(self, after: int, limit: int) -> Sequence[Record]:
        """Give a reader what it asks for."""
        return self.read(after, limit)

    def ends_at(self, number: int) -> bool:
        """Tell whether the shard is closed and has nothing above a number."""
        return not self.is_open and not self.read(number, 1)

    def milliseconds_behind(self, records: Sequence[Record]) -> int:
        """Tell how much older the last of `records` is than the shard's newest."""
        if not records:
            return 0
        newest, reached = _arrival(self.kept[-1]), _arrival(records[-1])
        return int((newest - reached) * 1000)

    def put_record(
        self,
        partition_key: str,
        data: str,
        explicit_hash_key: str,  # noqa: ARG002 - moto's signature
    ) -> str:
        """Keep a record whose data are in base64; gives its sequence number."""
        return self.append(base64.b64decode(data), partition_key, now())

    def get_records(self, last_sequence_id: str, limit: int | None) -> tuple[list[Any], int, int]:
        """Give the records after a number, the last one's number, and the milliseconds behind."""
        records = self.give(int(last_sequence_id), min(limit or RECORDS_READ, RECORDS_READ))
        last = int(records[-1].sequence_number) if records else int(last_sequence_id)
        return list(records), last, self.milliseconds_behind(records)

    def get_min_sequence_number(self) -> int:
        """Give a number that is below all of the shard's records."""
        return self.first_number

    def get_max_sequence_number(self) -> int:
        """Give the number of the newest record, or of the shard's beginning."""
        return int(self.kept[-1].sequence_number) if self.kept else self.first_number

    def get_sequence_number_at(self, at_timestamp: float) -> int:
        """Give the number of the last record that is older than a time in seconds, or 0."""
        older = bisect_left(self.kept, float(at_timestamp), key=_arrival)
        return int(self.kept[older - 1].sequence_number) if older else 0


class ThroughputExceeded(JsonRESTError):
    """A reader comes too early."""

    def __init__(self, shard_id: str) -> None:
        super().__init__("ProvisionedThroughputExceededException", f"Rate exceeded for {shard_id}")


class ThrottledShard(Shard):
    """A shard that gives no more bytes a second than one of Kinesis does."""

    _free_at = 0.0

    def give(self, after: int, limit: int) -> Sequence[Record]:
        """Give it; raises ThroughputExceeded until what was given before has had its time."""
        asked = time.monotonic()
        if asked < self._free_at:
            raise ThroughputExceeded(self.shard_id)
        records = self.read(after, limit)
        self._free_at = asked + sum(record.size for record in records) / BYTES_A_SECOND
        return records


class Stream(models.Stream):
    """A stream of `Shard`s that fills only the open ones, each to the last key of its range."""

    def shard_of(self, partition_key: str, explicit_hash_key: str | None) -> Shard:
        """Find the open shard of a key; raises `InvalidArgumentError` for one that has none."""
        if not 0 < len(partition_key) <= _KEY_CHARACTERS:
            raise InvalidArgumentError("PartitionKey")
        point = _point(partition_key, explicit_hash_key)
        for shard in self.shards.values():
            if shard.is_open and shard.starting_hash <= point <= shard.ending_hash:
                return shard  # type: ignore[return-value] # all shards are made of ours
        raise InvalidArgumentError("ExplicitHashKey")

    def get_shard_for_key(self, partition_key: str, explicit_hash_key: str) -> Shard:
        """Find the open shard of a key, for moto's PutRecord."""
        return self.shard_of(partition_key, explicit_hash_key)

    def children(self, shard: Shard) -> list[dict[str, Any]]:
        """List what shards followed this one, in the shape of GetRecords' ChildShards."""
        return [
            {
                "ShardId": child.shard_id,
                "ParentShards": [p for p in (child.parent, child.adjacent_parent) if p],
                "HashKeyRange": child.to_json()["HashKeyRange"],
            }
            for child in self.shards.values()
            if shard.shard_id in (child.parent, child.adjacent_parent)
        ]


def install(*, throttled: bool = False) -> None:
    """Make moto build its streams of our shards; before the first stream is made."""
    models.Shard = ThrottledShard if throttled else Shard  # type: ignore[misc]
    models.Stream = Stream  # type: ignore[misc] # both are looked up when used


def now() -> float:
    """Give the seconds since 1970, to the millisecond, as Kinesis tells arrivals."""
    return round(time.time(), 3)


def _point(partition_key: str, explicit_hash_key: str | None) -> int:
    if not explicit_hash_key:
        return int.from_bytes(md5(partition_key.encode(), usedforsecurity=False).digest(), "big")
    if not explicit_hash_key.isdecimal():
        raise InvalidArgumentError("ExplicitHashKey")
    return int(explicit_hash_key)
