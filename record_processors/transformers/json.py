"""JSON lines: the record's own JSON object, on one line."""

from __future__ import annotations

from ..flow.record import Record
from ..flow.transformer import Transformer
from .json_object import insist_on_object

# Line breaks can stand only between the tokens of valid JSON; inside strings they are escaped.
_ONE_LINE = bytes.maketrans(b"\r\n", b"  ")


class Json(Transformer[bytes]):
    """Passes a JSON object on as it is: no digit lost, no key reordered."""

    format = "json"

    def transform(self, record: Record) -> tuple[bytes]:
        """Return the object on one line; reject what is not one JSON object in UTF-8."""
        insist_on_object(record.data)
        row = record.data.strip()
        if b"\n" in row or b"\r" in row:
            row = row.translate(_ONE_LINE)
        return (row,)
