"""When nothing is loaded, on purpose: a warehouse's maintenance, the hours of its reports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = r"([01][0-9]|2[0-3]):([0-5][0-9])"
_WINDOW = re.compile(rf"{_TIME}-{_TIME} UTC((?:, *(?:{'|'.join(DAYS)}))*)")
_A_DAY = timedelta(days=1)
_A_MONDAY = datetime(2024, 1, 1, tzinfo=timezone.utc)


class Window(NamedTuple):
    """From one time of the day to another; past midnight, it ends on the day after."""

    begin: timedelta  # after midnight, UTC
    length: timedelta
    days: frozenset[int]  # on which it begins; Monday is 0

    def end(self, now: datetime) -> datetime | None:
        """Return when the pause ends that ``now`` is in; None if it is in none."""
        today = now.replace(hour=0, minute=0, second=0, microsecond=0)
        for day in (today - _A_DAY, today):
            begin = day + self.begin
            if day.weekday() in self.days and begin <= now < begin + self.length:
                return begin + self.length
        return None


def read_windows(value: str) -> Sequence[Window]:
    """Read ``02:00-03:00 UTC, sun``; several with semicolons between them. Raises ValueError."""
    windows = [_read(part.strip()) for part in value.split(";")]
    if longest_pause(windows) is None:
        raise ValueError("never ends: no minute of the week is left to load in")
    return windows


def longest_pause(windows: Sequence[Window]) -> timedelta | None:
    """Return how long the longest pause lasts, whichever windows it is of; None: for ever."""
    begins = [_A_MONDAY + day * _A_DAY + window.begin for window in windows for day in window.days]
    longest = timedelta()
    for begin in begins:
        now = begin
        while (end := end_of_pause(windows, now)) is not None:
            if end - begin > 7 * _A_DAY:
                return None
            now = end
        longest = max(longest, now - begin)
    return longest


def _read(value: str) -> Window:
    found = _WINDOW.fullmatch(value)
    if not found:
        raise ValueError(
            f"{value or 'nothing'} is not like '02:00-03:00 UTC', or '02:00-03:00 UTC, sat, sun'"
        )
    hours, minutes, to_hours, to_minutes = map(int, found.groups()[:4])
    begin = timedelta(hours=hours, minutes=minutes)
    end = timedelta(hours=to_hours, minutes=to_minutes)
    if begin == end:
        raise ValueError(f"{value} begins when it ends")
    days = [DAYS.index(day) for day in re.findall(r"[a-z]+", found[5])]
    return Window(begin, (end - begin) % _A_DAY, frozenset(days or range(7)))


def end_of_pause(windows: Sequence[Window], now: datetime) -> datetime | None:
    """Return when the pause ends that ``now`` is in, the last one if several are under way."""
    return max((end for window in windows if (end := window.end(now))), default=None)
