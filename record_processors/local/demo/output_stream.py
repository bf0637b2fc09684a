"""The stream that flights were put on by a pipeline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property

from ...aws.clients import client
from ...aws.output_stream import OUTPUT_STREAM
from ...config.setting import Settings
from . import flights
from .destination import Found


class OutputStream:
    """Reads the stream as it grows. Of what it holds, each record is kept once, and counted."""

    def __init__(self, settings: Settings) -> None:
        self.name = settings[OUTPUT_STREAM]
        self.kinesis = client("kinesis", settings)
        self.records = Counter[bytes]()

    @cached_property
    def iterators(self) -> dict[str, str]:
        """Where the reading goes on in each shard."""
        return {
            shard["ShardId"]: self.kinesis.get_shard_iterator(
                StreamName=self.name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
            )["ShardIterator"]
            for shard in self.kinesis.list_shards(StreamName=self.name)["Shards"]
        }

    def new(self) -> Iterator[bytes]:
        """Yield the records that have come since the last time."""
        for shard in self.iterators:
            while True:
                answer = self.kinesis.get_records(ShardIterator=self.iterators[shard])
                self.iterators[shard] = answer["NextShardIterator"]
                yield from (record["Data"] for record in answer["Records"])
                if not answer["Records"]:
                    break

    def distinct(self) -> int:
        """Return how many different records there are."""
        self.records.update(self.new())
        return len(self.records)

    def found(self, put: int, first: float) -> Found:
        """Compare the records, each of them once."""
        distinct = self.distinct()
        total = self.records.total()
        doubles = f"{total - distinct:,} doubles (at least once is the promise)"
        how = f"{put:,} records → {total:,} on stream {self.name}, {doubles}"
        sums = flights.checksums(map(flights.row_of, self.records))
        where = f"on stream {self.name}"
        return Found("kinesis", f"{how} · first after {first:.0f} s", where, sums)
