"""How a child is: a small file that it keeps as long as it has a shard, for whoever looks after it.

The files of an application are in a folder of this host that follows from its name and its place,
and belongs to the user who runs the daemon. `run` makes it, and tells it to the children by
``FOLDER_VARIABLE``.
"""

from __future__ import annotations

import logging
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..config.keys import LONGEST_WAIT, MILLISECONDS_LIMIT, UNHEALTHY_AFTER
from ..config.registry import chosen
from ..config.setting import Settings
from ..config.types import Duration
from ..errors import LaunchError
from ..flow import trouble
from ..flow.metrics import BUFFER_AGE
from .lock import digest

log = logging.getLogger(__name__)

FOLDER_VARIABLE = "KINESIS_CONNECTORS_HEALTH"
# Memory, and the same for each service of the host: /tmp may be one's own (PrivateTmp of systemd).
MEMORY = "/dev/shm"  # noqa: S108
NAME = "kinesis-connectors-"  # and the number of the user
SECONDS_BETWEEN = 5.0  # of a file that has nothing new to say


class Process(msgspec.Struct, frozen=True):
    """A process of this host: a number may be another's later, with another start."""

    pid: int
    started: int
    """Clock ticks since boot: proc(5), of ``stat`` the field ``starttime``."""

    @classmethod
    def of(cls, pid: int) -> Process | None:
        """Return the process that has the number now; None if none lives."""
        try:
            text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        except OSError:
            return None
        state, *fields = text.rpartition(")")[2].split()
        return None if state in "ZX" else cls(pid, int(fields[18]))

    @property
    def lives(self) -> bool:
        """Whether it has not ended."""
        return self == Process.of(self.pid)


class Failure(msgspec.Struct, frozen=True):
    """What has been tried in vain since when, and why the last time."""

    what: str
    since: datetime
    why: str


class Limits(NamedTuple):
    """For how many seconds each may last."""

    failing: Duration
    waiting: float
    silent: float

    @classmethod
    def from_settings(cls, settings: Settings) -> Limits:
        """Take ``unhealthyAfter``, twice ``bufferMillisecondsLimit``, and the longest call.

        A child is heard of between two tries, and a try may last as long as its destination says.
        """
        longest_try = chosen(settings.texts).destination.longest_try
        return cls(
            settings[UNHEALTHY_AFTER],
            2 * settings[MILLISECONDS_LIMIT] / 1000,
            longest_try + LONGEST_WAIT + 2 * SECONDS_BETWEEN,
        )


class Health(msgspec.Struct, rename="camel", kw_only=True):
    """What the file says, as JSON."""

    healthy: bool = True
    since: datetime
    """Of being healthy, or not."""
    why: list[str] = []
    """A sentence for each reason why not."""
    application: str
    shard: str
    process: Process
    daemon: Process | None
    failing: Failure | None = None
    waiting_since: datetime | None = None
    """When the oldest record came that is not durable."""
    paused_until: datetime | None = None
    """When a pause ends, in which records wait on purpose."""
    written: datetime

    def reasons(self, now: datetime, limits: Limits) -> Iterator[str]:
        """Yield why it is not healthy at a time."""
        if self.failing and (seconds := _between(self.failing.since, now)) > limits.failing:
            yield (
                f"{self.failing.what} has failed since {told(self.failing.since)}, for "
                f"{seconds:,.0f} s (unhealthyAfter = {limits.failing}): {self.failing.why}"
            )
        if self.paused_until and now < self.paused_until:
            return
        if self.waiting_since and (seconds := _between(self.waiting_since, now)) > limits.waiting:
            yield (
                f"a record has waited since {told(self.waiting_since)}, for {seconds:,.0f} s, "
                f"which is more than {limits.waiting:,g} s, twice bufferMillisecondsLimit"
            )

    def reasons_seen(self, now: datetime, limits: Limits) -> Iterator[str]:
        """Yield why it is not healthy, as one sees it who finds the file at a time.

        A child that works on one thing for long says nothing new meanwhile.
        """
        silence = _between(self.written, now)
        is_fresh = silence < 2 * SECONDS_BETWEEN
        if not self.process.lives:
            yield f"process {self.process.pid} has ended, and its daemon has not"
            return
        yield from self.why if is_fresh else self.reasons(now, limits)
        if silence > limits.silent:
            yield (
                f"process {self.process.pid} has not been heard of for {silence:,.0f} s, which is "
                f"more than {limits.silent:,.0f} s, the longest that it may take"
            )

    @property
    def is_of_the_past(self) -> bool:
        """Whether neither the child nor its daemon lives."""
        return not (self.process.lives or (self.daemon is not None and self.daemon.lives))


