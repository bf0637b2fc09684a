r"""Redshift's ``COPY … FROM 's3://…'`` and its options.

https://docs.aws.amazon.com/redshift/latest/dg/r_COPY.html. What does not change the outcome
here (REGION, COMPUPDATE, STATUPDATE) is accepted; what the stand-in does not do is refused
by name; what nobody knows is a syntax error. Nothing is ignored in silence.
"""

from __future__ import annotations

import dataclasses
import re

from record_processors.local.redshift import sql
from record_processors.local.redshift.cursor import Cursor
from record_processors.local.redshift.failures import (
    NOT_SUPPORTED,
    SYNTAX_ERROR,
    CopyError,
    Unsupported,
    syntax_error,
)
from record_processors.local.redshift.layout import Layout

_HARMLESS = {"COMPUPDATE": {"ON", "OFF", "TRUE", "FALSE", "PRESET"}}
_HARMLESS["STATUPDATE"] = _HARMLESS["COMPUPDATE"] - {"PRESET"}
_FLAGS = {
    "ESCAPE": "escape",
    "EMPTYASNULL": "empty_as_null",
    "BLANKSASNULL": "blanks_as_null",
    "TRUNCATECOLUMNS": "truncate",
    "IGNOREBLANKLINES": "ignore_blank_lines",
    "ROUNDEC": "round_decimals",
}
_ELSEWHERE = frozenset(
    """ACCEPTANYDATE ACCEPTINVCHARS ACCESS_KEY_ID AVRO BZIP2 COMPROWS CREDENTIALS ENCODING
    ENCRYPTED EXPLICIT_IDS FILLRECORD FIXEDWIDTH IGNOREALLERRORS LZOP MAXERROR NOLOAD ORC PARQUET
    READRATIO REMOVEQUOTES SECRET_ACCESS_KEY SERIALIZETOJSON SESSION_TOKEN SHAPEFILE SSH""".split()
)
_DEFAULT_TIMES = ("", "YYYY-MM-DD HH:MI:SS", "YYYY-MM-DD HH24:MI:SS")


@dataclasses.dataclass(frozen=True)
class CopyStatement:
    """A parsed COPY: ``table`` in its parts, the ``columns`` listed (None if none are)."""

    table: tuple[str, ...]
    columns: tuple[str, ...] | None
    bucket: str
    key: str
    manifest: bool
    layout: Layout

    @property
    def table_sql(self) -> str:
        """The table's name, quoted, for PostgreSQL."""
        return ".".join(map(sql.quote_name, self.table))

    @property
    def postgres_sql(self) -> str:
        """The statement that takes its place; its rows come in the text format, in UTF-8."""
        columns = f" ({', '.join(map(sql.quote_name, self.columns))})" if self.columns else ""
        return f"COPY {self.table_sql}{columns} FROM STDIN (FORMAT text, ENCODING 'UTF8')"


def parse_copy(tokens: list[sql.Token]) -> CopyStatement:
    """Parse a COPY statement; raise ``CopyError`` as Redshift refuses it."""
    return _Parser(tokens).parse()


