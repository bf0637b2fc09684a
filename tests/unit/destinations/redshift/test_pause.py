"""Nothing is loaded while redshiftPause says so, and all of it afterwards."""

import os
from datetime import datetime, timedelta, timezone
from types import SimpleNamespace

import pytest

from record_processors import Fatal, Retry
from record_processors.destinations.redshift.pause import (
    Window,
    end_of_pause,
    longest_pause,
    read_windows,
)

SUNDAY = datetime(2024, 6, 2, tzinfo=timezone.utc)
FOR_EVER = [Window(timedelta(), timedelta(days=9), frozenset(range(7)))]
ALL_DAY = "00:00-12:00 UTC; 12:00-23:59 UTC"


def at(text, day=0):
    return SUNDAY + timedelta(days=day, hours=int(text[:2]), minutes=int(text[3:]))


@pytest.mark.parametrize(
    ("windows", "now", "end"),
    [
        ("02:00-03:00 UTC", at("01:59"), None),
        ("02:00-03:00 UTC", at("02:00"), at("03:00")),
        ("02:00-03:00 UTC", at("02:59"), at("03:00")),
        ("02:00-03:00 UTC", at("03:00"), None),
        ("02:00-03:00 UTC, sun", at("02:30"), at("03:00")),
        ("02:00-03:00 UTC, sun", at("02:30", day=1), None),
        ("02:00-03:00 UTC, mon,sat", at("02:30", day=1), at("03:00", day=1)),
        ("23:00-01:00 UTC", at("23:30"), at("01:00", day=1)),
        ("23:00-01:00 UTC", at("00:30"), at("01:00")),
        ("23:00-01:00 UTC, sun", at("00:30"), None),  # which is Saturday's
        ("23:00-01:00 UTC, sun", at("00:30", day=1), at("01:00", day=1)),
        ("02:00-03:00 UTC; 02:30-04:00 UTC, sun", at("02:45"), at("04:00")),
        (ALL_DAY, at("11:00"), at("12:00")),
        (ALL_DAY, at("13:00"), at("23:59")),
    ],
)
def test_when_a_pause_ends(windows, now, end):
    """A window is of the days on which it begins, also past midnight; the last end counts."""
    assert end_of_pause(read_windows(windows), now) == end


@pytest.mark.parametrize(
    "value",
    [
        *("", "02:00", "2:00-3:00 UTC", "02:00-03:00", "02:00-24:00 UTC", "02:00-02:00 UTC"),
        *("00:00-12:00 UTC; 12:00-00:00 UTC", "23:59-23:58 UTC; 12:00-13:00 UTC; 23:58-00:00 UTC"),
        *("02:00-03:00 UTC, Sunday", "02:00-03:00 UTC sun", "02:00-03:00 UTC;", "02:00-03:00 CET"),
    ],
)
def test_what_is_no_pause(value):
    """Hours without a zone, words that are no day, a window of no length are refused, and named."""
    said = r"is not like '02:00-03:00 UTC'|begins when it ends|never ends"
    with pytest.raises(ValueError, match=said):
        read_windows(value)


@pytest.mark.parametrize(
    ("windows", "hours"),
    [
        ("02:00-03:00 UTC", 1),
        ("02:00-03:00 UTC; 03:00-05:30 UTC, sun", 3.5),
        ("22:00-02:00 UTC, sat; 01:00-04:00 UTC, sun", 6),
        ("00:00-00:01 UTC, mon; 00:01-00:00 UTC, mon", 24),
    ],
)
def test_how_long_a_pause_lasts(windows, hours):
    """Windows that meet or overlap are one pause."""
    assert longest_pause(read_windows(windows)) == timedelta(hours=hours)


def test_nothing_is_loaded_in_a_pause(stage_two, monkeypatch, caplog):
    """In a pause a load waits without a word to Redshift; when it is over, it loads."""
    caplog.set_level("INFO")
    here = stage_two()
    message = here.file("a.json.gz", 1, 2)
    life = here.life()
    loader = life.emitter.loader
    loader.pauses = FOR_EVER
    seen = []

    def sleep(seconds):
        seen.append((here.ids(), loader.load.connection._connection))
        if len(seen) == 3:
            loader.pauses = ()

    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=sleep))
    here.load(message, life=life)
    assert seen == [([], None)] * 3
    assert here.ids() == [1, 2]
    said = [record.getMessage() for record in caplog.records if "pauses" in record.getMessage()]
    assert len(said) == 1
    assert said[0].startswith(f"loading into {here.table} (redshiftPause): pauses until 20")


def test_a_pause_ends_with_the_daemon(stage_two, monkeypatch):
    """A child whose daemon is gone does not wait for the end of the pause, and loads nothing."""
    monkeypatch.setattr(Retry, "daemon", os.getppid())
    here = stage_two()
    message = here.file("a.json.gz", 1, 2)
    life = here.life()
    life.emitter.loader.pauses = FOR_EVER
    gone = SimpleNamespace(sleep=lambda _: monkeypatch.setattr(os, "getppid", lambda: 1))
    monkeypatch.setattr("tenacity.nap.time", gone)
    with pytest.raises(Fatal, match="the daemon that started this process is gone"):
        here.load(message, life=life)
    assert here.ids() == []
