"""What COPY would leave out of JSON rows without a word is reported once, or refused."""

import json
import logging

import pytest

from record_processors.config.setting import Settings
from support.stage_two import BUCKET


@pytest.fixture
def reports(caplog):
    """Return a function that gives what was reported since it was called last."""
    caplog.set_level(logging.WARNING)

    def told():
        found = [r.message for r in caplog.records if r.name.endswith("unmatched")]
        caplog.clear()
        return found

    return told


def announced(here, name, *rows):
    """Put a file of rows; its message names the first one's keys, as stage one's does."""
    body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    return here.file(name, first=f"{name}-0", body=body, fields=list(rows[0]))


def test_a_key_that_differs_in_case(stage_two, reports):
    """It is loaded as null, and the report says what would take it."""
    here = stage_two(columns="title VARCHAR(9)")
    here.load(announced(here, "1", {"Title": "x"}))

    assert here.query(f"SELECT title FROM {here.table}") == [(None,)]
    (report,) = reports()
    assert here.url("1") in report
    assert "rows with Title, which COPY leaves out" in report
    assert report.endswith("redshiftJsonPaths = auto ignorecase takes Title")


def test_a_new_key(stage_two, reports):
    """It is reported once for each key, not once for each file, nor for what the table takes."""
    here = stage_two()
    life = here.life()
    here.load(announced(here, "1", {"id": 1, "text": "a"}), life=life)
    assert reports() == []
    here.load(announced(here, "2", {"id": 2, "new": "b"}), life=life)
    (report,) = reports()
    assert "rows with new, which COPY leaves out" in report
    assert "a column of that name takes it (in small letters; of others with auto" in report
    here.load(announced(here, "3", {"id": 3, "new": "b"}), life=life)
    assert reports() == []
    here.load(announced(here, "4", {"id": 4, "newer": "b"}), life=life)
    assert len(reports()) == 1
    assert here.ids() == [1, 2, 3, 4]


def test_a_column_that_was_added_meanwhile(stage_two, reports):
    """A running loader sees that the table has got the column."""
    here = stage_two()
    life = here.life()
    here.load(announced(here, "1", {"id": 1, "one": 1}), life=life)
    reports()
    here.query(f"ALTER TABLE {here.table} ADD COLUMN two INT")
    here.load(announced(here, "2", {"id": 1, "two": 1}), life=life)
    assert reports() == []


def test_a_refusal(stage_two, reports):
    """With redshiftUnmatchedFields = refuse the file is a dead letter, and the others load."""
    here = stage_two(redshiftUnmatchedFields="refuse")
    bad = announced(here, "2", {"id": 2, "new": "b"})
    here.load(announced(here, "1", {"id": 1}), bad, announced(here, "3", {"id": 3}))

    assert here.ids() == [1, 3]
    assert here.entered() == ["1", "3"]
    ((message, reason),) = here.letters().items()
    assert message == bad
    assert "rows with new, which COPY leaves out" in reason
    assert reports() == []


def test_a_refused_file_is_loaded_when_the_column_is_there(stage_two):
    """Its message, put again, loads it."""
    here = stage_two(redshiftUnmatchedFields="refuse")
    life = here.life()
    bad = announced(here, "2", {"id": 2, "new": 5})
    here.load(bad, life=life)
    here.query(f"ALTER TABLE {here.table} ADD COLUMN new INT")
    here.load(bad, life=life)
    assert here.query(f"SELECT id, new FROM {here.table}") == [(2, 5)]


