"""The rows of a file as COPY counts them: which row it is that a complaint of COPY is about.

A complaint tells a line: "the line number in the load file with the error", of JSON that of the
last line of the object (docs.aws.amazon.com/redshift/latest/dg/r_STL_LOAD_ERRORS.html). Whether
lines are counted or rows is not said. So of text it is certain only as long as each row is a line;
of JSON, if one object ends on the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from ...files.formats import members
from ...files.loadable import ROW_BYTES

LONGEST = 2 * ROW_BYTES  # of a row that is read at all: COPY takes none of half that
# Of JSON: a string, or one that its line does not end; a bracket; what is no white space.
MARKS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|["\[\]{}]|[^\s"\[\]{}]+')


class UnknownRows(ValueError):
    """It cannot be said of a file where its rows begin and end."""


class FileRow(NamedTuple):
    """One row with its end of line; white space between rows belongs to one of them.

    ``line`` is what COPY calls it; None if that is not certain. ``is_row`` is False for what is
    white space only, and no row.
    """

    data: bytes
    line: int | None
    is_row: bool = True

    @property
    def content(self) -> bytes:
        """The row without its end of line, and without empty lines before it."""
        return self.data.lstrip(b"\n").removesuffix(b"\n")


def rows_of(stream: IO[bytes], data_format: str) -> Iterator[FileRow]:
    """Yield the rows of a file, which together are all of its bytes.

    Raises UnknownRows, and what the stream raises.
    """
    return ROWS[data_format](stream)


class _Parts:
    """The lines that a row has so far; who reads a file must not have to hold all of it."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._size = 0

    def add(self, line: bytes) -> None:
        """Take a line, or a part of one. Raises UnknownRows."""
        self.lines.append(line)
        self._size += len(line)
        if self._size > LONGEST:
            raise UnknownRows(f"a row of more than {LONGEST:,} bytes")

    def taken(self) -> bytes:
        """Return them together, and begin anew."""
        row = b"".join(self.lines)
        self.lines.clear()
        self._size = 0
        return row


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    while line := stream.readline(LONGEST + 1):
        if len(line) > LONGEST:
            raise UnknownRows(f"a line of more than {LONGEST:,} bytes")
        yield line


def _is_broken(row: bytes) -> bool:
    r"""Whether a row has a line break inside; ``\r`` before the end of its line is none."""
    inside = row.removesuffix(b"\n").removesuffix(b"\r")
    return b"\n" in inside or b"\r" in inside


def _text(stream: IO[bytes], goes_on: Callable[[bytes, bool], bool]) -> Iterator[FileRow]:
    """Yield rows of text; ``goes_on`` says of a line and whether a row was open, whether one is."""
    parts = _Parts()
    is_certain = True
    for number, line in enumerate(_lines(stream), 1):
        was_open = bool(parts.lines)
        parts.add(line)
        if not goes_on(line, was_open):
            row = parts.taken()
            is_certain = is_certain and not _is_broken(row)
            yield FileRow(row, number if is_certain else None)
    if parts.lines:
        raise UnknownRows("its last row does not end")


def _is_escaped(line: bytes, _: bool) -> bool:
    """Whether the end of a line is one of the row's own characters, as a backslash is before it."""
    text = line.removesuffix(b"\n")
    return text != line and (len(text) - len(text.rstrip(b"\\"))) % 2 == 1


def _is_quoted(line: bytes, is_open: bool) -> bool:
    """Whether the end of a line stands in quotes; a quote in quotes is two."""
    return is_open != (line.count(b'"') % 2 == 1)


def _json(stream: IO[bytes]) -> Iterator[FileRow]:
    """Yield objects: what is between them is white space of any kind, or none."""
    objects = _Objects()
    is_certain = True
    for number, line in enumerate(_lines(stream), 1):
        is_certain = is_certain and b"\r" not in line.removesuffix(b"\r\n")
        found = objects.ended_by(line)
        is_known = is_certain and len(found) == 1
        yield from (FileRow(data, number if is_known else None) for data in found)
    if objects.depth:
        raise UnknownRows("its last object does not end")
    if rest := objects.parts.taken():
        yield FileRow(rest, None, is_row=False)


class _Objects:
    """Cuts lines where an object ends."""

    def __init__(self) -> None:
        self.parts = _Parts()  # white space, and of an object what has been read
        self.depth = 0

    def ended_by(self, line: bytes) -> list[bytes]:
        """Return the objects that end in a line."""
        if not self.depth and _is_object(line):
            self.parts.add(line)
            return [self.parts.taken()]
        found: list[bytes] = []
        done = 0
        for end in self._ends(line):
            self.parts.add(line[done:end])
            found.append(self.parts.taken())
            done = end
        if found and not line[done:].strip():
            found[-1] += line[done:]
        else:
            self.parts.add(line[done:])
        return found

    def _ends(self, line: bytes) -> Iterator[int]:
        for mark in MARKS.finditer(line):
            text = mark[0]
            if text in {b"{", b"["}:
                self.depth += 1
            elif not self.depth or text == b'"':
                raise UnknownRows("it is not a sequence of JSON objects")
            elif text in {b"}", b"]"}:
                self.depth -= 1
                if not self.depth:
                    yield mark.end()


def _is_object(line: bytes) -> bool:
    try:
        members(line)
    except (ValueError, RecursionError):
        return False
    return True


ROWS: dict[str, Callable[[IO[bytes]], Iterator[FileRow]]] = {
    "json": _json,
    "csv": lambda stream: _text(stream, _is_quoted),
    "delimited": lambda stream: _text(stream, _is_escaped),
}
