"""Where records go that can go nowhere else: JSON lines in the bucket, their bytes kept."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Protocol

from .batch import RejectedRecord
from .letter import Letter, report
from .record import Record


class Store(Protocol):
    """Where the files of dead letters are kept."""

    def put(self, key: str, body: bytes) -> None:
        """Write a file, or write it again. Durable on return; raises Fatal."""

    def url(self, key: str) -> str:
        """Return the address by which a person finds it."""


class DeadLetters:
    """Collects rejected records of one shard and writes them under ``deadLetterPrefix``.

    A file's key is a function of the first and last position in it, and transformers are
    deterministic, so that a repeated write repeats a file or adds one, and never takes a record
    away. A record that a destination rejected has a file of its own, because what a destination
    rejects may differ from one life to the next.
    """

    def __init__(self, store: Store, prefix: str, stream: str, byte_limit: int) -> None:
        self.store = store
        self.prefix = prefix
        self.stream = stream
        self.byte_limit = byte_limit
        self.shard = ""
        self._records: list[Record] = []
        self._lines: list[bytes] = []
        self._bytes = 0
        self._first_reason = ""

    def start(self, shard: str) -> None:
        """Begin with ``shard``; called once, before all else."""
        self.shard = shard

    def add(self, record: Record, stage: str, reason: str) -> None:
        """Take a record that the flow rejects; it is durable after the next ``write``."""
        if not self._records:
            self._first_reason = f"{stage}: {reason}"
        line = self._letter(record, stage, reason).encode()
        self._records.append(record)
        self._lines.append(line)
        self._bytes += len(line)
        if self._bytes >= self.byte_limit:
            self.write()

    def write_rejected(self, rejected: Sequence[RejectedRecord], stage: str) -> None:
        """Make durable what a destination rejected, each record in a file of its own."""
        by_position = sorted(rejected, key=lambda one: one.record.position)
        for _, found in groupby(by_position, lambda one: one.record.position):
            same = list(found)
            record = same[0].record
            lines = [self._letter(record, stage, one.reason).encode() for one in same]
            self._put(record, record, lines, f"{stage}: {same[0].reason}")

    def write(self) -> None:
        """Make durable what was added. Nothing is written when nothing was."""
        if self._records:
            self._put(self._records[0], self._records[-1], self._lines, self._first_reason)
            self._records, self._lines, self._bytes = [], [], 0

    def _put(self, first: Record, last: Record, lines: list[bytes], reason: str) -> None:
        key = f"{self.prefix}{self.shard}-{first.position}-{last.position}.jsonl"
        self.store.put(key, b"".join(lines))
        report(len(lines), reason, self.store.url(key))

    def _letter(self, record: Record, stage: str, reason: str) -> Letter:
        return Letter(
            stream=self.stream,
            shard=self.shard,
            position=str(record.position),
            arrival=record.arrival,
            partition_key=record.partition_key,
            data=record.data,
            stage=stage,
            reason=reason,
        )
