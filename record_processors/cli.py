"""The commands of ``kinesis-connectors``."""

from __future__ import annotations

import argparse
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

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
        return int(arguments.command(arguments))
    except KeyboardInterrupt:
        return 130


class _Version(argparse.Action):
    """Prints the version, which takes 10 ms to find out: not at every start."""

    def __call__(self, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415

        print(version("kinesis-connectors"))
        raise SystemExit(EXIT_OK)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    top = argparse.ArgumentParser(
        prog="kinesis-connectors",
        description="Carries Kinesis streams into S3 and Redshift under the KCL MultiLangDaemon.",
    )
    top.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    for name, command, text in (
        ("run", run, "check the file, then become the daemon that runs its pipeline"),
        ("process", process, "the daemon's child for one shard; executableName names this"),
        ("check", check, "say everything that is wrong with the file"),
        ("create", create, "make the streams, the bucket and the ledger that the file names"),
    ):
        sub = commands.add_parser(name, help=text, description=text)
        sub.add_argument("properties", metavar="PROPERTIES", help="the pipeline's .properties file")
        sub.set_defaults(command=command)
    text = "print the IAM policy that the pipeline needs while it runs"
    sub = commands.add_parser("iam-policy", help=text, description=text)
    sub.add_argument("properties", metavar="PROPERTIES", help="the pipeline's .properties file")
    sub.add_argument("--account", default="*", type=_account, help="its 12 digits (default: *)")
    sub.add_argument("--create", action="store_true", help="print what `create` needs instead")
    sub.set_defaults(command=iam_policy)
    text = "put the lines of files, or of stdin, to a stream"
    sub = commands.add_parser("put", help=text, description=text)
    sub.add_argument("stream", metavar="STREAM")
    sub.add_argument("files", metavar="FILE", nargs="*")
    sub.set_defaults(command=put)
    text = "run stand-ins for Kinesis, DynamoDB, S3 and Redshift on this machine"
    sub = commands.add_parser("local", help=text, description=text)
    sub.add_argument(
        "--directory", default=".local", help="where their logs and data go (default: .local)"
    )
    sub.set_defaults(command=local)
    return top


def run(arguments: argparse.Namespace) -> int:
    """Validate, then exec java."""
    from . import launch  # noqa: PLC0415
    from .properties import SettingsError, load  # noqa: PLC0415

    try:
        launch.run(load(arguments.properties))
    except (SettingsError, LaunchError) as error:
        return _complain(error, EXIT_USAGE)


def process(arguments: argparse.Namespace) -> int:
    """Speak the daemon's protocol."""
    from .child import process as run_child  # noqa: PLC0415

    return run_child(arguments.properties)


def check(arguments: argparse.Namespace) -> int:
    """Print every problem of the file."""
    from .properties import SettingsError, load  # noqa: PLC0415

    try:
        load(arguments.properties)
    except SettingsError as error:
        return _complain(error, EXIT_USAGE)
    print(f"{arguments.properties}: fine")
    return EXIT_OK


def create(arguments: argparse.Namespace) -> int:
    """Make what is missing, with a line for each."""
    from . import create as creation  # noqa: PLC0415
    from .properties import SettingsError, load  # noqa: PLC0415

    try:
        for line in creation.create(load(arguments.properties)):
            print(line, flush=True)
    except SettingsError as error:
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
        progress = Progress("put", "records", _count_lines(arguments.files), sys.stderr)
        summary = put_lines(
            client("kinesis", defaults),
            arguments.stream,
            _lines(arguments.files),
            Retry(defaults[RETRY_LIMIT], defaults[BACKOFF_INTERVAL]),
            progress,
        )
    except OSError as error:
        return _complain(error, EXIT_USAGE)
    except ConnectorError as error:
        return _complain(error, EXIT_FAILED)
    progress.finish(summary.put)
    if summary.empty:
        print(f"empty lines left out: {summary.empty:,}", file=sys.stderr)
    return EXIT_FOUND if summary.too_long else EXIT_OK


def local(arguments: argparse.Namespace) -> int:
    """Run the stand-ins in the foreground."""
    try:
        from .local.stack import foreground  # noqa: PLC0415
    except ImportError as error:
        missing = f"{error.name} is not installed; pip install 'kinesis-connectors[local]'"
        return _complain(missing, EXIT_USAGE)

    return foreground(Path(arguments.directory))


def _account(value: str) -> str:
    if not re.fullmatch(r"[0-9]{12}|\*", value):
        raise argparse.ArgumentTypeError(f"{value}: not the 12 digits of an account")
    return value


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


def _complain(error: object, code: int) -> int:
    print(f"kinesis-connectors: {error}", file=sys.stderr)
    return code
