"""Processes that do one effect at a time, in an order that a test decides.

A process is a greenlet that runs the program itself: the loop of ``amazon_kclpy``, the processor,
the pipeline, emitters, ledger. It stops at each *effect* until the test says what becomes of it, so
that a crash at every step, two owners in any interleaving and every lost answer are a choice of the
test. Effects are the calls of S3, Kinesis and DynamoDB, the daemon's messages and its answers to
checkpoints, and of Redshift: connect, LOCK, SELECT, COPY, INSERT, COMMIT.

No effects, as they change nothing that others see, and follow one that may fail: what the child
says on its pipe, ROLLBACK and the end of a connection, the first statements of one, a look at the
error tables, ``pg_last_copy_count``. Not simulated: threads, requests at once, time under a lock,
rights that are withdrawn, errors of S3 that concern every file, objects under our keys that
somebody else wrote.
"""

from __future__ import annotations

import enum
import json
import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import greenlet

MESSAGE = "message"  # the effect of reading what the daemon says next


class Violation(BaseException):
    """What must never happen. No ``except`` of the program catches it."""


@contextmanager
def violations_told() -> Iterator[None]:
    """Hand a Violation on as what ends a test."""
    try:
        yield
    except Violation as violation:
        raise AssertionError(str(violation)) from violation


def demand(holds: bool, what: str) -> None:
    """Raise Violation unless it holds."""
    if not holds:
        raise Violation(what)


class Outcome(enum.Enum):
    """What becomes of an effect."""

    DONE = "done"
    REFUSED = "refused for a reason that passes"
    LOST = "the request is lost"
    UNANSWERED = "the request takes effect, its answer is lost"
    LATE = "no answer comes, and the request takes effect at some later time"


@dataclass
class Effect:
    """Something outside the process.

    ``apply`` does it and returns the answer, or raises the error that is the answer; ``refusal``
    makes the error of REFUSED, ``silence`` that of no answer at all.
    """

    name: str
    apply: Callable[[], object]
    refusal: Callable[[], Exception]
    silence: Callable[[], Exception]
    is_possible: Callable[[], bool] = lambda: True  # False: it has to wait for others


class Process(greenlet.greenlet):
    """One life of a child. ``effect`` is what it is about to do; None: it has ended."""

    def __init__(self, main: Callable[[Process], None], world: Any) -> None:
        super().__init__(self._run)
        self.main = main
        self.world = world  # whose ``late`` is what is on its way, also after its sender is gone
        self.code: object = 0
        self.log: list[str] = []
        self.killed = False
        self.is_silent = False  # as its shard is another's, and it knows: no effect is left to it
        self.is_excused = False  # if it gives up, as what failed was no passing failure
        self.on_death: list[Callable[[], object]] = []
        self.effect: Effect | None = None
        self._go()

    @property
    def is_stuck(self) -> bool:
        """Whether nothing can happen to it just now."""
        return self.effect is None or not self.effect.is_possible()

    def step(self, outcome: Outcome = Outcome.DONE) -> None:
        """Let the effect come out like that, and run on to the next one."""
        assert outcome is not Outcome.DONE or not self.is_stuck
        self._go(outcome)

    def kill(self) -> None:
        """End it as SIGKILL does: nothing of it has an effect any more."""
        self.killed = True
        self.effect = None
        self.throw(greenlet.GreenletExit)
        self._die()

    def _go(self, *outcome: Outcome) -> None:
        self.parent = greenlet.getcurrent()
        with violations_told():
            found = self.switch(*outcome)
        self.effect = found if isinstance(found, Effect) else None
        if self.effect is None:
            self._die()

    def _die(self) -> None:
        for action in self.on_death:
            action()

    def _run(self, *_: object) -> None:
        try:
            self.main(self)
        except SystemExit as error:
            self.code = error.code


def perform(effect: Effect) -> object:
    """Stop the running process until the test has decided; return or raise the answer."""
    process = greenlet.getcurrent()
    assert isinstance(process, Process)
    if process.killed:
        raise greenlet.GreenletExit
    is_due = effect.name == MESSAGE or not process.is_silent
    demand(is_due, f"{effect.name} after it heard that the shard is another's")
    outcome = process.parent.switch(effect)
    if outcome is Outcome.REFUSED:
        raise effect.refusal()
    if outcome is Outcome.LATE:
        process.world.late.append(effect.apply)
    if outcome in {Outcome.DONE, Outcome.UNANSWERED}:
        answer = effect.apply()
    if outcome is not Outcome.DONE:
        raise effect.silence()
    return answer


class Throttled(Exception):
    """The daemon could not reach its table."""


class Pipes:
    """The daemon's end of a child's stdin and stdout, as two text files in one."""

    def __init__(self, checkpoint: Callable[[int | None, int | None], str | None]) -> None:
        self.checkpoint = checkpoint  # returns the name of KCL's error, None if it is taken down
        self.lines: deque[bytes] = deque()
        self.action = ""  # the call that the child is at work on
        self.answered = ""  # the one before
        self.is_gone = False  # the daemon
        self._asked: tuple[int | None, int | None] | None = None

    @property
    def is_idle(self) -> bool:
        """Whether the child has answered all that it was sent."""
        return not self.lines and not self.action

    def send(self, action: str, **fields: object) -> None:
        """Call the child."""
        self.action = action
        self.lines.append(json.dumps({"action": action, **fields}).encode())

    def hang_up(self) -> None:
        """End the child's input."""
        self.lines.append(b"")

    # What amazon_kclpy uses of a file.

    def readline(self) -> bytes:
        """Give the daemon's next message; at a checkpoint, its answer."""
        if self.is_gone:
            return b""
        if self._asked is None:
            effect = Effect(MESSAGE, self.lines.popleft, OSError, OSError, lambda: bool(self.lines))
        else:
            effect = Effect("checkpoint", self._take_down, Throttled, OSError)
        try:
            return bytes(perform(effect))
        except Throttled:
            return self._answer("ThrottlingException")
        except OSError:  # perhaps after it took the checkpoint down
            self.is_gone = True
            return b""

    def write(self, text: str) -> None:
        """Hear what the child says."""
        for line in filter(None, text.splitlines()):
            said = json.loads(line)
            if said["action"] == "checkpoint":
                sequence, sub = said["sequenceNumber"], said["subSequenceNumber"]
                self._asked = (None if sequence is None else int(sequence), sub)
            else:
                assert said["responseFor"] == self.action
                self.answered, self.action = self.action, ""

    def flush(self) -> None:
        """Do nothing: all is heard at once."""

    def _take_down(self) -> bytes:
        assert self._asked is not None
        return self._answer(self.checkpoint(*self._asked))

    def _answer(self, error: str | None) -> bytes:
        assert self._asked is not None
        (sequence, sub), self._asked = self._asked, None
        answer = {"sequenceNumber": sequence, "subSequenceNumber": sub, "error": error}
        return json.dumps({"action": "checkpoint", **answer}).encode()


class LogOfProcess(logging.Handler):
    """Keeps what each process logs, to tell why it ended."""

    def emit(self, record: logging.LogRecord) -> None:
        """Add a line to the running process' log."""
        process = greenlet.getcurrent()
        if isinstance(process, Process):
            process.log.append(self.format(record))
