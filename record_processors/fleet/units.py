"""systemd's units of pipelines, and the files that they run.

What is the same for all pipelines lies in ``files/``, as systemd reads it. What follows from the
settings of one is in a drop-in of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from importlib.resources import files

from ..config.kcl_settings import MAX_LEASES, SHUTDOWN_GRACE
from ..config.kcl_types import MOST_INT
from ..config.setting import Settings
from ..kcl.heap import SHARE
from ..kcl.lock import digest
from .pipeline_file import name_of, path_of, text_of

UNITS = "/etc/systemd/system"
SHIPPED = (
    "kinesis-connectors@.service",
    "kinesis-connectors-health@.service",
    "kinesis-connectors-health@.timer",
    "kinesis-connectors-host.service",
)

# What systemd lets a user of its own making be called: systemd.io/USER_NAMES
USER_NAME = re.compile(r"[A-Za-z_][\w-]{0,30}", re.ASCII)

END_SECONDS = 30  # for Java, and the children that it leaves, to end after the grace


class NotOnOneHost(Exception):
    """Pipelines that cannot run on one host, and why, in one sentence."""


def host_files(pipelines: Sequence[Settings]) -> dict[str, str]:
    """Return the text of each file of a host that runs some pipelines, by its path there.

    Raises NotOnOneHost.
    """
    insist_on_names(pipelines)
    return {
        **{f"{UNITS}/{name}": shipped(name) for name in SHIPPED},
        **{drop_in_path(one): drop_in(one, pipelines) for one in pipelines},
        **{drop_in_path(one, "-health"): health_drop_in(one) for one in pipelines},
        **{path_of(one): text_of(one) for one in pipelines},
    }


def shipped(name: str) -> str:
    """Return a file of this room."""
    return files(__package__).joinpath("files", name).read_text(encoding="utf-8")


def services(pipelines: Iterable[Settings]) -> list[str]:
    """Return the units that run the pipelines."""
    return [f"kinesis-connectors@{name_of(one)}.service" for one in pipelines]


def timers(pipelines: Iterable[Settings]) -> list[str]:
    """Return the units that ask how they are."""
    return [f"kinesis-connectors-health@{name_of(one)}.timer" for one in pipelines]


def stop_seconds(settings: Settings) -> int:
    """Return how long a stop of the pipeline may take, until systemd kills what is left.

    The daemon lets its children flush for ``shutdownGraceMillis``, however long a flush might take:
    the records of one that does not end by then are read again.
    """
    return -(-settings[SHUTDOWN_GRACE] // 1000) + END_SECONDS


def user_of(settings: Settings) -> str:
    """Return the user of a pipeline: by its name or, if no user may have it, a digest of that.

    Each has one of its own: the variables of a process, a password among them, are there for all
    processes of its user (proc(5), ``environ``).
    """
    named = f"connector-{name_of(settings)}"
    return named if USER_NAME.fullmatch(named) else f"connector-{digest(name_of(settings))}"


def drop_in_path(settings: Settings, of: str = "") -> str:
    """Return where what is a pipeline's own lies; 10: `systemctl edit` writes what counts more.

    ``of`` is which of its services: the daemon's, or "-health".
    """
    return f"{UNITS}/kinesis-connectors{of}@{name_of(settings)}.service.d/10-pipeline.conf"


def drop_in(settings: Settings, pipelines: Sequence[Settings]) -> str:
    """Return what is a pipeline's own on a host with others.

    Without ``maxLeasesForWorker`` in its file, `run` takes four fifths of the memory that it
    sees: two that saw all of it would take more than there is. The limit of a control group is what
    each sees; the limits together leave the system and its other programs a fifth.
    """
    lines = [
        f"# What follows from {path_of(settings)}.",
        "[Service]",
        f"User={user_of(settings)}",
        f"# shutdownGraceMillis = {settings[SHUTDOWN_GRACE]}, and {END_SECONDS} s to end.",
        f"TimeoutStopSec={stop_seconds(settings)}",
    ]
    if percent := memory_percent(settings, pipelines):
        lines += [
            f"# In % of this host's memory: its {len(pipelines)} pipelines have four fifths,",
            "# each alike, and leave the rest to the system. `run` plans with four fifths of",
            "# what it sees, which is this; with maxLeasesForWorker in the file, for so many",
            "# shards. Where there is other work, say a MemoryMax= of your own (2G, or in %) below",
            f"# [Service]: systemctl edit kinesis-connectors@{name_of(settings)}",
            f"MemoryMax={percent}%",
        ]
    return "\n".join(lines) + "\n"


def memory_percent(settings: Settings, pipelines: Sequence[Settings]) -> int | None:
    """Return what a pipeline among others may take of a host's memory; None: there is no limit."""
    if len(pipelines) == 1 or settings[MAX_LEASES] not in {None, MOST_INT}:
        return None
    return int(100 * SHARE) // len(pipelines)


def health_drop_in(settings: Settings) -> str:
    """Return what is a pipeline's own in what asks for its health."""
    return f"# The pipeline's user.\n[Service]\nUser={user_of(settings)}\n"


def insist_on_names(pipelines: Sequence[Settings]) -> None:
    """Raise NotOnOneHost if two pipelines have one name."""
    paths: dict[str, str] = {}
    for one in pipelines:
        if name_of(one) in paths:
            raise NotOnOneHost(
                f"applicationName = {name_of(one)} is both {paths[name_of(one)]}'s and "
                f"{one.path}'s: a host runs one daemon of an application; give each a name of its "
                "own"
            )
        paths[name_of(one)] = one.path