@pytest.mark.parametrize(
    ("changes", "row", "left_out"),
    [
        ({"redshiftJsonPaths": "auto ignorecase"}, {"ID": 1, "TEXT": "a"}, ""),
        ({"redshiftJsonPaths": "auto ignorecase"}, {"ID": 1, "Other": "a"}, "Other"),
        ({"redshiftDataColumns": "id"}, {"id": 1, "text": "a"}, "text"),
        ({"redshiftDataColumns": 'ID, "text"'}, {"id": 1, "text": "a"}, ""),
        ({"redshiftJsonPaths": f"s3://{BUCKET}/paths"}, {"a": {"id": 1}, "b c": 2, "d": 3}, "d"),
        ({"redshiftJsonPaths": f"s3://{BUCKET}/no-paths"}, {"a": 1}, ""),
        ({"redshiftJsonPaths": "noshred"}, {"Anything": 1}, ""),
    ],
)
def test_it_compares_as_copy_does(stage_two, changes, row, left_out):
    """Whatever redshiftJsonPaths and redshiftDataColumns say, what is left out is named."""
    here = stage_two()
    here.s3.put_object(
        Bucket=BUCKET, Key="paths", Body=json.dumps({"jsonpaths": ["$.a.id", "$['b c'][0]"]})
    )
    settings = Settings(
        here.settings.path,
        {**here.settings.texts, "redshiftUnmatchedFields": "refuse", **changes},
    )
    unmatched = here.life(settings).emitter.loader.unmatched
    (message,) = here.life(settings).transformer.transform(
        type("Record", (), {"data": announced(here, "1", row).encode()})
    )
    reasons = list(unmatched.refusals([message]).values())
    assert [f"rows with {left_out}, which" in reason for reason in reasons] == [True] * bool(
        left_out
    )


NEW = b'{"id": 1, "new": 2}\n{"id": 2}\n'


@pytest.mark.parametrize("compression", ["gzip", "zstd", "none"])
def test_what_announces_no_keys_is_looked_at_to_be_refused(stage_two, compression):
    """Who announces a file again has not seen its rows, nor does a bare path tell of them."""
    here = stage_two(redshiftUnmatchedFields="refuse")
    end = {"gzip": ".gz", "zstd": ".zst", "none": ""}[compression]
    bad = here.file(f"1{end}", first="1-0", body=NEW, compression=compression)
    bare = here.file(f"2{end}", body=NEW, compression=compression) and here.url(f"2{end}")
    here.load(bad, bare, here.file(f"3{end}", 3, compression=compression))
    assert here.ids() == [3]
    assert set(here.letters()) == {bad, bare}


@pytest.mark.parametrize("end", [".gz", ".zst"])
def test_a_file_that_cannot_be_looked_at_is_left_to_copy(stage_two, end):
    """What is wrong with it, COPY says; the others are loaded."""
    here = stage_two(redshiftUnmatchedFields="refuse")
    bad = here.file(f"1{end}", body=b"x", compression="none", format="json")
    told = json.loads(bad) | {"compression": "gzip" if end == ".gz" else "zstd"}
    here.load(json.dumps(told), here.file("2", 2))
    assert here.ids() == [2]
    assert len(here.letters()) == 1


def test_what_announces_no_keys_is_not_looked_at_for_a_report(stage_two, reports):
    """A look at each file would cost more than a line of the log is worth."""
    here = stage_two()
    here.load(here.file("1", first="1-0", body=NEW))
    assert here.ids() == [1, 2]
    assert reports() == []


@pytest.mark.parametrize("turn", [1, -1])
def test_of_two_announcements_that_with_keys_counts(stage_two, turn, reports):
    """In whichever order they come in a batch."""
    here = stage_two()
    known = announced(here, "1", {"id": 1, "new": 2})
    without = json.dumps({k: v for k, v in json.loads(known).items() if k != "fields"})
    here.load(*[known, without][::turn])
    assert len(reports()) == 1
    assert here.ids() == [1]


def test_a_strangers_keys_are_one_short_line(stage_two, reports):
    """Whatever the keys of a record are, no line of the log is made of them."""
    here = stage_two()
    row = {"id": 1, "a\nFATAL forged": 1, **{f"{n} {'x' * 100}": 1 for n in range(60)}}
    here.load(announced(here, "1", row))
    (report,) = reports()
    assert "rows with a\\nFATAL forged, " in report
    assert "\n" not in report
    assert " and 11 more" in report
    assert len(report) < 4000
