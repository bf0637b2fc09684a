"""The COPY that loads files, and the manifest by which it knows them."""

from __future__ import annotations

from collections.abc import Sequence

from ...aws.layout import files_folder
from ...config.null_string import COPYS_OWN
from ...config.setting import Settings
from ...errors import Fatal
from ...files.compression import Compression
from ...files.file import File
from .settings import (
    COPY_MANDATORY,
    COPY_OPTIONS,
    DATA_COLUMNS,
    DATA_DELIMITER,
    DATA_FORMAT,
    DATA_TABLE,
    IAM_ROLE,
    JSON_PATHS,
)
from .sql import literal, quoted, quoted_list

# Of columnar files COPY takes no word about that (…/dg/copy-usage_notes-copy-from-columnar.html).
COMPRESSED_INSIDE = frozenset({"parquet"})
MOST_ERRORS = 100_000  # that MAXERROR takes
COMPRESSION_WORDS = {"gzip": " GZIP", "zstd": " ZSTD", "none": ""}


def manifests_folder(settings: Settings) -> str:
    """Return where the manifests are that COPY reads. No reader takes what is there for rows."""
    return f"{files_folder(settings)}manifests/"


def copy_statement(
    settings: Settings, manifest_url: str, compression: Compression, null: str | None = None
) -> str:
    """Return ``COPY … MANIFEST …`` as docs.aws.amazon.com/redshift/latest/dg/r_COPY says it.

    The format's options follow from ``redshiftDataFormat``; ``null`` is what stands for null in
    files of text, if it is not COPY's own; ``redshiftCopyOptions`` come last.
    """
    role = settings[IAM_ROLE]
    return "".join(
        [
            f"COPY {quoted(settings[DATA_TABLE])}{quoted_list(settings[DATA_COLUMNS])}",
            f" FROM {literal(manifest_url)}",
            f" IAM_ROLE {role if role == 'default' else literal(role)}",
            " MANIFEST",
            _format(settings),
            _null(settings, null),
            "" if settings[DATA_FORMAT] in COMPRESSED_INSIDE else COMPRESSION_WORDS[compression],
            f" {options}" if (options := settings[COPY_OPTIONS]) else "",
        ]
    )


def tolerating(bad_rows: int) -> str:
    """Return the words for a COPY that leaves out so many bad rows, and fails with one more.

    Never for one that is committed: …/dg/copy-parameters-data-load.html
    """
    return f" MAXERROR {min(bad_rows + 1, MOST_ERRORS)}"


def looking_for(bad_rows: int) -> str:
    """Return the words for one that loads nothing; each bad row is in the error tables then."""
    return f" NOLOAD{tolerating(bad_rows)}"


def manifest_of(files: Sequence[File], settings: Settings) -> dict[str, object]:
    """Return the manifest file's JSON (…/dg/loading-data-files-using-manifest.html)."""
    mandatory = settings[COPY_MANDATORY]
    return {
        "entries": [
            {"url": file.url, "mandatory": mandatory, "meta": {"content_length": file.bytes}}
            for file in files
        ]
    }


def _null(settings: Settings, null: str | None) -> str:
    """Leave it out if it is COPY's own: how COPY reads a backslash in NULL AS is not said."""
    is_said = settings[DATA_FORMAT] in {"csv", "delimited"} and null not in {None, COPYS_OWN}
    return f" NULL AS {literal(str(null))}" if is_said else ""


def _format(settings: Settings) -> str:
    kind = settings[DATA_FORMAT]
    if kind == "json":
        return f" FORMAT JSON {literal(settings[JSON_PATHS])}"
    if kind == "csv":
        return " FORMAT CSV"
    if kind == "parquet":
        return " FORMAT PARQUET"
    if kind == "delimited":
        return f" DELIMITER {literal(settings[DATA_DELIMITER])} ESCAPE"
    raise Fatal(f"redshiftDataFormat = {kind}: no COPY is known for it")
