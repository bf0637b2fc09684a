"""The command line: finds the command, and turns what it could not do into an exit code."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn, cast

from ..errors import EXIT_FAILED
from .command import Command, Formatter, complain

# In the order of the help. Each is a module of this room.
NAMES = (
    *("init", "check", "create", "run", "process", "status", "audit", "letters", "redrive"),
    *("replay", "health", "iam-policy", "systemd", "cloudformation", "plan", "put", "local"),
    "completion",
)

# A command answers for the files that it reads and writes; these are of what it prints.
OF_THE_OUTPUT = {errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}

TOP = """\
exit codes:
  0        fine
  1        something is wrong with the data: a line too long to put, letters that are refused
           again; `status`, `health` or `audit` has found something that needs a person
  2        usage, settings, or what a person must mend in what they name; what `check` found
  70       a destination refuses us or stays down, or a bug; nothing is lost
  130,143  stopped by SIGINT (Ctrl-C), SIGTERM; `run`, which flushes first, ends with 0

kinesis-connectors COMMAND --help says more of each.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    words = sys.argv[1:] if argv is None else argv
    # `process` starts once per shard: it shall not pay for what the others say of themselves.
    names = [words[0]] if words and words[0] in NAMES else NAMES
    try:
        try:
            arguments = parser(names).parse_args(words)
            return command(arguments.command).run(arguments)
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        if error.errno not in OF_THE_OUTPUT:
            raise
        # What is still in it must go nowhere, or Python complains once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        is_told = isinstance(error, BrokenPipeError)  # whoever read it has gone
        return EXIT_FAILED if is_told else complain(f"the output: {error.strerror}", EXIT_FAILED)


def parser(names: Sequence[str] = NAMES) -> argparse.ArgumentParser:
    """Return the parser of some commands; ``command`` of what it reads is the command's name."""
    top = argparse.ArgumentParser(
        prog="kinesis-connectors",
        description="Carries Kinesis streams into S3, Redshift, DynamoDB, OpenSearch and other "
        "streams under the KCL MultiLangDaemon.",
        epilog=TOP,
        formatter_class=Formatter,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = top.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name in names:
        said = command(name)
        said.add_arguments(
            commands.add_parser(
                name,
                help=said.HELP,
                description=f"{said.HELP[0].upper()}{said.HELP[1:]}. {said.MORE}".strip(),
                epilog=f"example:\n  {said.EXAMPLE}",
                formatter_class=Formatter,
            )
        )
    return top


def command(name: str) -> Command:
    """Import the module of a command."""
    return cast("Command", import_module(f".{name.replace('-', '_')}", __package__))


class _Version(argparse.Action):
    """Prints the version, which takes 10 ms to find out: not at every start."""

    def __call__(self, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415

        print(version("kinesis-connectors"))
        raise SystemExit(0)
