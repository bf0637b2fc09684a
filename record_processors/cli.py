"""The commands of ``kinesis-connectors``."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from .arguments import parser
from .errors import (
    EXIT_FAILED,
    EXIT_FOUND,
    EXIT_OK,
    EXIT_USAGE,
    ConnectorError,
    LaunchError,
)

# Each command imports what it needs: `process` starts once per shard.


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    arguments = parser().parse_args(argv)
    try:
        return COMMANDS[arguments.command](arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read our output has gone, and so must what is still in it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED


def run(arguments: argparse.Namespace) -> int:
    """Validate, then exec java."""
    from . import launch  # noqa: PLC0415
    from .properties import SettingsError, load  # noqa: PLC0415

    try:
        launch.run(load(arguments.properties))
    except (SettingsError, LaunchError, OSError) as error:  # the last of a folder, or of java
        return _complain(error, EXIT_USAGE)


def process(arguments: argparse.Namespace) -> int:
    """Speak the daemon's protocol."""
    from .child import process as run_child  # noqa: PLC0415

    return run_child(arguments.properties)


def check(arguments: argparse.Namespace) -> int:
    """Print every problem of the file and, if asked, of what it points to."""
    from .properties import SettingsError, load  # noqa: PLC0415
    from .rules import notes  # noqa: PLC0415

    try:
        settings = load(arguments.properties)
    except SettingsError as error:
        return _complain(error, EXIT_USAGE)
    print(f"{arguments.properties}: fine", flush=True)
    for sentence in notes(settings):
        print(f"note  {sentence}", flush=True)
    if not arguments.connect:
        return EXIT_OK

    from .connect import findings  # noqa: PLC0415

    code = EXIT_OK
    for kind, sentence in findings(settings):
        if kind == "problem":
            code = _complain(f"{arguments.properties}: {sentence}", EXIT_USAGE)
        else:
            print(f"{kind:<5} {sentence}", flush=True)
    return code


def create(arguments: argparse.Namespace) -> int:
    """Make what is missing, with a line for each."""
    from . import create as creation  # noqa: PLC0415
    from .properties import SettingsError, load  # noqa: PLC0415

    try:
        settings = load(arguments.properties)
        table = creation.read_table(settings, arguments.table) if arguments.table else None
        for thing in creation.create(settings, table, dry=arguments.dry_run):
            print(thing, flush=True)
    except (SettingsError, creation.TableError) as error:
        return _complain(error, EXIT_USAGE)
    except ConnectorError as error:
        return _complain(error, EXIT_FAILED)
    return EXIT_OK


def iam_policy(arguments: argparse.Namespace) -> int:
    """Print the policy as JSON."""
    import json  # noqa: PLC0415

    from .iam_policy import policy  # noqa: PLC0415
    from .properties import SettingsError, load  # noqa: PLC0415

    try:
        settings = load(arguments.properties)
    except SettingsError as error:
        return _complain(error, EXIT_USAGE)
    print(json.dumps(policy(settings, arguments.account, create=arguments.create), indent=2))
    return EXIT_OK


def put(arguments: argparse.Namespace) -> int:
    """Put lines, with progress on stderr."""
    from .aws import client  # noqa: PLC0415
    from .progress import Progress  # noqa: PLC0415
    from .put import put_lines  # noqa: PLC0415
    from .retry import Retry  # noqa: PLC0415
    from .settings import BACKOFF_INTERVAL, RETRY_LIMIT, Settings  # noqa: PLC0415

    logging.basicConfig(format="%(message)s")
    defaults = Settings("", {})
    try:
        _insist_on_readable(arguments.files)
        progress = Progress("put", "records", _count_lines(arguments.files), sys.stderr)
        kinesis = client("kinesis", defaults)
    except OSError as error:
        return _complain(f"{error.filename}: {error.strerror}", EXIT_USAGE)
    except ConnectorError as error:
        return _complain(error, EXIT_FAILED)
    try:
        summary = put_lines(
            kinesis,
            arguments.stream,
            _lines(arguments.files),
            Retry(defaults[RETRY_LIMIT], defaults[BACKOFF_INTERVAL]),
            progress,
        )
    except ConnectorError as error:
        return _complain(f"{error}; put before: {progress.done:,} records", EXIT_FAILED)
    except KeyboardInterrupt:
        progress.finish(progress.done)
        raise
    progress.finish(summary.put)
    if summary.empty:
        print(f"empty lines left out: {summary.empty:,}", file=sys.stderr)
    return EXIT_FOUND if summary.too_long else EXIT_OK


def local(arguments: argparse.Namespace) -> int:
    """Run the stand-ins in the foreground."""
    try:
        from .local.children import ChildError  # noqa: PLC0415
        from .local.stack import foreground  # noqa: PLC0415
    except ImportError as error:
        return _complain_of_missing(error, "local")
    try:
        return foreground(Path(arguments.directory))
    except ChildError as error:
        return _complain(error, EXIT_FAILED)
    except OSError as error:  # of the directory
        return _complain(error, EXIT_USAGE)


def completion(arguments: argparse.Namespace) -> int:
    """Print a shell's completion script."""
    try:
        from .completion import script  # noqa: PLC0415
    except ImportError as error:
        return _complain_of_missing(error, "completion")
    print(script(parser(), arguments.shell))
    return EXIT_OK


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    each.__name__.replace("_", "-"): each
    for each in (run, process, check, create, iam_policy, put, local, completion)
}


def _insist_on_readable(files: Sequence[str]) -> None:
    """Find the one that cannot be read before records of the others are put. Raises OSError."""
    for name in files:
        if not Path(name).is_fifo():  # which can be opened but once
            Path(name).open("rb").close()


def _lines(files: Sequence[str]) -> Iterator[bytes]:
    for name in files:
        with Path(name).open("rb") as file:
            yield from file
    if not files:
        yield from sys.stdin.buffer


def _count_lines(files: Sequence[str]) -> int | None:
    """Count beforehand what regular files hold; of a pipe nobody knows."""
    from .transformers.text import without_line_break  # noqa: PLC0415

    if not files or not all(Path(name).is_file() for name in files):
        return None
    return sum(1 for line in _lines(files) if without_line_break(line))


def _complain_of_missing(error: ImportError, extra: str) -> int:
    missing = f"{error.name} is not installed; pip install 'kinesis-connectors[{extra}]'"
    return _complain(missing, EXIT_USAGE)


def _complain(error: object, code: int) -> int:
    print(f"kinesis-connectors: {error}", file=sys.stderr)
    return code
