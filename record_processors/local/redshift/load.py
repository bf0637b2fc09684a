"""One COPY: which files it reads, how far it is, and what a failure means."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from record_processors.local.redshift.columns import Column, invalid_timestamp
from record_processors.local.redshift.encoder import Encoder
from record_processors.local.redshift.failures import BadField, BadRow, SourceError
from record_processors.local.redshift.rows import locate
from record_processors.local.redshift.sources import DataFile, data_files, opened
from record_processors.local.redshift.system_tables import LoadErrorDetail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from record_processors.local.redshift.copy_statement import CopyStatement

_CONTEXT = re.compile(r'COPY .*?, line (\d+)(?:, column (.+?): (?:"(.*)"|null input))?', re.DOTALL)
_INTEGERS = {"int2": "Short", "int4": "Integer", "int8": "Long", "numeric": "Decimal"}


@dataclass
class Progress:
    """A file and how many of its rows have been read."""

    file: DataFile
    rows: int = 0


@dataclass
class Load:
    """A COPY in the session that runs it; ids are those of Redshift's system tables."""

    copy: CopyStatement
    client: S3Client
    table: int
    query: int
    user: int
    session: int
    transaction: int
    columns: list[Column]
    files: list[Progress] = field(default_factory=list)

    @classmethod
    def of(cls, copy: CopyStatement, client: S3Client, facts: bytes) -> Load:
        """Return the load of a COPY whose table the server has told of."""
        told = json.loads(facts)
        table = {name: Column(name, kind) for name, kind in told.pop("columns")}
        columns = [table[name] for name in copy.columns or table]
        return cls(copy, client, columns=columns, **told)

    @property
    def rows(self) -> int:
        """How many rows have been read."""
        return sum(progress.rows for progress in self.files)

    def blocks(self) -> Iterator[bytes]:
        """Yield what PostgreSQL's COPY reads; raises ``CopyError`` and ``BadRow``. Blocks on S3."""
        encoder = Encoder(self.copy.layout, self.columns)
        found = False
        listed = data_files(self.client, self.copy)
        for file in listed:
            with opened(self.client, file, self.copy.layout.compression) as stream:
                if stream is None:
                    continue
                found = True
                self.files.append(Progress(file))
                for block, rows in encoder.blocks(stream):
                    self.files[-1].rows += rows
                    yield block
        if not found:
            raise SourceError("No file of the manifest exists", context=listed[0].url)

    def bad_row(self, problem: BadRow) -> LoadErrorDetail:
        """Return the error of the row after the last one read. Blocks on S3."""
        return self._error(self.files[-1], self.files[-1].rows + 1, problem)

    def refused_row(self, fields: dict[str, str]) -> LoadErrorDetail | None:
        """Return the error of the row that the server refused; None for any other error.

        ``fields`` are those of its ErrorResponse. Blocks on S3.
        """
        found = _CONTEXT.match(fields.get("W", ""))
        if not found or fields["C"][:2] not in ("22", "23"):
            return None
        name = found[2] or fields.get("c", "")
        index = next((i for i, column in enumerate(self.columns) if column.name == name), -1)
        problem = _problem(fields, self.columns[index].kind if index >= 0 else "", found[3] or "")
        number = int(found[1])
        for progress in self.files:
            if number <= progress.rows:
                bad = BadRow(problem, index, (found[3] or "").encode())
                return self._error(progress, number, bad)
            number -= progress.rows
        return None

    def _error(self, progress: Progress, number: int, problem: BadRow) -> LoadErrorDetail:
        layout = self.copy.layout
        with opened(self.client, progress.file, layout.compression) as stream:
            line, raw = locate(stream, layout, number) if stream else (0, b"")
        index, value = problem.column, problem.value
        if problem.code == _BAD_UTF8 and index < 0:
            index, value = self._undecodable(raw)
        column = self.columns[index] if 0 <= index < len(self.columns) else Column("", "")
        return LoadErrorDetail(
            self.user, self.table, self.session, self.query, self.transaction,
            progress.file.url, line, column.name, column.kind, column.length,
            max(raw.find(value), 0) if value else 0,
            _shown(raw), _shown(value), problem.code, problem.reason,
        )  # fmt: skip

    def _undecodable(self, raw: bytes) -> tuple[int, bytes]:
        """Find the field that is not UTF-8 or has a zero byte, which PostgreSQL does not tell."""
        for index, value in enumerate(Encoder(self.copy.layout, self.columns).fields(raw)):
            if value is not None and (b"\0" in value or not _is_utf8(value)):
                return index, value
        return -1, b""


_BAD_UTF8 = 1220


def _problem(fields: dict[str, str], kind: str, value: str) -> BadField:  # noqa: PLR0911 - a table
    """Word PostgreSQL's complaint of a value as Redshift does."""
    code = fields["C"]
    if code == "23502":
        return BadField(1213, "Missing data for not-null field")
    if code in ("22021", "22P05"):
        return BadField(
            _BAD_UTF8, "String contains invalid or unsupported UTF8 codepoints. " + fields["M"]
        )
    if code == "22001":
        return BadField(1204, "String length exceeds DDL length")
    if kind in ("timestamp", "timestamptz"):
        return invalid_timestamp()
    if kind == "date":
        return BadField(1205, "Invalid Date Format - length must be 10 or more")
    if code == "22003":
        return BadField(1204, f"Overflow, Value '{value}', Type: {_INTEGERS.get(kind, kind)}")
    if kind in _INTEGERS:
        digits = re.match(r"\s*[+-]?\d*", value)
        at = min(digits.end() if digits else 0, max(len(value) - 1, 0))
        said = f"Invalid digit, Value '{value[at : at + 1]}', Pos {at}, Type: {_INTEGERS[kind]}"
        return BadField(1207, said)
    if kind == "bool":
        return BadField(1210, "Unknown boolean format")
    if kind in ("float4", "float8"):
        return BadField(1208, f"Invalid float, Value '{value}'")
    return BadField(1200, fields["M"])


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _shown(raw: bytes) -> str:
    """Return bytes as a text column can hold them."""
    return raw.decode("utf-8", "replace").replace("\0", "\\0")
