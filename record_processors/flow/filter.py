"""The contract of a filter, which decides which records to keep."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

from ..config.component import Component
from ..config.keys import FILTER
from ..config.setting import Settings
from ..errors import BAD_DATA, Rejection
from .overriding import is_newer
from .record import Record


class Filter(Component, ABC):
    """Keeps a record or passes it over. Deterministic, as a Transformer is."""

    named_by = FILTER.key

    @classmethod
    def from_settings(cls, settings: Settings) -> Filter:
        """Make one; override this to read settings."""
        del settings
        return cls()

    @abstractmethod
    def keep(self, record: Record) -> bool:
        """Return whether ``record``, which the transformer could read, goes on.

        Exceptions mean what they mean in ``Transformer.transform``.
        """

    def keep_all(self, records: Sequence[Record]) -> Iterable[bool | Rejection]:
        """Return for each of ``records`` whether it goes on, or ``Rejection(error)``.

        Here is where a filter may be faster for many records at once; see
        ``Transformer.transform_all``.
        """
        return map(self._verdict, records)

    def _verdict(self, record: Record) -> bool | Rejection:
        try:
            return self.keep(record)
        except BAD_DATA as error:
            return Rejection(error)

    def __init_subclass__(cls) -> None:
        """Let a ``keep`` that is written anew be the one that counts."""
        super().__init_subclass__()
        if is_newer(cls, "keep", "keep_all"):
            cls.keep_all = Filter.keep_all  # type: ignore[method-assign]
