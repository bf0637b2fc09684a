"""Rows to another stream, each a record of it: at least once, in the order of each key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from typing import NamedTuple

import msgspec

from ..aws.clients import Client, client
from ..aws.iam import allow
from ..aws.lean_put_records import make_lean
from ..aws.output_stream import OUTPUT_SHARDS, OUTPUT_STREAM, OutputStream, writes_to_itself
from ..aws.put_records import (
    BYTES_A_RECORD,
    KEY_CHARACTERS,
    OutgoingRecord,
    batches,
    longest_record,
    put_records,
)
from ..config.component import Contradiction, Shipped
from ..config.keys import STREAMS, TRANSFORMER
from ..config.metric import Counter
from ..config.registry import chosen, name_of
from ..config.resource import Resource, Statement
from ..config.setting import Setting, Settings
from ..config.shipped import DAEMON
from ..config.types import ValueType
from ..config.work import Cost, Load, Onwards, Work
from ..files.formats import members
from ..flow.batch import Batch, Kept
from ..flow.emitter import Emitter
from ..flow.record import Record
from ..flow.retry import Retry

KEEP, RANDOM = "keep", "random"


ROWS_PUT = Counter("kinesis.rows", "Rows put on kinesisOutputStream.")


class Field(NamedTuple):
    """A field of the JSON rows."""

    name: str


def _read_key(value: str) -> str | Field:
    if value in {KEEP, RANDOM}:
        return value
    if not value.startswith('"'):
        return Field(value)
    try:
        return Field(msgspec.json.decode(value, type=str))
    except ValueError as error:
        raise ValueError("not one text in double quotes, as in JSON") from error


PARTITION_KEY = Setting[str | Field](
    "kinesisPartitionKey",
    ValueType("keep, random, or a field of the JSON rows", _read_key),
    "The partition key of each row: that of its record (keep), one made of its place in the source "
    "(random), or the value of a field.",
    KEEP,
    example="carrier",
    note='A field that is itself called keep or random is written "keep", with the quotes.',
    section=STREAMS,
)


class Refused(Exception):
    """A row that Kinesis would never take, and why."""


Key = Callable[[Record, int, bytes], str]
"""Returns the partition key of a record's row, whose number in it is given. Raises Refused."""


def key_kept(record: Record, number: int, row: bytes) -> str:
    """Return the key that the record had in its own stream."""
    del number, row
    return record.partition_key


def key_of_place(shard: str, record: Record, number: int, row: bytes) -> str:
    """Return the row's place in the source, which is the same whenever the row is put again.

    Kinesis spreads records by the MD5 of their keys, so that it is as good as chance.
    """
    del row
    return f"{shard}-{record.sequence_number}-{record.sub_sequence_number or 0}-{number}"


def key_in_row(name: str, record: Record, number: int, row: bytes) -> str:
    """Return the value of a row's field: a text, or a number, true or false as it is written."""
    del record, number
    try:
        value = bytes(members(row)[name])
        if value.startswith(b'"'):
            return msgspec.json.decode(value, type=str)
    except KeyError:
        raise Refused(f"no field {name}, of which its partition key is to be made") from None
    except (ValueError, RecursionError) as error:
        raise Refused(f"no partition key can be made of {name}: {error}") from error
    if value.startswith((b"{", b"[", b"n")):
        raise Refused(f"{name} is null, an object or an array, of which there is no partition key")
    return value.decode()


class TargetStream(OutputStream):
    """The stream that the rows go to."""

    action = "PutRecords"

    def permissions(self, account: str) -> Iterator[Statement]:
        """Allow to look whether it is there, to put rows, and to ask how long one may be."""
        yield allow("PutRows", "kinesis: ListShards PutRecords", self.arn(account))
        yield allow("AskForTheLongestRow", "kinesis: DescribeStreamSummary", self.arn(account))


