"""The contract of an emitter, which makes batches durable at a destination."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Generic

from ..config.component import Destination
from ..config.metric import Metric
from ..config.setting import Settings
from .batch import Batch, Row
from .metrics import OF_EVERY_PIPELINE
from .own_letters import OwnLetters
from .record import Position, Record


class Emitter(Destination, ABC, Generic[Row]):
    """Writes batches to one destination, for one shard.

    What stands on the class (``declares``, ``resources`` and so on, of ``Destination``) is all that
    the rest of the program knows of it.
    """

    stage: ClassVar[str] = "emit"
    """What the dead letters say of the records that it rejects: where it was."""

    measures: ClassVar[Sequence[Metric]] = OF_EVERY_PIPELINE

    shard: str = ""
    format: str = "text"
    null: str | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Emitter[Row]:
        """Make one; override this to read settings and to make clients.

        What only this destination needs is imported here, not at the top of its file.
        """
        del settings
        return cls()

    @classmethod
    def own_letters(cls, settings: Settings) -> OwnLetters | None:
        """Return what puts back its letters that are no records, as those of rows of a file.

        None, as here: it writes none, and every letter goes through the pipeline as a record.
        """
        del settings
        return None

    @classmethod
    def no_redrive(cls, settings: Settings) -> str:
        """Return why old records must not be put back; "" if they may, at their old positions."""
        del settings
        return ""

    def only(self, names: Sequence[str]) -> Emitter[Row]:
        """Return what gives a record to these alone of several destinations; () means to all."""
        del names
        return self

    def start(self, shard: str, format: str, null: str | None) -> None:  # noqa: A002
        """Begin with ``shard``; called once, before all else.

        ``format`` and ``null`` are the transformer's: what its rows are, what stands for null.
        """
        self.shard = shard
        self.format = format
        self.null = null

    def loadable(self, rows_of: Sequence[Sequence[Row]]) -> Sequence[Sequence[Row]]:
        """Return for each record its rows, or ``Rejection(error)`` if they would never be taken.

        Here a destination refuses what it can tell by a record's rows alone, so that the record is
        a dead letter before it is in a batch with others. By default, all are taken.
        """
        return rows_of

    @abstractmethod
    def emit(self, batch: Batch[Row]) -> Position | None:
        """Make every row of ``batch`` durable before returning. The checkpoint follows.

        A batch may come again after a crash: say in your documentation whether rows then double.
        Call ``batch.reject(record, "why")`` for a record that the destination rejects for good.
        Try again yourself what may pass, with ``Retry``; raise ``Fatal("one clear sentence")``
        when nothing can pass. Any exception ends the process before the checkpoint, and the next
        life begins with these records again.

        Return None; or, if another process had already made the shard durable from the batch's
        first record on, the position through which it did.
        """

    def next_written(self, record: Record) -> Position | None:  # noqa: ARG002 - for overriding
        """Return where the next batch begins that an earlier life wrote, at ``record`` or after it.

        Asked at the first record of a life, kept or not, and at the first after each find. What is
        held when that position comes is emitted first, so that no batch reaches over it; then
        ``adopt`` is asked. None, as here, is always safe where the same records are kept as in
        the earlier life, as its batches begin then where ours would.
        """
        return None

    def adopt(self, first: Record) -> Position | None:  # noqa: ARG002 - for overriding
        """Find what an earlier life wrote in the place of a batch that begins with ``first``.

        Asked before the first kept record of a life is buffered, and again after each find; and
        at the position that ``next_written`` returned, or the first record after it.
        Return the position through which it covers the shard: the records up to there are
        skipped. None, as here, is always safe: the batch is then made and emitted.

        An emitter that adopts must call ``batch.write_letters()`` before it writes what the next
        life would find: nobody would look at those records again.
        """
        return None

    def close(self) -> None:
        """End connections. Called at an orderly end; a crash does without."""
