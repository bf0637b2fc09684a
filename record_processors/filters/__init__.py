"""Filters decide which records to keep."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from ..errors import BAD_DATA, Refused
from ..plugins import is_newer, load_class
from ..record import Record
from ..settings import FILTER, Setting, Settings


class Filter(ABC):
    """Keeps a record or passes it over. Deterministic, as a Transformer is."""

    declares: ClassVar[Sequence[Setting[Any]]] = ()
    """Settings of its own that a ``.properties`` file may hold."""

    named_by: ClassVar[str] = FILTER.key
    """The setting by whose value a class of one's own is found."""

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

    def keep_all(self, records: Sequence[Record]) -> Iterable[bool | Refused]:
        """Return for each of ``records`` whether it goes on, or ``Refused(error)``.

        Here is where a filter may be faster for many records at once; see
        ``Transformer.transform_all``.
        """
        return map(self._verdict, records)

    def _verdict(self, record: Record) -> bool | Refused:
        try:
            return self.keep(record)
        except BAD_DATA as error:
            return Refused(error)

    def __init_subclass__(cls) -> None:
        """Let a ``keep`` that is written anew be the one that counts."""
        super().__init_subclass__()
        if is_newer(cls, "keep", "keep_all"):
            cls.keep_all = Filter.keep_all  # type: ignore[method-assign]


BUILT_IN = {
    "all": "record_processors.filters.all:All",
    "jmespath": "record_processors.filters.jmespath:JmesPath",
    "regex": "record_processors.filters.regex:Regex",
}


def configured_filter(settings: Settings) -> type[Filter]:
    """Return the class that ``filter`` names."""
    name = settings[FILTER]
    return load_class(FILTER.key, BUILT_IN.get(name, name))
