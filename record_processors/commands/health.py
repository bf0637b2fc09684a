"""``health``: whether the daemon of a file runs on this host, and its children deliver."""

from __future__ import annotations

import argparse

from ..errors import EXIT_FOUND, EXIT_OK, EXIT_USAGE, ConnectorError, counted
from .command import add_properties, complain

HELP = "say whether the file's daemon runs on this host, and each of its children is healthy"
MORE = (
    "Exit code 0 if so, 1 with a sentence for each reason if not. It connects to nothing, and is "
    "asked as the user who runs the daemon, or as root."
)
EXAMPLE = "kinesis-connectors health properties/s3_manifest.properties"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file, and whether a machine reads the answer."""
    add_properties(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")


def run(arguments: argparse.Namespace) -> int:
    """Look, and say what was found."""
    from ..config.properties import SettingsError, load  # noqa: PLC0415
    from ..ops.health import health  # noqa: PLC0415

    try:
        found = health(load(arguments.properties))
    except (SettingsError, ConnectorError) as error:
        return complain(error, EXIT_USAGE)
    if arguments.json:
        import msgspec  # noqa: PLC0415

        print(msgspec.json.format(msgspec.json.encode(found)).decode())
        return EXIT_OK if found.healthy else EXIT_FOUND
    for reason in found.why:
        complain(f"{found.application}: {reason}", EXIT_FOUND)
    if not found.healthy:
        return EXIT_FOUND
    shards = counted(len(found.children), "shard")
    print(f"{found.application}: healthy; its daemon has {shards} on this host")
    return EXIT_OK
