"""A range of hours, in UTC, as an operator says it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from ..config.types import UNITS

HOUR = timedelta(hours=1)
MOST_HOURS = (
    24 * 366 * 10
)  # that are asked for one by one; in a longer range, one looks what is there


def duration(text: str) -> float:
    """Read ``90s``, ``10m``, ``1h``, ``2d``; return seconds. Raises ValueError."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    if not found:
        raise ValueError(f"{text} is not a duration like 90s, 10m, 1h or 2d")
    return float(int(found[1]) * UNITS[found[2]])


def hour(text: str) -> datetime:
    """Read ``2013-01-31`` or ``2013-01-31T17``, in UTC. Raises ValueError."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d)?", text):
        raise ValueError(f"{text} is not a day or an hour like 2013-01-31 or 2013-01-31T17, in UTC")
    day, _, of_day = text.partition("T")
    try:
        return datetime.strptime(f"{day}T{of_day or '00'}+0000", "%Y-%m-%dT%H%z")
    except ValueError as error:
        raise ValueError(f"{text} is no day or hour of the calendar") from error


def hour_at(seconds: float) -> datetime:
    """Return the hour of a time, which is in seconds since 1970."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.replace(minute=0, second=0, microsecond=0)


class Hours(NamedTuple):
    """Hours from ``begin`` on, and before ``end``; None where there is no bound."""

    begin: datetime | None = None
    end: datetime | None = None

    @property
    def is_all(self) -> bool:
        """Whether nothing is left out."""
        return self == Hours()

    def holds(self, moment: datetime) -> bool:
        """Whether an hour is one of them."""
        return (self.begin is None or self.begin <= moment) and (
            self.end is None or moment < self.end
        )

    def each(self) -> Iterator[datetime] | None:
        """Yield them one by one, if they are so few that each may be asked for."""
        if self.begin is None or self.end is None or (self.end - self.begin) / HOUR > MOST_HOURS:
            return None
        return self._each(self.begin, self.end)

    @staticmethod
    def _each(moment: datetime, end: datetime) -> Iterator[datetime]:
        while moment < end:
            yield moment
            moment += HOUR


def said(moment: datetime) -> str:
    """Write an hour as ``hour`` reads it."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H")
