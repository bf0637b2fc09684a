"""What the demonstration asks of a destination; each in ``to/`` answers in its own way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

from ...config.resource import Creatable, CreatableBySql
from ...config.setting import Settings
from ...kcl.resources import resources
from ..stack import Stack
from .flights import Row, Sums
from .pipelines import write_pipeline


class Found(NamedTuple):
    """What is in one place to which the flights went."""

    label: str
    how: str  # they came there: the rest of the line that begins with ``label``
    where: str  # "in the table"
    sums: Sums  # to be those of the source, as far as there are any
    of_source: Callable[[Iterable[Row]], Iterable[Row]] = iter  # what of it is to be there


class Destination(ABC):
    """Where the flights go: the pipelines that carry them, and what is there in the end."""

    doing: ClassVar[str] = "carry"
    unit: ClassVar[str] = "records"
    opensearch: ClassVar[bool] = False  # whether it is needed
    pipelines: Mapping[str, Settings]  # by their daemons' names; the first one reads the flights

    def __init__(self, stack: Stack, properties: Path, most: int | None) -> None:
        """Write the files of the pipelines to the folder ``properties``.

        ``most`` is how many flights are carried, None for all.
        """
        self.stack = stack
        self.properties = properties
        self.most = most

    def pipeline(self, name: str, changes: Mapping[str, str]) -> Settings:
        """Write the shipped ``<name>.properties`` with some values changed, and load it."""
        return write_pipeline(name, self.properties, changes, self.stack.properties)

    def services(self) -> Iterator[str]:
        """Yield where what it needs beside AWS's stand-in is."""
        yield from ()

    def create(self) -> Iterator[str]:
        """Make what the pipelines need; yield what that is. The flights' table is not in it."""
        for settings in self.pipelines.values():
            for thing in resources(settings):
                if isinstance(thing, Creatable) and not isinstance(thing, CreatableBySql):
                    yield thing.create().what

    @abstractmethod
    def arrived(self) -> int:
        """Return how many of those that were put have arrived, none of them counted twice."""

    @abstractmethod
    def found(self, put: int, first: float) -> Iterator[Found]:
        """Read all that is there, place after place.

        ``put`` flights were put; the first one was there ``first`` seconds after the start.
        """

    def ways_in(self) -> Iterator[tuple[str, str]]:
        """Yield lines for a person who wants to look at it while the stand-ins are up."""
        yield from ()
