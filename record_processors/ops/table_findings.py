"""What is wrong with the table that the files are loaded into, in words, with what mends it."""

from __future__ import annotations

from collections.abc import Iterator

from ..aws.bucket import Bucket
from ..config.setting import Settings
from ..errors import counted
from . import remedies
from .report import Finding, Report
from .scratch import LOST, Scratch


class TableFindings:
    """Names what the table lacks, and what it has too much.

    No remedy takes anything away: what is in S3 is loaded into a new table, beside this one.
    """

    def __init__(
        self, settings: Settings, report: Report, scratch: Scratch, bucket: Bucket
    ) -> None:
        self.settings = settings
        self.report = report
        self.scratch = scratch
        self.bucket = bucket

    def lost(self) -> Iterator[Finding]:
        """Yield the files that no message announces any more."""
        for (key,) in self.scratch.rows("SELECT key FROM files WHERE state = ?", LOST):
            url = self.bucket.url(str(key))
            said = "is not in the table, and no message announces it any more"
            yield Finding("lost", url, said, (remedies.replay_file(self.settings, url),))

    def rows(self) -> Iterator[Finding]:
        """Yield the difference between what the table holds and what the ledger adds up."""
        rows = self.report.rows
        if rows is None or rows.counted == rows.entered:
            return
        if (more := rows.counted - rows.entered) > 0:
            what = (
                f"{more:,} more: rows of others or from before the ledger, or rows put in by hand"
            )
        else:
            what = f"{-more:,} fewer: rows were deleted, by hand or for their age"
        said = (
            f"the table has {rows.counted:,} rows, by the ledger {rows.entered:,}, {what}; that is "
            "the sum, in which rows that are there twice hide as many that are not"
        )
        yield Finding("rows", str(self.report.table), f"{said}. {self._anew()}", self._again())

    def twice(self) -> Iterator[Finding]:
        """Yield the files that the ledger has more than once."""
        rows = self.scratch.rows("SELECT key FROM loaded GROUP BY key HAVING count(*) > 1")
        said = "is in the ledger more than once, and so its rows may be in the table"
        for (key,) in rows:
            yield Finding(
                "twice", self.bucket.url(str(key)), f"{said}. {self._anew()}", self._again()
            )

    def _again(self) -> tuple[str, ...]:
        first, last = self.report.first_hour, self.report.last_hour
        if first is None or last is None:
            return ()
        return (remedies.replay_to_another(self.settings, first, last),)

    def _anew(self) -> str:
        """Say how to have each row once, and which ones that cannot give."""
        told = (
            "Which ones, no row says: load the files into a new table, by another stage two that "
            'reads a stream NAME (README, "Once more, on purpose"), and compare'
        )
        if lacking := list(self._lacking()):
            return f"{told}. It will lack the rows of {', and of '.join(lacking)}"
        return f"{told}, or swap"

    def _lacking(self) -> Iterator[str]:
        if self.report.gone:
            yield f"{counted(self.report.gone, 'file')} that S3 has no more"
        if self.report.rows and (others := self.report.rows.of_others):
            yield f"{counted(others, 'file')} of the ledger that are of others, or redriven"
