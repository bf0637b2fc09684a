"""``create``: makes what a pipeline needs and does not make itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE, ConnectorError
from .command import add_properties, complain

if TYPE_CHECKING:
    from ..config.resource import Outcome
    from ..config.setting import Settings

HELP = "make what the file names and is not there: streams, bucket, KCL's tables, ledger, table"
MORE = (
    "Waits until all is active; leaves alone what is there, so that it may be repeated. With KCL's "
    "tables and first leases made, the first start of a daemon takes half a minute, not two."
)
EXAMPLE = "kinesis-connectors create properties/redshift_manifest.properties --table flights.sql"


class OptionError(Exception):
    """An option is of no use here, and why, in one sentence."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Take the file, the table's SQL, and whether to make nothing."""
    add_properties(parser)
    parser.add_argument(
        "--table",
        metavar="SQL",
        help="a file with the CREATE TABLE of the table that the rows go to, run if that is not "
        "there (default: the table is yours to make)",
    )
    parser.add_argument(
        "--remove-consumer",
        action="store_true",
        help="make nothing, but remove the fan-out consumer of the file's name: after a change to "
        "retrievalMode = POLLING, when no daemon reads by it any more (default: it stays, and is "
        "charged for)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be made; make nothing"
    )


def run(arguments: argparse.Namespace) -> int:
    """Make what is missing, with a line for each."""
    from ..config.properties import SettingsError, load  # noqa: PLC0415
    from ..kcl.look import no_credentials  # noqa: PLC0415

    try:
        settings = load(arguments.properties)
        if problem := no_credentials():
            return complain(problem.sentence, EXIT_USAGE)
        if arguments.remove_consumer:
            print(remove_consumer(settings, arguments.table, dry=arguments.dry_run))
            return EXIT_OK
        for outcome in create(settings, arguments.table, dry=arguments.dry_run):
            print(outcome, flush=True)
    except (SettingsError, OptionError) as error:
        return complain(error, EXIT_USAGE)
    except ConnectorError as error:
        return complain(error, EXIT_FAILED)
    return EXIT_OK


def create(settings: Settings, table: str | None = None, *, dry: bool = False) -> Iterator[Outcome]:
    """Make each thing that is missing and wait until it is active; yield what became of it.

    ``table`` is the file with the SQL of tables whose columns are the user's own; without it, they
    are left to the user. With ``dry`` nothing is made. Safe to repeat: what is there is left as it
    is, or brought up to date. Raises OptionError, Fatal, Transient.
    """
    from ..config.resource import Creatable, CreatableBySql  # noqa: PLC0415
    from ..kcl.resources import resources  # noqa: PLC0415

    things = [thing for thing in resources(settings) if isinstance(thing, Creatable)]
    if table is not None:
        sql = _read(table)
        tables = [thing for thing in things if isinstance(thing, CreatableBySql)]
        if not tables:
            destination = settings.texts["connectorDestination"]
            raise OptionError(
                f"--table {table}: connectorDestination = {destination} has no table that is made "
                "by SQL; it belongs to the file of another stage"
            )
        for one in tables:
            one.sql = sql
    for thing in things:
        if table is not None or not isinstance(thing, CreatableBySql):
            yield thing.create(dry=dry)


def remove_consumer(settings: Settings, table: str | None = None, *, dry: bool = False) -> Outcome:
    """Remove the fan-out consumer that the file does not use. Raises OptionError, Fatal."""
    from ..kcl.resources import consumer  # noqa: PLC0415
    from ..kcl.unused_consumer import UnusedConsumer  # noqa: PLC0415

    found = consumer(settings)
    if not isinstance(found, UnusedConsumer):
        raise OptionError(
            "--remove-consumer: the file reads by its consumer; set retrievalMode = POLLING, and "
            "start all daemons anew, before it is removed"
        )
    if table is not None:
        raise OptionError("--remove-consumer makes nothing: leave --table out")
    return found.remove(dry=dry)


def _read(path: str) -> str:
    try:
        sql = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise OptionError(f"--table {path}: cannot be read: {said}") from error
    if not sql.strip():
        raise OptionError(f"--table {path}: there is no SQL in it")
    return sql
