"""Spans, times and names as a person reads them at a glance."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

# A span is told in the largest unit of which there are at least two.
UNITS = (("days", 86400), ("h", 3600), ("min", 60))


def span(seconds: float) -> str:
    """Write a span: ``12 s``, ``75 min`` or ``3 h``."""
    for unit, length in UNITS:
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def clock(time: datetime | None) -> str:
    """Write a time (UTC): of the last day as ``17:20:05``, an older one as a date."""
    if time is None:
        return "-"
    time = time.astimezone(timezone.utc)
    is_near = datetime.now(timezone.utc) - time < timedelta(days=1)
    return f"{time:%H:%M:%S}" if is_near else f"{time:%Y-%m-%d}"


def size(count: int) -> str:
    """Write a number of bytes: ``12.4 MB``."""
    for unit, length in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= length:
            return f"{count / length:.1f} {unit}"
    return f"{count} bytes"


def shortened(text: str, width: int) -> str:
    """Leave the middle of a text out where it is longer than ``width``."""
    if len(text) <= width:
        return text
    half = (width - 1) // 2
    return f"{text[: width - 1 - half]}…{text[len(text) - half :]}"
