"""For services that take some of a batch and refuse the rest for a moment."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from ..errors import TakenInPart, Transient, Unavailable
from .retry import Retry

Item = TypeVar("Item")


class NotTaken(NamedTuple):
    """What one call left of its items: their places among them, and the service's reasons."""

    places: Sequence[int]
    reasons: Sequence[str]
    passes: bool = True
    """Whether a reason is one that passes by itself, as that of a service that is busy."""


def send_all(
    retry: Retry,
    what: str,
    items: Sequence[Item],
    send: Callable[[Sequence[Item]], NotTaken],
) -> None:
    """Send every item; what a call did not take goes again, and nothing else, in its order.

    ``send`` raises Transient if nothing is known to have been taken. Tries count only while nothing
    moves: they have the patience of an outage if a reason passes by itself. Raises Fatal when the
    budget is spent, and what else ``send`` raises.
    """
    waiting = list(items)

    def attempt() -> None:
        nonlocal waiting
        left = send(waiting)
        if not left.places:
            return
        moved = len(left.places) < len(waiting)
        waiting = [waiting[place] for place in left.places]
        reasons = ", ".join(sorted(set(left.reasons)))
        said = f"{len(waiting)} of {len(items)} refused with {reasons}"
        if moved:
            raise TakenInPart(said)
        raise Unavailable(said) if left.passes else Transient(said)

    retry(what, attempt)
