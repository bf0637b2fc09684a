"""Starts the daemon: the java command of ``amazon_kclpy_helper``, with what it needs on a host."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import NoReturn

from ..config.kcl_settings import WORKER_IDENTIFIER
from ..config.keys import APPLICATION_NAME, WORKER_ID
from ..config.registry import chosen
from ..config.setting import Settings
from ..errors import LaunchError
from .heap import given_heap, heap_size
from .java import find_java, flags, said_options

DAEMON = "software.amazon.kinesis.multilang.MultiLangDaemon"
# The JVM's threads, some dozens, share their pools of memory outside the heap: mallopt(3).
MALLOC = {"MALLOC_ARENA_MAX": "2"}
LOGBACK = Path(__file__).with_name("logback.xml")


def run(settings: Settings) -> NoReturn:
    """Become the daemon. Raises LaunchError when this host cannot run it now."""
    for variable, setting in chosen(settings.texts).destination.variables(settings).items():
        if not os.environ.get(variable):
            raise LaunchError(f"{setting.key} is set, but {variable} is not in the environment")
    said = said_options()
    java, version = find_java()
    heap = heap_size(settings, given_heap(said))
    lock(settings)
    properties = settings.path if names_worker(settings) else with_worker_id(settings)
    command = [
        java,
        *flags(version, heap, said),
        "-Dfile.encoding=UTF-8",  # the pipes' encoding, whatever the locale says
        "-cp",
        classpath(settings.path),
        DAEMON,
        "--properties-file",
        properties,
        "--log-configuration",
        str(LOGBACK),
    ]
    # The daemon finds `kinesis-connectors`, its children's program, beside this Python.
    scripts = sysconfig.get_path("scripts")
    path = os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])
    environment = {**MALLOC, **os.environ, "PATH": path}
    sys.stdout.flush()
    os.execve(java, command, environment)  # noqa: S606 - that is the aim


def classpath(path: str) -> str:
    """Return KCL's jars and the file's folder, as ``amazon_kclpy_helper`` puts them together.

    Not its whole command, which cannot tell a blank in a path from one between words. Raises
    LaunchError.
    """
    helper = Path(sysconfig.get_path("scripts"), "amazon_kclpy_helper.py")
    answer = subprocess.run(
        [sys.executable, str(helper), "--print_classpath", "--properties", path],
        check=False,
        capture_output=True,
        text=True,
    )
    if answer.returncode:
        said = answer.stderr.strip().splitlines()[-1:]
        raise LaunchError(f"{helper} of amazon_kclpy does not run: {' '.join(said)}")
    return answer.stdout.strip()


def lock(settings: Settings) -> None:
    """Refuse a second daemon of the application on this host.

    Two with one ``workerId`` would each take the other's leases for its own. The lock's descriptor
    passes to Java, so that it ends with the daemon, however that ends.
    """
    path = Path(tempfile.gettempdir(), f"kinesis-connectors-{settings[APPLICATION_NAME]}.lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except PermissionError as error:
        raise LaunchError(
            f"{path} is another user's: let that user run it, or remove it"
        ) from error
    except BlockingIOError as error:
        raise LaunchError(
            f"a daemon of {settings[APPLICATION_NAME]} runs on this host already ({path} is locked)"
        ) from error
    os.set_inheritable(descriptor, True)


def names_worker(settings: Settings) -> bool:
    """Whether the file says itself who this host is; KCL knows two names for it."""
    return WORKER_ID in settings or WORKER_IDENTIFIER in settings


def with_worker_id(settings: Settings) -> str:
    """Write the file once more with a ``workerId`` that is this host's at every start.

    A daemon takes back at once the leases that carry its own id; under a new one it waits until
    they have expired.
    """
    folder = Path(tempfile.gettempdir(), f"kinesis-connectors-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise LaunchError(f"{folder} is not this user's own folder: remove it")
    worker = f"{socket.gethostname()}-{settings[APPLICATION_NAME]}"
    copy = folder / settings[APPLICATION_NAME] / Path(settings.path).name
    copy.parent.mkdir(exist_ok=True)
    # Two line breaks: a last line that ends in a backslash swallows one.
    original = Path(settings.path).read_bytes()
    copy.write_bytes(original + f"\n\n{WORKER_ID.key} = {worker}\n".encode("latin-1"))
    return str(copy)
