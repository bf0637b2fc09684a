"""A JSON value into fields: by the names of its keys, by paths, or as a whole.

No number is ever read, so that no digit is lost: a field is the JSON as it stands in the row.
https://docs.aws.amazon.com/redshift/latest/dg/copy-usage_notes-copy-from-json.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from record_processors.local.redshift.failures import BadField, BadRow

if TYPE_CHECKING:
    from collections.abc import Sequence

    from record_processors.local.redshift.columns import Column
    from record_processors.local.redshift.fields import Fields, Splitter
    from record_processors.local.redshift.jsonpaths import Path

_STRING: msgspec.json.Decoder[str] = msgspec.json.Decoder(str)
_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])
_NULL = msgspec.Raw(b"null")


def json_splitter(option: str, columns: list[Column], paths: Sequence[Path] | None) -> Splitter:
    """Return the function that makes a value's fields, None for null, in the columns' order.

    ``paths``, if there are any, say where the columns' values are; else ``option`` does.
    """
    if paths is not None:
        parts = _by_paths(paths)
    elif option == "noshred":
        parts = _whole
    elif option == "auto ignorecase":
        parts = _ignoring_case([column.name for column in columns])
    else:
        parts = _by_name([column.name for column in columns])
    reads = [_super if column.kind == "super" else _text for column in columns]
    only_text = all(read is _text for read in reads)

    def split(raw: bytes) -> Fields:
        try:
            if only_text:  # most values are numbers, which are text as they stand
                return [
                    value if (value := bytes(part)).isdigit() else _text(value)
                    for part in parts(raw)
                ]
            return [read(bytes(part)) for read, part in zip(reads, parts(raw), strict=True)]
        except (msgspec.DecodeError, UnicodeError) as error:
            raise _invalid(f"Invalid JSON value. {error}") from error

    return split


Parts = Callable[[bytes], "Sequence[msgspec.Raw]"]


def _text(raw: bytes) -> bytes | None:
    """Return a value as text: a string without its quotes."""
    if raw == b"null":
        return None
    if raw[:1] != b'"':
        return raw
    return raw[1:-1] if b"\\" not in raw else _STRING.decode(raw).encode()


def _super(raw: bytes) -> bytes | None:
    return None if raw == b"null" else raw


def _by_name(names: list[str]) -> Parts:
    slots = [(f"f{i}", msgspec.Raw, _NULL) for i in range(len(names))]
    keys = {slot[0]: name for slot, name in zip(slots, names, strict=True)}
    decode = msgspec.json.Decoder(msgspec.defstruct("Row", slots, rename=keys)).decode
    return lambda raw: msgspec.structs.astuple(decode(raw))


def _ignoring_case(names: list[str]) -> Parts:
    lowered = [name.lower() for name in names]

    def parts(raw: bytes) -> list[msgspec.Raw]:
        found: dict[str, msgspec.Raw] = {}
        for key, value in _OBJECT.decode(raw).items():
            if key.lower() in lowered and key.lower() in found:
                raise _invalid(f"Two keys that differ in case alone: {key}; the stand-in does not "
                               "know which of them Redshift takes")  # fmt: skip
            found[key.lower()] = value
        return [found.get(name, _NULL) for name in lowered]

    return parts


def _whole(raw: bytes) -> list[msgspec.Raw]:
    decoder = _ARRAY if raw[:1] == b"[" else _OBJECT
    decoder.decode(raw)
    return [msgspec.Raw(raw)]


def _by_paths(paths: Sequence[Path]) -> Parts:
    return lambda raw: [_at(raw, path) for path in paths]


def _at(raw: bytes, path: Path) -> msgspec.Raw:
    """Return what is at a path: null if no key leads there; an index has to be there."""
    value = msgspec.Raw(raw)
    for step in path:
        text = bytes(value)
        if isinstance(step, str):
            value = _OBJECT.decode(text).get(step, _NULL) if text[:1] == b"{" else _NULL
            if value == _NULL:
                return _NULL
        else:
            items = _ARRAY.decode(text) if text[:1] == b"[" else []
            if step >= len(items):
                raise _invalid("Invalid JSONPath format: Not an array or index out of range.")
            value = items[step]
    return value


def _invalid(reason: str) -> BadRow:
    return BadRow(BadField(1216, reason))
