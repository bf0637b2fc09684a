"""JSON values as the attribute values of DynamoDB, with every digit, and how large they are.

docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import msgspec

from ...errors import Rejected

AttributeValue = dict[str, Any]  # {"S": "a text"}, as it travels

# docs.aws.amazon.com/amazondynamodb/latest/developerguide/Constraints.html
DIGITS = 38
ALL_KEPT = 10**DIGITS  # of an integer below it
SMALLEST, LARGEST = -130, 125  # powers of ten of a number's first digit
LEVELS = 32
EXPONENT_LENGTH = 18  # beyond it, even with zeros in front, Decimal may not take the number

SHORT_NUMBER = re.compile(r"[0-9]{1,19}(\.[0-9]{1,19})?", re.ASCII)  # all its digits are kept
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)


class Written(str):
    """A number of JSON, as it was written."""

    __slots__ = ()


members = msgspec.json.Decoder(dict[str, Any], float_hook=Written).decode
"""Reads one JSON object without a float. Raises ValueError, RecursionError."""


def attribute_value(value: object, levels: int = LEVELS) -> AttributeValue:
    """Return what stands for a value in DynamoDB. Raises Rejected for what nothing stands for.

    A value may be JSON's, or one that a transformer of one's own makes: Decimal, bytes, a set.
    """
    if make := PLAIN.get(type(value)):
        return make(value)
    if isinstance(value, (set, frozenset)):
        return typed_value(_kind_of_set(value), sorted(value, key=str)) or {}
    if isinstance(value, (dict, list, tuple)):
        return _nested(value, levels)
    what = type(value).__name__
    raise Rejected(f"a {what} is no value of DynamoDB" + _INSTEAD.get(what, ""))


PLAIN: dict[type, Callable[[Any], AttributeValue]] = {
    str: lambda value: {"S": value},
    Written: lambda value: {"N": number(str(value))},  # a plain text
    int: lambda value: {"N": str(value) if -ALL_KEPT < value < ALL_KEPT else number(str(value))},
    Decimal: lambda value: {"N": number(str(value))},
    bool: lambda value: {"BOOL": value},
    type(None): lambda _: {"NULL": True},
    bytes: lambda value: {"B": binary(value)},
}
_INSTEAD = {"float": ": a Decimal keeps the digits"}


def _nested(
    value: dict[str, object] | list[object] | tuple[object, ...], levels: int
) -> AttributeValue:
    if levels == 0:
        raise Rejected(f"nested deeper than the {LEVELS} levels that DynamoDB takes")
    if not isinstance(value, dict):
        return {"L": [attribute_value(one, levels - 1) for one in value]}
    if "" in value:
        raise Rejected("an attribute without a name")
    return {"M": {name: attribute_value(one, levels - 1) for name, one in value.items()}}


def typed_value(kind: str, value: object) -> AttributeValue | None:
    """Return ``value`` as the type that the settings say; None for an empty set, which cannot be.

    Raises Rejected if it is no such value. Null stays null.
    """
    if value is None:
        return {"NULL": True}
    if kind in _SCALARS:
        return {kind: _SCALARS[kind](value)}
    if not isinstance(value, (list, tuple, set, frozenset)):
        raise Rejected(f"not an array, of which a set ({kind}) is made")
    if kind == "NS":
        return _set(kind, {Decimal(text): text for text in map(_number_of, value)}.values())
    return _set(kind, dict.fromkeys(map(_SCALARS[kind[0]], value)))


def _set(kind: str, members: Iterable[str]) -> AttributeValue | None:
    found = list(members)
    return {kind: found} if found else None


def _kind_of_set(value: Iterable[object]) -> str:
    kinds = {next(iter(attribute_value(one))) for one in value}
    if len(kinds) == 1 and (kind := f"{kinds.pop()}S") in {"SS", "NS", "BS"}:
        return kind
    raise Rejected("a set that is empty, or not of texts, of numbers, or of bytes alone")


def _text_of(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise Rejected("not a text")
    return str(value)


def _number_of(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
        raise Rejected("not a number")
    return number(str(value))


def binary(value: object) -> str:
    """Return bytes, or the text that is their base64, as base64. Raises Rejected."""
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if not isinstance(value, str):
        raise Rejected("not binary: base64 in a text")
    try:
        return b64encode(b64decode(value, validate=True)).decode()
    except ValueError as error:
        raise Rejected(f"not base64: {error}") from error


def number(text: str) -> str:
    """Return the text of a number if DynamoDB keeps all its digits. Raises Rejected."""
    if SHORT_NUMBER.fullmatch(text):
        return text
    if not NUMBER.fullmatch(text):
        raise Rejected(f"not a number: {_short(text)}")
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("+-").partition(".")
    significant = (whole + fraction).strip("0")
    if not significant:
        return "0"
    if len(significant) > DIGITS:
        raise Rejected(
            f"a number of {len(significant)} significant digits, of which DynamoDB keeps {DIGITS}: "
            f"{_short(text)}"
        )
    leading = len(whole + fraction) - len((whole + fraction).lstrip("0"))
    power = len(whole) - 1 - leading + int(exponent[:EXPONENT_LENGTH] or 0)
    if len(exponent) > EXPONENT_LENGTH or not SMALLEST <= power <= LARGEST:
        raise Rejected(f"a number beyond DynamoDB's, 1E-130 to 9.9E+125: {_short(text)}")
    return text


def _short(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:60]}…"


_SCALARS: dict[str, Callable[[object], str]] = {"S": _text_of, "N": _number_of, "B": binary}


def binary_bytes(base64: str) -> int:
    """Return how many bytes a binary value has."""
    return len(base64) // 4 * 3 - base64.count("=")


def item_bytes(item: dict[str, AttributeValue]) -> int:
    """Return how many bytes an item counts; of numbers it is an estimate, as the page's is.

    docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(value: AttributeValue) -> int:
    """Return how many bytes a value counts, without its name."""
    ((kind, content),) = value.items()
    return _BYTES[kind](content)


def _number_bytes(text: str) -> int:
    mantissa = text.lower().partition("e")[0]
    digits = mantissa.lstrip("+-").replace(".", "").strip("0")
    return 1 + (len(digits) + 1) // 2 + mantissa.startswith("-")


_BYTES: dict[str, Callable[[Any], int]] = {
    "S": lambda text: len(text.encode()),
    "N": _number_bytes,
    "B": binary_bytes,
    "BOOL": lambda _: 1,
    "NULL": lambda _: 1,
    "L": lambda values: 3 + sum(1 + value_bytes(one) for one in values),
    "M": lambda item: 3 + len(item) + item_bytes(item),
    "SS": lambda texts: sum(len(text.encode()) for text in texts),
    "NS": lambda numbers: sum(map(_number_bytes, numbers)),
    "BS": lambda values: sum(map(binary_bytes, values)),
}
