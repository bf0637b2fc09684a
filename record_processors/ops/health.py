"""How the daemon of a pipeline is on this host, by what its children say of themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import msgspec

from ..aws.clients import endpoint_of
from ..config.keys import APPLICATION_NAME
from ..config.setting import Settings
from ..kcl.health import Health, Limits, folders, found_in
from ..kcl.lock import is_held


class Child(msgspec.Struct, rename="camel"):
    """One process, with the shard that it has."""

    shard: str
    pid: int
    healthy: bool
    since: datetime
    """Of being healthy, or not, as the child itself said last."""
    why: list[str]
    written: datetime


class HostHealth(msgspec.Struct, rename="camel"):
    """What `health` found; as JSON with ``--json``."""

    application: str
    healthy: bool
    daemon: bool
    """Whether one runs on this host."""
    why: list[str]
    """A sentence for each reason why not healthy."""
    children: list[Child]


def health(settings: Settings) -> HostHealth:
    """Look at the daemon of a file on this host; change nothing. Raises Fatal."""
    application = settings[APPLICATION_NAME]
    endpoint = endpoint_of("dynamodb", settings)
    limits, now = Limits.from_settings(settings), datetime.now(timezone.utc)
    if not is_held(application, endpoint):
        why = [f"no daemon of {application} (its leases are at {endpoint}) runs on this host"]
        return HostHealth(application, healthy=False, daemon=False, why=why, children=[])
    where = folders(application, endpoint)
    why = list(_unreadable(where))
    children = [
        _child(found, limits, now)
        for each in where
        for _, found in found_in(each)
        if found is not None and not found.is_of_the_past
    ]
    why += [f"{child.shard}: {reason}" for child in children for reason in child.why]
    return HostHealth(application, not why, daemon=True, why=why, children=children)


def _child(found: Health, limits: Limits, now: datetime) -> Child:
    why = list(found.reasons_seen(now, limits))
    return Child(found.shard, found.process.pid, not why, found.since, why, found.written)


def _unreadable(where: list[Path]) -> Iterator[str]:
    """Say what keeps us from seeing how the children are: that is no health."""
    there = 0
    for each in where:
        try:
            there += each.is_dir()
            list(each.iterdir())
        except FileNotFoundError:
            continue
        except PermissionError:
            there += 1
            yield f"{each}: cannot be read: ask as the user who runs the daemon, or as root"
    if not there:
        yield "the daemon's children do not say how they are: their folder is gone; start it again"
