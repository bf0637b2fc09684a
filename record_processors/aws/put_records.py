"""Records to a stream, as many at once as PutRecords takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..flow.in_part import NotTaken, send_all
from ..flow.retry import Retry
from .clients import Client
from .failures import classified

# docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
RECORDS_A_CALL = 500
BYTES_A_CALL = 5 * 1024 * 1024  # partition keys included
BYTES_A_RECORD = 1024 * 1024  # likewise


class OutgoingRecord(NamedTuple):
    """One record to put. The key spreads records over the shards."""

    data: bytes
    key: str

    @property
    def size(self) -> int:
        """What it counts in Kinesis' limits."""
        return len(self.data) + len(self.key.encode())


def batches(records: Iterable[OutgoingRecord]) -> Iterator[list[OutgoingRecord]]:
    """Cut records into what one PutRecords takes."""
    batch: list[OutgoingRecord] = []
    size = 0
    for record in records:
        if batch and (len(batch) == RECORDS_A_CALL or size + record.size > BYTES_A_CALL):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += record.size
    if batch:
        yield batch


def put_records(
    kinesis: Client, stream: str, records: Sequence[OutgoingRecord], retry: Retry
) -> None:
    """Put every record of one call; what PutRecords refuses of it goes again. Raises Fatal."""
    what = f"putting to {stream}"

    def send(waiting: Sequence[OutgoingRecord]) -> NotTaken:
        with classified(what):
            answer = kinesis.put_records(
                StreamName=stream,
                Records=[{"Data": one.data, "PartitionKey": one.key} for one in waiting],
            )
        codes = [result.get("ErrorCode") for result in answer["Records"]]
        places = [place for place, code in enumerate(codes) if code]
        return NotTaken(places, [code for code in codes if code])

    send_all(retry, what, records, send)
