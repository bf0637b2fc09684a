r"""A file's bytes into rows, by Redshift's rules: a row may lie on several lines.

https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-conversion.html (ESCAPE)
and copy-parameters-data-format.html (CSV, JSON). ``fields`` and ``json_fields`` split a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from record_processors.local.redshift.failures import BadField, BadRow
from record_processors.local.redshift.json_rows import JsonRows

if TYPE_CHECKING:
    from record_processors.local.redshift.layout import Layout
    from record_processors.local.redshift.sources import Readable

_BLOCK = 1 << 18  # bytes read at once: some thousand rows, so that no thread keeps the GIL long
# "The maximum size of a single input row from any source is 4 MB", …/dg/r_COPY.html; a JSON object
# with its braces, …/dg/copy-parameters-data-format.html, which also says that a | counts twice.
ROW_BYTES = 4 * 1024 * 1024


class Rows(Protocol):
    """Makes rows of lines."""

    def of(self, lines: list[bytes]) -> list[bytes]:
        """Return the rows that end in these lines, without their last line breaks."""

    def rest(self) -> list[bytes]:
        """Return what has begun and not ended, when there are no more lines."""


def raw_rows(stream: Readable, layout: Layout) -> Iterator[list[bytes]]:
    """Yield a file's rows in lists."""
    rows = _rows(layout)
    for lines in _lines(stream):
        yield rows.of(lines)
    yield rows.rest()


def located(
    stream: Readable, layout: Layout, numbers: Sequence[int]
) -> Iterator[tuple[int, bytes]]:
    """Yield the lines (from 1) of a file's rows of these numbers (from 1), and the rows.

    The numbers ascend; no more is read than up to the last. The line is the one on which the row
    begins; of JSON, as documented, on which it ends.
    """
    wanted = set(numbers)
    for number, found in enumerate(_data_rows(stream, layout), 1):
        if number in wanted:
            yield found
        if number == numbers[-1]:
            return


def _data_rows(stream: Readable, layout: Layout) -> Iterator[tuple[int, bytes]]:
    rows = _rows(layout)
    line = index = 0
    for lines in _lines(stream):
        for text in lines:
            line += 1
            for raw in rows.of([text]):
                if is_data(raw, index, layout):
                    yield _line_of(raw, line, layout), raw
                index += 1
    for raw in rows.rest():
        if is_data(raw, index, layout):
            yield _line_of(raw, line, layout), raw


def _line_of(raw: bytes, last: int, layout: Layout) -> int:
    return last if layout.format == "json" else last - raw.count(b"\n")


def is_data(raw: bytes, index: int, layout: Layout) -> bool:
    """Return whether a row (of this index from 0, in its file) is to be loaded."""
    if layout.format == "json":
        return True
    if index < layout.ignore_header:
        return False
    return not layout.ignore_blank_lines or bool(raw.strip())


def check_size(raw: bytes) -> None:
    """Raise ``BadRow`` for a row that is too large."""
    if len(raw) * 2 > ROW_BYTES and len(raw) + raw.count(b"|") > ROW_BYTES:
        raise BadRow(BadField(1216, f"Row size exceeds the maximum of {ROW_BYTES} bytes"))


def _rows(layout: Layout) -> Rows:
    if layout.format == "json":
        return JsonRows(layout.ignore_header)
    if layout.format == "csv":
        return _Joined(layout.quote, _odd_quotes(layout.quote))
    return _Joined(b"\\", odd_backslashes) if layout.escape else _Lines()


def _lines(stream: Readable) -> Iterator[list[bytes]]:
    rest: list[bytes] = []  # of a line: a long one comes in many blocks
    while block := stream.read(_BLOCK):
        first, *lines = block.split(b"\n")
        rest.append(first)
        if lines:
            lines.insert(0, b"".join(rest))
            rest = [lines.pop()]
            yield lines
    if last := b"".join(rest):
        yield [last]


class _Lines:
    """Each line is a row."""

    def of(self, lines: list[bytes]) -> list[bytes]:
        return lines

    def rest(self) -> list[bytes]:
        return []


class _Joined:
    """Joins the lines of a row; ``toggles(line, open)`` says whether it goes on after a line."""

    def __init__(self, marker: bytes, toggles: Callable[[bytes, bool], bool]) -> None:
        self._marker = marker
        self._toggles = toggles
        self._parts: list[bytes] = []

    def of(self, lines: list[bytes]) -> list[bytes]:
        rows: list[bytes] = []
        parts = self._parts
        for line in lines:
            if parts or self._marker in line:
                is_open = self._toggles(line, bool(parts))
                parts.append(line)
                if not is_open:
                    rows.append(b"\n".join(parts))
                    parts.clear()
            else:
                rows.append(line)
        return rows

    def rest(self) -> list[bytes]:
        return [b"\n".join(self._parts)] if self._parts else []


def odd_backslashes(line: bytes, _open: bool = False) -> bool:
    """Return whether what follows is escaped."""
    return (len(line) - len(line.rstrip(b"\\"))) % 2 == 1


def _odd_quotes(quote: bytes) -> Callable[[bytes, bool], bool]:
    return lambda line, is_open: (line.count(quote) % 2 == 1) != is_open
