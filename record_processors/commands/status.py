"""``status``: how pipelines are, shard by shard, and whether anything needs a person."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import EXIT_FOUND, EXIT_OK, EXIT_USAGE
from .command import add_pipelines, complain

if TYPE_CHECKING:
    from ..config.setting import Settings
    from ..ops.status import Status

HELP = "say who reads each shard, how far behind, and whether anything needs a person"
MORE = (
    "It only reads: leases, a record or two of each shard, the names of files and of dead letters, "
    "the ledger; and waits for nobody's lock. Exit code 1 if a shard is too far behind or has no "
    "owner, records are lost, or there are new dead letters: each with a line that says why. A "
    "shard that is only too busy to be looked at is told, and is no reason."
)
EXAMPLE = "kinesis-connectors status properties/*.properties --behind 5m --watch"

BEHIND, SECONDS = "10m", 5  # the defaults
# Cursor to the corner, and away with what is behind it: ECMA-48's CUP and ED.
AGAIN, REST = "\x1b[H", "\x1b[J"
END_OF_LINE = "\x1b[K\n"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take files, what is too far behind, and how to print."""
    add_pipelines(parser)
    parser.add_argument(
        "--behind",
        metavar="DURATION",
        type=_duration,
        default=BEHIND,
        help=f"a shard that is further behind needs a person: 90s, 10m, 1h (default: {BEHIND})",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--watch",
        metavar="SECONDS",
        nargs="?",
        type=_seconds,
        const=SECONDS,
        help=f"look again and again, until Ctrl-C (default: once; every {SECONDS} s)",
    )


def _duration(value: str) -> int:
    from ..config.types import duration  # noqa: PLC0415

    try:
        return duration(value)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{value}: {error}") from error


def _seconds(value: str) -> float:
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0
    if not 1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"{value}: not a number of seconds, 1 or more")
    return seconds


def run(arguments: argparse.Namespace) -> int:
    """Look once, or until Ctrl-C; 1 if anything needs a person."""
    from ..config.properties import SettingsError, load  # noqa: PLC0415
    from ..kcl.look import no_credentials  # noqa: PLC0415

    try:
        each = [load(path) for path in arguments.properties]
    except SettingsError as error:
        return complain(error, EXIT_USAGE)
    if problem := no_credentials():
        return complain(problem.sentence, EXIT_USAGE)
    with _silence():
        return _look(each, arguments)


def _look(each: Sequence[Settings], arguments: argparse.Namespace) -> int:
    import time  # noqa: PLC0415

    from ..ops.look import look  # noqa: PLC0415
    from ..ops.watch import Watch  # noqa: PLC0415

    watch = Watch(each)
    while True:
        status = look(each, arguments.behind)
        watch.compare(status)
        _print(status, arguments)
        if arguments.watch is None:
            return EXIT_FOUND if status.needs_a_person else EXIT_OK
        time.sleep(arguments.watch)


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the log, which tells of each try, out of the page."""
    import logging  # noqa: PLC0415

    log = logging.getLogger("record_processors")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(level)


def _print(status: Status, arguments: argparse.Namespace) -> None:
    import shutil  # noqa: PLC0415

    import msgspec  # noqa: PLC0415

    from ..ops.page import fitting, page  # noqa: PLC0415

    if arguments.json:
        print(msgspec.json.encode(status).decode(), flush=True)
    elif arguments.watch is not None and sys.stdout.isatty():
        # In place, line by line, so that nothing flickers.
        lines = fitting(status, shutil.get_terminal_size().lines - 1)
        sys.stdout.write(AGAIN + "".join(line + END_OF_LINE for line in lines) + REST)
        sys.stdout.flush()
    else:
        print(page(status), flush=True)
        if arguments.watch is not None:
            print(flush=True)
