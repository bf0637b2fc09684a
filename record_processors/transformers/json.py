"""JSON lines: the record's own JSON object, on one line."""

from __future__ import annotations

from ..record import Record
from . import Transformer
from .json_object import json_fields

# Line breaks can stand only between the tokens of valid JSON; inside strings they are escaped.
_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class Json(Transformer[bytes]):
    """Passes a JSON object on as it is: no digit lost, no key reordered."""

    format = "json"

    def transform(self, record: Record) -> tuple[bytes]:
        """Return the object on one line; reject what is not one JSON object in UTF-8."""
        json_fields(record.data)
        return (record.data.translate(_ONE_LINE).strip(),)
