"""The audit of one pipeline's files, and of the table that they are loaded into."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from ..aws.failures import Missing
from ..errors import counted
from ..flow.account import Account
from ..flow.record import Position
from . import remedies
from .chain import Chain, Seen
from .chain_findings import ChainFindings
from .chain_proof import ChainProof
from .ends import Ends
from .evidence import Evidence
from .file_listing import Listed
from .hours import Hours
from .load_proof import MissingFile, missing, never_loaded, settle, states
from .missing_files import MissingFiles
from .pipelines import FilesAndTable
from .report import Finding, Report
from .scratch import OF_CHAINS, REDRIVEN_ONES
from .table_findings import TableFindings

SHARDS_AT_ONCE = 8


class Audit:
    """Compares what was read: the chains with themselves, and with all that else says of files."""

    def __init__(self, pair: FilesAndTable, hours: Hours, grace: float) -> None:
        self.settings = pair.files
        self.hours = hours
        self.grace = grace
        self.evidence = Evidence(pair, hours)
        self.report = self.evidence.report
        self.bucket = self.evidence.bucket
        self.listing = self.evidence.listing
        self.scratch = self.evidence.scratch

    def run(self) -> Report:
        """Look at everything once; change nothing. Raises Fatal."""
        began = time.time()
        report, evidence = self.report, self.evidence
        evidence.read()
        report.add(self._nothing(evidence.passed))
        self._prove()
        ends = Ends(report, self.scratch, evidence.passed)
        report.is_to_the_end = self.hours.end is None
        if report.is_to_the_end:
            ends.compare()
        self._compare_files()
        if self.hours.is_all and report.files:
            report.add(ends.without_files(evidence.again))
        if evidence.knows_what_is_loaded:
            self._compare_table(began - self.grace)
        return report

    def _compare_files(self) -> None:
        report, evidence = self.report, self.evidence
        gone = MissingFiles(self.settings, self.listing, self.scratch, self._look)
        report.add(gone.found(missing(self.scratch, self.listing.file, self._is_asked)))
        evidence.read_letters()
        if evidence.knows_what_is_loaded:
            unloaded = never_loaded(self.scratch, self.listing.file, self.hours)
            report.add(gone.found(one for one in unloaded if not gone.is_elsewhere(one)))
        report.add(gone.found(self._unwritten()))
        findings = ChainFindings(self.settings, self.listing, self.scratch, self._look)
        report.add(findings.faults(report.chains))
        report.add(self._open())
        report.add(findings.unexplained(report.chains))

    def _compare_table(self, since: float) -> None:
        report, evidence = self.report, self.evidence
        table = TableFindings(self.settings, report, self.scratch, self.bucket)
        if not evidence.not_begun:
            settle(self.scratch, since)
            report.states = states(self.scratch, OF_CHAINS)
            report.redriven_states = states(self.scratch, REDRIVEN_ONES)
            report.add(table.lost())
        elif report.files:
            report.add([evidence.not_known(str(report.table), evidence.not_begun)])
        report.add(table.twice())
        report.add(table.rows())

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
            yield Finding("missing", self.report.place, why, (self.evidence.again,))

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
                self.report.add([self.evidence.not_known(shard, said)])

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
        yield from self.evidence.redriven.unwritten(self.scratch, hours)

    def _open(self) -> Iterator[Finding]:
        letters = self.evidence.letters
        for settings in self.evidence.pipelines():
            for one in letters.open_ones(settings):
                url = self.bucket.url(one.key)
                said = f"{one.letters:,} neither put back nor settled; the first, {one.reason}"
                either = remedies.redrive(settings), remedies.settle(settings, url)
                yield Finding("letter", url, said, either)
        for url in self.evidence.redriven.unfinished():
            said = "a batch of letters that is begun, and not done: redrive goes on with it"
            yield Finding("letter", url, said, (remedies.redrive(self.settings),))
        letters.keep_out()
