"""One COPY: which files it reads, how far it is, and what a failure means."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from record_processors.local.redshift.columns import Column
from record_processors.local.redshift.copy_columns import check_columns, chosen_columns
from record_processors.local.redshift.encoder import Encoder
from record_processors.local.redshift.failures import BadRow, CopyError, SourceError
from record_processors.local.redshift.jsonpaths import Path, parse_jsonpaths
from record_processors.local.redshift.planned_failures import planned_failure
from record_processors.local.redshift.rows import locate
from record_processors.local.redshift.server_problems import BAD_UTF8, server_problem
from record_processors.local.redshift.sources import DataFile, data_files, object_bytes, opened
from record_processors.local.redshift.system_tables import LoadErrorDetail

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from record_processors.local.redshift.copy_statement import CopyStatement
    from record_processors.local.redshift.postgres import Cluster

_CONTEXT = re.compile(r'COPY .*?, line (\d+)(?:, column (.+?): (?:"(.*)"|null input))?', re.DOTALL)


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
    cluster: Cluster
    table: int
    query: int
    user: int
    session: int
    transaction: int
    planned: bool
    columns: list[Column]
    generated: list[int]
    identities: list[str]
    files: list[Progress] = field(default_factory=list)
    paths: list[Path] | None = None

    @classmethod
    def of(cls, copy: CopyStatement, client: S3Client, cluster: Cluster, facts: bytes) -> Load:
        """Return the load of a COPY whose table the server has told of."""
        told = json.loads(facts)
        table = [Column(*column) for column in told.pop("columns")]
        columns, generated = chosen_columns(copy, table)
        identities = [column.name for column in table if column.identity]
        return cls(
            copy,
            client,
            cluster,
            columns=columns,
            generated=generated,
            identities=identities,
            **told,
        )

    @property
    def rows(self) -> int:
        """How many rows have been read."""
        return sum(progress.rows for progress in self.files)

    def blocks(self) -> Iterator[bytes]:
        """Yield what PostgreSQL's COPY reads; raises ``CopyError`` and ``BadRow``. Blocks on S3."""
        check_columns(self.copy, self.columns, self.identities)
        self.paths = self._json_paths()
        encoder = self._encoder()
        found = False
        listed = data_files(self.client, self.copy)
        for file in listed:
            if self.planned and (failure := planned_failure(self.cluster, file.url)):
                raise failure
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

    def _encoder(self) -> Encoder:
        return Encoder(self.copy.layout, self.columns, self.generated, self.paths)

    def _json_paths(self) -> list[Path] | None:
        option = self.copy.layout.json
        if not option.startswith("s3://"):
            return None
        paths = parse_jsonpaths(object_bytes(self.client, option), option)
        if paths is not None and len(paths) != len(self.columns):
            raise CopyError(
                "Number of jsonpaths and the number of columns should match. "
                f"JSONPath size: {len(paths)}, Number of columns in table or column list: "
                f"{len(self.columns)}",
                context=option,
            )
        return paths

    def bad_row(self, problem: BadRow) -> LoadErrorDetail:
        """Return the error of the row after the last one read. Blocks on S3."""
        return self._error(self.files[-1], self.files[-1].rows + 1, problem)

    def refused_row(self, fields: dict[str, str]) -> LoadErrorDetail | None:
        """Return the error of the row that the server refused; None for any other error.

        ``fields`` are those of its ErrorResponse. Blocks on S3.
        """
        found = _CONTEXT.search(fields.get("W", ""))
        if not found or fields["C"][:2] not in ("22", "23"):
            return None
        name = found[2] or fields.get("c", "")
        index = next((i for i, column in enumerate(self.columns) if column.name == name), -1)
        problem = server_problem(
            fields, self.columns[index].kind if index >= 0 else "", found[3] or ""
        )
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
        if problem.code == BAD_UTF8 and index < 0:
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
        for index, value in enumerate(self._encoder().fields(raw)):
            if value is not None and (b"\0" in value or not _is_utf8(value)):
                return index, value
        return -1, b""


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _shown(raw: bytes) -> str:
    """Return bytes as a text column can hold them."""
    return raw.decode("utf-8", "replace").replace("\0", "\\0")
