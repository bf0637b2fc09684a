"""Files announced on a stream, many at once."""

from __future__ import annotations

from collections.abc import Iterable

from ..aws.clients import Client
from ..aws.put_records import OutgoingRecord, batches, put_records
from ..flow.retry import Retry
from .file import File


def announce(kinesis: Client, stream: str, files: Iterable[File], retry: Retry) -> None:
    """Put the messages of files; those of a shard keep their order. Raises Fatal."""
    messages = (OutgoingRecord(file.encode(), str(file.shard)) for file in files)
    for batch in batches(messages):
        put_records(kinesis, stream, batch, retry)
