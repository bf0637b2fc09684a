"""A load of what is loaded already, rolled back: it shows whether any file can be loaded at all."""

from __future__ import annotations

import logging
from contextlib import suppress

import msgspec

from ...files.file import File
from .connection import copied_rows
from .copy import COMPRESSION_WORDS, tolerating
from .errors import LoadFailed
from .events import TABLE_AT_FAULT
from .file_check import BadFile, FileCheck, Unseen
from .load import Load

log = logging.getLogger(__name__)


class Rehearsal:
    """Tells the fault of a file from everybody's: a right, an option, a column of the table."""

    def __init__(self, load: Load, check: FileCheck) -> None:
        self.load = load
        self.check = check

    def run(self) -> bool | None:
        """Load the newest of the files that are loaded, and roll back.

        Return whether it can be loaded, with no more bad rows than it had; None if none of them is
        in S3 any more.
        """
        with self.load.connection.transaction() as cursor:
            latest = self.load.ledger.latest(cursor)
        for entered, left_out in latest:
            with suppress(BadFile):
                return self._can_load(self._seen(entered), left_out)
        return None

    def _seen(self, entered: File) -> File:
        """Look at a file of the table. Raises BadFile if it is no longer what was loaded."""
        try:
            return self.check.completed(entered)
        except Unseen:  # COPY has another role than we: what it could read, it may be able to
            return entered

    def _can_load(self, file: File, left_out: int) -> bool:
        how = tolerating(left_out) if left_out else ""
        reasons: list[str] = []
        connection = self.load.connection
        # Which compression it has, its message said; the ledger does not, nor need its name.
        for compression in dict.fromkeys([file.compression, *COMPRESSION_WORDS]):
            try:
                with connection.rolled_back() as cursor:
                    self.load.ledger.lock(cursor)
                    like = msgspec.structs.replace(file, compression=compression)
                    self.load.copy_files(cursor, [like], how)
                    rows = copied_rows(cursor)
            except LoadFailed as failure:
                reasons.append(str(failure))
                connection.close()  # with what it complains of
                continue
            complaints = connection.load_errors()  # which ends it, too
            if rows or not complaints:
                return True
            reasons.append(str(complaints[0]))
        log.error(
            "%s is in %s, and could not be loaded there once more, so that no file is at fault: "
            "look at the table and its rights, redshiftCopyOptions, redshiftIamRole: %s",
            file.url,
            self.load.table,
            reasons[0],
            extra=TABLE_AT_FAULT.of(url=file.url, table=self.load.table, reason=reasons[0]),
        )
        return False
