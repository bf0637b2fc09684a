"""The KCL's calls, carried to a pipeline. Here is the crash boundary."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from amazon_kclpy import kcl, messages
from amazon_kclpy.checkpoint_error import CheckpointError
from amazon_kclpy.v3 import processor as v3

from ..errors import EXIT_FAILED, ConnectorError, Fatal, LeaseLost, Unavailable
from ..events import ENDED, FLUSHED, LEASE_LOST, SHARD_BEGINS, SHARD_ENDED
from ..flow import heartbeat
from ..flow.metrics import MILLIS_BEHIND_LATEST
from ..flow.pipeline import Pipeline
from ..flow.record import Position
from ..flow.retry import Retry
from .line_reader import LineReader
from .protocol import ProcessRecords, load_action
from .reporting import Reporting

log = logging.getLogger(__name__)

# What CheckpointError.value holds are the simple names of KCL's exceptions. Of these a checkpoint
# is tried again; ShutdownException means that the lease is lost; any other ends the process.
TRANSIENT_CHECKPOINTS = frozenset({"ThrottlingException", "KinesisClientLibDependencyException"})
LEASE_IS_ANOTHERS = "ShutdownException"


class RecordProcessor(v3.RecordProcessorBase):  # type: ignore[misc]
    """Runs a pipeline on one shard, as ``amazon_kclpy.kcl.KCLProcess`` calls it.

    ``amazon_kclpy`` takes an exception that leaves a processor for a success. None leaves this
    one: whatever it is, the process ends with exit code 70 before it answers, and the daemon
    starts again from the last checkpoint.
    """

    def __init__(
        self, pipeline: Pipeline[Any], retry: Retry, reporting: Reporting | None = None
    ) -> None:
        self.pipeline = pipeline
        self.retry = retry
        self.reporting = reporting
        self.lease_is_lost = False

    def initialize(self, initialize_input: messages.InitializeInput) -> None:
        """Begin with the shard. The first call."""
        with crash_boundary("initialize"):
            shard = initialize_input.shard_id
            # The thread's name is what the log calls this process: application and shard.
            threading.current_thread().name += f" {shard}"
            if self.reporting is not None:
                self.reporting.start(shard)
            self.pipeline.since = _beginning(initialize_input)
            self.pipeline.start(shard)
            position = initialize_input.sequence_number
            log.info("begins after %s", position, extra=SHARD_BEGINS.of(position=position))

    def process_records(self, process_records_input: ProcessRecords) -> None:
        """Take records, perhaps none: the time threshold is looked at all the same."""
        with self._owning("process_records"):
            if self.lease_is_lost:
                return
            checkpoint = self._checkpoint(process_records_input.checkpointer)
            with _behind(process_records_input.millis_behind_latest):
                self.pipeline.process(process_records_input.delivered, checkpoint)

    def lease_lost(self, lease_lost_input: messages.LeaseLostInput) -> None:
        """Write nothing more: another process owns the shard and reads from the checkpoint on."""
        del lease_lost_input
        self._fall_silent("the lease is given up")

    def shard_ended(self, shard_ended_input: messages.ShardEndedInput) -> None:
        """Flush, then checkpoint the end of the shard, so that its children may begin.

        If it cannot flush, it must not answer: the KCL would never call this shard again.
        """
        with self._owning("shard_ended"):
            if self.lease_is_lost:
                return
            checkpointer = shard_ended_input.checkpointer
            self.pipeline.finish(self._checkpoint(checkpointer))
            self._tell("the end of the shard", checkpointer.checkpoint)
            said = "the shard has ended, and everything of it is delivered"
            log.info(said, extra=SHARD_ENDED.of())

    def shutdown_requested(self, shutdown_requested_input: messages.ShutdownRequestedInput) -> None:
        """Flush and checkpoint while the lease is still ours."""
        with self._owning("shutdown_requested"):
            if self.lease_is_lost:
                return
            self.pipeline.flush(self._checkpoint(shutdown_requested_input.checkpointer))
            log.info("flushed for the shutdown", extra=FLUSHED.of())

    @contextmanager
    def _owning(self, action: str) -> Iterator[None]:
        with crash_boundary(action):
            try:
                yield
            except LeaseLost as error:
                self._fall_silent(str(error))
            heartbeat.beat()

    def _fall_silent(self, why: str) -> None:
        if not self.lease_is_lost:
            log.info("nothing more is written: %s", why, extra=LEASE_LOST.of(why=why))
            if self.reporting is not None:
                self.reporting.leave_the_shard()
        self.lease_is_lost = True

    def _checkpoint(self, checkpointer: kcl.Checkpointer) -> Callable[[Position], None]:
        def checkpoint(position: Position) -> None:
            sequence, sub_sequence = position
            self._tell(str(position), lambda: checkpointer.checkpoint(str(sequence), sub_sequence))

        return checkpoint

    def _tell(self, where: str, action: Callable[[], None]) -> None:
        """Checkpoint; raises LeaseLost or Fatal, after retries."""

        def tell() -> None:
            try:
                action()
            except CheckpointError as error:
                raise _classify(error, where) from error

        self.retry(f"checkpoint at {where}", tell)
        log.debug("checkpoint at %s", where)


@contextmanager
def _behind(said: int | None) -> Iterator[None]:
    """Tell how far behind the shard is: what KCL said with a call, and how long that lasts by now.

    KCL says no more meanwhile; in an outage, a call lasts as long as that.
    """
    if said is not None:
        began = time.monotonic()
        MILLIS_BEHIND_LATEST.read = lambda: said + (time.monotonic() - began) * 1000
    try:
        yield
    finally:
        MILLIS_BEHIND_LATEST.set(said)


def _beginning(said: messages.InitializeInput) -> str | None:
    """Return the checkpoint after which the shard is read: a position, or a word of KCL's."""
    sequence: str | None = said.sequence_number
    if sequence is None or not sequence.isdigit():
        return sequence
    return str(Position(int(sequence), said.sub_sequence_number or 0))


def _classify(error: CheckpointError, where: str) -> Exception:
    name = str(error.value)
    if name == LEASE_IS_ANOTHERS:
        return LeaseLost(f"the checkpoint at {where} was refused with {name}")
    if name in TRANSIENT_CHECKPOINTS:
        return Unavailable(f"{name} (of KCL's lease table, in DynamoDB)")
    return Fatal(f"the checkpoint at {where} was refused with {name}")


def serve(processor: v3.RecordProcessorBase, source: LineReader, sink: TextIO) -> None:
    """Read the daemon's messages from ``source`` and answer on ``sink`` until the input ends."""
    with crash_boundary("the daemon's messages"):
        loop = kcl.KCLProcess(processor, source, sink, sys.stderr)
        loop.io_handler.load_action = load_action
        loop.run()


@contextmanager
def crash_boundary(action: str) -> Iterator[None]:
    """End the process with exit code 70 on anything that gets here. The only broad ``except``."""
    try:
        yield
    except SystemExit as error:
        if error.code != EXIT_FAILED:  # somebody's sys.exit(0) must not look like an orderly end
            log.critical("%s: ended by sys.exit(%s)", action, error.code, extra=ENDED.of())
        raise SystemExit(EXIT_FAILED) from error
    except ConnectorError as error:
        log.critical("%s: %s", action, error, extra=ENDED.of())
        raise SystemExit(EXIT_FAILED) from error
    except Exception as error:
        said = "an error of the program itself"
        log.critical("%s: %s", action, said, exc_info=True, extra=ENDED.of())
        raise SystemExit(EXIT_FAILED) from error
