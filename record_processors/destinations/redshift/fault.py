"""Which file it is that a COPY failed for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
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


class SetAside(NamedTuple):
    """Files that cannot be loaded; the others of the load may be."""

    files: Sequence[RejectedFile]


class BadRows(NamedTuple):
    """Rows of some of ``files`` that COPY refuses: no file without a complaint is in the mapping.

    ``is_cut_short`` if there may be more of them, as COPY gave up.
    """

    files: Sequence[File]
    complaints: Mapping[File, Sequence[LoadErrorDetail]]
    is_cut_short: bool


class Unexplained(NamedTuple):
    """A load failed, and nothing says because of which file.

    ``error`` is what to raise if it is because of none.
    """

    reason: str
    error: Exception


Fault = BadRows | SetAside | Unexplained  # what a failed COPY was about


def fault_of(
    files: Sequence[File], message: str, details: Iterable[LoadErrorDetail], check: FileCheck
) -> Fault:
    """Find the rows at fault in the error table, or the file: as it is missing, or by COPY's words.

    Never by guess: if nothing names a file, Unexplained. ``message`` is COPY's, blanks folded. That
    we may not look at a file ourselves tells nothing, as COPY reads by a role of its own; nor does
    it tell of one file that COPY may not read it.
    """
    if complaints := by_file(files, details):
        return BadRows(files, complaints, is_cut_short=True)
    read = {file for file in files if _is_read(file, message)}  # one at most
    tells_of_it = OF_THIS_FILE.search(NAMES.sub("", message))
    # The one that COPY names comes first: of a thousand files, it is mostly the one that is gone.
    for file in sorted(files, key=lambda file: file not in read):
        try:
            check.look_at(file)
        except Unseen:
            pass
        except BadFile as bad:
            return SetAside([RejectedFile(bad.file, bad.reason)])
        if tells_of_it and file in read:
            return SetAside([RejectedFile(file, f"{file.url}: {message}")])
    if NO_AUTHORITY.search(message):
        return Unexplained(
            message, Fatal(f"Redshift may not read the files (redshiftIamRole): {message}")
        )
    return Unexplained(message, Transient(f"Redshift: {message}"))


def by_file(
    files: Sequence[File], details: Iterable[LoadErrorDetail]
) -> dict[File, list[LoadErrorDetail]]:
    """Sort what the error table says by the files that it means.

    It keeps the beginning of long names only: of files that begin alike, none is meant.
    """
    named: dict[str, list[File]] = {}
    for file in files:
        named.setdefault(file.url[:ERROR_FILE_NAME].rstrip(), []).append(file)
    found: dict[File, list[LoadErrorDetail]] = {}
    for detail in details:
        if len(meant := named.get(detail.file, [])) == 1:
            found.setdefault(meant[0], []).append(detail)
    return found


def _is_read(file: File, message: str) -> bool:
    """Whether a message of COPY, whose blanks are folded, is about this file."""
    return f" S3 key being read : {' '.join(file.url.split())} " in f"{message} "
