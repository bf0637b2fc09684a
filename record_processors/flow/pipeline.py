"""The flow itself: Transformer, Filter, Buffer, Emitter. No AWS, no daemon, no clock of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from typing import Any, Generic

from ..config.component import Destination
from ..config.setting import Settings
from ..errors import Fatal, Rejection
from ..events import DURABLE_ALREADY
from .account import Account
from .batch import Batch, RejectedRecord, Row
from .buffer import Buffer
from .dead_letters import DeadLetters
from .emitter import Emitter
from .filter import Filter
from .metrics import BATCH_BYTES, BATCHES, BUFFER_AGE, EMIT_TIME, TRANSFORM_TIME
from .record import Position, Record
from .tally import Tally
from .transformer import Transformer

log = logging.getLogger(__name__)

Checkpoint = Callable[[Position], None]

# So many records are transformed at once: enough to make calls cheap, few enough that their rows,
# of which a record may have many, add little to what the buffer holds.
CHUNK = 500


class Pipeline(Destination, Generic[Row]):
    """Carries the records of one shard to where they are durable, then checkpoints.

    The one rule: ``checkpoint`` is called with a position only when every record up to it is
    emitted, filtered out, or durable as a dead letter.

    A pipeline of one's own is a subclass that puts its parts together in ``from_settings``; its
    name stands in ``connectorDestination`` as ``package.module:Class``.
    """

    def __init__(
        self,
        transformer: Transformer[Row],
        filter: Filter,  # noqa: A002 - the word of the field
        buffer: Buffer[Row],
        emitter: Emitter[Row],
        dead_letters: DeadLetters,
    ) -> None:
        self.transformer = transformer
        self.filter = filter
        self.buffer = buffer
        self.emitter = emitter
        self.dead_letters = dead_letters
        self.tally = Tally(buffer.clock)
        self.since: str | None = None  # the checkpoint after which this life begins, if it is said
        self._files = self._records = 0  # of the account
        self._may_be_written = True  # by an earlier life, or by another: what comes next
        self._is_looked_for = False
        self._next_written: Position | None = None
        self._durable_through: Position | None = None

    @classmethod
    def from_settings(cls, settings: Settings, dead_letters: DeadLetters) -> Pipeline[Any]:
        """Put the parts together: for a pipeline of one's own to say."""
        del settings, dead_letters
        raise Fatal(f"{cls.__name__} does not say its parts: it has no from_settings")

    def start(self, shard: str) -> None:
        """Begin the life of this process on ``shard``; called once, before any record."""
        BUFFER_AGE.read = self.buffer.age
        self.dead_letters.start(shard)
        self.emitter.start(shard, self.transformer.format, self.transformer.null)

    def close(self) -> None:
        """End what the emitter holds open, and say what became of the records."""
        self.emitter.close()
        self.tally.close()

    def process(self, records: Sequence[Record], checkpoint: Checkpoint) -> None:
        """Take what the KCL delivered, perhaps nothing; flush at each threshold."""
        for chunk in _chunks(records):
            # Before the filter, and so in vain for some: what cannot be read is a dead letter.
            with TRANSFORM_TIME:
                rows_of = self.transformer.transform_all(chunk)
                verdicts = iter(self.filter.keep_all(list(compress(chunk, rows_of))))
            self.tally.read += len(chunk)
            taken_of = self.emitter.loadable(rows_of)
            for record, rows, taken in zip(chunk, rows_of, taken_of, strict=True):
                kept: object = next(verdicts) if rows else rows
                if self._may_be_written and self._is_written(record, kept and taken, checkpoint):
                    self.tally.skipped += 1
                elif not kept:
                    self._pass_over(record, "filter" if rows else "transform", kept)
                elif not taken:
                    self._pass_over(record, "transform", taken)
                elif self.buffer.keep(record, rows):
                    self.flush(checkpoint)
        if self.buffer.due:
            self.flush(checkpoint)
        self.tally.tell(self.buffer.held)

    def flush(self, checkpoint: Checkpoint) -> None:
        """Make durable what was taken so far, then checkpoint.

        1. Dead letters first: an object covers the records before it that were rejected.
        2. Emit; what the destination rejects for good becomes dead letters. The emitter says
           through which position the shard is durable: usually the end of the batch, less or more
           if another process has written the same records.
        3. Checkpoint there, or, beyond what was delivered, skip records until it is reached.
        """
        while (last := self.buffer.last) is not None:
            self.dead_letters.write()
            kept = len(self.buffer.kept)
            through = self._emit(last) if kept else last
            self.buffer.release(through)
            self._records += kept - len(self.buffer.kept)
            if through > last:
                self._skip_through(through)
            else:
                checkpoint(through)

    def finish(self, checkpoint: Checkpoint) -> None:
        """Flush at the end of the shard, after which no record can come."""
        self.flush(checkpoint)
        if self._durable_through is not None:
            raise Fatal(
                f"the shard ended before {self._durable_through}, through which an object "
                "claims to cover it: it is of another stream of the same name; or KCL, which "
                "leaves out aggregates with records of other shards, left one out now and not "
                "before: skipShardSyncAtWorkerInitializationIfLeasesExist = true brings it back"
            )

    def _pass_over(self, record: Record, stage: str, verdict: object) -> None:
        self.buffer.pass_over(record)
        if not isinstance(verdict, Rejection):
            self.tally.filtered += 1
        else:
            self.tally.rejected += 1
            self.dead_letters.add(record, stage, verdict.reason)

    def _is_written(self, record: Record, kept: object, checkpoint: Checkpoint) -> bool:
        """Whether the record lies in what an earlier life wrote, or another process."""
        skips = self._durable_through is not None and self._skips(record.position, checkpoint)
        return skips or self._adopt(record, kept, checkpoint)

    def _adopt(self, record: Record, kept: object, checkpoint: Checkpoint) -> bool:
        """Take over what was written in the place of the batch that ``record`` would begin.

        After a crash, an earlier life may have written several batches whose checkpoints it did
        not live to make; so a find is followed by a look at what comes after it. Those of another
        transformer or filter may begin anywhere, so that what is held ends before them.
        """
        if not self._is_looked_for:
            self._next_written = self.emitter.next_written(record)
            self._is_looked_for = True
        begin = self._next_written
        if record.position < begin if begin else not kept:
            return False
        if begin and self.buffer.kept:
            self.flush(checkpoint)
            if self._durable_through:  # meanwhile another process wrote the same, and more
                return self._is_written(record, kept, checkpoint)
        through = self.emitter.adopt(record)
        self._may_be_written = through is not None
        if through is None:
            return False
        if through < (begin := begin or record.position):
            raise Fatal(f"{self._emitter_name} returned {through}, before {begin}")
        self._files += 1
        self.dead_letters.write()
        self.buffer.release(through)
        self._skip_through(through)
        return self._is_written(record, kept, checkpoint)

    def _skip_through(self, end: Position) -> None:
        fields = DURABLE_ALREADY.of(through=str(end))
        log.info("skipping records through %s: they are durable already", end, extra=fields)
        self._durable_through = end
        self._may_be_written = True
        self._is_looked_for = False

    @property
    def _emitter_name(self) -> str:
        return type(self.emitter).__name__

    def _emit(self, last: Position) -> Position:
        batch = Batch(tuple(self.buffer.kept), last, self._write_rejected, account=self._account())
        BATCHES.add(1, self.buffer.threshold)
        BATCH_BYTES.add(self.buffer.bytes)
        with EMIT_TIME:
            through = self.emitter.emit(batch)
        if through is not None and through < batch.first.position:
            raise Fatal(f"{self._emitter_name} returned {through}, before its batch begins")
        batch.write_letters()
        self._files += through is not None
        return through or last

    def _account(self) -> Account | None:
        """Say what became of all records through the last one that the buffer has seen."""
        if self.since is None:
            return None
        return Account(
            self.since,
            self._files + 1,
            self._records + len(self.buffer.kept),
            self.tally.filtered,
            self.tally.rejected - self.tally.handed_back,
            self.tally.skipped,
        )

    def _write_rejected(self, rejected: Sequence[RejectedRecord]) -> None:
        count = len({one.record.position for one in rejected})
        self.tally.rejected += count
        self.tally.handed_back += count
        self.dead_letters.write_rejected(rejected, self.emitter.stage)

    def _skips(self, position: Position, checkpoint: Checkpoint) -> bool:
        """Skip what lies in an object found in the bucket; checkpoint when its end has come.

        Never inside it: the next life would begin between the object's records, write them under
        another key, and double their rows.
        """
        end = self._durable_through
        if end is None:
            return False
        if position >= end:
            self._durable_through = None
            checkpoint(end)
        return position <= end


def _chunks(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    return (records[start : start + CHUNK] for start in range(0, len(records), CHUNK))
