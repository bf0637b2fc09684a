"""A record's rows as changes of the table, and what of them DynamoDB would refuse for good."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from ...config.setting import Settings
from ...errors import BAD_DATA, Fatal, Rejected
from ...filters.jmespath import JmesPath
from ...flow.record import Position, Record
from .settings import ATTRIBUTE_TYPES, DELETE_EXPRESSION, MARK, TTL, TimeToLive, guard_of
from .values import (
    PLAIN,
    AttributeValue,
    Written,
    attribute_value,
    binary_bytes,
    item_bytes,
    members,
    typed_value,
)

# docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
ITEM_BYTES = 400 * 1024
PARTITION_KEY_BYTES, SORT_KEY_BYTES = 2048, 1024
# docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
KEY_NAME_BYTES, NAME_BYTES = 255, 65_535

# A row of JSON that is this short is no item beyond the limit, as no value counts more than twice
# what it takes in JSON. What is added to it (position, TTL) is left room for.
SHORT = ITEM_BYTES // 2 - 2048

# As the digits are compared as text, all have as many. Kinesis' sequence numbers have 56, and
# a sub-sequence is a Java long, of 19 at most.
SEQUENCE_DIGITS, SUB_SEQUENCE_DIGITS = 60, 20

YEAR_5138 = 10**11  # in seconds: beyond it are milliseconds that somebody took for seconds

Item = dict[str, AttributeValue]
Key = tuple[object, ...]


class Shape(NamedTuple):
    """What a table says of its items: its key, and the type of each attribute of a key or index."""

    keys: tuple[str, ...]
    types: Mapping[str, str]


class Change(NamedTuple):
    """What becomes of one item: another in its place, or, if it ``deletes``, none.

    ``item`` is written out, as a batch of dicts would weigh many times its bytes: what is to be
    there, or the key of what is to go. ``key`` is compared by value. ``position`` is what the guard
    compares; None without one.
    """

    record: Record
    key: Key
    item: msgspec.Raw
    position: AttributeValue | None = None
    deletes: bool = False


class Items:
    """Makes the changes of a record."""

    def __init__(
        self,
        shape: Shape,
        guard: str | None,
        types: Mapping[str, str],
        ttl: TimeToLive | None,
        deletes: Callable[[Any], bool] | None,
    ) -> None:
        self.shape = shape
        self.guard = guard
        self.types = types
        self.ttl = ttl
        self.deletes = deletes

    @classmethod
    def from_settings(cls, settings: Settings, shape: Shape) -> Items:
        """Take what the attributes are made of."""
        expression, types = settings[DELETE_EXPRESSION], settings[ATTRIBUTE_TYPES]
        return cls(
            shape,
            guard_of(settings),
            types or {},
            settings[TTL],
            JmesPath(expression).holds if expression else None,
        )

    def changes(self, record: Record, rows: Sequence[Any]) -> list[Change]:
        """Return the changes of a record's rows, in order. Raises Rejected if one cannot be."""
        return [self.change(record, row) for row in rows]

    def change(self, record: Record, row: bytes | dict[str, Any]) -> Change:
        """Return the change of one row. Raises Rejected, and Fatal for a position too long."""
        fields = self._fields(row)
        item = self._item(fields)
        key = self._key(item)
        self._check_indexes(item)
        if self.deletes and self.deletes(_plain(row)):
            names = {name: item[name] for name in self.shape.keys}
            if not self.guard:
                return Change(record, key, _written_out(names), deletes=True)
            item = {**names, MARK: {"BOOL": True}}
        position = None
        if self.guard:
            item[self.guard] = position = {"S": position_text(record.position)}
        if self.ttl and (expires := self._expires(self.ttl, record, fields)) is not None:
            item[self.ttl.attribute] = {"N": str(expires)}
        if not (isinstance(row, bytes) and len(row) <= SHORT):
            self._check_size(item)
        return Change(record, key, _written_out(item), position)

    def _fields(self, row: bytes | dict[str, Any]) -> dict[str, Any]:
        if isinstance(row, dict):
            fields = row
        else:
            try:
                fields = members(row)
            except BAD_DATA as error:
                raise Rejected(f"not one JSON object: {error}") from error
        if self.guard in fields:
            raise Rejected(f"it has an attribute {self.guard}, which is the position's")
        if self.ttl and self.ttl.attribute in fields and self.ttl.attribute != self.ttl.field:
            raise Rejected(f"it has an attribute {self.ttl.attribute}, which is the TTL's")
        return fields

    def _item(self, fields: dict[str, Any]) -> Item:
        item: Item = {}
        name, types = "", self.types
        try:
            for name, value in fields.items():
                if name not in types:
                    item[name] = PLAIN.get(type(value), attribute_value)(value)
                elif (made := typed_value(types[name], value)) is not None:
                    item[name] = made
        except Rejected as error:
            raise Rejected(f"{name}: {error}") from error
        if "" in item:
            raise Rejected("an attribute without a name")
        return item

    def _key(self, item: Item) -> Key:
        limits = (PARTITION_KEY_BYTES, SORT_KEY_BYTES)
        for name, most in zip(self.shape.keys, limits, strict=False):
            if name not in item:
                raise Rejected(f"the key {name} is missing")
            self._check_type(name, item[name])
            ((kind, value),) = item[name].items()
            size = binary_bytes(value) if kind == "B" else len(value.encode())
            if kind != "N" and size > most:
                raise Rejected(f"the key {name} has {size:,} bytes; DynamoDB takes {most:,}")
        return key_of(self.shape.keys, item)

    def _check_type(self, name: str, value: AttributeValue) -> None:
        wanted = self.shape.types[name]
        ((kind, content),) = value.items()
        what = "key" if name in self.shape.keys else "key of an index"
        if kind != wanted:
            raise Rejected(f"the {what} {name} is of type {kind}; the table's is {wanted}")
        if not content:
            raise Rejected(f"the {what} {name} is empty")

    def _check_indexes(self, item: Item) -> None:
        for name in self.shape.types:
            if name in item:
                self._check_type(name, item[name])

    def _expires(self, ttl: TimeToLive, record: Record, fields: dict[str, Any]) -> int | None:
        if ttl.field is None:
            return record.arrival // 1000 + ttl.seconds if record.arrival else None
        value = fields.get(ttl.field)
        return None if value is None else seconds_of(ttl.field, value)

    def _check_size(self, item: Item) -> None:
        if (size := item_bytes(item)) > ITEM_BYTES:
            raise Rejected(f"an item of {size:,} bytes; DynamoDB takes {ITEM_BYTES:,}")


