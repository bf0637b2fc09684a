"""The flow itself: Transformer, Filter, Buffer, Emitter. No AWS, no daemon, no clock of its own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from itertools import compress
from typing import Any, ClassVar, Generic

from .buffer import Batch, Buffer, Row
from .dead_letters import DeadLetters
from .emitters import Emitter, configured_emitter
from .errors import Fatal, Refused
from .filters import Filter, configured_filter
from .plugins import is_plugin, load_class
from .record import Position, Record
from .settings import DESTINATION, Setting, Settings
from .transformers import Transformer, configured_transformer

log = logging.getLogger(__name__)

Checkpoint = Callable[[Position], None]

# So many records are transformed at once: enough to make calls cheap, few enough that their rows,
# of which a record may have many, add little to what the buffer holds.
CHUNK = 500


class Pipeline(Generic[Row]):
    """Carries the records of one shard to where they are durable, then checkpoints.

    The one rule: ``checkpoint`` is called with a position only when every record up to it is
    emitted, filtered out, or durable as a dead letter.

    A pipeline of one's own is a subclass that puts its parts together in ``from_settings``; its
    name stands in ``connectorDestination`` as ``package.module:Class``.
    """

    declares: ClassVar[Sequence[Setting[Any]]] = ()
    """Settings of its own that a ``.properties`` file may hold."""

    named_by: ClassVar[str] = DESTINATION.key
    """The setting by whose value a class of one's own is found."""

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
        self.shard = ""
        self._may_be_written = True  # what we keep next, by an earlier life or by another process
        self._durable_through: Position | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Pipeline[Any]:
        """Put together the parts that the properties name."""
        emitter = configured_emitter(settings)
        transformer = emitter.transformer or configured_transformer(settings)
        return cls(
            transformer.from_settings(settings),
            configured_filter(settings).from_settings(settings),
            Buffer.from_settings(settings),
            emitter.from_settings(settings),
            DeadLetters.from_settings(settings),
        )

    def start(self, shard: str) -> None:
        """Begin the life of this process on ``shard``; called once, before any record."""
        self.shard = shard
        self.dead_letters.shard = shard

    def process(self, records: Sequence[Record], checkpoint: Checkpoint) -> None:
        """Take what the KCL delivered, perhaps nothing; flush at each threshold."""
        for chunk in _chunks(records):
            rows_of = self.transformer.transform_all(chunk)
            verdicts = iter(self.filter.keep_all(list(compress(chunk, rows_of))))
            for record, rows in zip(chunk, rows_of, strict=True):
                kept: object = next(verdicts) if rows else rows
                if self._durable_through and self._skips(record.position, checkpoint):
                    continue
                if not kept:
                    self._pass_over(record, "filter" if rows else "transform", kept)
                elif self._may_be_written and self._adopt(record, checkpoint):
                    continue
                elif self.buffer.keep(record, rows):
                    self.flush(checkpoint)
        if self.buffer.due:
            self.flush(checkpoint)

    def flush(self, checkpoint: Checkpoint) -> None:
        """Make durable what was taken so far, then checkpoint.

        1. Dead letters first: an object covers the records before it that were rejected.
        2. Emit. The emitter says through which position the shard is durable: usually the end of
           the batch, less or more if another process has written the same records.
        3. Checkpoint there, or, beyond what was delivered, skip records until it is reached.
        """
        while (last := self.buffer.last) is not None:
            self.dead_letters.write()
            through = self._emit(last) if self.buffer.kept else last
            self.buffer.release(through)
            if through > last:
                self._skip_through(through)
            else:
                checkpoint(through)

    def finish(self, checkpoint: Checkpoint) -> None:
        """Flush at the end of the shard, after which no record can come."""
        self.flush(checkpoint)
        if self._durable_through is not None:
            raise Fatal(
                f"shard {self.shard} ended before {self._durable_through}, through which an object "
                "claims to cover it: it is of another stream of the same name; or KCL, which "
                "leaves out aggregates with records of other shards, left one out now and not "
                "before: skipShardSyncAtWorkerInitializationIfLeasesExist = true brings it back"
            )

    def _pass_over(self, record: Record, stage: str, verdict: object) -> None:
        self.buffer.pass_over(record)
        if isinstance(verdict, Refused):
            self.dead_letters.add(record, stage, verdict.reason)

    def _adopt(self, first: Record, checkpoint: Checkpoint) -> bool:
        """Take over what was written in the place of the batch that ``first`` would begin.

        After a crash, an earlier life may have written several batches whose checkpoints it did
        not live to make; so a find is followed by a look at what comes after it.
        """
        through = self.emitter.adopt(self.shard, first)
        self._may_be_written = through is not None
        if through is None:
            return False
        if through < first.position:
            raise Fatal(f"{self._emitter_name} returned {through}, before {first.position}")
        self.dead_letters.write()
        self.buffer.release(through)
        self._skip_through(through)
        return self._skips(first.position, checkpoint)

    def _skip_through(self, end: Position) -> None:
        log.info("skipping records through %s: they are durable already", end)
        self._durable_through = end
        self._may_be_written = True

    @property
    def _emitter_name(self) -> str:
        return type(self.emitter).__name__

    def _emit(self, last: Position) -> Position:
        batch = Batch(self.shard, tuple(self.buffer.kept), last)
        through = self.emitter.emit(batch) or last
        if through < batch.first.position:
            raise Fatal(f"{self._emitter_name} returned {through}, before its batch begins")
        for rejection in batch.rejections:
            self.dead_letters.add(*rejection)
        self.dead_letters.write()
        return through

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


def build_pipeline(settings: Settings) -> Pipeline[Any]:
    """Make the pipeline that ``connectorDestination`` names.

    That is one of our destinations, an Emitter of one's own, or a whole Pipeline of one's own.
    """
    name = settings[DESTINATION]
    found = load_class(DESTINATION.key, name) if is_plugin(name) else Pipeline
    pipeline = found if issubclass(found, Pipeline) else Pipeline
    return pipeline.from_settings(settings)


def _chunks(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    return (records[start : start + CHUNK] for start in range(0, len(records), CHUNK))
