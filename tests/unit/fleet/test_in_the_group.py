"""What a host of the stack does beside its pipelines: it fetches passwords, and leaves in peace."""

import os
import subprocess

from record_processors.config.properties import load
from record_processors.fleet.in_the_group import after, leave, passwords
from record_processors.fleet.units import UNITS, drop_in_path, host_files, user_of
from support.fakes import STAGE_TWO, properties
from support.host import Metadata, Unit, metadata_service

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


def test_a_report_is_its_pipelines_own(tmp_path):
    """It runs as the user of its pipeline, whose children tell him alone how they are."""
    one = load(properties(tmp_path))
    units = tmp_path / "units"
    for path, text in host_files([one]).items():
        if path.startswith(UNITS):
            there = units / path.removeprefix(f"{UNITS}/")
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_text(text)
    script = f"set -euo pipefail\nPIPELINES=(flights)\nsystemctl() {{ :; }}\n{after([one])}"
    script = script.replace(UNITS, str(units))
    subprocess.run(["bash", "-c", script], check=True)

    drop_in = units / drop_in_path(one, "-report").removeprefix(f"{UNITS}/")
    assert Unit(drop_in.read_text())["User"] == user_of(one)
