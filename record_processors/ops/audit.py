"""The audit of one pipeline's files, and of the table that they are loaded into."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone

from ..aws.bucket import Bucket
from ..aws.failures import Missing
from ..aws.layout import REDRIVEN, files_folder
from ..config.keys import APPLICATION_NAME, STREAM_NAME
from ..config.setting import Settings
from ..errors import Fatal, counted
from ..files.file_ledger import FileLedger, LedgerLocked
from ..flow.account import Account
from ..flow.record import Position
from ..kcl.leases import SHARD_END
from . import remedies
from .announced import announced
from .chain import Chain, PassedOver, Seen
from .chain_findings import ChainFindings
from .chain_proof import ChainProof
from .checkpoints import checkpoints
from .file_listing import FileListing, Listed
from .hours import Hours
from .letter_files import LetterFiles
from .load_proof import Letters, missing, never_loaded, settle
from .pipelines import FilesAndTable
from .report import Found, Report
from .scratch import Scratch, moment, ordered
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
        self._read_messages()
        knows_what_is_loaded = self._read_ledger()
        self.scratch.add_listed(self.listing.files(self.hours))
        self._note_extent()
        folder = f"{self.listing.folder}{REDRIVEN}"
        report.redriven = sum(1 for _ in LetterFiles(self.settings).objects(folder))
        report.add(self._nothing(passed))
        self._prove()
        report.is_to_the_end = self.hours.end is None
        if report.is_to_the_end:
            self._compare_with_checkpoints(passed)
        findings = ChainFindings(self.settings, self.listing, self.scratch, self._look)
        report.add(findings.missing(missing(self.scratch, self.listing.file, self._is_asked)))
        letters = self._letters()
        if knows_what_is_loaded:
            unloaded = never_loaded(self.scratch, self.listing.file, self.hours)
            report.add(findings.missing(one for one in unloaded if not findings.is_elsewhere(one)))
        report.add(findings.faults(report.chains))
        report.add(self._open(letters))
        report.add(findings.unexplained(report.chains))
        if knows_what_is_loaded:
            table = TableFindings(self.settings, report, self.scratch, self.bucket)
            report.states = settle(self.scratch, began - self.grace)
            report.add(table.lost())
            report.add(table.twice())
            report.add(table.rows())
        return report

    def _read_messages(self) -> None:
        if self.pair.ledger and self.pair.table and self.pair.table is not self.settings:
            self.scratch.add_announced(announced(self.pair.table))

    def _nothing(self, passed: Mapping[str, Position | str]) -> Iterator[Found]:
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
            yield Found("missing", self.report.place, why, (again,))

    def _read_ledger(self) -> bool:
        """Read it all at once, so that a load waits for no longer than that takes."""
        ledger, report = self.pair.ledger, self.report
        if ledger is None:
            return False
        try:
            self.scratch.add_loaded(ledger.loaded(report.application, self.settings[STREAM_NAME]))
        except LedgerLocked as error:
            again = (remedies.audit(self.settings, self.pair.table),)
            report.add([Found("not known", str(report.table), f"{error}; ask again", again)])
            return False
        if self.hours.is_all:
            self._count_rows(ledger)
        report.rows_left_out = self.scratch.count("SELECT sum(left_out) FROM loaded")
        return True

    def _count_rows(self, ledger: FileLedger) -> None:
        try:
            self.report.rows = ledger.rows(self.report.application)
        except (LedgerLocked, Fatal) as error:  # who loads needs no right to read
            self.report.notes.append(f"rows not counted: {error}")

    def _note_extent(self) -> None:
        report, count = self.report, self.scratch.count
        if report.files or not (files := count("SELECT count(*) FROM files")):
            return
        report.files, report.bytes = files, count("SELECT sum(bytes) FROM files")
        report.first_hour = moment(count("SELECT min(hour) FROM files"))
        report.last_hour = moment(count("SELECT max(hour) FROM files"))

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
                self.report.add([Found("not known", shard, said, (again,))])

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

    def _compare_with_checkpoints(self, passed: Mapping[str, Position | str]) -> None:
        report = self.report
        for chain in report.chains:
            where, end = passed.get(chain.shard), chain.end
            if where is None or end is None:
                continue
            report.compared += 1
            if where in {SHARD_END, end.last}:
                report.at_checkpoint += 1
            elif isinstance(where, Position) and where > end.last:
                report.short_of_checkpoint += 1
                chain.passed_over.append(PassedOver(end, where, None))
            else:
                report.behind_checkpoint += self.scratch.count(
                    "SELECT count(*) FROM files WHERE shard = ? AND first > ?",
                    chain.shard,
                    ordered(where) if isinstance(where, Position) else "",
                )

    def _is_asked(self, listed: Listed) -> bool:
        """Whether S3 should have a file; what is older than all there has expired."""
        if not self.hours.holds(listed.hour):
            return False
        oldest = self.hours.begin or self.report.first_hour
        if oldest is None or listed.hour < oldest:
            self.report.gone += 1
            return False
        return True

    def _letters(self) -> Letters:
        letters = Letters(self.scratch, self._holds)
        for settings in self._pipelines():
            letters.read(settings)
        self.report.letters_of_records, self.report.letters_of_rows = letters.records, letters.rows
        return letters

    def _open(self, letters: Letters) -> Iterator[Found]:
        for settings in self._pipelines():
            for one in letters.open_ones(settings):
                said = f"{one.letters:,} not put back; the first, {one.reason}"
                yield Found("letter", self.bucket.url(one.key), said, (remedies.redrive(settings),))
        letters.keep_out()

    def _pipelines(self) -> Iterable[Settings]:
        return dict.fromkeys(filter(None, (self.settings, self.pair.table)))

    def _holds(self, arrival: int) -> bool:
        hour = datetime.fromtimestamp(arrival / 1000, timezone.utc)
        return self.hours.holds(hour.replace(minute=0, second=0, microsecond=0))
