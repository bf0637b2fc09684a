"""User data: what EC2 takes, and what must not be in it. That it works: tests/whole."""

import subprocess

import pytest

from record_processors.commands import main as cli
from record_processors.config.properties import load
from record_processors.fleet.units import NotOnOneHost
from record_processors.fleet.user_data import MOST_BYTES, user_data
from support.fakes import STAGE_TWO, properties
from support.paths import REPOSITORY


def shipped(name):
    return str(REPOSITORY / f"properties/{name}.properties")


@pytest.fixture
def at_home(monkeypatch):
    monkeypatch.chdir(REPOSITORY)


def test_the_shipped_pipelines_are_small_enough(at_home, capsys):
    """Two pipelines leave two thirds of what EC2 takes to whoever adds to them."""
    two = [shipped("s3_manifest"), shipped("redshift_manifest")]
    assert cli.main(["systemd", *two, "--user-data", "s3://bucket/connectors"]) == 0
    script = capsys.readouterr().out
    assert script.startswith("#!/bin/bash\n")
    assert len(script) < MOST_BYTES / 3
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def test_more_than_ec2_takes_is_refused(tmp_path):
    """What would fail at the launch of a host is refused before."""
    long = load(properties(tmp_path, {"filter": "regex", "filterExpression": "x" * MOST_BYTES}))
    with pytest.raises(NotOnOneHost, match=r"bytes, and EC2 takes 16,384: give a host fewer"):
        user_data([long], "kinesis-connectors==1.0")


def test_two_pipelines_of_one_name(tmp_path, capsys):
    """A host has one daemon of an application."""
    path = properties(tmp_path)
    assert cli.main(["systemd", path, path, "--user-data", "kinesis-connectors==1.0"]) == 2
    assert "applicationName = flights is both" in capsys.readouterr().err


def test_what_comes_before_and_after(tmp_path):
    """Lines of others stand ahead of all that may fail, and behind all that must have worked."""
    lines = user_data([load(properties(tmp_path))], "x", "the first", "the last").splitlines()
    assert lines.index("the first") < next(n for n, line in enumerate(lines) if "=" in line)
    assert lines[-1] == "the last"


def test_a_secret_that_is_not_there(tmp_path, monkeypatch):
    """User data holds no secret, and ends at once where one is needed that the host lacks."""
    monkeypatch.setenv("REDSHIFT_PASSWORD", "xyzzy-secret")
    script = user_data([load(properties(tmp_path, base=STAGE_TWO))], "kinesis-connectors==1.0")
    assert "xyzzy-secret" not in script
    head = script[: script.index("# ---- the program")].replace("/etc/connectors", str(tmp_path))
    answer = subprocess.run(["bash"], input=head, text=True, capture_output=True, check=False)
    assert answer.returncode == 1
    assert "redshiftUsername of flights needs REDSHIFT_PASSWORD=… in" in answer.stderr
    (tmp_path / "flights.env").write_text("REDSHIFT_PASSWORD=xyzzy-secret\n")
    assert subprocess.run(["bash"], input=head, text=True, check=False).returncode == 0