class KinesisEmitter(Emitter[bytes]):
    """Puts each row on ``kinesisOutputStream``, as it is.

    At least once: after a crash, a lost answer, or from a host that has lost its shard without
    knowing, rows come again. Except from such a host, the rows of a partition key come in the order
    of the shard; where they come again, they do so from one of them on, and through to the last.
    """

    accepts = frozenset({"csv", "delimited", "json", "text"})
    measures = (*Emitter.measures, ROWS_PUT)
    declares = (OUTPUT_STREAM, OUTPUT_SHARDS, PARTITION_KEY)
    shipped = Shipped(
        "kinesis",
        "Records of a Kinesis stream go to another one, after the transformer and the filter.",
        {
            **DAEMON,
            "applicationName": "flights-on",
            "connectorDestination": "kinesis",
            "transformer": "json",
            "filter": "all",
            "bufferRecordCountLimit": "500",
            "bufferByteSizeLimit": "4194304",
            "bufferMillisecondsLimit": "1000",
            "kinesisInputStreamShardCount": "4",
            "kinesisOutputStream": "flights",
            "kinesisOutputStreamShardCount": "4",
            "kinesisPartitionKey": "keep",
        },
    )

    def __init__(self, kinesis: Client, stream: str, key: str | Field, retry: Retry) -> None:
        self.kinesis = kinesis
        self.stream = stream
        self.key = key
        self.retry = retry

    @classmethod
    def contradictions(cls, settings: Settings) -> Iterator[Contradiction]:
        """Refuse to read what is written, and fields of rows that have none."""
        yield from writes_to_itself(settings)
        is_field = isinstance(settings[PARTITION_KEY], Field)
        if is_field and getattr(chosen(settings.texts).transformer, "format", "") != "json":
            transformer = name_of(TRANSFORMER.key, settings.texts)
            yield (
                PARTITION_KEY.key,
                f"kinesisPartitionKey = {settings.texts[PARTITION_KEY.key]} is a field of JSON "
                f"rows, which transformer = {transformer} does not make; take keep or random",
            )

    @classmethod
    def resources(cls, settings: Settings) -> Sequence[Resource]:
        """Return the stream that the rows go to."""
        return [TargetStream(settings)]

    @classmethod
    def from_settings(cls, settings: Settings) -> KinesisEmitter:
        """Take the stream, and what the partition keys are."""
        kinesis = client("kinesis", settings)
        make_lean(kinesis)
        return cls(
            kinesis,
            settings[OUTPUT_STREAM],
            settings[PARTITION_KEY],
            Retry.from_settings(settings, "kinesis"),
        )

    @classmethod
    def work(cls, settings: Settings, load: Load) -> Work:
        """Put a row for each record, as long as it is."""
        rows = load._replace(shards=settings[OUTPUT_SHARDS])
        return Work(Cost(19.5, 7_193), onwards=Onwards(settings[OUTPUT_STREAM], rows))

    def emit(self, batch: Batch[bytes]) -> None:
        """Put every row; a record one of whose rows is refused puts none."""
        outgoing: list[OutgoingRecord] = []
        for kept in batch.kept:
            try:
                outgoing += self.outgoing(kept)
            except Refused as error:
                batch.reject(kept.record, str(error))
        # One call after the other: of no key is a row on its way while an earlier one is not there.
        for records in batches(outgoing):
            put_records(self.kinesis, self.stream, records, self.retry)
            ROWS_PUT.add(len(records))

    def outgoing(self, kept: Kept[bytes]) -> list[OutgoingRecord]:
        """Return what is put for a record. Raises Refused."""
        key_of, record = self.key_of, kept.record
        found = [OutgoingRecord(row, key_of(record, n, row)) for n, row in enumerate(kept.rows)]
        for one in found:
            self._insist_on_fit(one)
        return found

    @cached_property
    def key_of(self) -> Key:
        """What makes the partition keys."""
        if isinstance(self.key, Field):
            return partial(key_in_row, self.key.name)
        return key_kept if self.key == KEEP else partial(key_of_place, self.shard)

    @cached_property
    def longest(self) -> int:
        """The bytes that a record of the stream may have; asked for when the first is so long."""
        return longest_record(self.kinesis, self.stream, self.retry)

    def _insist_on_fit(self, one: OutgoingRecord) -> None:
        # Of whichever characters Kinesis counts: those of UTF-16 are never fewer than others.
        key = one.key
        length = len(key) if key.isascii() else len(key.encode("utf-16-le")) // 2
        if not 0 < length <= KEY_CHARACTERS:
            said = f"{len(key)} characters" if key else "empty"
            raise Refused(f"its partition key is {said}; Kinesis takes 1 to {KEY_CHARACTERS}")
        if one.size > BYTES_A_RECORD and one.size > self.longest:
            raise Refused(
                f"a row of {one.size:,} bytes with its partition key; {self.stream} takes "
                f"{self.longest:,}, or what UpdateMaxRecordSize allows it, up to 10 MiB"
            )
