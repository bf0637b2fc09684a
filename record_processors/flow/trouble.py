"""What fails in this process without interruption, and since when. ``Retry`` tells it."""

from __future__ import annotations

import time
from typing import NamedTuple

from . import heartbeat


class Failing(NamedTuple):
    """Something that is tried again and again."""

    what: str
    since: float
    """Seconds since 1970."""
    why: str


_failing: dict[str, Failing] = {}


def failing(what: str, why: object) -> None:
    """Say that a try of ``what`` failed, and is to be repeated after a wait."""
    since = _failing[what].since if what in _failing else time.time()
    _failing[what] = Failing(what, since, str(why))
    heartbeat.beat()


def over(what: str) -> None:
    """Say that ``what`` is not tried any more, or has moved."""
    _failing.pop(what, None)
    heartbeat.beat()


def oldest() -> Failing | None:
    """Return what has failed for the longest time; None if nothing fails."""
    return min(_failing.values(), key=lambda each: each.since, default=None)
