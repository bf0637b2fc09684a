"""``process``: the daemon's child."""

from __future__ import annotations

import argparse

from .command import add_properties

HELP = "the daemon's child for one shard; executableName names this"
MORE = ""
EXAMPLE = "executableName = kinesis-connectors process properties/s3_manifest.properties"

add_arguments = add_properties


def run(arguments: argparse.Namespace) -> int:
    """Speak the daemon's protocol."""
    from ..kcl.child import process  # noqa: PLC0415

    return process(arguments.properties)
