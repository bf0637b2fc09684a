"""``run``: becomes the daemon."""

from __future__ import annotations

import argparse

from ..errors import EXIT_USAGE, LaunchError
from .command import add_properties, complain

HELP = "check the file, then become the daemon that runs its pipeline"
MORE = ""
EXAMPLE = "kinesis-connectors run properties/s3_manifest.properties"

add_arguments = add_properties


def run(arguments: argparse.Namespace) -> int:
    """Validate, then exec java."""
    from ..config.properties import SettingsError, load  # noqa: PLC0415
    from ..kcl import launch  # noqa: PLC0415

    try:
        launch.run(load(arguments.properties))
    except (SettingsError, LaunchError, OSError) as error:  # the last of a folder, or of java
        return complain(error, EXIT_USAGE)
