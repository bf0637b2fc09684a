"""``check``: everything that is wrong with a file, and with what it points to."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

from ..errors import EXIT_OK, EXIT_USAGE
from .command import add_properties, complain

if TYPE_CHECKING:
    from ..config.resource import Finding
    from ..config.setting import Settings

HELP = "say everything that is wrong with the file"
MORE = ""
EXAMPLE = "kinesis-connectors check properties/s3_manifest.properties --connect"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file, and whether to connect."""
    add_properties(parser)
    parser.add_argument(
        "--connect",
        action="store_true",
        help="also try what the file points to: streams, bucket, tables, logins. Tiny objects are "
        "written and deleted, what is done in a database is rolled back (default: the file alone)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print every problem of the file and, if asked, of what it points to."""
    from ..config.properties import SettingsError, load  # noqa: PLC0415
    from ..config.rules import notes  # noqa: PLC0415

    try:
        settings = load(arguments.properties)
    except SettingsError as error:
        return complain(error, EXIT_USAGE)
    print(f"{arguments.properties}: fine", flush=True)
    for sentence in notes(settings):
        print(f"note  {sentence}", flush=True)
    code = EXIT_OK
    for kind, sentence in findings(settings) if arguments.connect else ():
        if kind == "problem":
            code = complain(f"{arguments.properties}: {sentence}", EXIT_USAGE)
        else:
            print(f"{kind:<5} {sentence}", flush=True)
    return code


def findings(settings: Settings) -> Iterator[Finding]:
    """Try everything that the pipeline will use, thing by thing; yield what was found, once.

    Nothing of the pipeline's is touched: no message is put, what is written to the bucket is
    deleted, what is done in a database is rolled back.
    """
    from ..aws.findings import about, impatient, results  # noqa: PLC0415
    from ..config.keys import DESTINATION  # noqa: PLC0415
    from ..config.registry import chosen  # noqa: PLC0415
    from ..config.resource import Finding  # noqa: PLC0415
    from ..kcl.resources import resources  # noqa: PLC0415

    said: set[Finding] = set()
    for resource in resources(impatient(settings)):
        with closing(results(resource.probe())) as found:  # what it wrote is deleted
            for finding in found:
                if finding not in said:
                    said.add(finding)
                    yield finding
    if not chosen(settings.texts).destination.resources(settings):
        place = about(DESTINATION, settings[DESTINATION])
        yield Finding("note", f"{place}: what it connects to is its own")
