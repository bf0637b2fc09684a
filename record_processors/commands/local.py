"""``local``: stand-ins for AWS on this machine."""

from __future__ import annotations

import argparse
from pathlib import Path

from ..errors import EXIT_FAILED, EXIT_USAGE
from .command import complain, missing

HELP = "run stand-ins for Kinesis, DynamoDB, S3 and Redshift on this machine"
MORE = "Runs until Ctrl-C, and prints the environment and the properties that lead to them."
EXAMPLE = "kinesis-connectors local --directory .local"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the directory."""
    parser.add_argument(
        "--directory",
        metavar="DIRECTORY",
        default=".local",
        help="where their logs and data go (default: .local)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the stand-ins in the foreground."""
    try:
        from ..local.children import ChildError  # noqa: PLC0415
        from ..local.stack import foreground  # noqa: PLC0415
    except ImportError as error:
        return complain(missing(error, "local"), EXIT_USAGE)
    try:
        return foreground(Path(arguments.directory))
    except ChildError as error:
        return complain(error, EXIT_FAILED)
    except OSError as error:  # of the directory
        return complain(error, EXIT_USAGE)
