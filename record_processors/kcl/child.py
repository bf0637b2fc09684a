"""The process that the daemon starts for each shard: stdin and stdout are the protocol's."""

from __future__ import annotations

import gc
import io
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TextIO

from ..errors import EXIT_OK, EXIT_USAGE
from .line_reader import LineReader
from .log import log_as, log_to_stderr

log = logging.getLogger(__name__)


def take_the_protocol() -> tuple[LineReader, TextIO]:
    """Move the daemon's pipes out of everybody's reach; return (input, output).

    From here on whatever prints, be it Python or a C library, prints to stderr, which the daemon
    logs, and whatever reads stdin reads nothing.
    """
    source, sink = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return LineReader(io.FileIO(source)), os.fdopen(sink, "w", encoding="utf-8")


def outlive_signals() -> None:
    """Leave the end to the daemon.

    Ctrl-C, systemd's stop and a terminal that hangs up reach the whole process group; a child that
    dies of them dies before the daemon can ask it to flush. It ends when its input does.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def process(path: str) -> int:
    """Run the pipeline of the ``.properties`` file on one shard, until the daemon ends it."""
    gc.disable()  # while much is made and nothing thrown away: an eighth of the start
    protocol_input, protocol_output = take_the_protocol()
    outlive_signals()
    log_to_stderr(Path(path).stem)

    # Imported only now: what an import prints must not reach the protocol.
    from ..config.keys import APPLICATION_NAME, LOG_FORMAT  # noqa: PLC0415
    from ..config.properties import SettingsError, load  # noqa: PLC0415
    from ..flow import heartbeat  # noqa: PLC0415
    from ..flow.retry import Retry  # noqa: PLC0415
    from .assembly import assemble  # noqa: PLC0415
    from .processor import RecordProcessor, crash_boundary, serve  # noqa: PLC0415
    from .reporting import Reporting  # noqa: PLC0415

    try:
        settings = load(path)
    except SettingsError as error:
        for problem in error.problems:
            log.critical("%s", problem)
        return EXIT_USAGE
    threading.current_thread().name = settings[APPLICATION_NAME]
    log_as(settings[LOG_FORMAT])
    Retry.daemon = os.getppid()
    with crash_boundary("start"):
        pipeline = assemble(settings)
        reporting = Reporting(settings)
        processor = RecordProcessor(pipeline, Retry.from_settings(settings, "kcl"), reporting)
    gc.freeze()  # what is there now stays: the collector need not look at it again and again
    gc.enable()
    try:
        serve(processor, protocol_input, protocol_output)
        with crash_boundary("end"):
            pipeline.close()
        reporting.leave_the_shard()  # after a crash the file stays, and tells of it
    finally:
        heartbeat.end()
    return EXIT_OK
