"""Stays beside the daemon: passes its lines on, ends with it, and says last of all why it ended.

A program of its own, of the standard library alone, since it lives as long as the daemon does::

    python -I -S supervisor.py text|json MARK PROPERTIES JAVA ARGUMENT ...

Lines that begin with MARK are the daemon's own, all others come from its children or from Java.
With ``json`` each line that goes out is an object of JSON, as a child's are (``log.py``).
The signals that ask for a stop are handed to Java, as often as they come; at the first, the other
hosts of the pipeline of PROPERTIES are told (``leaving.py``), unless that is empty. Java, and with
it each child, ends when this process does. Exit codes: 0 after a stop that was asked for, 2 when a
child found its file wrong or Java cannot be started, 70 otherwise.
"""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import time
from contextlib import suppress

TYPE_CHECKING = False  # to a type checker it is typing's, which is half a megabyte
if TYPE_CHECKING:
    import subprocess

EXIT_OK, EXIT_USAGE, EXIT_FAILED = 0, 2, 70  # as in errors.py, whose package is too large for here
OUT_OF_MEMORY = 3  # Java's own code, under -XX:+ExitOnOutOfMemoryError
NOT_STARTED = 127  # a shell's code for a program that it cannot start
PR_SET_PDEATHSIG = 1  # prctl(2)
STOPS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)

QUIET_SECONDS = 60  # within which the daemon need not say the same again
MOST_KINDS = 1000  # of lines that are remembered for that
# What KCL's leader warns of at every start, until the workers have told how busy they are.
AT_FIRST = b"WARN  LeaseAssignmentManager - Not able to assign all expiredOrUnAssignedLeases"
FIRST_SECONDS = 120  # which is as long as a first start takes
LOOK_SECONDS = 0.5  # between looks whether the last child has ended
LEAVE_SECONDS = 10  # until the other hosts know that this one has stopped

EVENT = re.compile(rb"\S+ (INFO|WARN|ERROR) +(\S+) - (.*)")
CHILDS = re.compile(rb"\d{4}-\S+Z (\w+) +(.*)")  # line: see log.py
NUMBERS = re.compile(rb"[0-9a-f]{8}-[0-9a-f-]{27}|0x[0-9a-f]+|\d+")
ENDS = b"Process terminated, will initiate shutdown."  # KCL's MultiLangDaemon, when Java ends
CHILD_ENDED = re.compile(rb"Child process exited with value: (\d+)")


