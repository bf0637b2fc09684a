"""What an audit compares: read from everywhere, in the order in which it must be read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain as joined

from ..aws.bucket import Bucket
from ..aws.layout import REDRIVEN
from ..config.keys import APPLICATION_NAME, STREAM_NAME
from ..config.setting import Settings
from ..errors import Fatal
from ..files.file_ledger import FileLedger, LedgerLocked, LoadedFile
from ..flow.record import Position
from . import remedies
from .announced import NotBegun, announced
from .checkpoints import checkpoints
from .file_listing import FileListing
from .hours import Hours
from .load_proof import Letters
from .pipelines import FilesAndTable
from .redriven import Redriven
from .report import Finding, Report
from .scratch import OF_CHAINS, REDRIVEN_ONES, Scratch, moment


class Evidence:
    """Takes checkpoints, messages, the ledger, the listing and the letters, in this order.

    What follows is read before what it follows from: what the ledger has is in a listing that is
    made afterwards; and what is loaded meanwhile was announced, or is in the ledger.
    """

    def __init__(self, pair: FilesAndTable, hours: Hours) -> None:
        self.pair = pair
        self.settings = pair.files
        self.hours = hours
        self.bucket = Bucket.from_settings(pair.files)
        self.listing = FileListing(pair.files, self.bucket)
        self.report = Report(
            pair.files[APPLICATION_NAME],
            self.bucket.url(self.listing.folder),
            pair.table[APPLICATION_NAME] if pair.table else None,
        )
        self.scratch = Scratch(self.bucket.name)
        self.redriven = Redriven(pair.files, self.listing)
        self.letters = Letters(self.scratch, hours)
        self.passed: dict[str, Position | str] = {}
        self.not_begun = ""  # why it is not known what is announced and not read
        self.knows_what_is_loaded = False

    def read(self) -> None:
        """Read all but the letters; note the figures. Raises Fatal."""
        self.passed = checkpoints(self.settings)
        self._read_messages()
        self.knows_what_is_loaded = self._read_ledger()
        files, redriven = self.listing.files(self.hours), self.listing.redriven(self.hours)
        self.scratch.add_listed(joined(files, redriven))
        self._note_extent()

    def read_letters(self) -> None:
        """Read the letters, of which many are of no account: when it is known which files count."""
        for settings in self.pipelines():
            self.letters.read(settings)
        self.report.letters_of_records = self.letters.records
        self.report.letters_of_rows = self.letters.rows

    def pipelines(self) -> Iterator[Settings]:
        """Yield the pipeline that writes the files, and the one that loads them."""
        yield from dict.fromkeys(filter(None, (self.settings, self.pair.table)))

    def not_known(self, what: str, why: str) -> Finding:
        """Say that something could not be looked at, and is to be asked again."""
        return Finding("not known", what, why, (self.again,))

    @property
    def again(self) -> str:
        """The command that looks once more."""
        return remedies.audit(self.settings, self.pair.table)

    def _read_messages(self) -> None:
        if self.pair.ledger and self.pair.table and self.pair.table is not self.settings:
            try:
                self.scratch.add_announced(announced(self.pair.table))
            except NotBegun as error:
                self.not_begun = str(error)

    def _read_ledger(self) -> bool:
        """Read it all at once, so that a load waits for no longer than that takes."""
        ledger, report = self.pair.ledger, self.report
        if ledger is None:
            return False
        try:
            loaded = ledger.loaded(report.application, self.settings[STREAM_NAME])
            self.scratch.add_loaded(map(self._placed, loaded))
        except LedgerLocked as error:
            report.add([self.not_known(str(report.table), f"{error}; ask again")])
            return False
        if self.hours.is_all:
            self._count_rows(ledger)
        report.rows_left_out = self.scratch.count("SELECT sum(left_out) FROM loaded")
        return True

    def _placed(self, file: LoadedFile) -> LoadedFile:
        """Call the shard of a file that redrive has written as the listing does."""
        key = file.url.removeprefix(self.scratch.prefix)
        if not key.startswith(f"{self.listing.folder}{REDRIVEN}"):
            return file
        listed = self.listing.file(key)
        return file._replace(shard=listed.shard if listed else None)

    def _count_rows(self, ledger: FileLedger) -> None:
        try:
            self.report.rows = ledger.rows(self.report.application)
        except (LedgerLocked, Fatal) as error:  # who loads needs no right to read
            self.report.notes.append(f"rows not counted: {error}")

    def _note_extent(self) -> None:
        report, count = self.report, self.scratch.count
        report.redriven = count(f"SELECT count(*) FROM files WHERE {REDRIVEN_ONES}")  # noqa: S608
        of_chains = f"FROM files WHERE {OF_CHAINS}"
        if not (files := count(f"SELECT count(*) {of_chains}")):
            return
        report.files, report.bytes = files, count(f"SELECT sum(bytes) {of_chains}")
        report.first_hour = moment(count(f"SELECT min(hour) {of_chains}"))
        report.last_hour = moment(count(f"SELECT max(hour) {of_chains}"))
