"""Starts the daemon: the java command of ``amazon_kclpy_helper``, with what it needs on a host."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NoReturn

from ..config.keys import APPLICATION_NAME, LOG_FORMAT
from ..config.registry import chosen
from ..config.setting import Settings
from ..errors import LaunchError
from .health import FOLDER_VARIABLE, prepare
from .heap import given_heap, heap_size
from .java import find_java, flags, said_options
from .lock import lock
from .look import Looked
from .tables import are_ours
from .worker import names_worker, with_worker_id

DAEMON = "software.amazon.kinesis.multilang.MultiLangDaemon"
# The JVM's threads, some dozens, share their pools of memory outside the heap: mallopt(3).
MALLOC = {"MALLOC_ARENA_MAX": "2"}
LOGBACK = Path(__file__).with_name("logback.xml")
SUPERVISOR = Path(__file__).with_name("supervisor.py")


class Host:
    """What this host has for the daemon of a file, looked for before anything is connected to."""

    def __init__(self, settings: Settings) -> None:
        """Raise LaunchError when this host cannot run it."""
        for variable, setting in chosen(settings.texts).destination.variables(settings).items():
            if not os.environ.get(variable):
                raise LaunchError(f"{setting.key} is set, but {variable} is not in the environment")
        said = said_options()
        self.settings = settings
        self.java, version = find_java()
        self.flags = flags(version, heap_size(settings, given_heap(said)), said)

    def run(self, looked: Looked) -> NoReturn:
        """Become the supervisor of the daemon. Raises LaunchError when one runs here already."""
        settings = self.settings
        # Whoever has the socket has the lock: the supervisor, and Java until it has ended too.
        held = lock(settings[APPLICATION_NAME], looked.endpoint, looked.account)
        health = prepare(settings[APPLICATION_NAME], looked.endpoint)
        properties = settings.path if names_worker(settings) else with_worker_id(settings)
        # Lines that begin so are the daemon's: by chance, so that no child writes one.
        mark = f"{secrets.token_hex(4)} "
        command = [
            *(sys.executable, "-I", "-S", str(SUPERVISOR), settings[LOG_FORMAT], mark),
            settings.path if are_ours(settings) else "",
            *(self.java, *self.flags),
            "-Dfile.encoding=UTF-8",  # the pipes' encoding, whatever the locale says
            f"-Dkinesis-connectors.mark={mark}",
            *("-cp", classpath(settings.path), DAEMON),
            *("--properties-file", properties, "--log-configuration", str(LOGBACK)),
        ]
        # The daemon finds `kinesis-connectors`, its children's program, beside this Python.
        scripts = sysconfig.get_path("scripts")
        path = os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])
        environment = {**MALLOC, **os.environ, "PATH": path, FOLDER_VARIABLE: health}
        sys.stdout.flush()
        try:
            os.execve(sys.executable, command, environment)  # noqa: S606 - that is the aim
        finally:
            held.close()


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
