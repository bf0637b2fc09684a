"""Where records go that can go nowhere else: JSON lines in the bucket, their bytes kept."""

from __future__ import annotations

import base64
import logging

import msgspec

from .bucket import Bucket
from .places import dead_letters_folder
from .record import Record
from .settings import BYTE_LIMIT, STREAM_NAME, Settings

log = logging.getLogger(__name__)

LOAD_STAGE = "load"


class DeadLetters:
    """Collects rejected records of one shard and writes them under ``deadLetterPrefix``.

    An object's key is a function of the first and last position in it, and transformers are
    deterministic, so that a repeated write repeats an object or adds one, and never takes a record
    away. A record that a destination refused to load is an object of its own, because what the
    destination refuses may differ from one life to the next.
    """

    def __init__(self, bucket: Bucket, prefix: str, stream: str, byte_limit: int) -> None:
        self.bucket = bucket
        self.prefix = prefix
        self.stream = stream
        self.byte_limit = byte_limit
        self.shard = ""
        self._records: list[Record] = []
        self._lines: list[bytes] = []
        self._bytes = 0
        self._first_reason = ""

    @classmethod
    def from_settings(cls, settings: Settings) -> DeadLetters:
        """Write to ``s3Bucket``, at most ``bufferByteSizeLimit`` bytes an object or so."""
        return cls(
            Bucket.from_settings(settings),
            dead_letters_folder(settings),
            settings[STREAM_NAME],
            settings[BYTE_LIMIT],
        )

    def add(self, record: Record, stage: str, reason: str) -> None:
        """Take a record; it is durable after the next ``write``."""
        line = self._line(record, stage, reason)
        if stage == LOAD_STAGE:
            self._put(record, record, [line], f"{stage}: {reason}")
            return
        if not self._records:
            self._first_reason = f"{stage}: {reason}"
        self._records.append(record)
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes >= self.byte_limit:
            self.write()

    def write(self) -> None:
        """Make durable what was added. Nothing is written when nothing was."""
        if self._records:
            self._put(self._records[0], self._records[-1], self._lines, self._first_reason)
            self._records, self._lines, self._bytes = [], [], 0

    def _put(self, first: Record, last: Record, lines: list[bytes], reason: str) -> None:
        key = f"{self.prefix}{self.shard}-{first.position}-{last.position}.jsonl"
        self.bucket.put(key, b"".join(lines))
        # One line for all of them: a stream of nothing else must not flood the log.
        url = f"s3://{self.bucket.name}/{key}"
        what = "a dead letter" if len(lines) == 1 else f"{len(lines)} dead letters, the first"
        log.warning("%s, %s; kept in %s", what, reason, url)

    def _line(self, record: Record, stage: str, reason: str) -> bytes:
        letter = {
            "version": 1,
            "stream": self.stream,
            "shard": self.shard,
            "position": str(record.position),
            "arrival": record.arrival,
            "partitionKey": _escaped(record.partition_key),
            "data": base64.b64encode(record.data).decode(),
            "stage": stage,
            "reason": _escaped(reason),
        }
        return msgspec.json.encode(letter) + b"\n"


def _escaped(text: str) -> str:
    """Write half a surrogate pair, which has no UTF-8, as an escape."""
    return text.encode(errors="backslashreplace").decode()
