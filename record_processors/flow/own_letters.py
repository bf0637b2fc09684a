"""Letters of a destination that are no records of the stream, and how they are put back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, NamedTuple

from .letter import StoredLetter


class Standing(NamedTuple):
    """Whether a letter can be put back.

    ``open``: it can. ``waits``: not now, and perhaps later. ``void``: never, as what it tells of
    has not come to pass, or is mended. ``why`` is a sentence, of one that is not open.
    """

    kind: Literal["open", "waits", "void"]
    why: str = ""


OPEN = Standing("open")


class RefusedAgain(NamedTuple):
    """Letters that were put back in vain together, and why; ``reason`` may be as it was."""

    letters: Sequence[StoredLetter]
    reason: str
    is_unchanged: bool


class OwnLetters(ABC):
    """Puts back what a destination keeps letters of, and what is no record: files, rows of them."""

    @abstractmethod
    def owns(self, letter: StoredLetter) -> bool:
        """Whether a letter is such a one, rather than a record."""

    @abstractmethod
    def standing(self, letters: Sequence[StoredLetter]) -> Sequence[Standing]:
        """Return for each letter whether it can be put back. Changes nothing; raises Fatal."""

    @abstractmethod
    def put_back(self, letters: Sequence[StoredLetter]) -> Sequence[RefusedAgain]:
        """Put letters back; durable on return. Return what is refused again.

        It must do nothing twice when it is called again with the same letters, after a crash or by
        two at once; with those that were refused for the reason of before also under another
        ``applicationName``. Else the settings that it was made with have one of its own for each
        such call, from which names may derive. Raises Fatal.
        """

    @abstractmethod
    def write_again(self, refused: RefusedAgain) -> None:
        """Make what is refused again a letter again; under a name that is a function of it."""

    def close(self) -> None:  # noqa: B027 - most have nothing to end
        """End connections."""
