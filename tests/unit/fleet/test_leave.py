"""How a host leaves its Auto Scaling group: its daemons flush first, then the group goes on."""

import os
import subprocess

from record_processors.fleet.in_the_group import leave
from support.host import Metadata, metadata_service


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
