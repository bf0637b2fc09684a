"""``replay``: files once more to who loads them; or records, to make files that are gone."""

from __future__ import annotations

import argparse
import logging
import sys
from typing import TYPE_CHECKING

from ..errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, ConnectorError, counted
from .audit import add_hours, hours_of
from .command import add_properties, complain

if TYPE_CHECKING:
    from ..config.setting import Settings
    from ..flow.record import Position

HELP = "announce files of a time range again; or make files again that are gone"
MORE = (
    "Of files that are loaded nothing is loaded twice. With --stream they are announced to another "
    "pipeline, which loads them into its own table. --shard, --after and --through read records of "
    "the stream again, as long as it holds them, and write the files that are not there."
)
EXAMPLE = "kinesis-connectors replay properties/s3_manifest.properties --from 2013-01-31T17"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file, and one of three ways to say what is meant."""
    add_properties(parser)
    add_hours(parser, "one bound at least")
    parser.add_argument("--file", metavar="URL", help="this one file, s3://bucket/key")
    parser.add_argument("--stream", help="announce files there, and not where the pipeline does")
    parser.add_argument("--shard", help="records of this shard")
    parser.add_argument(
        "--after", metavar="POSITION", help="… behind this one, or TRIM_HORIZON: the beginning"
    )
    parser.add_argument("--through", metavar="POSITION", help="… up to this one")
    parser.add_argument("--dry-run", action="store_true", help="say what there is; do nothing")


def run(arguments: argparse.Namespace) -> int:
    """Deliver, with progress on stderr."""
    from ..config.properties import SettingsError, load  # noqa: PLC0415
    from ..kcl.look import no_credentials  # noqa: PLC0415
    from ..ops.pipelines import chain_writer  # noqa: PLC0415

    logging.basicConfig(format="%(message)s", level=logging.INFO)
    for noisy in ("botocore", "boto3", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        _insist_on_one_way(arguments)
        settings = load(arguments.properties)
        if (writer := chain_writer(settings)) is None:
            return complain(f"{settings.path}: this pipeline writes no files", EXIT_USAGE)
        if arguments.shard and (why := writer.no_redrive(settings)):
            return complain(f"{settings.path}: {why}", EXIT_USAGE)
        if problem := no_credentials():
            return complain(problem.sentence, EXIT_USAGE)
        return (_records if arguments.shard else _files)(settings, arguments)
    except (SettingsError, ValueError) as error:
        return complain(error, EXIT_USAGE)
    except ConnectorError as error:
        return complain(error, EXIT_FAILED)


def _insist_on_one_way(arguments: argparse.Namespace) -> None:
    hours = bool(arguments.begin or arguments.end)
    records = (arguments.shard, arguments.after, arguments.through)
    if hours + bool(arguments.file) + any(records) != 1:
        raise ValueError(
            "say what to replay in one way: --from and --to, or --file, or --shard with --after "
            "and --through"
        )
    if any(records) and not all(records):
        raise ValueError("--shard, --after and --through belong together")
    if any(records) and arguments.stream:
        raise ValueError("--stream is for files that are there: records are read, and written")


def _files(settings: Settings, arguments: argparse.Namespace) -> int:
    from ..ops.replay import Replay  # noqa: PLC0415
    from ..progress import Progress  # noqa: PLC0415

    replay = Replay(settings, arguments.stream)
    one: str | None = arguments.file
    found = replay.find_one(one) if one else replay.find(hours_of(arguments))
    if arguments.dry_run:
        print(f"{counted(found, 'file')} would be delivered again")
        return EXIT_OK
    progress = Progress("replay", "files", found, sys.stderr)
    progress.finish(replay.run(progress))
    return EXIT_OK


def _records(settings: Settings, arguments: argparse.Namespace) -> int:
    from ..flow.record import Position  # noqa: PLC0415
    from ..kcl.leases import TRIM_HORIZON  # noqa: PLC0415
    from ..ops.records_again import again  # noqa: PLC0415

    after: Position | None = None
    if arguments.after != TRIM_HORIZON:
        after = Position.parse(arguments.after)
    through = Position.parse(arguments.through)
    if arguments.dry_run:
        print(f"records of {arguments.shard} would be read, after {arguments.after}, to {through}")
        return EXIT_OK
    again(settings, arguments.shard, after, through)
    return EXIT_OK