def position_text(position: Position) -> str:
    """Write a position so that later ones are greater as text. Raises Fatal if it is too long."""
    text = f"{position.sequence:0{SEQUENCE_DIGITS}}-{position.sub_sequence:0{SUB_SEQUENCE_DIGITS}}"
    if len(text) > SEQUENCE_DIGITS + 1 + SUB_SEQUENCE_DIGITS:
        raise Fatal(f"the position {position} has more digits than can be compared as text")
    return text


def seconds_of(name: str, value: object) -> int:
    """Return a time in seconds since 1970. Raises Rejected."""
    try:
        if isinstance(value, (Written, int, Decimal)) and not isinstance(value, bool):
            # Between bounds first: 1e999999999 is an int that takes for ever to make.
            seconds = int(max(Decimal(-1), min(Decimal(str(value)), Decimal(YEAR_5138))))
        elif isinstance(value, str) and (moment := _moment(value)).tzinfo:
            seconds = int(moment.timestamp())
        else:
            raise ValueError("not seconds since 1970, nor a time with its zone")  # noqa: TRY301
    except (ValueError, ArithmeticError) as error:
        raise Rejected(f"{name}: no time: {error}") from error
    if not 0 <= seconds < YEAR_5138:
        raise Rejected(f"{name}: {seconds} are not seconds since 1970 (milliseconds, perhaps?)")
    return seconds


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _plain(row: bytes | dict[str, Any]) -> object:
    return row if isinstance(row, dict) else msgspec.json.decode(row)


def _written_out(item: Item) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(item))


def key_of(names: Sequence[str], item: Item) -> Key:
    """Return a key so that it can be compared: numbers by their value."""
    return tuple(_comparable(item[name]) for name in names)


def _comparable(value: Mapping[str, Any]) -> object:
    ((kind, content),) = value.items()
    return Decimal(content) if kind == "N" else content
