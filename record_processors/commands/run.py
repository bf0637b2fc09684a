"""``run``: the daemon, from a look at what it needs to the sentence that says why it ended."""

from __future__ import annotations

import argparse

from ..errors import EXIT_USAGE, ConnectorError, LaunchError
from .command import add_properties, complain

HELP = "check the file, look at what it names, then run the daemon of its pipeline"
MORE = (
    "Exit codes: 0 after a stop that was asked for (SIGTERM, SIGINT, SIGHUP), 2 when a person must "
    "mend the file or what it names, 70 otherwise. The last line on stderr says why."
)
EXAMPLE = "kinesis-connectors run properties/s3_manifest.properties"

add_arguments = add_properties


def run(arguments: argparse.Namespace) -> int:
    """Validate, look, then exec the daemon's supervisor."""
    from ..config.properties import SettingsError, load  # noqa: PLC0415
    from ..kcl.launch import Host  # noqa: PLC0415
    from ..kcl.look import look  # noqa: PLC0415

    try:
        settings = load(arguments.properties)
        host = Host(settings)
        looked = look(settings)
        for finding in looked.problems or looked.findings:
            complain(f"{arguments.properties}: {finding.sentence}", EXIT_USAGE)
        if looked.problems:
            return EXIT_USAGE
        host.run(looked)
    except (SettingsError, LaunchError, ConnectorError, OSError) as error:  # the last of the file
        return complain(error, EXIT_USAGE)
