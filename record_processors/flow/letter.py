"""A dead letter: what is kept of a record, or of a row, that can go nowhere else."""

from __future__ import annotations

import logging

import msgspec

from ..events import DEAD_LETTERS

log = logging.getLogger(__name__)

VERSION = 1


class Letter(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One line of a file of dead letters; ``data`` are the bytes, in base64.

    ``position`` is None where it cannot be known, as of a row of a file.
    """

    version: int = VERSION
    stream: str | None
    shard: str | None
    position: str | None
    arrival: int = 0
    partition_key: str = ""
    data: bytes
    stage: str
    reason: str

    def encode(self) -> bytes:
        """Write it as a line; half a surrogate pair, which has no UTF-8, as an escape."""
        texts = {"partition_key": self.partition_key, "reason": self.reason}
        whole = {name: text.encode(errors="backslashreplace") for name, text in texts.items()}
        letter = msgspec.structs.replace(self, **{name: t.decode() for name, t in whole.items()})
        return msgspec.json.encode(letter) + b"\n"


class StoredLetter(Letter, frozen=True, kw_only=True, rename="camel"):
    """A letter as it is read again.

    One with a ``file`` is of the row in its ``line``; COPY may have read ``repaired`` without it.
    One that was put back in vain has in ``first`` where its first letter is, and in ``to`` which of
    several destinations lack the record, if not all do.
    """

    file: str | None = None
    line: int | None = None
    repaired: str | None = None
    first: str | None = None
    to: tuple[str, ...] = ()


class LetterAgain(Letter, frozen=True, kw_only=True, rename="camel"):
    """A letter of what was put back in vain; ``first`` and ``to`` are those of StoredLetter."""

    first: str
    to: tuple[str, ...] = ()


def report(count: int, reason: str, where: str) -> None:
    """Say that letters are kept, and where.

    One line for all of them: a stream of nothing else must not flood the log.
    """
    what = "a dead letter" if count == 1 else f"{count} dead letters, the first"
    fields = {"count": count, "reason": reason, "url": where}
    log.warning("%s, %s; kept in %s", what, reason, where, extra=DEAD_LETTERS.of(**fields))
