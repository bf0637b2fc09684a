"""``audit``: whether anything is missing, between the stream's files and the table's rows."""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from ..errors import EXIT_FAILED, EXIT_FOUND, EXIT_OK, EXIT_USAGE, ConnectorError
from .command import add_pipelines, complain

if TYPE_CHECKING:
    from ..ops.hours import Hours
    from ..ops.report import Report

HELP = "show that nothing is missing: files, messages, ledger and letters against each other"
MORE = (
    "Give the file of a pipeline that writes files, and that of the one which loads them. Reads, "
    "and changes nothing; never waits for the ledger's lock. The exit code is 1 if anything is "
    "wrong: each with the command that mends it."
)
EXAMPLE = (
    "kinesis-connectors audit properties/s3_manifest.properties "
    "properties/redshift_manifest.properties --html audit.html"
)
GRACE = "10m"
WIDTH = 80


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the files, the hours, and how it is shown."""
    add_pipelines(parser)
    add_hours(parser, "default: all that is there; then the table's rows are counted too")
    parser.add_argument(
        "--grace",
        metavar="DURATION",
        default=GRACE,
        help=f"how young a file may be and not announced yet (default {GRACE})",
    )
    parser.add_argument("--html", metavar="FILE", help="draw the picture, a page of its own")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def add_hours(parser: argparse.ArgumentParser, default: str) -> None:
    """Take the bounds of a range of hours."""
    about = "a day or an hour in UTC, 2013-01-31 or 2013-01-31T17"
    parser.add_argument(
        "--from",
        dest="begin",
        metavar="HOUR",
        help=f"files whose first record arrived then, or later: {about} ({default})",
    )
    parser.add_argument("--to", dest="end", metavar="HOUR", help="… or before then")


def hours_of(arguments: argparse.Namespace) -> Hours:
    """Read the bounds. Raises ValueError."""
    from ..ops.hours import Hours, hour  # noqa: PLC0415

    begin, end = (text and hour(text) for text in (arguments.begin, arguments.end))
    if begin and end and end <= begin:
        raise ValueError(f"--to {arguments.end} is not after --from {arguments.begin}")
    return Hours(begin or None, end or None)


def run(arguments: argparse.Namespace) -> int:
    """Audit each pipeline that writes files; print what is seen, and what is wrong."""
    from ..config.properties import SettingsError, load  # noqa: PLC0415
    from ..kcl.look import no_credentials  # noqa: PLC0415
    from ..ops.audit import Audit  # noqa: PLC0415
    from ..ops.hours import duration  # noqa: PLC0415
    from ..ops.picture import draw  # noqa: PLC0415
    from ..ops.pipelines import NotTogether, together  # noqa: PLC0415

    try:
        hours, grace = hours_of(arguments), duration(arguments.grace)
        pairs = together([load(path) for path in arguments.properties])
        if problem := no_credentials():
            return complain(problem.sentence, EXIT_USAGE)
        audits = [Audit(pair, hours, grace) for pair in pairs]
        reports = [audit.run() for audit in audits]
        if arguments.html:
            draw(arguments.html, [(audit.report, audit.scratch) for audit in audits])
    except (SettingsError, NotTogether, ValueError) as error:
        return complain(error, EXIT_USAGE)
    except OSError as error:
        if not arguments.html:
            raise
        return complain(f"--html {arguments.html}: {error.strerror}", EXIT_USAGE)
    except ConnectorError as error:
        return complain(error, EXIT_FAILED)
    if arguments.json:
        json.dump({"pipelines": [as_json(report) for report in reports]}, sys.stdout)
        print()
    else:
        for report in reports:
            print("\n".join(lines(report)))
    return EXIT_FOUND if any(report.kinds for report in reports) else EXIT_OK


def lines(report: Report) -> list[str]:
    """Return a report for a person, in 80 columns but for names and commands."""
    from ..ops.telling import figures  # noqa: PLC0415

    told = [f"{report.application}  {report.place}"]
    for name, text in figures(report):
        wrapped = textwrap.wrap(text, WIDTH - 12, break_long_words=False)
        told += [f"  {name if not at else '':<10}{line}" for at, line in enumerate(wrapped)]
    for one in report.found:
        told += [f"{one.kind}: {one.object}"]
        told += [f"  {line}" for line in textwrap.wrap(one.sentence, WIDTH - 2)]
        told += [f"  $ {command}" for command in one.commands]
    hidden = sum(report.kinds.values()) - len(report.found)
    if hidden:
        told.append(f"and {hidden:,} more")
    verdict = ", ".join(f"{kind} {count:,}" for kind, count in report.kinds.items())
    told.append(f"wrong: {verdict}" if verdict else "nothing is missing")
    return told


def as_json(report: Report) -> dict[str, Any]:
    """Return a report for a machine."""
    from ..ops.telling import in_figures  # noqa: PLC0415

    return {
        **in_figures(report),
        "wrong": dict(report.kinds),
        "found": [{**one._asdict(), "commands": list(one.commands)} for one in report.found],
    }
