"""Lines of text, as they are."""

from __future__ import annotations

from collections.abc import Sequence

from ..flow.record import Record
from ..flow.transformer import Transformer


class Text(Transformer[bytes]):
    r"""Passes the record's bytes on. One line break at the end (``\n`` or ``\r\n``) is taken off.

    Line breaks inside make several rows.
    """

    format = "text"

    def transform(self, record: Record) -> Sequence[bytes]:
        """Return the lines of the record; never rejects."""
        return without_line_break(record.data).split(b"\n")

    def transform_all(self, records: Sequence[Record]) -> Sequence[Sequence[bytes]]:
        """Return the lines of each; most are one without any line break."""
        return [
            (record.data,) if b"\n" not in record.data else self.transform(record)
            for record in records
        ]


def without_line_break(line: bytes) -> bytes:
    """Return a line without the one line break, if any, that ends it."""
    if line.endswith(b"\r\n"):
        return line[:-2]
    return line.removesuffix(b"\n")
