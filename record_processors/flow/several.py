"""Several destinations from one read: each batch to all of them, in their order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, combinations
from typing import Any, ClassVar

from ..config.component import Contradiction, Destination
from ..config.resource import Resource
from ..config.setting import Setting, Settings
from ..config.work import Cost, Load, Work
from ..errors import Fatal
from .batch import Batch
from .emitter import Emitter
from .own_letters import OwnLetters
from .record import Position, Record

Members = Mapping[str, type[Destination]]


class Several(Emitter[Any]):
    """Gives each batch to its members, one after the other; the checkpoint follows the last.

    Only the last may adopt, as one with a chain of files does: what it wrote implies then that all
    before it have those records, so that they may be skipped. What a member refuses goes to the
    others all the same, and is one letter, which says by whom.
    """

    members: ClassVar[Members] = {}

    def __init__(self, emitters: Mapping[str, Emitter[Any]]) -> None:
        self.emitters = emitters

    @classmethod
    def resources(cls, settings: Settings) -> Sequence[Resource]:
        """Return what each of them needs."""
        return [one for each in cls.members.values() for one in each.resources(settings)]

    @classmethod
    def work(cls, settings: Settings, load: Load) -> Work:
        """Do what each of them does, one after the other."""
        *first, last = [each.work(settings, load) for each in cls.members.values()]
        costs = [last.cost, *(one.cost for one in first)]
        micros, slowness = (sum(one.micros for one in costs), sum(1 / one.most for one in costs))
        return last._replace(
            cost=Cost(micros, 1 / slowness if slowness else math.inf),
            bought=[*last.bought, *(bought for one in first for bought in one.bought)],
            limits=[*last.limits, *(limit for one in first for limit in one.limits)],
            onwards=next(filter(None, (one.onwards for one in (last, *first))), None),
        )

    @classmethod
    def extras(cls, settings: Settings) -> Sequence[str]:
        """Return the extras of each."""
        return [one for each in cls.members.values() for one in each.extras(settings)]

    @classmethod
    def variables(cls, settings: Settings) -> Mapping[str, Setting[Any]]:
        """Return the variables of each."""
        each_has = [each.variables(settings) for each in cls.members.values()]
        return {name: why for variables in each_has for name, why in variables.items()}

    @classmethod
    def contradictions(cls, settings: Settings) -> Iterable[Contradiction]:
        """Return what contradicts itself in the settings of each."""
        return chain.from_iterable(each.contradictions(settings) for each in cls.members.values())

    @classmethod
    def from_settings(cls, settings: Settings) -> Several:
        """Make each of them, by the same file."""
        made: dict[str, Any] = {
            name: each.from_settings(settings)  # type: ignore[attr-defined]
            for name, each in cls.members.items()
        }
        return cls(made)

    @classmethod
    def own_letters(cls, settings: Settings) -> OwnLetters | None:
        """Return those of the one that has such letters, as one with a chain may."""
        each_has = (each.own_letters(settings) for each in cls._emitters())
        return next(filter(None, each_has), None)

    @classmethod
    def no_redrive(cls, settings: Settings) -> str:
        """Return why one of them says no."""
        return next(filter(None, (each.no_redrive(settings) for each in cls._emitters())), "")

    def only(self, names: Sequence[str]) -> Several:
        """Return those that have these names, in their order."""
        wanted = {name: each for name, each in self.emitters.items() if not names or name in names}
        return type(self)(wanted)

    @classmethod
    def _emitters(cls) -> Iterable[type[Emitter[Any]]]:
        return (each for each in cls.members.values() if issubclass(each, Emitter))

    def start(self, shard: str, format: str, null: str | None) -> None:  # noqa: A002
        """Begin with ``shard``, each of them."""
        super().start(shard, format, null)
        for emitter in self.emitters.values():
            emitter.start(shard, format, null)

    def emit(self, batch: Batch[Any]) -> Position | None:
        """Let each make its part durable; return how far the last one's chain covers the shard."""
        # First what they refuse by rows alone: it must be durable before the file of the last one.
        parts = [
            (name, emitter, Part(name, emitter, batch)) for name, emitter in self.emitters.items()
        ]
        through = None
        for name, emitter, part in parts:
            if through is not None:
                raise Fatal(
                    f"{name} comes after a destination with a chain, which must be the last"
                )
            if part.kept:
                through = emitter.emit(part)
        return through

    def next_written(self, record: Record) -> Position | None:
        """Return where the next batch begins that the last one wrote in an earlier life."""
        *_, last = self.emitters.values()
        return last.next_written(record)

    def adopt(self, first: Record) -> Position | None:
        """Find what the last one wrote in an earlier life: the others had it before."""
        *_, last = self.emitters.values()
        return last.adopt(first)

    def close(self) -> None:
        """End the connections of each."""
        for emitter in self.emitters.values():
            emitter.close()


