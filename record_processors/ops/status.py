"""What there is to say of pipelines: the one object that ``status --json`` prints.

Its names never change. Times are UTC, spans are seconds.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

State = Literal["reading", "no owner", "waiting", "ended"]


class File(msgspec.Struct, rename="camel"):
    """The last file of a shard."""

    key: str
    bytes: int
    written: datetime


class Shard(msgspec.Struct, rename="camel", kw_only=True):
    """One shard of a pipeline.

    It waits until the shards in ``waits_for`` have ended. ``behind`` is the age of its first record
    that is not checkpointed, 0 if there is none, None where it is not known, and ``unknown`` says
    why. ``owner_since`` and ``shrinks``, by how many seconds a second ``behind`` does, take a
    second look.
    """

    shard: str
    state: State
    owner: str | None
    owner_heard_of: datetime | None = None
    owner_since: datetime | None = None
    owner_switches: int
    counter: int
    checkpoint: str
    checkpoint_arrived: datetime | None = None
    behind: float | None = None
    shrinks: float | None = None
    unknown: str = ""
    lost: str = ""
    waits_for: tuple[str, ...] = ()
    last_file: File | None = None


class Attention(msgspec.Struct, rename="camel", frozen=True):
    """One reason why a person is needed."""

    kind: str
    sentence: str
    shards: tuple[str, ...] = ()


class Written(msgspec.Struct, rename="camel"):
    """The files that a pipeline has written in the last hour."""

    files: int
    bytes: int


class Pipeline(msgspec.Struct, rename="camel", kw_only=True):
    """One pipeline; ``facts`` are what its resources tell, ``said`` the same for a person.

    ``behind`` is the most of its shards; that of those that are known, if it is above 0.
    """

    application: str
    properties: str
    stream: str
    retention_hours: int | None = None
    behind: float | None = None
    shards: list[Shard] = []
    written_in_the_last_hour: Written | None = None
    facts: dict[str, Any] = {}
    said: list[str] = []
    attention: list[Attention] = []

    def needs(self, kind: str, sentence: str, *shards: str) -> None:
        """Note that it needs a person."""
        self.attention.append(Attention(kind, sentence, shards))


class EndToEnd(msgspec.Struct, rename="camel"):
    """How old a record is when the second of two stages has it; None if that is not known."""

    applications: tuple[str, str]
    seconds: float | None


class Status(msgspec.Struct, rename="camel"):
    """What there is to say at one time."""

    at: datetime
    pipelines: list[Pipeline]
    end_to_end: list[EndToEnd]

    @property
    def needs_a_person(self) -> bool:
        """Whether anything does."""
        return any(pipeline.attention for pipeline in self.pipelines)
