"""What is known of the chain of one shard's files, and what may be wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from ..flow.account import Account
from ..flow.record import Position
from .places import is_between, just_before


class Seen(NamedTuple):
    """A file that was looked at, with its number in the order of the listing."""

    number: int
    key: str
    first: Position
    last: Position
    account: Account | None

    @property
    def since(self) -> str:
        """After which checkpoint its life began; "" if it does not say."""
        return self.account.since if self.account else ""

    @property
    def place(self) -> int:
        """Which file of its life it is."""
        return self.account.files if self.account else 0

    @property
    def begins_after(self) -> str:
        """Behind which checkpoint it is the first file; "" if it is not, or does not say so."""
        return self.since if self.place == 1 else ""

    @property
    def is_between(self) -> bool:
        """Whether it ends between records: it was made again, in the place of one file or more."""
        return is_between(self.last)

    @property
    def is_made_again(self) -> bool:
        """Whether ``replay`` has made it, and it says nothing of what there was before it."""
        return self.is_between or self.since == str(just_before(self.first))


class Gap(NamedTuple):
    """So many files are missing between two, or at the beginning of what is listed.

    Between them there may be files that were made again.
    """

    before: Seen | None
    after: Seen
    files: int


class Overlap(NamedTuple):
    """A file that covers what another one covers, which comes before or after it."""

    extra: Seen
    other: Seen


class Stray(NamedTuple):
    """A file that no life has written or found in its place."""

    extra: Seen


class BeganAnew(NamedTuple):
    """A life that began by a word of KCL's, though there were files: what lies between is open."""

    before: Seen
    after: Seen


class PassedOver(NamedTuple):
    """A checkpoint that lies behind the last file before it: what lay between left no rows.

    Or it was in a file that is gone. ``after`` is the next file; None at the end of the chain.
    """

    before: Seen
    checkpoint: Position
    after: Seen | None


Fault = Gap | Overlap | Stray | BeganAnew


@dataclass
class Chain:
    """What is known of one shard's files."""

    shard: str
    files: int
    looked_at: int = 0
    lives: int = 0
    begins: str = ""  # after which checkpoint; "" if the first file does not say
    end: Seen | None = None
    silent: int = 0  # files that do not say which they are, and those before them
    older: int = 0  # that were before the first one which is listed
    passed_over: list[PassedOver] = field(default_factory=list)
    records: int = 0
    filtered: int = 0
    refused: int = 0
    skipped: int = 0
    faults: list[Fault] = field(default_factory=list)

    def count(self, account: Account, before: Account | None) -> None:
        """Add what a life says of its records; but for those ``before``, which are not listed."""
        for name in ("records", "filtered", "refused", "skipped"):
            so_far = getattr(before, name) if before else 0
            setattr(self, name, getattr(self, name) + getattr(account, name) - so_far)


def meets(before: Seen, after: Seen) -> bool:
    """Whether a file says that it covers all up to the next one.

    So do those that ``replay`` has made in the place of others, of which there may have been more.
    """
    return before.last == just_before(after.first)
