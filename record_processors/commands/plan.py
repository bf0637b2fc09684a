"""``plan``: what a load would take, and what breaks first, before there is anything."""

from __future__ import annotations

import argparse

from ..errors import EXIT_FOUND, EXIT_OK, EXIT_USAGE
from .command import complain, count

HELP = "say how many shards and hosts a load takes, what it costs, and what breaks first"
MORE = (
    "Nothing is connected to. It stands on what the benchmark measured, what KCL does by its "
    "intervals, and list prices; its last lines say which. Exit code 1 if the load is more than "
    "something takes."
)
EXAMPLE = (
    "kinesis-connectors plan --records-per-second 50000 --bytes 300 --destination dynamodb\n"
    "  kinesis-connectors plan --records-per-second 50000 --bytes 300 properties/s3.properties"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the load, and the files, or the destination whose shipped file is taken."""
    parser.add_argument(
        "properties",
        metavar="PROPERTIES",
        nargs="*",
        help="the pipelines' .properties files, such as both of two stages, for their thresholds",
    )
    parser.add_argument(
        "--records-per-second", metavar="N", type=_above_zero, required=True, help="of all shards"
    )
    parser.add_argument(
        "--bytes", metavar="N", type=_above_zero, required=True, help="of one record's data"
    )
    parser.add_argument(
        "--shards",
        metavar="N",
        type=count,
        default=0,
        help="of the stream (default: as many as the load takes)",
    )
    parser.add_argument(
        "--destination",
        metavar="NAME",
        help="the destination, with the thresholds of its shipped file; the second of two stages "
        "with the first",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _above_zero(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = 0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{value}: not a number above 0")
    return number


def run(arguments: argparse.Namespace) -> int:
    """Print the plan."""
    import json  # noqa: PLC0415

    from ..config.properties import SettingsError, load  # noqa: PLC0415
    from ..config.registry import DESTINATIONS  # noqa: PLC0415
    from ..fleet.plan import plan  # noqa: PLC0415
    from ..fleet.plan_json import as_json  # noqa: PLC0415
    from ..fleet.plan_text import lines  # noqa: PLC0415
    from ..fleet.planned import Unplannable, of_destination  # noqa: PLC0415
    from ..fleet.sizes import WrongSize  # noqa: PLC0415

    name, paths = arguments.destination, arguments.properties
    if bool(name) == bool(paths):
        return complain("name a --destination, or the pipelines' files: one of both", EXIT_USAGE)
    if name and name not in DESTINATIONS:
        known = ", ".join(DESTINATIONS)
        return complain(f"--destination {name}: none of {known}; name its file", EXIT_USAGE)
    try:
        pipelines = of_destination(name) if name else [load(path) for path in paths]
        found = plan(pipelines, arguments.records_per_second, arguments.bytes, arguments.shards)
    except (SettingsError, WrongSize, Unplannable) as error:
        return complain(error, EXIT_USAGE)
    print(json.dumps(as_json(found), indent=2) if arguments.json else "\n".join(lines(found)))
    return EXIT_FOUND if any(limit.used > 1 for limit in found.limits) else EXIT_OK
