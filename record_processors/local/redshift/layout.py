"""How the bytes of a file become rows and fields: what the options of a COPY say about it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Layout:
    r"""How the bytes of a file become rows and fields.

    ``format`` is ``delimited``, ``csv`` or ``json``; ``json`` says how an object becomes a row:
    ``auto``, ``auto ignorecase``, ``noshred``, or the ``s3://`` address of a JSONPaths file.
    ``compression`` is empty, ``gzip`` or ``zstd``; ``time_format`` and ``date_format`` are empty
    (the default format), ``auto``, a format string, or ``epochsecs`` or ``epochmillisecs`` for
    times. ``null_as`` is compared with a field without its quotes, before escapes are undone.
    ``replacement`` stands for each byte that is no UTF-8; empty: such a value is refused.
    """

    format: str = "delimited"
    json: str = "auto"
    delimiter: bytes = b""
    quote: bytes = b'"'
    null_as: bytes = rb"\N"
    compression: str = ""
    time_format: str = ""
    date_format: str = ""
    replacement: bytes = b""
    ignore_header: int = 0
    escape: bool = False
    empty_as_null: bool = False
    blanks_as_null: bool = False
    trim_blanks: bool = False
    truncate: bool = False
    fill_record: bool = False
    explicit_ids: bool = False
    ignore_blank_lines: bool = False
    round_decimals: bool = False
