"""The contract of a transformer, which makes rows of a record."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import ClassVar, Generic, TypeVar

from ..config.component import Component
from ..config.keys import TRANSFORMER
from ..config.setting import Settings
from ..errors import BAD_DATA, Rejection
from .overriding import is_newer
from .record import Record

Row_co = TypeVar("Row_co", covariant=True)


class Transformer(Component, ABC, Generic[Row_co]):
    """Makes the rows of one record: bytes without a line break at the end, for files.

    It must be deterministic: the same bytes give the same rows, in every life of the process.
    Exactly-once rests on that. When its logic changes, give the pipeline a new
    ``applicationName``, or stop all its workers first.
    """

    named_by = TRANSFORMER.key

    format: ClassVar[str] = "text"
    """What the rows are, as the file's metadata say: json, delimited, csv or text."""

    null: str | None = None
    r"""The text that stands for null in rows of text, unless it is COPY's own, ``\N``.

    ASCII characters without blank, quote, comma or backslash, 100 at most.
    """

    @classmethod
    def from_settings(cls, settings: Settings) -> Transformer[Row_co]:
        """Make one; override this to read settings."""
        del settings
        return cls()

    @abstractmethod
    def transform(self, record: Record) -> Iterable[Row_co]:
        """Return the rows of ``record``; none counts as filtered out.

        Raise ``Rejected("why")`` for a record that cannot be transformed; ValueError and
        LookupError (int("x"), a missing key) count as that too. The record becomes a dead letter,
        and the rest goes on. Any other exception ends the process, with nothing lost.
        """

    def transform_all(self, records: Sequence[Record]) -> Sequence[Sequence[Row_co]]:
        """Return for each of ``records`` its rows, or ``Rejection(error)``, in their order.

        Here is where a transformer may be faster for many records at once than for one; it must
        come to what ``transform`` comes to. There are a few hundred records at most.
        """
        rows_of: list[Sequence[Row_co]] = []
        for record in records:
            try:
                rows_of.append(tuple(self.transform(record)))
            except BAD_DATA as error:
                rows_of.append(Rejection(error))
        return rows_of

    def __init_subclass__(cls) -> None:
        """Let a ``transform`` that is written anew be the one that counts."""
        super().__init_subclass__()
        if is_newer(cls, "transform", "transform_all"):
            cls.transform_all = Transformer.transform_all  # type: ignore[method-assign]
