"""What a host of the stack does beside its pipelines: it fetches passwords, and leaves in peace."""

import os
import subprocess
import sys

import pytest

from record_processors.config.properties import load
from record_processors.fleet.in_the_group import after, before, leave, passwords
from support.fakes import STAGE_TWO, properties
from support.host import Metadata, metadata_service
from support.paths import REPOSITORY

PASSWORD = "a \"b\" \\c $d `e` 'f' #"


def test_a_host_that_is_let_go(tmp_path, monkeypatch):
    """Until the group lets it go, nothing happens; then the units stop, and the group is told."""
    monkeypatch.setattr(Metadata, "states", ["InService", None, "InService"])
    journal = tmp_path / "journal"
    for name in ("systemctl", "aws"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >>{journal}\n')
        program.chmod(0o755)
    script = leave().replace("%{AWS::StackName}", "fleet")
    script = script.replace("%{AWS::Region}", "eu-west-1")
    path = f"{tmp_path}:{os.environ['PATH']}"
    with metadata_service() as place:
        environment = {"PATH": path, "IMDS": place, "PAUSE": "0"}
        subprocess.run(["bash", "-c", script], env=environment, check=True, capture_output=True)

    assert Metadata.states == []
    assert journal.read_text().splitlines() == [
        "systemctl stop kinesis-connectors-report@*.timer kinesis-connectors@*.service",
        "aws autoscaling complete-lifecycle-action --region eu-west-1 "
        "--auto-scaling-group-name fleet --lifecycle-hook-name flush "
        f"--lifecycle-action-result CONTINUE --instance-id {Metadata.instance}",
    ]


@pytest.mark.parametrize(("code", "times"), [(0, 0), (3, 1)])
def test_a_host_whose_set_up_fails(code, times, tmp_path):
    """The stack is told how the set-up ended; of a failed one the group is to take another."""
    for name, body in {
        "cfn-signal": f'echo "signal $2" >>{tmp_path}/journal',
        "cloud-init": "echo i-123",
        "aws": f'echo "$@" >>{tmp_path}/journal',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    script, trap, _ = before([load(properties(tmp_path))]).partition("trap finish EXIT\n")
    script = script.replace("/opt/aws/bin/", f"{tmp_path}/")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{script}{trap}exit {code}"],
        env=environment,
        check=False,
        stderr=subprocess.DEVNULL,
    )
    unhealthy = (
        "autoscaling set-instance-health --health-status Unhealthy "
        "--no-should-respect-grace-period --instance-id i-123"
    )
    told = (tmp_path / "journal").read_text().splitlines()

    assert told == [f"signal {code}", *[unhealthy] * times]


def test_the_units_of_the_report_come_with_the_program(tmp_path):
    """They are copied from where the program is installed, and a timer of each pipeline starts."""
    units = tmp_path / "units"
    units.mkdir()
    (tmp_path / "systemctl").write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/journal\n')
    (tmp_path / "systemctl").chmod(0o755)
    script = after([load(properties(tmp_path))]).replace("/etc/systemd/system", str(units))
    script = script.replace("/opt/kinesis-connectors/bin/python -I", f"{sys.executable} ")
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(REPOSITORY)}
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], env=environment, check=True)

    assert sorted(path.name for path in units.iterdir()) == [
        "kinesis-connectors-report@.service",
        "kinesis-connectors-report@.timer",
    ]
    assert (tmp_path / "journal").read_text().splitlines() == [
        "daemon-reload",
        "enable --now kinesis-connectors-report@flights.timer",
    ]


def test_a_password_from_secrets_manager(tmp_path):
    """It is in a file that is root's own, quoted so that each of its letters comes through."""
    (tmp_path / "aws").write_text(f"#!/bin/sh\ncat {tmp_path}/secret\n")
    (tmp_path / "aws").chmod(0o755)
    (tmp_path / "secret").write_text(f"{PASSWORD}\n")
    script = passwords([load(properties(tmp_path, base=STAGE_TWO))])
    script = f"set -euo pipefail\n{script}".replace("/etc/connectors", str(tmp_path))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["bash", "-c", script], env=environment, check=True)
    file = tmp_path / "flights.env"
    # Between double quotes, systemd and a shell take the same for escapes.
    read = subprocess.run(
        ["bash", "-c", f'source {file}; printf %s "$REDSHIFT_PASSWORD"'],
        check=True,
        capture_output=True,
        text=True,
    )

    assert read.stdout == PASSWORD
    assert file.stat().st_mode & 0o777 == 0o600
