"""The settings of the table, and what its attributes are made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from ...config.component import Contradiction
from ...config.setting import Setting, Settings
from ...config.types import TABLE, ValueType, duration, matching, text
from ...errors import one_line
from ...filters.jmespath import JmesPath

DYNAMODB = "DynamoDB"
NO_GUARD = "none"
KEY_TYPES = ("S", "N", "B")
TYPES = (*KEY_TYPES, "SS", "NS", "BS")
MARK = "_deleted"


class TimeToLive(NamedTuple):
    """Where the seconds at which an item expires come from: a field, or the time of arrival."""

    attribute: str
    field: str | None
    seconds: int = 0


def _types(value: str, types: tuple[str, ...], default: str | None = None) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in value.split(","):
        name, colon, kind = (word.strip() for word in part.rpartition(":"))
        if not colon and default:
            name, kind = kind, default
        if not name or kind not in types:
            raise ValueError(f"{part.strip()!r} is not a name, a colon, and {' or '.join(types)}")
        if name in found:
            raise ValueError(f"{name} stands there twice")
        found[name] = kind
    return found


def _key(value: str) -> Mapping[str, str]:
    found = _types(value, KEY_TYPES, "S")
    if len(found) > 2:
        raise ValueError("a key has a partition key and at most one sort key")
    return found


def _time_to_live(value: str) -> TimeToLive:
    attribute, _, source = (word.strip() for word in value.partition(":"))
    if attribute and (found := re.fullmatch(r"arrival *\+ *([0-9]{1,9} *[smhd])", source)):
        return TimeToLive(attribute, None, duration(found[1]))
    if attribute and (found := re.fullmatch(r"field +(.+)", source)):
        return TimeToLive(attribute, found[1])
    raise ValueError("not like 'expires: arrival + 30d' or 'expires: field validUntil'")


DATA_TABLE = Setting(
    "dynamoDBDataTableName",
    matching(TABLE, "3 to 255 of A-Z a-z 0-9 _ . -"),
    "The table that the items go to.",
    required=True,
    example="flights",
    section=DYNAMODB,
)
KEY = Setting[Mapping[str, str] | None](
    "dynamoDBKey",
    ValueType(
        "one or two names with a comma between them, each with its type if it is not S", _key
    ),
    "The key that `create` gives the table: the partition key, then the sort key if there is one.",
    example="id, created: N",
    note="What is there already must have this key.",
    section=DYNAMODB,
)
POSITION = Setting(
    "dynamoDBPositionAttribute",
    matching(r"[A-Za-z0-9_.-]{1,255}", "1 to 255 of A-Z a-z 0-9 _ . -"),
    "The attribute that keeps an item's position in the stream, so that no older one replaces it.",
    "_position",
    note="none: no guard; 25 items a request, and a replay or a process that was paused may put "
    "an older item in the place of a newer one until the stream is read to its end.",
    section=DYNAMODB,
)
ATTRIBUTE_TYPES = Setting[Mapping[str, str] | None](
    "dynamoDBAttributeTypes",
    ValueType("names, each with a colon and S, N, B, SS, NS or BS", lambda one: _types(one, TYPES)),
    "Attributes whose type JSON does not tell: a set, binary (from base64), a number from a text.",
    example="tags: SS, payload: B, amount: N",
    section=DYNAMODB,
)
TTL = Setting[TimeToLive | None](
    "dynamoDBTTLAttribute",
    ValueType("an attribute, a colon, and 'arrival + 30d' or 'field NAME'", _time_to_live),
    "The attribute by which DynamoDB deletes expired items, and where its time comes from.",
    example="expires: arrival + 30d",
    note="s, m, h or d from the record's arrival; or a field: seconds since 1970, or a time like "
    "2030-01-31T12:00:00Z. `create` turns it on.",
    section=DYNAMODB,
)
DELETE_EXPRESSION = Setting[str | None](
    "dynamoDBDeleteExpression",
    text,
    "JMESPath: a row of which it is true deletes the item.",
    example="op == 'delete'",
    note="With the guard the item becomes its key, its position, _deleted = true, and the TTL: "
    "without a trace an older record could come back.",
    section=DYNAMODB,
    may_resemble_a_secret=True,  # as a filter's expression may
)
DECLARED = (DATA_TABLE, KEY, POSITION, ATTRIBUTE_TYPES, TTL, DELETE_EXPRESSION)


def guard_of(settings: Settings) -> str | None:
    """Return the attribute of the position; None if there is no guard."""
    name = settings[POSITION]
    return None if name == NO_GUARD else name


def contradictions(settings: Settings) -> Iterator[Contradiction]:
    """Yield what cannot be meant together."""
    key, types = settings[KEY] or {}, settings[ATTRIBUTE_TYPES] or {}
    guard = guard_of(settings)
    for name, kind in key.items():
        if types.get(name, kind) != kind:
            yield (
                ATTRIBUTE_TYPES.key,
                f"{name} is {kind} in dynamoDBKey and {types[name]} in dynamoDBAttributeTypes",
            )
    if guard in key or guard in types:
        yield POSITION.key, f"{POSITION.key} = {guard}: the name of another attribute"
    if (ttl := settings[TTL]) and ttl.attribute in {*key, *types, guard}:
        yield TTL.key, f"{TTL.key}: {ttl.attribute} is the name of another attribute"
    if expression := settings[DELETE_EXPRESSION]:
        if guard and MARK in {guard, *key, *types, ttl.attribute if ttl else ""}:
            reason = f"{MARK}, the mark of deleted items, is the name of another attribute"
            yield DELETE_EXPRESSION.key, f"{DELETE_EXPRESSION.key}: {reason}"
        try:
            JmesPath(expression)
        except ValueError as error:
            reason = f"not jmespath: {one_line(error)}"
            yield DELETE_EXPRESSION.key, f"{DELETE_EXPRESSION.key} = {expression}: {reason}"
