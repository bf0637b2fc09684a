"""Things outside that a pipeline needs: how each is looked at, made, tried, and allowed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

Statement = dict[str, Any]  # of an IAM policy


class Finding(NamedTuple):
    """The end of one try, in a sentence. A note is nothing that keeps the pipeline from running."""

    kind: Literal["ok", "note", "problem"]
    sentence: str


class Fact(NamedTuple):
    """One thing that ``status`` tells of a resource: as a sentence, and as a value of its JSON.

    ``name`` is the key there, in camel case, and never changes. With ``attention``, it needs a
    person.
    """

    name: str
    value: Any
    sentence: str
    attention: bool = False


class Failed(Exception):
    """A try failed, and what comes after it on the same thing makes no sense. Its text says why."""


class Resource:
    """A stream, a bucket, a table: something outside that a pipeline uses."""

    def probe(self) -> Iterable[Finding]:
        """Try what the pipeline does with it, for ``check --connect``; leave nothing behind.

        Raises Failed, and what ``aws.findings.ERRORS`` holds.
        """
        return ()

    def look(self) -> Iterable[Finding]:
        """Look whether it is there, for ``run``, by what ``permissions`` allow; change nothing.

        Raises as ``probe`` does.
        """
        return ()

    def state(self) -> Iterable[Fact]:
        """Tell how it is just now, for ``status``; change nothing, and wait for nobody's lock.

        Raises as ``probe`` does.
        """
        return ()

    def permissions(self, account: str) -> Iterable[Statement]:
        """Return the statements of the policy that a pipeline needs while it runs.

        ``account`` is its twelve digits, or ``*``.
        """
        del account
        return ()

    def permissions_to_operate(self, account: str) -> Iterable[Statement]:
        """Return the statements that whoever looks at a pipeline, and puts letters back, needs.

        Of ``status``, ``audit``, ``letters``, ``redrive`` and ``replay``; redrive does with it what
        the pipeline does.
        """
        return self.permissions(account)

    def permissions_to_create(self, account: str) -> Iterable[Statement]:
        """Return the statements that ``create`` needs."""
        del account
        return ()

    def ports(self) -> Iterable[int]:
        """Return the ports of TCP at which it is reached; AWS's own 443 need not be said."""
        return ()


class Creatable(Resource, ABC):
    """A thing that ``create`` makes if it is not there. It raises Fatal, Transient."""

    @abstractmethod
    def __str__(self) -> str:
        """Return what it is, for a line of ``create``: ``stream events (4 shards)``."""

    @abstractmethod
    def exists(self) -> bool:
        """Whether it is there."""

    @abstractmethod
    def make(self) -> Sequence[str]:
        """Make it, or find that somebody else just did; return what it lacks, mostly nothing."""

    def bring_up_to_date(self) -> None:
        """See to it that what is there can be used: wait until it is active, add what is new."""

    def create(self, *, dry: bool = False) -> Outcome:
        """Make it if it is missing; with ``dry`` nothing is made. Safe to repeat."""
        there = self.exists()
        lacking: Sequence[str] = ()
        if dry:
            return Outcome(str(self), "is there" if there else "would be made")
        if not there:
            lacking = self.make()
        self.bring_up_to_date()
        made = f"made, but without {', '.join(lacking)}" if lacking else "made"
        return Outcome(str(self), "was there" if there else made)


class CreatableBySql(Creatable):
    """A table whose columns are the user's own: ``create --table FILE`` says them."""

    sql: str = ""


class Outcome(NamedTuple):
    """One thing that the pipeline needs, and what became of it."""

    what: str
    outcome: str

    def __str__(self) -> str:
        return f"{self.what}: {self.outcome}"