class Part(Batch[Any]):
    """A batch as one member gets it: without the records whose rows it refuses."""

    def __init__(self, name: str, emitter: Emitter[Any], whole: Batch[Any]) -> None:
        self.name = name
        self.whole = whole
        taken_of = emitter.loadable([kept.rows for kept in whole.kept])
        taken = []
        for kept, rows in zip(whole.kept, taken_of, strict=True):
            if rows:
                taken.append(kept)
            else:
                self.reject(kept.record, getattr(rows, "reason", "no row of it is taken"))
        super().__init__(taken, whole.last, account=whole.account)

    def reject(self, record: Record, reason: str) -> None:
        """Hand back one record, in this member's name; the others keep it."""
        self.whole.reject(record, f"{self.name}: {reason}")

    def write_letters(self) -> None:
        """Make durable what any of them has refused until now."""
        self.whole.write_letters()


def several(members: Members) -> type[Several]:
    """Put destinations together, in this order, as one.

    Raises ValueError, with the end of the sentence ``connectorDestination = <names>: …``, if they
    cannot go together.
    """
    for problem in _problems(members):
        raise ValueError(problem)
    taken = [each.accepts for each in members.values() if each.accepts is not None]
    said = filter(None, (each.secrets_come_from for each in members.values()))
    return type(
        Several.__name__,
        (Several,),
        {
            "members": members,
            "declares": tuple(chain.from_iterable(each.declares for each in members.values())),
            "measures": tuple(
                dict.fromkeys(chain.from_iterable(each.measures for each in members.values()))
            ),
            "accepts": frozenset.intersection(*taken) if taken else None,
            "longest_try": sum(each.longest_try for each in members.values()),
            "secrets_come_from": "; ".join(dict.fromkeys(said)),
        },
    )


APART = "let an application of its own read the stream for it, with a file of its own"


def _problems(members: Members) -> Iterable[str]:
    for name, each in members.items():
        if not issubclass(each, Emitter):
            yield f"{name} is a whole pipeline, and goes alone; {APART}"
        elif each.own_transformer is not None:
            yield f"{name} has a transformer of its own, and goes alone; {APART}"
    *first, _ = members
    adopting = [name for name, each in members.items() if _adopts(each)]
    if len(adopting) > 1:
        both = " and ".join(adopting)
        yield f"{both} each write a chain of files, of which a shard has one; {APART}"
    for name in adopting:
        if name in first:
            order = ", ".join([*(other for other in members if other != name), name])
            yield f"{name} writes a chain of files, and must come last: {order}"
    for (one, of_one), (other, of_other) in combinations(members.items(), 2):
        needed = {setting.key for setting in of_one.declares if setting.required}
        for setting in of_other.declares:
            if setting.required and setting.key in needed:
                yield f"{one} and {other} both need {setting.key}, which is one; {APART}"


def _adopts(destination: type[Destination]) -> bool:
    return issubclass(destination, Emitter) and destination.adopt is not Emitter.adopt
