"""How the bytes of a file become rows and fields: what the options of a COPY say about it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Layout:
    r"""How the bytes of a file become rows and fields.

    ``format`` is ``delimited``, ``csv`` or ``json``; ``compression`` is empty, ``gzip`` or
    ``zstd``; ``time_format`` is empty (``YYYY-MM-DD HH:MI:SS``), ``auto``, ``epochsecs`` or
    ``epochmillisecs``. ``null_as`` is compared with the field as it stands in the file.
    """

    format: str = "delimited"
    delimiter: bytes = b""
    quote: bytes = b'"'
    null_as: bytes = rb"\N"
    compression: str = ""
    time_format: str = ""
    ignore_header: int = 0
    escape: bool = False
    empty_as_null: bool = False
    blanks_as_null: bool = False
    truncate: bool = False
    ignore_blank_lines: bool = False
    round_decimals: bool = False
