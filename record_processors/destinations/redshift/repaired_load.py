"""Loads files without the rows that COPY refuses: one bad row costs a row, not a file."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence

from ...errors import Fatal, Transient, counted
from ...files.file import File
from .connection import LoadErrorDetail
from .dry_run import DryRun
from .events import ROWS_LEFT_OUT
from .fault import BadRows, Fault, SetAside, Unexplained
from .file_check import BadFile
from .ledger import RejectedFile, Verdict
from .load import Load
from .repair import Repair, Repaired, kept_out, too_many

log = logging.getLogger(__name__)

# Of the rows left out that are held until the files of a batch are loaded.
LEFT_OUT_BYTES = 16 * 1024 * 1024
AGAIN = "when others had been left out"  # why a file that is repaired already is kept out


class RepairedLoad:
    """Loads the files of one batch; those with bad rows without these, as soon as they are known.

    ::

        COPY ─┬─ loaded
              └─ refuses rows ─► COPY … NOLOAD MAXERROR: what it complains of, all at once
                   ├─ a few of a file ─► written once more without them, and loaded in its place
                   └─ too many, or it is not certain which ─► the file is set aside

    What fails for all is not the fault of some rows: before the first are left out, ``rehearse``
    tries a file that the table holds already, as in LoadSearch.

    The rest is for who calls it again: each call loads, or sets a file aside, or finds some bad
    rows more, until none can be found.
    """

    def __init__(
        self,
        load: Load,
        repair: Repair,
        rehearse: Callable[[], bool | None],
        faults: Mapping[File, str],
    ) -> None:
        self.load = load
        self.repair = repair
        self.rehearse = rehearse
        self.faults = faults
        self.dry_run = DryRun(load)
        self.repaired: dict[File, Repaired] = {}

    def run(self, files: Sequence[File]) -> Verdict | SetAside | Unexplained:
        """Load files together; return what became of each, or which the others go on without.

        That may be none, if rows are left out now. Raises Transient, Fatal.
        """
        outcome = self.load.run(files, self.faults, self.repaired)
        return self._without(outcome) if isinstance(outcome, BadRows) else outcome

    def _without(self, bad: BadRows) -> SetAside | Unexplained:
        """Leave out the rows that COPY refuses, wherever they are in these files."""
        if not self.repair.is_possible:
            return _set_aside(bad.complaints, "")
        if again := {
            file: bad.complaints[file] for file in bad.complaints if file in self.repaired
        }:
            return _set_aside(again, AGAIN)
        found = self._all_bad_rows(bad)
        if not isinstance(found, BadRows):
            return found
        if found.is_cut_short:
            return self._with_too_many(found)
        self._insist_on_a_sound_table(bad)
        rejected = []
        for file, complaints in _together(found, bad).items():
            try:
                self._leave_out(file, complaints)
            except BadFile as whole:
                rejected.append(RejectedFile(file, whole.reason))
        return SetAside(rejected)

    def _all_bad_rows(self, bad: BadRows) -> Fault:
        """Return what is wrong with these files; ``bad`` are the first rows that COPY refused."""
        try:
            found = self.dry_run.run(bad.files, self.repaired, self.repair.most)
        except Fatal as error:
            failure = str(error)
        else:
            if not isinstance(found, Unexplained) or len(bad.files) > 1:
                return found
            failure = found.reason
        return _set_aside(bad.complaints, f"the others cannot be looked for: {failure}")

    def _insist_on_a_sound_table(self, bad: BadRows) -> None:
        """Raise Transient if what was loaded before cannot be loaded any more."""
        if not self.repaired and self.rehearse() is False:
            (file, complaints), *_ = bad.complaints.items()
            raise Transient(f"Redshift: {file.url}, {complaints[0]}")

    def _leave_out(self, file: File, complaints: Sequence[LoadErrorDetail]) -> None:
        """Let COPY read another file in the place of this one. Raises BadFile, Fatal."""
        if file in self.repaired:
            raise kept_out(file, complaints, AGAIN)
        room = LEFT_OUT_BYTES - sum(repaired.size for repaired in self.repaired.values())
        repaired = self.repair.run(file, complaints, room)
        self.repaired[file] = repaired
        log.warning(
            "%s, %s: without %s it is %s",
            file.url,
            complaints[0],
            "this row" if len(complaints) == 1 else f"{len(complaints)} rows",
            repaired.file.url,
            extra=ROWS_LEFT_OUT.of(url=file.url, rows=len(complaints), repaired=repaired.file.url),
        )

    def _with_too_many(self, found: BadRows) -> SetAside | Unexplained:
        """Set aside who has too many, as COPY gave up before it had seen the other files."""
        most = self.repair.most
        worst = {file: of for file, of in found.complaints.items() if len(of) > most}
        if worst:
            return _set_aside(worst, too_many(most))
        reason = f"more bad rows than COPY tells of, in {counted(len(found.files), 'file')}"
        return Unexplained(reason, Transient(f"Redshift: {reason}"))


def _together(*found: BadRows) -> dict[File, list[LoadErrorDetail]]:
    """Put complaints together: one for each line, in the order of lines."""
    by_line: dict[File, dict[int, LoadErrorDetail]] = {}
    for bad in found:
        for file, complaints in bad.complaints.items():
            for complaint in complaints:
                by_line.setdefault(file, {}).setdefault(complaint.line, complaint)
    return {file: [lines[line] for line in sorted(lines)] for file, lines in by_line.items()}


def _set_aside(complaints: Mapping[File, Sequence[LoadErrorDetail]], why: str) -> SetAside:
    return SetAside(
        [RejectedFile(file, kept_out(file, of, why).reason) for file, of in complaints.items()]
    )
