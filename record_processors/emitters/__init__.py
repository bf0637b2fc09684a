"""Emitters make batches durable at a destination."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Generic, TypeVar

from ..buffer import Batch
from ..plugins import load_class
from ..record import Position, Record
from ..settings import DESTINATION, Setting, Settings
from ..transformers import Transformer

Row = TypeVar("Row")


class Emitter(ABC, Generic[Row]):
    """Writes batches to one destination, for one shard."""

    transformer: ClassVar[type[Transformer[Any]] | None] = None
    """The transformer that it always needs; None: the one that the file names."""

    declares: ClassVar[Sequence[Setting[Any]]] = ()
    """Settings of its own that a ``.properties`` file may hold."""

    named_by: ClassVar[str] = DESTINATION.key
    """The setting by whose value a class of one's own is found."""

    @classmethod
    def from_settings(cls, settings: Settings) -> Emitter[Row]:
        """Make one; override this to read settings and to make clients."""
        del settings
        return cls()

    @abstractmethod
    def emit(self, batch: Batch[Row]) -> Position | None:
        """Make every row of ``batch`` durable before returning. The checkpoint follows.

        A batch may come again after a crash: say in your documentation whether rows then double.
        Call ``batch.reject(record, "why")`` for a record that the destination refuses for good.
        Try again yourself what may pass, with ``Retry``; raise ``Fatal("one clear sentence")``
        when nothing can pass. Any exception ends the process before the checkpoint, and the next
        life begins with these records again.

        Return None; or, if another process had already made the shard durable from the batch's
        first record on, the position through which it did.
        """

    def adopt(self, shard: str, first: Record) -> Position | None:  # noqa: ARG002 - for overriding
        """Find what an earlier life wrote in the place of a batch that begins with ``first``.

        Asked before the first kept record of a life is buffered, and again after each find.
        Return the position through which it covers the shard: the records up to there are
        skipped. None, as here, is always safe: the batch is then made and emitted.
        """
        return None


BUILT_IN = {
    "s3": "record_processors.emitters.s3:S3Emitter",
    "s3-manifest": "record_processors.emitters.s3_manifest:S3ManifestEmitter",
    "redshift-manifest": "record_processors.emitters.redshift_manifest:RedshiftManifestEmitter",
}


def configured_emitter(settings: Settings) -> type[Emitter[Any]]:
    """Return the class that ``connectorDestination`` names."""
    name = settings[DESTINATION]
    return load_class(DESTINATION.key, BUILT_IN.get(name, name))
