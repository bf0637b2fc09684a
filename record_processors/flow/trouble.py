"""What this process waits for: what fails without interruption, or a pause. ``Retry`` tells it."""

from __future__ import annotations

import time
from datetime import datetime
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


_paused_until: datetime | None = None


def pause(until: datetime | None) -> None:
    """Say until when nothing is done, on purpose; None: the pause is over."""
    global _paused_until  # noqa: PLW0603 - of the process, as what fails is
    _paused_until = until
    heartbeat.beat()


def paused_until() -> datetime | None:
    """Return when a pause ends that is under way."""
    return _paused_until
