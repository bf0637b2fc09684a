"""Lines of files to a stream."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from .aws import Client, call
from .errors import Transient
from .retry import Retry
from .transformers.text import without_line_break

log = logging.getLogger(__name__)

# docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
RECORDS_A_CALL = 500
BYTES_A_CALL = 5 * 1024 * 1024  # partition keys included
BYTES_A_RECORD = 1024 * 1024  # likewise


class Entry(NamedTuple):
    """One record to put. The key spreads records over the shards."""

    data: bytes
    key: str

    @property
    def size(self) -> int:
        """What it counts in Kinesis' limits."""
        return len(self.data) + len(self.key.encode())


class Summary(NamedTuple):
    """What came of the lines."""

    put: int
    empty: int
    too_long: int


def put_lines(
    kinesis: Client, stream: str, lines: Iterable[bytes], retry: Retry, shown: Callable[[int], None]
) -> Summary:
    """Put each line, without its line end, as one record; calls ``shown`` with how many are put.

    Empty lines and lines over 1 MiB are left out and counted. Raises Fatal.
    """
    put = empty = too_long = 0

    def entries() -> Iterator[Entry]:
        nonlocal empty, too_long
        for number, line in enumerate(lines, 1):
            entry = Entry(without_line_break(line), str(number))
            if not entry.data:
                empty += 1
            elif entry.size > BYTES_A_RECORD:
                log.error("line %d is left out: it has %d bytes, over 1 MiB", number, entry.size)
                too_long += 1
            else:
                yield entry

    for batch in batches(entries()):
        put_batch(kinesis, stream, batch, retry)
        put += len(batch)
        shown(put)
    return Summary(put, empty, too_long)


def batches(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """Cut entries into what one PutRecords takes."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        if batch and (len(batch) == RECORDS_A_CALL or size + entry.size > BYTES_A_CALL):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch


def put_batch(kinesis: Client, stream: str, batch: Sequence[Entry], retry: Retry) -> None:
    """Put every entry. PutRecords may refuse a part with a success: that part goes again."""
    waiting = list(batch)

    def attempt() -> None:
        nonlocal waiting
        answer = kinesis.put_records(
            StreamName=stream,
            Records=[{"Data": entry.data, "PartitionKey": entry.key} for entry in waiting],
        )
        if answer["FailedRecordCount"]:
            results = list(zip(waiting, answer["Records"], strict=True))
            waiting = [entry for entry, result in results if "ErrorCode" in result]
            codes = sorted({result["ErrorCode"] for _, result in results if "ErrorCode" in result})
            raise Transient(f"{len(waiting)} of {len(batch)} refused with {', '.join(codes)}")

    call(retry, f"putting to {stream}", attempt)
