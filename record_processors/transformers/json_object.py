"""One JSON object, taken apart without touching the digits of its numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from ..errors import Rejected

Found = TypeVar("Found")
Fields = tuple[msgspec.Raw, ...]


ABSENT = msgspec.Raw(b"null")
"""The value of a member that is not there: it alone, as one that is null is another."""
_UNNAMEABLE = re.compile(r'[\\"\x00-\x1f]')  # what msgspec does not take in a field's name


members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
"""Reads one JSON object, each value as it was written. Raises ValueError, RecursionError."""


class _Object(msgspec.Struct):
    """Any JSON object; of what is in it, nothing is kept."""


def fields_reader(names: Sequence[str]) -> Callable[[bytes], Fields]:
    """Return what reads the members ``names`` of one JSON object, each value as it was written.

    What it returns has one value for each name, null for a member that is not there; it raises
    Rejected as ``insist_on_object`` does.
    """
    if any(_UNNAMEABLE.search(name) for name in names):
        all_members = _careful(members)
        return lambda data: _picked(all_members(data), names)
    these_members = [
        (f"_{index}", msgspec.Raw, msgspec.field(default=ABSENT, name=name))
        for index, name in enumerate(names)
    ]
    these = _careful(
        msgspec.json.Decoder(msgspec.defstruct("Members", these_members, gc=False)).decode
    )
    return lambda data: msgspec.structs.astuple(these(data))


def _picked(found: dict[str, msgspec.Raw], names: Sequence[str]) -> Fields:
    return tuple(found.get(name, ABSENT) for name in names)


def _careful(decode: Callable[[bytes], Found]) -> Callable[[bytes], Found]:
    """Let ``decode`` raise Rejected, also for what is not UTF-8.

    msgspec does not look at that in the strings that it passes on or skips.
    """

    def read(data: bytes) -> Found:
        try:
            if not data.isascii():
                data.decode()
            return decode(data)
        except UnicodeDecodeError as error:
            raise Rejected(f"not UTF-8: {error.reason} at byte {error.start}") from error
        except (msgspec.DecodeError, RecursionError) as error:
            raise Rejected(f"not one JSON object: {error}") from error

    return read


insist_on_object = _careful(msgspec.json.Decoder(_Object).decode)
"""Raises Rejected unless its argument is one JSON object in UTF-8."""


def as_lines(fields: Fields) -> bytes:
    """Return the values as they were written, each on a line.

    Where no bracket, brace or backslash is in them, no value is nested and no string has an escape:
    then every quote begins or ends a string, and every line break ends a value.
    """
    return b"\n".join((*fields, b""))


def json_text(raw: bytes | memoryview) -> str | None:
    """Return the text of one JSON value: strings decoded, null as None, all else as written."""
    value = bytes(raw)
    if value == b"null":
        return None
    if value.startswith(b'"'):
        return msgspec.json.decode(value, type=str)
    return value.decode()
