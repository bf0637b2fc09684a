"""Lines of text, as they are."""

from __future__ import annotations

from collections.abc import Sequence

from ..record import Record
from . import Transformer


class Text(Transformer[bytes]):
    r"""Passes the record's bytes on. One line break at the end (``\n`` or ``\r\n``) is taken off.

    Line breaks inside make several rows.
    """

    format = "text"

    def transform(self, record: Record) -> Sequence[bytes]:
        """Return the lines of the record; never rejects."""
        data = record.data
        if data.endswith(b"\n"):
            data = data[:-2] if data.endswith(b"\r\n") else data[:-1]
        return data.split(b"\n")
