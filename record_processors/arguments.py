"""What may stand on the command line, and what is said of it."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

SHELLS = ("bash", "zsh", "fish")

TOP = """\
exit codes:
  0        fine
  1        something is wrong with the data: a line too long to put
  2        usage, or settings; what `check` found
  70       a destination refuses us or stays down, or a bug; nothing is lost
  130,143  stopped by SIGINT (Ctrl-C), SIGTERM

kinesis-connectors COMMAND --help says more of each.
"""


class _Version(argparse.Action):
    """Prints the version, which takes 10 ms to find out: not at every start."""

    def __call__(self, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415

        print(version("kinesis-connectors"))
        raise SystemExit(0)


def parser() -> argparse.ArgumentParser:
    """Return the parser of all commands; ``command`` of what it reads is the command's name."""
    top = argparse.ArgumentParser(
        prog="kinesis-connectors",
        description="Carries Kinesis streams into S3 and Redshift under the KCL MultiLangDaemon.",
        epilog=TOP,
        formatter_class=_Formatter,
    )
    top.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = top.add_subparsers(required=True, metavar="COMMAND", dest="command")
    _run(commands)
    _process(commands)
    _check(commands)
    _create(commands)
    _iam_policy(commands)
    _put(commands)
    _local(commands)
    _completion(commands)
    return top


def _run(commands: Commands) -> None:
    _of_a_file(
        _command(
            commands,
            "run",
            "check the file, then become the daemon that runs its pipeline",
            "kinesis-connectors run properties/s3_manifest.properties",
        )
    )


def _process(commands: Commands) -> None:
    _of_a_file(
        _command(
            commands,
            "process",
            "the daemon's child for one shard; executableName names this",
            "executableName = kinesis-connectors process properties/s3_manifest.properties",
        )
    )


def _check(commands: Commands) -> None:
    sub = _command(
        commands,
        "check",
        "say everything that is wrong with the file",
        "kinesis-connectors check properties/s3_manifest.properties --connect",
    )
    _of_a_file(sub)
    sub.add_argument(
        "--connect",
        action="store_true",
        help="also try what the file points to: streams, bucket, lease table, Redshift. Tiny "
        "objects are written and deleted, a COPY of nothing is rolled back (default: the file "
        "alone)",
    )


def _create(commands: Commands) -> None:
    sub = _command(
        commands,
        "create",
        "make what the file names and is not there: streams, bucket, ledger, table",
        "kinesis-connectors create properties/redshift_manifest.properties --table flights.sql",
        "Waits until streams are active; leaves alone what is there, so that it may be repeated. "
        "KCL makes its own tables in DynamoDB when a daemon starts for the first time.",
    )
    _of_a_file(sub)
    sub.add_argument(
        "--table",
        metavar="SQL",
        help="a file with the CREATE TABLE of redshiftDataTable, run if that is not there "
        "(default: the table is yours to make)",
    )
    sub.add_argument("--dry-run", action="store_true", help="say what would be made; make nothing")


def _iam_policy(commands: Commands) -> None:
    sub = _command(
        commands,
        "iam-policy",
        "print the IAM policy that the pipeline needs while it runs",
        "kinesis-connectors iam-policy properties/s3_manifest.properties --account 123456789012",
        "It is JSON, of the daemon and its children, and holds no more than they use.",
    )
    _of_a_file(sub)
    sub.add_argument(
        "--account", metavar="ACCOUNT", default="*", type=_account, help="12 digits (default: *)"
    )
    sub.add_argument("--create", action="store_true", help="print what `create` needs instead")


def _account(value: str) -> str:
    if not re.fullmatch(r"[0-9]{12}|\*", value):
        raise argparse.ArgumentTypeError(f"{value}: not the 12 digits of an account")
    return value


def _put(commands: Commands) -> None:
    sub = _command(
        commands,
        "put",
        "put the lines of files, or of stdin, to a stream",
        "kinesis-connectors put events flights.jsonl",
        "Each line is a record, without its line end; lines of more than 1 MiB are left out, and "
        "the exit code is 1 then. Region and endpoint come from AWS_REGION and AWS_ENDPOINT_URL.",
    )
    sub.add_argument("stream", metavar="STREAM", help="the stream's name")
    sub.add_argument("files", metavar="FILE", nargs="*", help="files of lines (default: stdin)")


def _local(commands: Commands) -> None:
    sub = _command(
        commands,
        "local",
        "run stand-ins for Kinesis, DynamoDB, S3 and Redshift on this machine",
        "kinesis-connectors local --directory .local",
        "Runs until Ctrl-C, and prints the environment and the properties that lead to them.",
    )
    sub.add_argument(
        "--directory",
        metavar="DIRECTORY",
        default=".local",
        help="where their logs and data go (default: .local)",
    )


def _completion(commands: Commands) -> None:
    sub = _command(
        commands,
        "completion",
        "print the completion script of a shell",
        "kinesis-connectors completion bash >~/.local/share/bash-completion/completions/"
        "kinesis-connectors\n"
        '  kinesis-connectors completion zsh >"${fpath[1]}/_kinesis-connectors"\n'
        "  kinesis-connectors completion fish >~/.config/fish/completions/kinesis-connectors.fish",
        "Needs shtab: pip install 'kinesis-connectors[completion]'.",
    )
    sub.add_argument("shell", metavar="SHELL", choices=SHELLS, help=", ".join(SHELLS))


def _command(
    commands: Commands, name: str, text: str, example: str, more: str = ""
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}. {more}".strip(),
        epilog=f"example:\n  {example}",
        formatter_class=_Formatter,
    )


class _Formatter(argparse.HelpFormatter):
    """Leaves examples and lists as they stand, and room for the names of the commands."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog)
        self._action_max_length = 14  # else the longest ones have a line of their own

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


def _of_a_file(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("properties", metavar="PROPERTIES", help="the pipeline's .properties file")
