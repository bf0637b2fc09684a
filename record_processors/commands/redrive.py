"""``redrive``: puts dead letters back into the pipeline, each once."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import EXIT_FAILED, EXIT_FOUND, EXIT_OK, EXIT_USAGE, ConnectorError, counted
from .command import add_properties, complain
from .wanted import add_wanted, wanted

if TYPE_CHECKING:
    from ..ops.reasons import Groups
    from ..ops.redrive import Summary

HELP = "put dead letters back into the pipeline as it is now, each once"
MORE = (
    "What is refused again is a letter again. It may be killed at any moment and run again, or "
    "twice at once."
)
EXAMPLE = "kinesis-connectors redrive properties/s3_manifest.properties --dry-run"
MOST_REASONS = 10  # that are told; `letters` tells of all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file, which letters are meant, and whether to put none back."""
    add_properties(parser)
    add_wanted(parser)
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would become of each; put none back"
    )


def run(arguments: argparse.Namespace) -> int:
    """Put letters back, and say what became of them."""
    from ..config.properties import SettingsError, load  # noqa: PLC0415
    from ..kcl.look import no_credentials  # noqa: PLC0415
    from ..ops.redrive import Redrive, why_not  # noqa: PLC0415

    try:
        settings = load(arguments.properties)
        if why := why_not(settings):
            return complain(f"{arguments.properties}: {why}", EXIT_USAGE)
        if problem := no_credentials():
            return complain(problem.sentence, EXIT_USAGE)
        redrive = Redrive(settings, wanted(arguments))
        with _logging():
            summary = redrive.dry_run() if arguments.dry_run else redrive.run()
    except SettingsError as error:
        return complain(error, EXIT_USAGE)
    except ConnectorError as error:
        return complain(error, EXIT_FAILED)
    _print(summary, dry=arguments.dry_run)
    is_all = not summary.all_refused and not summary.rest.waiting
    return EXIT_OK if is_all else EXIT_FOUND


@contextmanager
def _logging() -> Iterator[None]:
    """Log what the pipeline does, line by line, on standard error."""
    from ..kcl.log import OneLine  # noqa: PLC0415

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logger = logging.getLogger(__name__.partition(".")[0])
    level, logger.propagate = logger.level, False
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = True


def _print(summary: Summary, *, dry: bool) -> None:
    rest, would = summary.rest, "would be " if dry else ""
    as_before = f"{would}refused again for the same reason, and left as they are"
    print_count(rest.files_before, "put back or settled before (files of letters)")
    print_count(summary.kept, f"{would}put back", always=True)
    print_count(summary.filtered, f"{would}filtered out")
    print_count(summary.doubles, f"{would}left out: letters of records that have another one")
    print_count(rest.along, "of these were not meant, but are in a file with one that is")
    print_count(summary.refused, f"{would}refused again, and letters again", summary.refusals)
    print_count(rest.unchanged.count, as_before, rest.unchanged)
    print_count(rest.passed_over.count, "passed over", rest.passed_over)


def print_count(
    count: int, what: str, groups: Groups | None = None, *, always: bool = False
) -> None:
    """Print how many there are of what, if any, and their reasons."""
    if count or always:
        print(f"{count:>9,}  {what}")
    if groups:
        _print_reasons(groups)


def _print_reasons(groups: Groups) -> None:
    found = groups.groups
    for group in found[:MOST_REASONS]:
        print(f"{group.count:>13,}  {group.stage}: {group.reason}\n{'':15}{group.where}")
    if len(found) > MOST_REASONS:
        print(f"{'':15}and {counted(len(found) - MOST_REASONS, 'other reason')}: see `letters`")
