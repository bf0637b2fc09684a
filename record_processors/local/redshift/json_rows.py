"""The JSON values of a file: what is between them is white space of any kind, or none.

https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-format.html: "objects or arrays
cannot be separated by commas or any other characters except white space". What is no value is a
row too, which then cannot be read.
"""

from __future__ import annotations

import re

# A string, even one that the line does not end; a bracket.
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


class JsonRows:
    """Makes rows of lines, as ``rows.Rows`` says; the first lines, ``header`` many, are none."""

    def __init__(self, header: int = 0) -> None:
        self._header = header
        self._depth = 0
        self._parts: list[bytes] = []

    def of(self, lines: list[bytes]) -> list[bytes]:
        """Return the values that end in these lines."""
        skipped = min(self._header, len(lines))
        self._header -= skipped
        rows: list[bytes] = []
        for line in lines[skipped:] if skipped else lines:
            # Mostly a line is one flat object: if it has no other brace, those two are its own.
            if (
                not self._parts
                and line[:1] == b"{"
                and line[-1:] == b"}"
                and line.count(b"{") == 1
                and line.count(b"}") == 1
            ):
                rows.append(line)
            else:
                rows += self._values(line)
        return rows

    def rest(self) -> list[bytes]:
        """Return the value that has not ended."""
        return [b"\n".join(self._parts)] if self._parts else []

    def _values(self, line: bytes) -> list[bytes]:
        """Cut a line where a value ends, or where one begins after what is none."""
        rows: list[bytes] = []
        done = 0
        for mark in _MARKS.finditer(line):
            text = mark[0]
            if text in b"{[":
                before = line[done : mark.start()].strip() if self._depth == 0 else b""
                if before:
                    rows.append(before)
                    done = mark.start()
                self._depth += 1
            elif text in b"]}":
                self._depth = max(self._depth - 1, 0)
                if self._depth == 0:
                    rows.append(self._ended(line[done : mark.end()]))
                    done = mark.end()
        left = line[done:]
        if self._depth:
            self._parts.append(left)
        elif left.strip():
            rows.append(left)
        return rows

    def _ended(self, last: bytes) -> bytes:
        value = b"\n".join([*self._parts, last]).strip()
        self._parts.clear()
        return value
