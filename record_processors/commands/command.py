"""What a module of a command is, and what several of them do alike."""

from __future__ import annotations

import argparse
import sys
from typing import Protocol


class Command(Protocol):
    """One module of this room."""

    HELP: str
    """What it does, in a line."""

    MORE: str
    """More sentences for its own help."""

    EXAMPLE: str
    """A call of it."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Say what may stand behind its name."""

    def run(self, arguments: argparse.Namespace) -> int:
        """Do it; return the exit code."""


class Formatter(argparse.HelpFormatter):
    """Leaves examples and lists as they stand, and room for the names of the commands."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = 20  # else the longest ones have a line of their own

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


def add_properties(parser: argparse.ArgumentParser) -> None:
    """Let the command take a pipeline's file."""
    parser.add_argument("properties", metavar="PROPERTIES", help="the pipeline's .properties file")


def add_pipelines(parser: argparse.ArgumentParser) -> None:
    """Let the command take the files of one pipeline or more."""
    parser.add_argument(
        "properties", metavar="PROPERTIES", nargs="+", help="the pipelines' .properties files"
    )


def count(value: str) -> int:
    """Read an argument that is a whole number, 1 or more."""
    if not value.isdecimal() or not int(value):
        raise argparse.ArgumentTypeError(f"{value}: not a number, 1 or more")
    return int(value)


def complain(error: object, code: int) -> int:
    """Say what went wrong; return the exit code."""
    print(f"kinesis-connectors: {error}", file=sys.stderr)
    return code
