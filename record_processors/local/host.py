"""What this machine must have and keep free for the stand-ins; looked at before they start."""

from __future__ import annotations

import errno
import fcntl
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .redshift.postgres import confined

HOST = "127.0.0.1"
ROOM = 200 << 20  # bytes: an empty PostgreSQL cluster takes 40 MB, the flights' file 80 MB


class HostError(Exception):
    """The stand-ins cannot start here, and why, in one sentence."""


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """Make a directory and have it to ourselves until the end, after a look at the machine.

    Raises HostError if it cannot be written or is another's now, if there is no room in it, or if
    PostgreSQL cannot be started as it must be.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / "lock").open("a")
    except OSError as error:
        raise HostError(f"{error.filename}: cannot be written: {error.strerror}") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise HostError(
                f"{directory} is in use by stand-ins that are running: end those first"
            ) from error
        _look(directory)
        yield


def listener(port: int) -> socket.socket:
    """Listen on a port of this machine's own address; 0 takes a free one.

    Raises HostError if it is taken, or none that this user may have.
    """
    try:
        return socket.create_server((HOST, port), backlog=100)
    except OSError as error:
        why = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be had ({error.strerror})"
        raise HostError(
            f"port {port} of {HOST} {why}: free it, or choose another with --port"
        ) from error


def _look(directory: Path) -> None:
    free = shutil.disk_usage(directory).free
    if free < ROOM:
        raise HostError(
            f"{directory}: {free >> 20} MiB are free there, and {ROOM >> 20} MiB are needed"
        )
    try:
        tried = subprocess.run(
            [*confined(), "true"], check=False, capture_output=True, encoding="utf-8"
        )
        said = tried.stderr.strip() if tried.returncode else ""
    except FileNotFoundError:
        said = "it is not on PATH"
    if said:
        raise HostError(f"setpriv, of Linux' util-linux 2.33 or newer, does not run here: {said}")
