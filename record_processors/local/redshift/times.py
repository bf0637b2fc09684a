"""Dates and timestamps as DATEFORMAT and TIMEFORMAT say, into those that PostgreSQL reads.

https://docs.aws.amazon.com/redshift/latest/dg/r_DATEFORMAT_and_TIMEFORMAT_strings.html
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from itertools import pairwise

from record_processors.local.redshift.failures import (
    NOT_SUPPORTED,
    BadField,
    CopyError,
    Unsupported,
)

Convert = Callable[[bytes], "bytes | None"]

EPOCHS = {"epochsecs": 1, "epochmillisecs": 1000}  # how many of them are a second
_DATE = re.compile(rb"\d{4}-\d\d-\d\d")
_TIME = re.compile(_DATE.pattern + rb"( \d\d:\d\d(:\d\d(\.\d{1,6})?)?)?")
_TIME_ZONE = re.compile(_TIME.pattern + rb" ?([+-]\d\d(:?\d\d)?)?")
_EPOCH = re.compile(rb"[+-]?\d+")
# PostgreSQL's, and not in …/dg/automatic-recognition.html
_WORDS = re.compile(rb"(?i)now|today|tomorrow|yesterday|epoch|infinity|allballs")
_PARTS = re.compile("(?i)YYYY|YY|MON|MM|DD|HH24|HH12|HH|MI|SS|AM|PM")
_NAMES = "jan feb mar apr may jun jul aug sep oct nov dec".split()
_FULL_NAMES = (
    "january february march april may june july august september october november december".split()
)


def invalid_date() -> BadField:
    """Return Redshift's complaint of a value that its DATEFORMAT does not read."""
    return BadField(1205, "Invalid Date Format - length must be 10 or more")


def invalid_timestamp() -> BadField:
    """Return Redshift's complaint of a value that its TIMEFORMAT does not read."""
    return BadField(1206, "Invalid timestamp format or value [YYYY-MM-DD HH24:MI:SS]")


def date_converter(layout_format: str) -> Convert:
    """Return what reads a DATE; it raises ``BadField``."""
    if layout_format == "auto":
        return _without_words(invalid_date)
    if not layout_format:
        return _matching(_DATE, invalid_date)
    return _formatted(layout_format, invalid_date, lambda moment: moment.date().isoformat())


def time_converter(kind: str, layout_format: str) -> Convert:
    """Return what reads a column of this kind, a TIMESTAMP or a TIMESTAMPTZ."""
    if layout_format == "auto":
        return _without_words(invalid_timestamp)
    if layout_format in EPOCHS:
        return _epoch(EPOCHS[layout_format])
    if not layout_format:
        return _matching(_TIME if kind == "timestamp" else _TIME_ZONE, invalid_timestamp)
    return _formatted(layout_format, invalid_timestamp, lambda moment: moment.isoformat(" "))


def time_parts(layout_format: str) -> re.Pattern[str]:
    """Compile a format; raises ``CopyError`` if it is none. HH is HH24, other than in SQL."""
    text = _PARTS.sub("", layout_format)
    if re.search("(?i)TZ|OF", text):
        raise CopyError(f"'{layout_format}': no time zone in a format", code=NOT_SUPPORTED)
    if re.search("[A-SU-Za-z]", text) or text == layout_format:  # T separates date and time
        raise Unsupported(f"the format '{layout_format}'")
    found = list(_PARTS.finditer(layout_format))
    # Without separators all digits have to be there.
    close = any(part.end() == after.start() for part, after in pairwise(found))
    digits = r"\d\d" if close else r"\d\d?"
    pattern, done = "", 0
    for part in found:
        pattern += re.escape(layout_format[done : part.start()])
        pattern += _part(part[0].upper(), digits)
        done = part.end()
    try:
        return re.compile(pattern + re.escape(layout_format[done:]), re.IGNORECASE)
    except re.error:  # a part twice
        raise Unsupported(f"the format '{layout_format}'") from None


def _part(name: str, digits: str) -> str:
    group = {"HH": "HH24", "PM": "AM"}.get(name, name)
    shapes = {
        "YYYY": r"\d{4}",
        "YY": r"\d\d",
        "MON": "[a-z]+",
        "SS": digits + r"(?:\.\d{1,6})?",
        "AM": "[ap]m",
    }
    return f"(?P<{group}>{shapes.get(group, digits)})"


def _matching(pattern: re.Pattern[bytes], problem: Callable[[], BadField]) -> Convert:
    accepts = pattern.fullmatch

    def convert(value: bytes) -> bytes | None:
        if not accepts(value):
            if not value.strip():
                return None
            raise problem()
        return value

    return convert


def _without_words(problem: Callable[[], BadField]) -> Convert:
    def convert(value: bytes) -> bytes | None:
        if value.isspace() or not value:
            return None
        if _WORDS.search(value):
            raise problem()
        return value

    return convert


def _formatted(
    layout_format: str,
    problem: Callable[[], BadField],
    told: Callable[[datetime.datetime], str],
) -> Convert:
    accepts = time_parts(layout_format).fullmatch

    def convert(value: bytes) -> bytes | None:
        if not value.strip():
            return None
        found = accepts(value.decode("utf-8", "replace"))
        try:
            if not found:
                raise problem()
            return told(_moment(found.groupdict())).encode()
        except ValueError as error:
            raise problem() from error

    return convert


def _moment(parts: Mapping[str, str]) -> datetime.datetime:
    """Put the parts together; ``ValueError`` if there is no such time."""
    year = int(parts.get("YYYY") or parts.get("YY") or 0)
    if "YYYY" not in parts:  # as PostgreSQL: the year that is nearest to 2020
        year += 2000 if year < 70 else 1900
    month = int(parts.get("MM") or 1)
    if name := parts.get("MON", "").lower():
        month = (_NAMES if len(name) == 3 else _FULL_NAMES).index(name) + 1
    hour = int(parts.get("HH24") or 0)
    if "HH12" in parts:
        hour = int(parts["HH12"])
        if not 1 <= hour <= 12:
            raise ValueError(hour)
        hour = hour % 12 + (12 if parts.get("AM", "").lower() == "pm" else 0)
    second, _, fraction = (parts.get("SS") or "0").partition(".")
    return datetime.datetime(  # noqa: DTZ001 - the column says of what zone it is
        year, month, int(parts.get("DD") or 1), hour, int(parts.get("MI") or 0), int(second),
        int(fraction.ljust(6, "0")),
    )  # fmt: skip


def _epoch(per_second: int) -> Convert:
    start = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)

    def convert(value: bytes) -> bytes | None:
        if not value.strip():
            return None
        try:
            if not _EPOCH.fullmatch(value):
                raise invalid_timestamp()
            moment = start + datetime.timedelta(milliseconds=int(value) * 1000 // per_second)
        except (ValueError, OverflowError) as error:
            raise invalid_timestamp() from error
        return moment.isoformat(" ").encode()

    return convert
