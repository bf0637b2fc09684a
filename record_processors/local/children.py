"""Child processes that do not outlive this one.

A child runs in a session of its own, so that a terminal's Ctrl-C reaches only us and we end the
children in order. On Linux it gets SIGTERM when we die, however we die.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

# Run between fork and the program: the kernel is to send SIGTERM when the parent dies; should it
# have died already, there is nothing to run. A program of its own, since Python code between fork
# and exec can deadlock when the parent has threads.
_TETHER = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""
_SECONDS_BETWEEN_LOOKS = 0.02
_TAIL_LINES = 20


class ChildError(Exception):
    """A child process ended, or was silent for too long, before it was ready."""


@dataclass
class Child:
    """A running child process.

    Its standard output is in `log` with the suffix `.out`, its standard error in `log` itself.
    The thread that starts a child must live as long as the child shall: to Linux, its end is the
    parent's death. Use the main thread.
    """

    name: str
    process: "subprocess.Popen[bytes]"
    log: Path
    grace: float

    @classmethod
    def start(
        cls,
        name: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        grace: float = 10.0,
        hand_down: Sequence[int] = (),
        directory: Path | None = None,
    ) -> "Child":
        """Start a program found on PATH or by its path.

        `environment` is the whole of it; `grace` the seconds between SIGTERM and SIGKILL;
        `hand_down` are file descriptors that the child inherits under the same numbers;
        `directory` the one it runs in. Raises `OSError` if it cannot be started.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with _private(log, "ab") as errors, _private(log.with_suffix(".out"), "wb") as output:
            process = subprocess.Popen(
                [*_tether(), *arguments],
                env=dict(environment),
                cwd=directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                pass_fds=hand_down,
                start_new_session=True,
            )
        return cls(name, process, log, grace)

    def ready(self, timeout: float = 30.0) -> dict[str, Any]:
        """Wait for the first JSON object on a line of the standard output, and give it.

        Raises `ChildError`, with the tail of the log, if the child ends before or `timeout`
        seconds pass; the child is stopped then.
        """
        end = time.monotonic() + timeout
        while (told := self._announcement()) is None:
            self.check()
            if time.monotonic() > end:
                self.stop()
                raise ChildError(self._why(f"was not ready within {timeout:g} s"))
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        return told

    def stop(self) -> int:
        """End the child, then whatever is left of its process group; gives its exit code.

        Only the child gets SIGTERM, not those that it started: a daemon ends its own workers in
        order. Safe to repeat.
        """
        if self.process.poll() is None:
            self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(self.grace)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait()

    def check(self) -> None:
        """Raise `ChildError`, with the tail of the log, if the child is not running any more."""
        if self.process.poll() is not None:
            raise ChildError(self._why(f"ended with code {self.process.returncode}"))

    def tail(self, lines: int = _TAIL_LINES) -> str:
        """Give the last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def __enter__(self) -> "Child":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _announcement(self) -> dict[str, Any] | None:
        output = self.log.with_suffix(".out").read_bytes()
        for line in output.splitlines(keepends=True):
            if line.endswith(b"\n") and line.startswith(b"{"):
                with suppress(ValueError):
                    told: dict[str, Any] = json.loads(line)
                    return told
        return None

    def _why(self, what: str) -> str:
        return f"{self.name} {what}; the end of {self.log}:\n{self.tail()}"


def _private(path: Path, mode: str) -> IO[bytes]:
    """Open a file that none but its owner may read: what a child announces may hold a password."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))


def _tether() -> list[str]:
    if not sys.platform.startswith("linux"):
        return []
    return [sys.executable, "-I", "-S", "-c", _TETHER, str(os.getpid())]
