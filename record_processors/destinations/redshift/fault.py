"""Which file it is that a COPY failed for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ...errors import Fatal, Transient
from ...files.file import File
from .connection import LoadErrorDetail
from .errors import NAMES, NO_AUTHORITY
from .file_check import BadFile, FileCheck, Unseen
from .ledger import RejectedFile

# How much of a file's name is in the error tables, padded with blanks:
# docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html
ERROR_FILE_NAME = 256

# What COPY says of the file that it names, and of no right to read it.
OF_THIS_FILE = re.compile(r"^failed to inflate|Status 404|NoSuchKey|NoSuchBucket")


class Unexplained(NamedTuple):
    """A load failed, and nothing says because of which file.

    ``error`` is what to raise if it is because of none.
    """

    reason: str
    error: Exception


def fault_of(
    files: Sequence[File], message: str, details: Iterable[LoadErrorDetail], check: FileCheck
) -> RejectedFile | Unexplained:
    """Find the file at fault: by a row of the error table, as it is missing, or by COPY's words.

    Never by guess: if nothing names a file, Unexplained. ``message`` is COPY's, blanks folded. That
    we may not look at a file ourselves tells nothing, as COPY reads by a role of its own; nor does
    it tell of one file that COPY may not read it.
    """
    for detail in details:
        if (file := _named(files, detail.file)) is not None:
            return RejectedFile(file, f"{file.url}, {detail}")
    read = {file for file in files if _is_read(file, message)}  # one at most
    tells_of_it = OF_THIS_FILE.search(NAMES.sub("", message))
    # The one that COPY names comes first: of a thousand files, it is mostly the one that is gone.
    for file in sorted(files, key=lambda file: file not in read):
        try:
            check.look_at(file)
        except Unseen:
            pass
        except BadFile as bad:
            return RejectedFile(bad.file, bad.reason)
        if tells_of_it and file in read:
            return RejectedFile(file, f"{file.url}: {message}")
    if NO_AUTHORITY.search(message):
        return Unexplained(
            message, Fatal(f"Redshift may not read the files (redshiftIamRole): {message}")
        )
    return Unexplained(message, Transient(f"Redshift: {message}"))


def _named(files: Sequence[File], name: str) -> File | None:
    """Find the file that an error table means, which keeps the beginning of long names only.

    None if several begin alike.
    """
    found = [file for file in files if file.url[:ERROR_FILE_NAME].rstrip() == name]
    return found[0] if len(found) == 1 else None


def _is_read(file: File, message: str) -> bool:
    """Whether a message of COPY, whose blanks are folded, is about this file."""
    return f" S3 key being read : {' '.join(file.url.split())} " in f"{message} "
