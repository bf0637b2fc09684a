"""What a SUPER column takes: JSON, of whose strings none is too long.

https://docs.aws.amazon.com/redshift/latest/dg/limitations-super.html. A cluster may be told to
take strings of up to 16,000,000 bytes; the stand-in keeps to what one takes that was not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from record_processors.local.redshift.failures import BadField

if TYPE_CHECKING:
    from record_processors.local.redshift.times import Convert

STRING_BYTES = 65535
_NO_JSON = 1224  # "not properly formatted JSON for the super data type"
_decode = msgspec.json.Decoder(strict=True, float_hook=str).decode


def super_converter(*, parsed: bool) -> Convert:
    """Return what reads a SUPER; ``parsed``: the value was cut out of JSON that is well-formed."""

    def convert(value: bytes) -> bytes | None:
        if not value.strip():
            return None
        if not parsed or len(value) > STRING_BYTES:
            try:
                longest = _longest(_decode(value))
            except (msgspec.DecodeError, UnicodeError) as error:
                raise BadField(_NO_JSON, f"Invalid JSON value. {error}") from error
            if longest > STRING_BYTES:
                raise BadField(
                    _NO_JSON, f"String value exceeds the max size of {STRING_BYTES} bytes"
                )
        return value

    return convert


def _longest(value: Any) -> int:  # noqa: ANN401 - JSON
    """Return the bytes of the longest string in it."""
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, dict):
        return max(map(_longest, value.values()), default=0)
    if isinstance(value, list):
        return max(map(_longest, value), default=0)
    return 0
