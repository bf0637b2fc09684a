"""One JSON object, taken apart without touching the digits of its numbers."""

from __future__ import annotations

import msgspec

from ..errors import Rejected

Fields = dict[str, msgspec.Raw]

_DECODER = msgspec.json.Decoder(Fields)


def json_fields(data: bytes) -> Fields:
    """Return the members of the one JSON object in ``data``, each value as it was written.

    Raises Rejected for anything else: not UTF-8, not JSON (RFC 8259), not an object.
    """
    try:
        data.decode()  # msgspec does not look into the strings that it skips
        return _DECODER.decode(data)
    except UnicodeDecodeError as error:
        raise Rejected(f"not UTF-8: {error.reason} at byte {error.start}") from error
    except (msgspec.DecodeError, RecursionError) as error:
        raise Rejected(f"not one JSON object: {error}") from error


def json_text(raw: bytes | memoryview) -> str | None:
    """Return the text of one JSON value: strings decoded, null as None, all else as written."""
    value = bytes(raw)
    if value == b"null":
        return None
    if value.startswith(b'"'):
        return msgspec.json.decode(value, type=str)
    return value.decode()
