"""The page of `status`, what it is asked with, and how packed records are counted."""

from datetime import datetime, timezone

import pytest

from record_processors.commands import main as cli
from record_processors.ops.aggregate import user_records
from record_processors.ops.page import fitting, page
from record_processors.ops.status import Pipeline, Shard, Status
from support.aggregated import aggregated
from support.fakes import properties

NOON = datetime(2026, 1, 2, 12, tzinfo=timezone.utc)


@pytest.mark.parametrize("count", [1, 2, 500])
def test_records_in_an_aggregated_record(count):
    """As many are counted as were packed."""
    data = aggregated(*[b"%d" % one for one in range(count)])
    assert user_records(data) == count or count == 1  # of one, the packer may make a plain record


@pytest.mark.parametrize(
    "data", [b"", b"x", b"\xf3\x89\x9a\xc2", b"\xf3\x89\x9a\xc2" + b"\xff" * 40]
)
def test_what_only_begins_like_an_aggregated_record(data):
    """It is one record."""
    assert user_records(data) == 1


def test_a_thousand_shards_are_one_page():
    """The summary comes first, then the worst, then how far behind the others are at most."""
    shards = [
        Shard(
            shard=f"shardId-{number:012}",
            state="reading",
            owner=f"a-host-with-a-very-long-name-{number % 7}.ec2.internal-app",
            owner_switches=0,
            counter=1,
            checkpoint=f"{2**185 + number}-0",
            behind=3.0 if number % 50 else 1000.0 + number,
        )
        for number in range(1000)
    ]
    pipeline = Pipeline(application="app", properties="p", stream="s", shards=shards, behind=1950.0)
    lines = page(Status(NOON, [pipeline], [])).splitlines()

    assert len(lines) < 40
    assert max(map(len, lines)) <= 80
    assert lines[1] == "  1,000 of 1,000 shards read by 7 workers, at most 32 min behind"
    assert lines[4].split()[:3] == ["shardId-000000000950", "32", "min"]
    assert "  and 980 more, at most 3 s behind" in lines
    on_a_terminal = fitting(Status(NOON, [pipeline], []), 15)
    assert len(on_a_terminal) == 15
    assert "  and 992 more, at most 26 min behind" in on_a_terminal
    assert on_a_terminal[-1] == "nothing needs a person"


def test_what_needs_a_person_is_seen_on_any_terminal():
    """Of a page that is too long for the terminal, what needs a person stays."""
    pipelines = [Pipeline(application=f"app{n}", properties="p", stream="s") for n in range(9)]
    for pipeline in pipelines:
        pipeline.needs("noLeases", "there are no leases")
    lines = fitting(Status(NOON, pipelines, []), 12)
    assert len(lines) == 12
    assert lines[-9:] == [f"! app{n}: there are no leases" for n in range(9)]


def test_a_wrong_file(tmp_path, capsys):
    """What is wrong with a file is said as `check` says it, with its exit code."""
    path = properties(tmp_path, {"maxRecord": "5"})
    assert cli.main(["status", path]) == 2
    assert "maxRecord is not a setting" in capsys.readouterr().err


@pytest.mark.parametrize("behind", ["10", "m", "1w"])
def test_a_wrong_duration(behind, capsys):
    """A duration has a number and a unit."""
    with pytest.raises(SystemExit) as end:
        cli.main(["status", "p", "--behind", behind])
    assert end.value.code == 2
    assert "not a time like 90s, 5m, 1h or 2d" in capsys.readouterr().err
