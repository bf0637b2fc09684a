"""Records to a stream, as many at once as PutRecords takes, in the order of each key."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..flow.in_part import NotTaken, send_all
from ..flow.retry import Retry
from .clients import Client
from .failures import call, classified

# docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
RECORDS_A_CALL = 500
BYTES_A_CALL = 10 * 1024 * 1024  # partition keys included
# Likewise; a stream may be allowed more: …/APIReference/API_UpdateMaxRecordSize.html
BYTES_A_RECORD = 1024 * 1024
KEY_CHARACTERS = 256  # …/APIReference/API_PutRecordsRequestEntry.html


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
        length = record.size
        if batch and (len(batch) == RECORDS_A_CALL or size + length > BYTES_A_CALL):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += length
    if batch:
        yield batch


def longest_record(kinesis: Client, stream: str, retry: Retry) -> int:
    """Ask how many bytes a record of the stream may have, its key included. Raises Fatal.

    docs.aws.amazon.com/kinesis/latest/APIReference/API_StreamDescriptionSummary.html
    """
    answer = call(
        retry,
        f"asking how long a record of {stream} may be",
        lambda: kinesis.describe_stream_summary(StreamName=stream),
    )
    found: dict[str, int] = answer["StreamDescriptionSummary"]
    return found.get("MaxRecordSizeInKiB", BYTES_A_RECORD // 1024) * 1024


def put_records(
    kinesis: Client, stream: str, records: Sequence[OutgoingRecord], retry: Retry
) -> None:
    """Put every record of one call; what PutRecords refuses of it goes again. Raises Fatal.

    With a refused record go, again, those of its key that came after it in the call, taken or not:
    else an older record would come after a newer one of its key, and stay the last.
    """
    what = f"putting to {stream}"

    def send(waiting: Sequence[OutgoingRecord]) -> NotTaken:
        with classified(what):
            answer = kinesis.put_records(
                StreamName=stream,
                Records=[{"Data": one.data, "PartitionKey": one.key} for one in waiting],
            )
        codes = [result.get("ErrorCode") for result in answer["Records"]]
        return NotTaken(_again(waiting, codes), [code for code in codes if code])

    send_all(retry, what, records, send)


def _again(records: Sequence[OutgoingRecord], codes: Sequence[str | None]) -> list[int]:
    """Return the places of what was refused, and of what came after it under the same key."""
    refused: set[str] = set()
    places = []
    for place, (record, code) in enumerate(zip(records, codes, strict=True)):
        if code:
            refused.add(record.key)
        if record.key in refused:
            places.append(place)
    return places
