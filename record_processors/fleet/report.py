"""Reports how a pipeline is on this host, as metrics: a program that a timer starts each minute.

Its argument is the pipeline's name. What is to be known the next time is in the folder that systemd
keeps for it (``RuntimeDirectory``).
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ..config.agent import Agent
from ..config.host_metrics import (
    ATTENTION,
    BEHIND,
    HEALTHY,
    LETTERS,
    OF_A_HOST,
    RESTARTS,
    WITHOUT_OWNER,
)
from ..config.keys import APPLICATION_NAME, METRICS
from ..config.properties import load
from ..config.setting import Settings
from ..kcl.metric_formats import FORMATS, taken
from ..ops.attention import unknown_shards
from ..ops.health import health
from ..ops.look import look

# `status` reads each shard once, of the five times a second that Kinesis allows all together.
SECONDS_BETWEEN_LOOKS = 300

PATIENCE = 10  # seconds, for shards that are read as fast as they may be: nobody waits for it
NEVER_TOO_FAR = 10 * 365 * 86400  # behind, in seconds: lag is told apart, for an alarm of its own
OWNERS = {"noOwner", "silentOwner"}
LETTERS_FACT = "letters"


class Before(msgspec.Struct):
    """What the last report knew."""

    restarts: int | None = None
    """None: this is the first report since the host started, and what was before it is no news."""
    looked_at: float = 0
    behind: float = 0


def main(name: str) -> int:
    """Report once; return the exit code."""
    settings = load(f"{name}.properties")
    agent = settings[METRICS]
    if agent is None:
        print(f"{settings.path}: metrics is not set: nobody hears a report", file=sys.stderr)
        return 2
    memory = Path(os.environ["RUNTIME_DIRECTORY"], "report.json")
    before = msgspec.json.decode(memory.read_bytes(), type=Before) if memory.exists() else Before()
    HEALTHY.set(int(health(settings).healthy))
    restarts = restarts_of(f"kinesis-connectors@{name}.service")
    if before.restarts is not None:
        RESTARTS.add(max(0, restarts - before.restarts))
    before.restarts = restarts
    if time.time() - before.looked_at >= SECONDS_BETWEEN_LOOKS:
        measure_status(settings, before)
        before.looked_at = time.time()
    send(agent, {"application": settings[APPLICATION_NAME]})
    memory.write_bytes(msgspec.json.encode(before))
    return 0


def restarts_of(unit: str) -> int:
    """Return how often systemd has started a unit again by itself: systemd(1), NRestarts."""
    answer = subprocess.run(
        ["systemctl", "show", "--property=NRestarts", "--value", unit],
        check=True,
        capture_output=True,
        text=True,
    )
    return int(answer.stdout or 0)


def measure_status(settings: Settings, before: Before) -> None:
    """Measure what `status` finds; note what is to be known of it the next time."""
    (pipeline,) = look([settings], NEVER_TOO_FAR, PATIENCE).pipelines
    behind = pipeline.behind
    if unknown_shards(pipeline):  # the others alone do not end an alarm, but may begin one
        behind = max(behind or 0, before.behind) or None
    if behind is not None:
        BEHIND.set(round(behind * 1000))
        before.behind = behind
    alone = {shard for one in pipeline.attention if one.kind in OWNERS for shard in one.shards}
    WITHOUT_OWNER.set(len(alone))
    if letters := pipeline.facts.get(LETTERS_FACT):
        LETTERS.set(letters["filesInTheLastDay"])
    ATTENTION.set(sum(one.kind not in {*OWNERS, LETTERS_FACT} for one in pipeline.attention))


def send(agent: Agent, tags: Mapping[str, str]) -> None:
    """Send what was measured of the host: tries of a look are none of the pipeline's."""
    points = [point for point in taken() if point.metric in OF_A_HOST]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in FORMATS[agent.protocol](points, tags, time.time()):
            sender.sendto(datagram, (agent.host, agent.port))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
