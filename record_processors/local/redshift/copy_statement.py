r"""Redshift's ``COPY … FROM 's3://…'``: its table, its columns, its source.

https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html; the options are in ``copy_options``.
"""

from __future__ import annotations

import dataclasses
import re

from record_processors.local.redshift import sql
from record_processors.local.redshift.copy_options import Options
from record_processors.local.redshift.cursor import Cursor
from record_processors.local.redshift.failures import (
    NOT_SUPPORTED,
    CopyError,
    Unsupported,
    syntax_error,
)
from record_processors.local.redshift.layout import Layout

# What stands in a row for a value that the server makes: an identity column's. As nothing else in
# the server's text format is written so, no value is ever taken for it.
GENERATED = rb"\D"
NOWHERE = "stand_in.nowhere"  # a table without columns, which stays empty
_UNDONE = "SI000"  # a code of ours, to leave a block by


@dataclasses.dataclass(frozen=True)
class CopyStatement:
    """A parsed COPY: ``table`` in its parts, the ``columns`` listed (None if none are)."""

    table: tuple[str, ...]
    columns: tuple[str, ...] | None
    bucket: str
    key: str
    manifest: bool
    layout: Layout
    max_errors: int = 0
    no_load: bool = False

    @property
    def limit(self) -> int:
        """The number of bad rows with which the COPY fails."""
        return max(self.max_errors, 1)

    @property
    def is_sifted(self) -> bool:
        """Whether rows are tried before they are loaded."""
        return self.no_load or self.limit > 1

    @property
    def table_sql(self) -> str:
        """The table's name, quoted, for PostgreSQL."""
        return ".".join(map(sql.quote_name, self.table))

    @property
    def postgres_sql(self) -> str:
        """The statement that takes its place; of a COPY that loads nothing they are two.

        Such a one has no part in its table, so that nobody waits for it. That the client may load
        it, and its columns, the server says of an INSERT, whose lock goes when it is undone.
        """
        if not self.no_load:
            return self.into(self.table_sql)
        columns = ", ".join(map(sql.quote_name, self.columns or ()))
        insert = (
            f"INSERT INTO {self.table_sql} {f'({columns})' if columns else ''} "
            f"OVERRIDING SYSTEM VALUE SELECT {', '.join(['NULL'] * len(self.columns or ()))} "
            "WHERE false"
        )
        body = (
            f"BEGIN EXECUTE {sql.quote_text(insert)}; RAISE SQLSTATE '{_UNDONE}'; "
            f"EXCEPTION WHEN SQLSTATE '{_UNDONE}' THEN NULL; END"
        )
        return f"DO {sql.quote_text(body)}; COPY {NOWHERE} FROM STDIN"

    def into(self, table: str) -> str:
        """Return the COPY into such a table; its rows come in the text format, in UTF-8.

        Without a list it takes all columns, and ``GENERATED`` for those that COPY leaves out.
        """
        columns, default = "", f", DEFAULT '{GENERATED.decode()}'"
        if self.columns:
            columns, default = f" ({', '.join(map(sql.quote_name, self.columns))})", ""
        options = f"FORMAT text, ENCODING 'UTF8'{default}"
        return f"COPY {table}{columns} FROM STDIN ({options})"


def parse_copy(tokens: list[sql.Token]) -> CopyStatement:
    """Parse a COPY statement; raise ``CopyError`` as Redshift refuses it."""
    cursor = Cursor(tokens)
    cursor.expect("COPY")
    table = _table(cursor)
    columns = _columns(cursor) if cursor.peek() == "(" else None
    cursor.expect("FROM")
    bucket, key = _source(cursor)
    options = Options(cursor)
    layout = options.layout()
    return CopyStatement(
        table,
        columns,
        bucket,
        key,
        options.manifest,
        layout,
        options.max_errors,
        options.no_load,
    )


def _table(cursor: Cursor) -> tuple[str, ...]:
    parts = [sql.identifier(cursor.name())]
    while cursor.skip("."):
        parts.append(sql.identifier(cursor.name()))
    return tuple(parts)


def _columns(cursor: Cursor) -> tuple[str, ...]:
    names: list[str] = []
    while cursor.take().key != ")":
        names.append(sql.identifier(cursor.name()))
        if cursor.peek() not in (",", ")"):
            raise syntax_error(cursor.take().text)
    return tuple(names)


def _source(cursor: Cursor) -> tuple[str, str]:
    if cursor.peek() in ("STDIN", "PROGRAM"):
        raise CopyError("LOAD source is not supported. (Hint: only S3 or DynamoDB or EMR "
                        "based load is allowed)", code=NOT_SUPPORTED)  # fmt: skip
    url = cursor.text()
    found = re.fullmatch(r"s3://([^/]+)/(.+)", url, re.DOTALL)
    if not found:
        raise Unsupported(f"COPY FROM '{url}'")
    return found[1], found[2]
