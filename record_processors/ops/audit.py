"""The audit of one pipeline's files, and of the table that they are loaded into."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import chain as joined

from ..aws.bucket import Bucket
from ..aws.failures import Missing
from ..aws.layout import files_folder
from ..config.keys import APPLICATION_NAME, STREAM_NAME
from ..config.setting import Settings
from ..errors import Fatal, counted
from ..files.file_ledger import FileLedger, LedgerLocked, LoadedFile
from ..flow.account import Account
from ..flow.record import Position
from . import remedies
from .announced import NotBegun, announced
from .chain import Chain, Seen
from .chain_findings import ChainFindings
from .chain_proof import ChainProof
from .checkpoints import checkpoints
from .ends import Ends
from .file_listing import FileListing, Listed
from .hours import Hours
from .letter_files import REDRIVEN
from .load_proof import Letters, MissingFile, missing, never_loaded, settle, states
from .missing_files import MissingFiles
from .pipelines import FilesAndTable
from .redriven import Redriven
from .report import Finding, Report
from .scratch import OF_CHAINS, REDRIVEN_ONES, Scratch, moment
from .table_findings import TableFindings

SHARDS_AT_ONCE = 8


class Audit:
    """Compares the lease table, the messages, the ledger, S3 and the letters, in this order.

    What follows is read before what it follows from: what the ledger has is in a listing that is
    made afterwards; and what is loaded meanwhile was announced, or is in the ledger.
    """

    def __init__(self, pair: FilesAndTable, hours: Hours, grace: float) -> None:
        self.pair = pair
        self.settings = pair.files
        self.hours = hours
        self.grace = grace
        self.bucket = Bucket.from_settings(pair.files)
        self.listing = FileListing(pair.files, self.bucket)
        self.redriven = Redriven(pair.files, self.listing)
        self.scratch = Scratch(self.bucket.name)
        self.report = Report(
            pair.files[APPLICATION_NAME],
            self.bucket.url(files_folder(pair.files)),
            pair.table[APPLICATION_NAME] if pair.table else None,
        )

    def run(self) -> Report:
        """Look at everything once; change nothing. Raises Fatal."""
        report = self.report
        began = time.time()
        passed = checkpoints(self.settings)
        not_begun = self._read_messages()
        knows_what_is_loaded = self._read_ledger()
        files, redriven = self.listing.files(self.hours), self.listing.redriven(self.hours)
        self.scratch.add_listed(joined(files, redriven))
        self._note_extent()
        report.add(self._nothing(passed))
        self._prove()
        report.is_to_the_end = self.hours.end is None
        ends = Ends(report, self.scratch, passed)
        if report.is_to_the_end:
            ends.compare()
        findings = ChainFindings(self.settings, self.listing, self.scratch, self._look)
        gone = MissingFiles(self.settings, self.listing, self.scratch, self._look)
        report.add(gone.found(missing(self.scratch, self.listing.file, self._is_asked)))
        letters = self._letters()
        if knows_what_is_loaded:
            unloaded = never_loaded(self.scratch, self.listing.file, self.hours)
            report.add(gone.found(one for one in unloaded if not gone.is_elsewhere(one)))
        report.add(gone.found(self._unwritten()))
        report.add(findings.faults(report.chains))
        report.add(self._open(letters))
        report.add(findings.unexplained(report.chains))
        if self.hours.is_all and report.files:
            report.add(ends.without_files(remedies.audit(self.settings, self.pair.table)))
        if knows_what_is_loaded:
            table = TableFindings(self.settings, report, self.scratch, self.bucket)
            if not_begun and report.files:
                again = remedies.audit(self.settings, self.pair.table)
                report.add([Finding("not known", str(report.table), not_begun, (again,))])
            elif not not_begun:
                settle(self.scratch, began - self.grace)
                report.states = states(self.scratch, OF_CHAINS)
                report.redriven_states = states(self.scratch, REDRIVEN_ONES)
                report.add(table.lost())
            report.add(table.twice())
            report.add(table.rows())
        return report

    def _read_messages(self) -> str:
        """Return why it is not known what is announced and not read; "" if it is."""
        if self.pair.ledger and self.pair.table and self.pair.table is not self.settings:
            try:
                self.scratch.add_announced(announced(self.pair.table))
            except NotBegun as error:
                return str(error)
        return ""

    def _nothing(self, passed: Mapping[str, Position | str]) -> Iterator[Finding]:
        """Yield that no file is left, if anything says that there were some."""
        if self.report.files or not self.hours.is_all:
            return
        count = self.scratch.count
        has_checkpoint = any(isinstance(where, Position) for where in passed.values())
        said = [
            *(["leases have checkpoints"] if has_checkpoint else []),
            *(
                f"{counted(files, 'file')} {verb}"
                for verb, files in (
                    ("in the ledger", count("SELECT count(*) FROM loaded")),
                    ("announced", count("SELECT count(*) FROM announced")),
                )
                if files
            ),
        ]
        if said:
            why = (
                f"no file lies there, though there are {' and '.join(said)}: s3Prefix or "
                "applicationName is another than it was, or all were deleted or filtered out"
            )
            again = remedies.audit(self.settings, self.pair.table)
            yield Finding("missing", self.report.place, why, (again,))

    def _read_ledger(self) -> bool:
        """Read it all at once, so that a load waits for no longer than that takes."""
        ledger, report = self.pair.ledger, self.report
        if ledger is None:
            return False
        try:
            loaded = ledger.loaded(report.application, self.settings[STREAM_NAME])
            self.scratch.add_loaded(map(self._placed, loaded))
        except LedgerLocked as error:
            again = (remedies.audit(self.settings, self.pair.table),)
            report.add([Finding("not known", str(report.table), f"{error}; ask again", again)])
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

    def _prove(self) -> None:
        """Prove one chain after the other; the ends of all are looked at before, at once."""
        shards = self.scratch.shards()
        ends = {number for _, low, high in shards for number in (low, high)}
        keys = [(number, self.scratch.key(number)) for number in sorted(ends)]
        with ThreadPoolExecutor(SHARDS_AT_ONCE) as pool:
            seen = {one.number: one for one in pool.map(self._look_if_there, keys) if one}
        proof = ChainProof(
            self.scratch, lambda number, key: seen.get(number) or self._look(number, key)
        )
        for shard, low, high in shards:
            try:
                self.report.chains.append(proof.run(shard, low, high))
            except Missing as error:  # its other files are compared with all else
                self.report.chains.append(Chain(shard, high - low + 1))
                said = f"{error}: it was moved or deleted since it was listed; ask again"
                again = remedies.audit(self.settings, self.pair.table)
                self.report.add([Finding("not known", shard, said, (again,))])

    def _look_if_there(self, one: tuple[int, str]) -> Seen | None:
        try:
            return self._look(*one)
        except Missing:
            return None

    def _look(self, number: int, key: str) -> Seen:
        """Return what a file says of itself; where it says no range, it is where it begins."""
        listed = self.listing.file(key)
        assert listed is not None  # noqa: S101 - it was listed
        metadata = self.bucket.head(key).get("Metadata", {})
        try:
            last = Position.parse(metadata.get("last-position", ""))
        except ValueError:
            last = listed.first
        return Seen(number, key, listed.first, last, Account.read(metadata))

    def _is_asked(self, listed: Listed) -> bool:
        """Whether S3 should have a file; what is older than all there has expired."""
        if not self.hours.holds(listed.hour):
            return False
        oldest = self.hours.begin or self.report.first_hour
        if oldest is None or listed.hour < oldest:
            self.report.gone += 1
            return False
        return True

    def _unwritten(self) -> Iterator[MissingFile]:
        """Yield the files of batches that are nowhere; what is older than all there has expired."""
        oldest = self.report.first_hour
        hours = self.hours if self.hours.begin else self.hours._replace(begin=oldest)
        yield from self.redriven.unwritten(self.scratch, hours)

    def _letters(self) -> Letters:
        letters = Letters(self.scratch, self.hours)
        for settings in self._pipelines():
            letters.read(settings)
        self.report.letters_of_records, self.report.letters_of_rows = letters.records, letters.rows
        return letters

    def _open(self, letters: Letters) -> Iterator[Finding]:
        for settings in self._pipelines():
            for one in letters.open_ones(settings):
                said = f"{one.letters:,} not put back; the first, {one.reason}"
                yield Finding(
                    "letter", self.bucket.url(one.key), said, (remedies.redrive(settings),)
                )
        for url in self.redriven.unfinished():
            said = "a batch of letters that is begun, and not done: redrive goes on with it"
            yield Finding("letter", url, said, (remedies.redrive(self.settings),))
        letters.keep_out()

    def _pipelines(self) -> Iterable[Settings]:
        return dict.fromkeys(filter(None, (self.settings, self.pair.table)))
