"""Whether the chains end where the leases say that their shards were read to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..errors import counted
from ..flow.record import Position
from ..kcl.leases import SHARD_END
from .chain import PassedOver
from .report import Finding, Report
from .scratch import Scratch, ordered


class Ends:
    """Compares the chains of a report with the checkpoints, which were read before them."""

    def __init__(
        self, report: Report, scratch: Scratch, passed: Mapping[str, Position | str]
    ) -> None:
        self.report = report
        self.scratch = scratch
        self.passed = passed

    def compare(self) -> None:
        """Count where each chain ends; of a shard that is read to its end no checkpoint says it."""
        report = self.report
        for chain in report.chains:
            where, end = self.passed.get(chain.shard), chain.end
            if where is None or end is None:
                continue
            report.compared += 1
            if where == SHARD_END:
                report.ended += 1
            elif where == end.last:
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

    def without_files(self, again: str) -> Iterator[Finding]:
        """Yield shards that were read and have no file, if there must be one; count the others.

        Where all records are filtered out or refused, there is none; nor where files expire, as
        chains show that do not begin with their first one.
        """
        chains = self.report.chains
        expire = any(chain.older for chain in chains)
        filters = any(chain.filtered for chain in chains)
        shards = {chain.shard for chain in chains}
        for shard, where in self.passed.items():
            if shard in shards or not (isinstance(where, Position) or where == SHARD_END):
                continue
            if self._count("gaps", shard):
                continue  # its files are named one by one
            if not expire and (loaded := self._count("loaded", shard)):
                why = f"though the ledger has {counted(loaded, 'file')} of it"
            elif not (expire or filters or where == SHARD_END or self._count("refused", shard)):
                why = f"though it was read to {where}, no record of any shard was filtered out, and"
                why += " no letter is of it"
            else:
                self.report.without_files += 1
                continue
            said = f"no file of it is left, {why}: all were deleted; a version or a backup of the "
            yield Finding("missing", shard, f"{said}bucket may have them", (again,))

    def _count(self, table: str, shard: str) -> int:
        return self.scratch.count(f"SELECT count(*) FROM {table} WHERE shard = ?", shard)  # noqa: S608