class Log:
    """What the daemon and its children say; it keeps what tells why they end.

    A line of a child is always passed on. Of the daemon's, one that was said within the last
    minute is counted instead; warnings and errors are the same if they differ only in numbers
    and in what caused them. An outage makes it say ten a second.
    """

    def __init__(self, mark: bytes, as_json: bool = False) -> None:
        self.mark = mark
        self.as_json = as_json
        self.is_ending = False
        self.fatal = b""
        self.error = b""
        self.error_at = 0.0
        self.child_code = 0
        self._rest = b""
        at_first = time.monotonic() + FIRST_SECONDS - QUIET_SECONDS
        # When each kind was passed on, how often not since.
        self._said: dict[bytes, tuple[float, int]] = {AT_FIRST: (at_first, 0)}

    def take(self, data: bytes) -> bytes:
        """Take what came through the pipe; return the whole lines that are to be passed on."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        passed = (one for line in lines for one in self._passed(line))
        return b"".join((as_object(line) if self.as_json else line) + b"\n" for line in passed)

    def rest(self) -> bytes:
        """Return what came last, if it was no whole line."""
        return self.take(b"\n") if self._rest else b""

    def forget(self) -> None:
        """Forget what failed until now: a stop is asked for, which failed only if more does."""
        self.fatal, self.child_code = b"", 0

    def _passed(self, line: bytes) -> list[bytes]:
        if not line.startswith(self.mark):
            if (fatal := fatal_of(line)) and not (self.is_ending and self.fatal):
                self.fatal = fatal
            return [line]
        line = line[len(self.mark) :]
        if not (event := EVENT.match(line)):
            return [line]
        level, _, message = event.groups()
        if level == b"ERROR":
            self.error = message.partition(b" | at ")[0]
            self.error_at = time.monotonic()
        if (ended := CHILD_ENDED.match(message)) and not (self.is_ending and self.child_code):
            self.child_code = int(ended[1]) or self.child_code
        self.is_ending = self.is_ending or message == ENDS
        same = line[event.start(1) :]
        return self._quietened(line, same if level == b"INFO" else kind_of(same))

    def _quietened(self, line: bytes, kind: bytes) -> list[bytes]:
        now = time.monotonic()
        when, more = self._said.get(kind, (-QUIET_SECONDS, 0))
        if now - when < QUIET_SECONDS:
            self._said[kind] = when, more + 1
            return []
        if len(self._said) >= MOST_KINDS:
            self._said.clear()
        self._said[kind] = now, 0
        return [line + b" (and %d more like it before)" % more if more else line]


def fatal_of(line: bytes) -> bytes:
    """Return what a child says that ends it, and which one it is; nothing of another line."""
    if found := CHILDS.match(line):
        return found[2].replace(b" - ", b": ", 1) if found[1] == b"FATAL" else b""
    if line.startswith(b"{") and b'"level":"FATAL"' in line:
        import json  # noqa: PLC0415 - a megabyte that is mostly not needed

        try:
            told = json.loads(line)
            who = " ".join(told[name] for name in ("application", "shard") if name in told)
            return f"{who}: {told['message']}".encode()
        except (ValueError, KeyError, TypeError):
            return b""  # somebody else's, or cut short
    return b""


def as_object(line: bytes) -> bytes:
    """Return a line as an object of JSON; a child's is one already, unless it has just begun."""
    import json  # noqa: PLC0415 - a megabyte that is mostly not needed

    if line.startswith(b"{") and line.endswith(b"}"):
        return line
    told = {"time": now(), "level": "INFO", "message": line.decode(errors="replace")}
    if found := EVENT.match(line):
        level, logger, message = (part.decode(errors="replace") for part in found.groups())
        told.update(time=line.split(b" ", 1)[0].decode(), level=level, logger=logger)
        told["message"] = message
    elif found := CHILDS.match(line):
        level, message = (part.decode(errors="replace") for part in found.groups())
        told.update(time=line.split(b" ", 1)[0].decode(), level=level, message=message)
    return json.dumps(told, separators=(",", ":")).encode()


def now() -> str:
    """Return the time as the lines of the log have it."""
    seconds = time.time()
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{seconds % 1 * 1000:03.0f}Z"


def kind_of(event: bytes) -> bytes:
    """Return what warnings of one kind have in common: not numbers, nor what stands behind them."""
    return NUMBERS.sub(b"#", event.partition(b" | ")[0])


class Daemon:
    """Java, and what became of it."""

    def __init__(self, log: Log, properties: str, command: list[str]) -> None:
        self.log = log
        self.properties = properties
        self.leaving: subprocess.Popen[bytes] | None = None
        self.stop_signal = 0
        # A signal that comes before there is a Java to hand it to, waits.
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
        ours = os.getpid()
        self.pipe, end = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            become(command, end, ours)
        os.close(end)
        for number in STOPS:
            if signal.getsignal(number) != signal.SIG_IGN:  # as nohup wants it
                signal.signal(number, self._stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)

    def run(self) -> int:
        """Pass its lines on until it ends; return its exit code, or less than 0 for a signal."""
        while True:
            hurries = self.log.is_ending and not self.stop_signal
            ready, _, _ = select.select([self.pipe], [], [], LOOK_SECONDS if hurries else None)
            if ready:
                data = os.read(self.pipe, 65536)
                pass_on(self.log.take(data) if data else self.log.rest())
                if not data:
                    break
            # It ends by itself as a child has. It lets the others flush, and then goes on waiting
            # for that one, whose thread waits for it, until shutdownGraceMillis are over.
            elif hurries and not has_children(self.pid):
                os.kill(self.pid, signal.SIGKILL)
        for number in STOPS:
            signal.signal(number, signal.SIG_IGN)
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        if self.leaving:
            has_left(self.leaving)
        return code

    def _stop(self, number: int, _frame: object) -> None:
        is_first, self.stop_signal = not self.stop_signal, number
        os.kill(self.pid, signal.SIGTERM)
        if is_first:
            self.log.forget()
            self.leaving = leave(self.properties) if self.properties else None


