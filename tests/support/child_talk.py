"""The MultiLangDaemon's end of the pipes to one real child: what is said, heard and answered."""

import base64
import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from record_processors.flow.record import Position
from support.paths import REPOSITORY

# Longer than a child is silent that does not hang: the rig freezes one for 25 s at most, four times
# between two of its words when all incidents of a round are that; a start takes 8 s, if it is busy.
SECONDS = 120
OWNING = {"processRecords", "shardEnded", "shutdownRequested"}  # calls that may checkpoint


class Talk:
    """One life of the child, and what it says."""

    def __init__(self, properties, log, environment, parent=()):
        self.acknowledged = Position(0)
        self.largest = Position(0)
        self.log = log
        self._action = ""
        child = [sys.executable, "-m", "record_processors", "process", str(properties)]
        with log.open("wb") as errors:
            self.process = subprocess.Popen(
                [*parent, *child],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=Path(properties).parent,
                env=environment,
            )
        self._lines = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with self.process.stdout as stdout:
            for line in stdout:
                if line.strip():
                    self._lines.put(line.decode(errors="replace").strip())
        self._lines.put(None)

    # What the daemon sends.

    def call(self, action, **fields):
        self.send(action, **fields)
        return self.listen()

    def send(self, action, **fields):
        self._action = action
        self.send_line(json.dumps({"action": action, **fields}, ensure_ascii=False))

    def send_line(self, line):
        with suppress(BrokenPipeError):  # what the child says, and its exit code, will tell
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()

    # What the child says.

    def listen(self):
        """Answer checkpoints; return all that is said up to a status, or to the child's end."""
        said = []
        while (heard := self.hear()) is not None:
            said.append(heard)
            if heard[0] == "checkpoint":
                self.answer(heard)
            else:
                break
        return said

    def hear(self):
        """Return the next thing that the child says; None: it will say nothing any more."""
        try:
            line = self._lines.get(timeout=SECONDS)
        except queue.Empty:
            raise AssertionError(f"nothing heard of the child\n{self.told()}") from None
        if line is None:
            self._lines.put(None)
            return None
        return _understood(line)

    def answer(self, heard):
        """Answer a checkpoint as KCL does."""
        error = self.verdict(heard)
        if not error:
            self.acknowledge(heard)
        self.reply(heard, error)

    def reply(self, heard, error):
        _, sequence, sub_sequence = heard
        answer = {
            "action": "checkpoint",
            "sequenceNumber": sequence,
            "subSequenceNumber": sub_sequence,
            "error": error,
        }
        self.send_line(json.dumps(answer))

    def verdict(self, heard):
        """Say what the KCL has against a checkpoint; None: nothing."""
        if self._action not in OWNING:
            return "InvalidStateException"
        if self.acknowledged <= self.position(heard) <= self.largest:
            return None
        return "IllegalArgumentException"

    def acknowledge(self, heard):
        self.acknowledged = self.position(heard)

    def position(self, heard):
        _, sequence, sub_sequence = heard
        return self.largest if sequence is None else Position(int(sequence), sub_sequence or 0)

    def told(self):
        """Return what the child wrote to stderr."""
        return self.log.read_text(errors="replace")

    # Its end.

    def end(self):
        """Close the child's input; return its exit code."""
        self.hang_up()
        assert self.hear() is None, "the child said something after its end"
        return self.code()

    def hang_up(self):
        with suppress(BrokenPipeError):
            self.process.stdin.close()

    def code(self):
        try:
            return self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the child does not end\n{self.told()}") from None

    def kill(self):
        self.process.kill()
        self.process.wait(SECONDS)
        self.hang_up()


def record_message(data, sequence, sub_sequence=0, key="", arrival=0):
    """Return a record as it stands in the daemon's message."""
    return {
        "action": "record",
        "data": base64.b64encode(data).decode(),
        "partitionKey": key,
        "sequenceNumber": str(sequence),
        "subSequenceNumber": sub_sequence,
        "approximateArrivalTimestamp": arrival,
    }


def environment_of_child(package=None):
    """Return this process' environment, with the package to run and no way into a cloud."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **inherited,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
        "PYTHONPATH": str(package or REPOSITORY),
    }


def _understood(line):
    try:
        message = json.loads(line)
        if message["action"] == "checkpoint":
            return ("checkpoint", message["sequenceNumber"], message["subSequenceNumber"])
        return (message["action"], message["responseFor"])
    except (ValueError, LookupError, TypeError):
        return ("noise", line)