class _Parser(Cursor):
    def __init__(self, tokens: list[sql.Token]) -> None:
        super().__init__(tokens)
        self._options: dict[str, object] = {}
        self._given: set[str] = set()
        self._authorised = False
        self._manifest = False

    def parse(self) -> CopyStatement:
        self.expect("COPY")
        table = self._table()
        columns = self._columns() if self.peek() == "(" else None
        self.expect("FROM")
        bucket, key = self._source()
        while self.rest:
            self._option(self.take())
        if not self._authorised:
            raise CopyError("CREDENTIALS argument is required but not supplied", code=SYNTAX_ERROR)
        return CopyStatement(table, columns, bucket, key, self._manifest, self._layout())

    def _table(self) -> tuple[str, ...]:
        parts = [sql.identifier(self.name())]
        while self.peek() == ".":
            self.take()
            parts.append(sql.identifier(self.name()))
        return tuple(parts)

    def _columns(self) -> tuple[str, ...]:
        names: list[str] = []
        while self.take().key != ")":
            names.append(sql.identifier(self.name()))
            if self.peek() not in (",", ")"):
                raise syntax_error(self.take().text)
        return tuple(names)

    def _source(self) -> tuple[str, str]:
        if self.peek() in ("STDIN", "PROGRAM"):
            raise CopyError("LOAD source is not supported. (Hint: only S3 or DynamoDB or EMR "
                            "based load is allowed)", code=NOT_SUPPORTED)  # fmt: skip
        url = self.text()
        found = re.fullmatch(r"s3://([^/]+)/(.+)", url, re.DOTALL)
        if not found:
            raise Unsupported(f"COPY FROM '{url}'")
        return found[1], found[2]

    def _option(self, token: sql.Token) -> None:
        name = token.key
        handler = getattr(self, f"_on_{name.lower()}", None) if name.isidentifier() else None
        if name in self._given:
            raise CopyError("conflicting or redundant options", code=SYNTAX_ERROR)
        self._given.add(name)
        if name in _FLAGS:
            self._options[_FLAGS[name]] = True
        elif name in _HARMLESS:
            if self.peek() in _HARMLESS[name]:
                self.take()
        elif handler is not None:
            handler()
        elif name in _ELSEWHERE:
            raise Unsupported(f"COPY option {name}")
        else:
            raise syntax_error(token.text)

    def _on_iam_role(self) -> None:
        if self.peek() == "DEFAULT":
            self.take()
        elif not (role := self.text()).startswith("arn:aws"):
            raise CopyError(f"Invalid IAM role: '{role}'")
        self._authorised = True

    def _on_manifest(self) -> None:
        self._manifest = True

    def _on_region(self) -> None:
        self.skip("AS")
        self.text()

    def _on_gzip(self) -> None:
        self._options["compression"] = "gzip"

    def _on_zstd(self) -> None:
        self._options["compression"] = "zstd"

    def _on_delimiter(self) -> None:
        self.skip("AS")
        self._options["delimiter"] = _one_byte(self.text())

    def _on_null(self) -> None:
        self.expect("AS")
        value = self.text()
        if value in ("\\0", "\\000", "\0"):
            raise Unsupported("COPY option NULL AS '\\0'")
        # Redshift's literals take a doubled backslash for one.
        self._options["null_as"] = value.replace("\\\\", "\\").encode()

    def _on_format(self) -> None:
        self.skip("AS")
        token = self.take()
        if token.key not in ("CSV", "JSON", "DELIMITER"):
            raise Unsupported(f"COPY FORMAT {token.text}")
        self._option(token)

    def _on_csv(self) -> None:
        self._options["format"] = "csv"
        if self.skip("QUOTE"):
            self.skip("AS")
            self._options["quote"] = _one_byte(self.text())

    def _on_json(self) -> None:
        self.skip("AS")
        paths = self.text()
        if paths.lower() != "auto":
            raise Unsupported(f"COPY JSON '{paths}'")
        self._options["format"] = "json"

    def _on_ignoreheader(self) -> None:
        self.skip("AS")
        self._options["ignore_header"] = self.number()

    def _on_maxerror(self) -> None:
        self.skip("AS")
        if self.number():
            raise Unsupported("COPY option MAXERROR above 0")

    def _on_timeformat(self) -> None:
        self.skip("AS")
        value = self.text()
        if value in _DEFAULT_TIMES:
            return
        if value not in ("auto", "epochsecs", "epochmillisecs"):
            raise Unsupported(f"COPY TIMEFORMAT '{value}'")
        self._options["time_format"] = value

    def _on_dateformat(self) -> None:
        self.skip("AS")
        if (value := self.text()) not in ("auto", "YYYY-MM-DD"):
            raise Unsupported(f"COPY DATEFORMAT '{value}'")

    def _layout(self) -> Layout:
        layout = Layout(**self._options)  # type: ignore[arg-type] # each handler sets its type
        barred = {
            "csv": {"ESCAPE"},
            "json": {"DELIMITER", "ESCAPE", "CSV", "IGNOREBLANKLINES", "NULL"},
        }.get(layout.format, set())
        if clash := barred & self._given:
            message = f"{clash.pop()} is not supported with {layout.format.upper()}"
            raise CopyError(message, code=NOT_SUPPORTED)
        delimiter = layout.delimiter or (b"," if layout.format == "csv" else b"|")
        return dataclasses.replace(
            layout,
            delimiter=delimiter,
            empty_as_null=layout.empty_as_null or layout.null_as == b"",
            ignore_blank_lines=layout.ignore_blank_lines or layout.format == "json",
        )


def _one_byte(value: str) -> bytes:
    r"""Return a DELIMITER or QUOTE: one ASCII character, ``\t`` or octal ``\011``."""
    if octal := re.fullmatch(r"\\{1,2}([0-7]{3})", value):
        value = chr(int(octal[1], 8))
    value = "\t" if value in ("\\t", "\\\\t") else value
    if len(value) != 1 or not value.isascii() or value in "\n\r\\":
        raise CopyError("COPY delimiter must be a single character", code=NOT_SUPPORTED)
    return value.encode()
