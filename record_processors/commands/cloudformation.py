"""``cloudformation``: the template of a stack of hosts that run some pipelines."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import EXIT_OK, EXIT_USAGE
from .command import add_pipelines, complain, count

if TYPE_CHECKING:
    from ..config.setting import Settings

HELP = "make a CloudFormation template: an Auto Scaling group of hosts that run the pipelines"
MORE = (
    "It holds all that they need, down to alarms and a dashboard, and says at its head how many "
    "hosts it takes, why, and what they cost; so does stderr."
)
EXAMPLE = (
    "kinesis-connectors cloudformation properties/s3_manifest.properties "
    "properties/redshift_manifest.properties --into stack.yaml"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the files, where the program comes from, and what decides the size."""
    add_pipelines(parser)
    parser.add_argument(
        "--into",
        metavar="FILE",
        help="write the template there, once it is whole: what refuses leaves the file as it is "
        "(default: print it)",
    )
    parser.add_argument(
        "--source",
        metavar="SOURCE",
        help="where hosts install the program from: a requirement for pip, or a folder of S3, "
        "s3://…, with what scripts/wheels writes (default: this version from pip's index, with "
        "whatever it depends on on the day that a host starts)",
    )
    parser.add_argument(
        "--shards",
        metavar="STREAM=N",
        type=_shards,
        action="append",
        default=[],
        help="how many shards a stream has (default: what kinesisInputStreamShardCount says)",
    )
    parser.add_argument(
        "--hosts",
        metavar="N",
        type=count,
        help="how many hosts (default: two, or one if there is one shard)",
    )
    parser.add_argument(
        "--replacing",
        metavar="STACK",
        help="the stack that it is to update: refuse what must not change while hosts are "
        "replaced one by one (default: nothing on AWS is asked)",
    )


def _shards(value: str) -> tuple[str, int]:
    stream, separator, shards = value.rpartition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{value}: not STREAM=N")
    return stream, count(shards)


def run(arguments: argparse.Namespace) -> int:
    """Print or write the template; say on stderr what it takes."""
    from importlib.metadata import version  # noqa: PLC0415

    from ..config.keys import STREAM_NAME  # noqa: PLC0415
    from ..config.properties import SettingsError, load  # noqa: PLC0415
    from ..fleet.costs import why  # noqa: PLC0415
    from ..fleet.midstream import ChangesInMidStream  # noqa: PLC0415
    from ..fleet.planned import Unplannable  # noqa: PLC0415
    from ..fleet.program import NotInTheProgram, requirement  # noqa: PLC0415
    from ..fleet.sizes import WrongSize, size  # noqa: PLC0415
    from ..fleet.stack import Stack, Unfit, is_too_large, template  # noqa: PLC0415
    from ..fleet.units import NotOnOneHost  # noqa: PLC0415
    from ..kcl.assumed_roles import notes_of_roles  # noqa: PLC0415

    said = dict(arguments.shards)
    try:
        pipelines = [load(path) for path in arguments.properties]
        if unknown := said.keys() - {settings[STREAM_NAME] for settings in pipelines}:
            return complain(f"--shards {unknown.pop()}: no file reads that stream", EXIT_USAGE)
        program = arguments.source or version("kinesis-connectors")
        if arguments.replacing:
            _insist_on_the_same(pipelines, program, arguments.replacing)
        hosts = size(pipelines, said, arguments.hosts)
        source = arguments.source or requirement(pipelines, program)
        command = f"kinesis-connectors {shlex.join(sys.argv[1:])}"
        text = template(Stack(pipelines, source, program, hosts, said, command))
    except (
        SettingsError,
        WrongSize,
        Unplannable,
        Unfit,
        NotInTheProgram,
        NotOnOneHost,
        ChangesInMidStream,
    ) as error:
        return complain(error, EXIT_USAGE)
    if arguments.into is None:
        print(text, end="")
    else:
        try:
            Path(arguments.into).write_text(text, encoding="utf-8")
        except OSError as error:
            return complain(
                f"--into {arguments.into}: cannot be written: {error.strerror}", EXIT_USAGE
            )
    print("\n".join(why(pipelines, hosts, said)), file=sys.stderr)
    for line in (line for settings in pipelines for line in notes_of_roles(settings)):
        print(line, file=sys.stderr)
    if is_too_large(text):
        print(
            "The template is large: `aws cloudformation deploy` takes it by a bucket of yours "
            "alone, --s3-bucket BUCKET, as the command at its head says.",
            file=sys.stderr,
        )
    return EXIT_OK


def _insist_on_the_same(pipelines: Sequence[Settings], program: str, stack: str) -> None:
    """Look at the stack as it is. Raises ChangesInMidStream, also if it cannot be looked at."""
    from ..aws.findings import ERRORS, quick_client, why  # noqa: PLC0415
    from ..fleet.midstream import ChangesInMidStream, deployed, insist_on_the_same  # noqa: PLC0415

    try:
        before = deployed(quick_client("cloudformation", pipelines[0]), stack)
    except ERRORS as error:
        said = why(error, "cloudformation:GetTemplate")
        raise ChangesInMidStream(f"--replacing {stack}: {said}") from error
    insist_on_the_same(pipelines, program, stack, before)
