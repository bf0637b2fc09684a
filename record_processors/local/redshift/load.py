"""One COPY: which files it reads, how far it is, and what a failure means."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from record_processors.local.redshift.columns import Column
from record_processors.local.redshift.copy_columns import check_columns, chosen_columns
from record_processors.local.redshift.encoder import Encoder
from record_processors.local.redshift.failures import BadRow, CopyError, SourceError
from record_processors.local.redshift.jsonpaths import Path, parse_jsonpaths
from record_processors.local.redshift.planned_failures import planned_failure
from record_processors.local.redshift.progress import Progress
from record_processors.local.redshift.rows import located
from record_processors.local.redshift.server_problems import BAD_UTF8, refusal, undecodable
from record_processors.local.redshift.sieve import Sieve
from record_processors.local.redshift.sources import DataFile, data_files, object_bytes, opened
from record_processors.local.redshift.system_tables import LoadErrorDetail
from record_processors.local.redshift.trial import Trial

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

    from record_processors.local.redshift.copy_statement import CopyStatement
    from record_processors.local.redshift.postgres import Cluster
    from record_processors.local.redshift.sources import Readable

Blocks = Callable[["Readable", Progress], Iterator[bytes]]


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
    table_columns: list[Column]
    files: list[Progress] = field(default_factory=list)
    paths: list[Path] | None = None

    @classmethod
    def of(cls, copy: CopyStatement, client: S3Client, cluster: Cluster, facts: bytes) -> Load:
        """Return the load of a COPY whose table the server has told of."""
        told = json.loads(facts)
        table = [Column(*column) for column in told.pop("columns")]
        columns, generated = chosen_columns(copy, table)
        return cls(
            copy,
            client,
            cluster,
            columns=columns,
            generated=generated,
            table_columns=table,
            **told,
        )

    @property
    def rows(self) -> int:
        """How many rows went to the server."""
        return 0 if self.copy.no_load else sum(progress.loaded for progress in self.files)

    @property
    def left_out(self) -> int:
        """How many rows could not be loaded, and did not fail the COPY."""
        return sum(len(progress.left_out) for progress in self.files)

    def blocks(self) -> Iterator[bytes]:
        """Yield what PostgreSQL's COPY reads; raises ``CopyError`` and ``BadRow``. Blocks on S3."""
        identities = [column.name for column in self.table_columns if column.identity]
        check_columns(self.copy, self.columns, identities)
        self.paths = self._json_paths()
        encoder = self._encoder()
        if not self.copy.is_sifted:
            yield from self._read(partial(_all_blocks, encoder))
            return
        with closing(Trial(self.cluster, self.copy, self.table_columns, self.columns)) as trial:
            yield from self._read(Sieve(self.copy, encoder, trial).blocks)

    def _read(self, blocks: Blocks) -> Iterator[bytes]:
        """Yield what ``blocks`` makes of each file."""
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
                yield from blocks(stream, self.files[-1])
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

    def errors_left_out(self) -> list[LoadErrorDetail]:
        """Return the errors of the rows that were left out. Blocks on S3."""
        return [
            error
            for progress in self.files
            if progress.left_out
            for error in self._errors(progress, [*progress.left_out])
        ]

    def bad_row(self, problem: BadRow) -> LoadErrorDetail:
        """Return the error of the row after the last one read. Blocks on S3."""
        return self._errors(self.files[-1], [(self.files[-1].rows + 1, problem)])[0]

    def refused_row(self, fields: dict[str, str]) -> LoadErrorDetail | None:
        """Return the error of the row that the server refused; None for any other error.

        ``fields`` are those of its ErrorResponse. Blocks on S3.
        """
        found = refusal(fields, self.columns)
        if found is None:
            return None
        place, problem = found
        for progress in self.files:
            if place <= progress.loaded:
                return self._errors(progress, [(progress.number_of(place), problem)])[0]
            place -= progress.loaded
        return None

    def _errors(
        self, progress: Progress, problems: list[tuple[int, BadRow]]
    ) -> list[LoadErrorDetail]:
        """Return the errors of these rows of a file."""
        layout, numbers = self.copy.layout, [number for number, _ in problems]
        with opened(self.client, progress.file, layout.compression) as stream:
            rows = list(located(stream, layout, numbers)) if stream else []
        # A file that was replaced meanwhile may not have them.
        rows += [(0, b"")] * (len(problems) - len(rows))
        return [
            self._error(progress.file, line, raw, problem)
            for (line, raw), (_, problem) in zip(rows, problems, strict=True)
        ]

    def _error(self, file: DataFile, line: int, raw: bytes, problem: BadRow) -> LoadErrorDetail:
        index, value = problem.column, problem.value
        if problem.code == BAD_UTF8 and index < 0:
            index, value = undecodable(self._encoder().fields(raw))
        column = self.columns[index] if 0 <= index < len(self.columns) else Column("", "")
        return LoadErrorDetail(
            self.user, self.table, self.session, self.query, self.transaction,
            file.url, line, column.name, column.kind, column.length,
            max(raw.find(value), 0) if value else 0,
            _shown(raw), _shown(value), problem.code, problem.reason,
        )  # fmt: skip


def _all_blocks(encoder: Encoder, stream: Readable, progress: Progress) -> Iterator[bytes]:
    for block, rows in encoder.blocks(stream):
        progress.rows += rows
        yield block


def _shown(raw: bytes) -> str:
    """Return bytes as a text column can hold them."""
    return raw.decode("utf-8", "replace").replace("\0", "\\0")
