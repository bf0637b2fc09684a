r"""The options of a COPY: what follows its source, into a ``Layout``.

https://docs.aws.amazon.com/redshift/latest/dg/r_COPY-parameters.html. What does not change the
outcome here (REGION, COMPUPDATE, STATUPDATE) is accepted; what the stand-in does not do is
refused by name; what nobody knows is a syntax error. Nothing is ignored in silence.
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
    conflicting_options,
    syntax_error,
)
from record_processors.local.redshift.layout import Layout
from record_processors.local.redshift.times import EPOCHS, time_parts

_HARMLESS = {"COMPUPDATE": {"ON", "OFF", "TRUE", "FALSE", "PRESET"}}
_HARMLESS["STATUPDATE"] = _HARMLESS["COMPUPDATE"] - {"PRESET"}
_FLAGS = {
    "ESCAPE": "escape",
    "EMPTYASNULL": "empty_as_null",
    "BLANKSASNULL": "blanks_as_null",
    "TRIMBLANKS": "trim_blanks",
    "TRUNCATECOLUMNS": "truncate",
    "FILLRECORD": "fill_record",
    "EXPLICIT_IDS": "explicit_ids",
    "IGNOREBLANKLINES": "ignore_blank_lines",
    "ROUNDEC": "round_decimals",
}
_FORMATS = frozenset("CSV JSON DELIMITER AVRO FIXEDWIDTH ORC PARQUET SHAPEFILE".split())
_MAX_ERRORS = 100_000  # …/dg/copy-parameters-data-load.html
_DEFAULT_TIMES = ("YYYY-MM-DD HH:MI:SS", "YYYY-MM-DD HH24:MI:SS")
# Refused when all options are known, as some formats exclude them.
_LATER = frozenset("FIXEDWIDTH READRATIO REMOVEQUOTES".split())
_ELSEWHERE = _LATER.union(
    """ACCEPTANYDATE ACCESS_KEY_ID AVRO BZIP2 COMPROWS CREDENTIALS ENCODING ENCRYPTED
    IGNOREALLERRORS LZOP ORC PARQUET SECRET_ACCESS_KEY SERIALIZETOJSON
    SESSION_TOKEN SHAPEFILE SSH""".split()
)
# …/dg/copy-parameters-data-format.html: "CSV can't be used with", "not supported with JSON"
_BARRED = {
    "csv": frozenset("ESCAPE FIXEDWIDTH JSON REMOVEQUOTES".split()),
    "json": frozenset(
        """CSV DELIMITER ESCAPE FILLRECORD FIXEDWIDTH IGNOREBLANKLINES NULL READRATIO
        REMOVEQUOTES""".split()
    ),
}


class Options:
    """Reads the options of one COPY from its tokens, up to their end."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self._values: dict[str, object] = {}
        self._given: set[str] = set()
        self._authorised = False
        self.manifest = False
        self.max_errors = 0
        self.no_load = False

    def layout(self) -> Layout:
        """Read all options; raise ``CopyError`` for what COPY refuses."""
        while self._cursor.rest:
            self._option(self._cursor.take())
        if not self._authorised:
            raise CopyError("CREDENTIALS argument is required but not supplied", code=SYNTAX_ERROR)
        layout = Layout(**self._values)  # type: ignore[arg-type] # each handler sets its type
        if clash := sorted(_BARRED.get(layout.format, frozenset()) & self._given):
            name = clash[0].replace("NULL", "NULL AS")
            message = f"{name} is not supported with {layout.format.upper()}"
            raise CopyError(message, code=NOT_SUPPORTED)
        if later := sorted(_LATER & self._given):
            raise Unsupported(f"COPY option {later[0]}")
        delimiter = layout.delimiter or (b"," if layout.format == "csv" else b"|")
        return dataclasses.replace(layout, delimiter=delimiter)

    def _option(self, token: sql.Token) -> None:
        name = token.key
        handler = getattr(self, f"_on_{name.lower()}", None) if name.isidentifier() else None
        if name in self._given:
            raise conflicting_options()
        self._given.add(name)
        if name in _FLAGS:
            self._values[_FLAGS[name]] = True
        elif name in _HARMLESS:
            if self._cursor.peek() in _HARMLESS[name]:
                self._cursor.take()
        elif handler is not None:
            handler()
        elif name in _LATER:
            self._argument()
        elif name in _ELSEWHERE:
            raise Unsupported(f"COPY option {name}")
        else:
            raise syntax_error(token.text)

    def _argument(self) -> str | None:
        """Take a string or number, with an AS before it or not; None if there is none."""
        self._cursor.skip("AS")
        if not self._cursor.rest or self._cursor.rest[-1].kind not in ("string", "number"):
            return None
        token = self._cursor.take()
        return sql.literal(token) if token.kind == "string" else token.text

    def _text(self) -> str:
        self._cursor.skip("AS")
        return self._cursor.text()

    def _on_iam_role(self) -> None:
        if self._cursor.peek() == "DEFAULT":
            self._cursor.take()
        elif not (role := self._cursor.text()).startswith("arn:aws"):
            raise CopyError(f"Invalid IAM role: '{role}'")
        self._authorised = True

    def _on_manifest(self) -> None:
        self.manifest = True

    def _on_region(self) -> None:
        self._text()

    def _on_gzip(self) -> None:
        if "compression" in self._values:
            raise conflicting_options()
        self._values["compression"] = "gzip"

    def _on_zstd(self) -> None:
        self._on_gzip()
        self._values["compression"] = "zstd"

    def _on_delimiter(self) -> None:
        self._values["delimiter"] = _one_byte(self._text(), "DELIMITER")

    def _on_null(self) -> None:
        self._cursor.expect("AS")
        value = self._cursor.text()
        if value in ("\\0", "\\000", "\0"):
            raise Unsupported("COPY option NULL AS '\\0'")
        if value in ("\n", "\\n"):  # "reserves '\n' for use as a line delimiter"
            raise CopyError("NULL AS '\\n' is the line delimiter", code=NOT_SUPPORTED)
        # Redshift's literals take a doubled backslash for one.
        self._values["null_as"] = value.replace("\\\\", "\\").encode()

    def _on_format(self) -> None:
        self._cursor.skip("AS")
        token = self._cursor.take()
        if token.key not in _FORMATS:
            raise syntax_error(token.text)
        self._option(token)

    def _on_csv(self) -> None:
        self._values.setdefault("format", "csv")
        if self._cursor.skip("QUOTE"):
            self._values["quote"] = _one_byte(self._text(), "QUOTE")

    def _on_json(self) -> None:
        self._values["format"] = "json"
        option = self._argument() or "auto"
        if not option.startswith("s3://") and option not in ("auto", "auto ignorecase", "noshred"):
            raise CopyError(f"Invalid JSON option: '{option}'", code=SYNTAX_ERROR)
        self._values["json"] = option

    def _on_acceptinvchars(self) -> None:
        value = self._argument()
        value = "?" if value is None else value
        if len(value) != 1 or not value.isascii() or value == "\0":
            raise CopyError("ACCEPTINVCHARS takes one ASCII character", code=NOT_SUPPORTED)
        self._values["replacement"] = value.encode()

    def _on_ignoreheader(self) -> None:
        self._cursor.skip("AS")
        self._values["ignore_header"] = self._cursor.number()

    def _on_maxerror(self) -> None:
        self._cursor.skip("AS")
        self.max_errors = self._cursor.number()
        if self.max_errors > _MAX_ERRORS:
            message = f"MAXERROR {self.max_errors} is not between 0 and {_MAX_ERRORS}"
            raise CopyError(message, code=SYNTAX_ERROR)

    def _on_noload(self) -> None:
        self.no_load = True

    def _on_timeformat(self) -> None:
        value = self._text()
        if value in _DEFAULT_TIMES:
            value = ""
        elif value != "auto" and value not in EPOCHS:
            time_parts(value)
        self._values["time_format"] = value

    def _on_dateformat(self) -> None:
        value = self._text()
        if value == "YYYY-MM-DD":
            value = ""
        elif value != "auto":
            time_parts(value)
        self._values["date_format"] = value


def _one_byte(value: str, option: str) -> bytes:
    r"""Return a DELIMITER or QUOTE: one ASCII character, ``\t`` or octal ``\011``."""
    if octal := re.fullmatch(r"\\{1,2}([0-7]{3})", value):
        value = chr(int(octal[1], 8))
    value = "\t" if value in ("\\t", "\\\\t") else value
    if option == "DELIMITER" and len(value) > 1:
        raise Unsupported("a DELIMITER of several characters")
    if len(value) != 1 or not value.isascii() or value in "\n\r\\":
        raise CopyError(f"COPY {option} must be a single character", code=NOT_SUPPORTED)
    return value.encode()