def leave(properties: str) -> subprocess.Popen[bytes]:
    """Begin to tell the other hosts that this one stops."""
    import subprocess  # noqa: PLC0415 - half a megabyte that is needed last of all

    command = [sys.executable, "-m", "record_processors.kcl.leaving", properties]
    return subprocess.Popen(command, stdin=subprocess.PIPE)


def has_left(leaving: subprocess.Popen[bytes]) -> None:
    """Tell them that it has, and wait until they know."""
    import subprocess  # noqa: PLC0415

    with suppress(subprocess.TimeoutExpired):
        leaving.communicate(timeout=LEAVE_SECONDS)


def become(command: list[str], end: int, parent: int) -> None:
    """Become Java, in the process that was forked for it. It dies when ``parent`` does."""
    try:
        for number in STOPS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
        os.dup2(end, 2)
        import ctypes  # noqa: PLC0415 - a megabyte that the parent need not have

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == parent:
            os.execv(command[0], command)  # noqa: S606 - that is the aim
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(NOT_STARTED)


def has_children(pid: int) -> bool:
    """Whether a process has children that have not ended: proc_pid_stat(5)."""
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with suppress(OSError), open(f"{entry.path}/stat", "rb") as file:  # noqa: PTH123
                state, parent = file.read().rpartition(b") ")[2].split()[:2]
                if int(parent) == pid and state != b"Z":
                    return True
    return False


def pass_on(data: bytes) -> None:
    """Write to standard error, and go on if nobody reads it: the records matter more."""
    with suppress(OSError):
        while data:
            data = data[os.write(2, data) :]


def reason(code: int, stop_signal: int, log: Log) -> tuple[int, str]:
    """Return the exit code of `run`, and the sentence that says why it ends."""
    if code == OUT_OF_MEMORY:
        return EXIT_FAILED, (
            "Java ran out of memory: lower maxLeasesForWorker or maxRecords, or give it more "
            "(-Xmx in JAVA_TOOL_OPTIONS)"
        )
    if log.fatal or log.child_code:
        said = log.fatal.decode(errors="replace")
        killed = f", by signal {log.child_code - 128}" if log.child_code > 128 else ""
        return (
            EXIT_USAGE if log.child_code == EXIT_USAGE else EXIT_FAILED,
            said or f"a shard's child ended without a word, with code {log.child_code}{killed}",
        )
    if stop_signal:
        return EXIT_OK, f"stopped by {signal.Signals(stop_signal).name}"
    if code == NOT_STARTED:
        return EXIT_USAGE, "Java does not start"
    if log.is_ending:  # by itself, and we may have cut its waiting short
        how = "ended its work"
    else:
        how = (
            f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        )
    is_news = time.monotonic() - log.error_at < QUIET_SECONDS
    error = log.error.decode(errors="replace") if is_news else ""
    return EXIT_FAILED, f"the daemon {how}, which nobody asked for{error and f'; it said: {error}'}"


def last_line(code: int, sentence: str, *, as_json: bool) -> bytes:
    """Return what is said last of all."""
    if not as_json:
        return f"kinesis-connectors: {sentence}\n".encode()
    import json  # noqa: PLC0415 - a megabyte that is mostly not needed

    level = "ERROR" if code else "INFO"
    told = {"time": now(), "level": level, "event": "daemon-ended", "code": code}
    return json.dumps({**told, "message": sentence}, separators=(",", ":")).encode() + b"\n"


def main(log_format: str, mark: str, properties: str, *command: str) -> int:
    """Start Java and stay until it has ended; return the exit code."""
    log = Log(mark.encode(), log_format == "json")
    daemon = Daemon(log, properties, list(command))
    code, sentence = reason(daemon.run(), daemon.stop_signal, log)
    pass_on(last_line(code, sentence, as_json=log.as_json))
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