class HealthFile:
    """Keeps the file of this process, from its first shard on."""

    def __init__(self, folder: str, application: str, shard: str, limits: Limits) -> None:
        process, now = Process.of(os.getpid()) or Process(os.getpid(), 0), _now()
        self.path = Path(folder, f"{shard}-{process.pid}.json")
        self.limits = limits
        self.health = Health(
            since=now,
            application=application,
            shard=shard,
            process=process,
            daemon=Process.of(os.getppid()),
            written=now,
        )
        self._written_at = float("-inf")
        self._is_told = False
        clear(self.path.parent)
        self.beat()

    def beat(self) -> None:
        """Write what is new, or, now and then, that this process lives."""
        failing, age = trouble.oldest(), BUFFER_AGE.read() or 0.0
        health, now = self.health, _now()
        is_new = (health.failing is None) != (failing is None)
        health.failing = failing and Failure(failing.what, _at(failing.since), failing.why)
        health.paused_until = trouble.paused_until()
        health.waiting_since = _at(now.timestamp() - age / 1000) if age else None
        health.why = list(health.reasons(now, self.limits))
        if health.healthy == bool(health.why):
            health.healthy, health.since, is_new = not health.why, now, True
        if is_new or time.monotonic() - self._written_at >= SECONDS_BETWEEN:
            health.written = now
            self._write()

    def remove(self) -> None:
        """Take the file away: this process has no shard any more."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def _write(self) -> None:
        self._written_at = time.monotonic()
        draft = self.path.with_suffix(".new")
        try:
            # logind takes away a user's files there when he logs out (RemoveIPC).
            make_folder(self.path.parent)
            draft.write_bytes(msgspec.json.encode(self.health) + b"\n")
            draft.replace(self.path)
        except OSError as error:
            if not self._is_told:
                log.warning("%s: its health is not told: %s", self.path, error.strerror)
            self._is_told = True


def folder(application: str, endpoint: str) -> Path:
    """Return the folder of an application at an endpoint of DynamoDB, of this user's daemon."""
    return _base() / f"{NAME}{os.geteuid()}" / digest(application, endpoint)


def folders(application: str, endpoint: str) -> list[Path]:
    """Return that folder for each user who has one that is his own."""
    name = digest(application, endpoint)
    tops = sorted(_base().glob(f"{NAME}*"))
    return [top / name for top in tops if _belongs_to(top, top.name.removeprefix(NAME))]


def make_folder(path: Path) -> None:
    """Make the folder if it is not there, for this user alone. Raises OSError."""
    for each in (path.parent, path):
        each.mkdir(mode=0o700, exist_ok=True)
        if not _belongs_to(each, str(os.geteuid())):
            raise PermissionError(1, "it is not this user's own", str(each))


def prepare(application: str, endpoint: str) -> str:
    """Make the folder for the children of a daemon; return it. Raises LaunchError."""
    path = folder(application, endpoint)
    try:
        make_folder(path)
    except OSError as error:
        raise LaunchError(
            f"{error.filename}: the folder for `kinesis-connectors health`: {error.strerror}; "
            "take away what is there"
        ) from error
    clear(path)
    return str(path)


def clear(path: Path) -> None:
    """Take away the files of children and daemons that have ended."""
    for file, health in found_in(path):
        if health is None or health.is_of_the_past:
            with suppress(OSError):
                file.unlink(missing_ok=True)


def found_in(path: Path) -> Iterator[tuple[Path, Health | None]]:
    """Yield the files of a folder, each with what it says; None if that is nothing of ours."""
    for file in sorted(path.glob("*.json")):
        try:
            yield file, msgspec.json.decode(file.read_bytes(), type=Health)
        except FileNotFoundError:
            continue  # a child has just ended
        except ValueError:
            yield file, None


def told(at: datetime) -> str:
    """Return a time as a person reads it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _belongs_to(path: Path, user: str) -> bool:
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and str(found.st_uid) == user


def _base() -> Path:
    return Path(MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else tempfile.gettempdir())


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _at(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, timezone.utc)


def _between(one: datetime, other: datetime) -> float:
    return (other - one).total_seconds()
