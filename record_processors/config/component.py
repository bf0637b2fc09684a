"""What a class that the file names says of itself: to whoever reads the file, and of the outside.

``connectorDestination``, ``transformer`` and ``filter`` each name a class. All that is known of it
stands on the class; `check`, `create`, `iam-policy` and the reference are loops over what it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from ..events import Event
from .metric import Metric
from .resource import Resource
from .setting import Setting, Settings
from .work import Cost, Load, Work

Contradiction = tuple[str, str]  # the key at fault, and the sentence


class Component:
    """A class that a setting names."""

    named_by: ClassVar[str]
    """The setting by whose value it is found."""

    declares: ClassVar[Sequence[Setting[Any]]] = ()
    """Its settings: what a ``.properties`` file that names it may hold."""

    events: ClassVar[Sequence[Event]] = ()
    """What it tells the log of that a machine may look for."""

    @classmethod
    def contradictions(cls, settings: Settings) -> Iterable[Contradiction]:
        """Return what contradicts itself in settings that are valid one by one."""
        del settings
        return ()


class Shipped(NamedTuple):
    """The file that is shipped for a destination: its name, what it is for, what stands in it."""

    name: str
    about: str
    values: Mapping[str, str]
    left_out: frozenset[str] = frozenset()


class Destination(Component):
    """What ``connectorDestination`` names: an emitter, or a whole pipeline of one's own."""

    named_by = "connectorDestination"

    members: ClassVar[Mapping[str, type[Destination]]] = {}
    """Those that it is put together of, by their names, where the file names several."""

    own_transformer: ClassVar[type[Component] | None] = None
    """The transformer that it always needs; None: the one that the file names."""

    accepts: ClassVar[frozenset[str] | None] = None
    """The formats of a transformer's rows that it can take; None: any."""

    longest_try: ClassVar[int] = 60
    """Seconds that one try may last, before the daemon may take the process for hung."""

    measures: ClassVar[Sequence[Metric]] = ()
    """Its metrics, for the reference: those of every pipeline, and those that it adds."""

    lasting: ClassVar[Sequence[Setting[Any]]] = ()
    """Its settings that stay as they are while any daemon of the application runs."""

    shipped: ClassVar[Shipped | None] = None

    secrets_come_from: ClassVar[str] = ""
    """Where its secrets are, as they never stand in a file: the end of a sentence."""

    @classmethod
    def resources(cls, settings: Settings) -> Sequence[Resource]:
        """Return what it needs outside: how that is made, tried, and allowed."""
        del settings
        return ()

    @classmethod
    def work(cls, settings: Settings, load: Load) -> Work:
        """Return what it does to carry a load, for ``plan``.

        What does not say takes as much as a child of amazon_kclpy that does nothing.
        """
        del settings, load
        return Work(Cost(9.9, 21_618))

    @classmethod
    def extras(cls, settings: Settings) -> Sequence[str]:
        """Return the extras of this package whose libraries it cannot do without."""
        del settings
        return ()

    @classmethod
    def variables(cls, settings: Settings) -> Mapping[str, Setting[Any]]:
        """Return the environment variables that it cannot do without, each with the setting why."""
        del settings
        return {}
