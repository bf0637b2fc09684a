"""``scripts/run``: two real daemons carry the flights from Kinesis into Redshift.

Prints what happens while it happens, then whether the table holds what was put: exit code 1 and
which number is off if it does not.
"""

from __future__ import annotations

import gzip
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NoReturn

import psycopg2

from ...aws.clients import client
from ...aws.layout import files_folder
from ...config.keys import S3_BUCKET, STREAM_NAME
from ...config.resource import Creatable, CreatableBySql
from ...config.setting import Settings
from ...destinations.redshift.settings import DATA_TABLE, FILE_TABLE
from ...errors import EXIT_FAILED, EXIT_FOUND, EXIT_OK, EXIT_USAGE, ConnectorError
from ...kcl.resources import resources
from ...progress import Progress
from ..children import Child, ChildError
from ..host import HostError, held
from ..stack import Stack
from . import flights
from .pipelines import STAGE_ONE, STAGE_TWO, write_pipeline

DIRECTORY = Path(".local/demo")
LINES = DIRECTORY.with_name("flights.jsonl")
PATIENCE = 60.0  # seconds without a new row after which something must be wrong
GRACE = 30.0  # seconds for a daemon to flush
PROGRAM = [sys.executable, "-m", "record_processors"]


def main() -> int:
    """Run the whole; return the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        with held(DIRECTORY), ExitStack() as cleanup:
            clean(DIRECTORY)
            return Demonstration(cleanup).run(keep="--keep" in sys.argv[1:])
    except SystemExit:
        say("stopped", "nothing is left running")
        raise
    except HostError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    except (ChildError, ConnectorError) as error:
        print(f"\n{error}", file=sys.stderr)
        return EXIT_FAILED


def _interrupt(number: int, _frame: object) -> NoReturn:
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_IGN)  # one is enough: the end must not be cut short
    print("\nstopping: the daemons flush first", flush=True)
    raise SystemExit(128 + number)


def clean(directory: Path) -> None:
    """Begin anew; the lock is ours and stays."""
    for path in directory.iterdir():
        if path.name != "lock":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def say(label: str, text: str, seconds: float | None = None) -> None:
    """Print one line of what happened."""
    took = "" if seconds is None else f"{seconds:5.0f} s"
    print(f"{label:<11} {text:<100} {took}".rstrip(), flush=True)


@contextmanager
def saying(label: str) -> Iterator[list[str]]:
    """Print a line, with how long it took, of what the body puts into the list.

    A terminal shows meanwhile that the body is at work.
    """
    if sys.stdout.isatty():
        print(f"{label:<11} …", end="\r", flush=True)
    began, told = time.monotonic(), list[str]()
    yield told
    say(label, " · ".join(told), time.monotonic() - began)


def created(settings: Settings) -> Iterator[str]:
    """Make what a pipeline needs; yield what that is. The table's columns are the flights'."""
    for thing in resources(settings):
        if isinstance(thing, Creatable) and not isinstance(thing, CreatableBySql):
            yield thing.create().what


class Demonstration:
    """One run, from the stand-ins' start to the comparison."""

    def __init__(self, cleanup: ExitStack) -> None:
        self.cleanup = cleanup

    def run(self, *, keep: bool) -> int:
        """Do it; return 0 if source, files and table agree."""
        began = time.monotonic()
        self.start_stand_ins()
        self.create()
        daemons = [self.start_daemon("stage-1", self.one), self.start_daemon("stage-2", self.two)]
        say("daemons", "two MultiLangDaemons are starting: Java, then a child for each shard")
        self.put()
        self.wait_for_rows(daemons)
        with saying("stopped") as told:
            for daemon in daemons:
                if (code := daemon.stop()) not in (0, 143):
                    raise ChildError(f"{daemon.name} ended with code {code}:\n{daemon.tail()}")
            told.append("both daemons, by SIGTERM: what they held is flushed")
        code = self.compare()
        say("look", f"logs in {DIRECTORY}/logs · properties used in {DIRECTORY}/properties")
        say("in all", "", time.monotonic() - began)
        if keep:
            self.keep()
        return code

    def start_stand_ins(self) -> None:
        """Start everything that AWS would be."""
        with saying("stand-ins") as told:
            self.stack = self.cleanup.enter_context(Stack(DIRECTORY))
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                del os.environ[name]
            os.environ.update(self.stack.environment)
            properties = DIRECTORY / "properties"
            points_to = self.stack.properties
            self.one = write_pipeline("s3_manifest", properties, STAGE_ONE, points_to)
            self.two = write_pipeline("redshift_manifest", properties, STAGE_TWO, points_to)
            self.total = flights.write_json_lines(LINES)
            self.warehouse = self.connect()
            version = self.warehouse.server_version // 10000
            told.append(f"Kinesis, DynamoDB, S3 at {points_to['kinesisEndpoint']}")
            told.append(f"Redshift (PostgreSQL {version}) at {points_to['redshiftURL']}")

    def create(self) -> None:
        """Make streams, bucket, ledger, table; and KCL's tables, which saves it a minute."""
        with saying("created") as told:
            for settings in (self.one, self.two):
                told += [what for what in created(settings) if what not in told]
            flights.create_table(self.warehouse, self.two[DATA_TABLE])
            told.append(f"table {self.two[DATA_TABLE]}")
        self.first_row: float | None = None

    def start_daemon(self, name: str, settings: Settings) -> Child:
        """Start ``kinesis-connectors run``."""
        daemon = Child.start(
            name,
            [*PROGRAM, "run", settings.path],
            os.environ,
            DIRECTORY / f"logs/{name}.log",
            grace=GRACE,
        )
        self.cleanup.callback(daemon.stop)
        self.daemons_began = time.monotonic()
        return daemon

    def put(self) -> None:
        """Put every flight by ``kinesis-connectors put``, which shows its progress."""
        command = [*PROGRAM, "put", self.one[STREAM_NAME], str(LINES)]
        with subprocess.Popen(command) as putting:
            try:
                while putting.poll() is None:
                    self.rows()
                    time.sleep(0.5)
            finally:
                putting.terminate()
        if putting.returncode:
            raise ChildError(f"put ended with code {putting.returncode}")

    def rows(self) -> int:
        """Count the rows in the table, and note when the first was there."""
        rows = self.query(f"SELECT count(*) FROM {self.two[DATA_TABLE]}")  # noqa: S608
        if rows and self.first_row is None:
            self.first_row = time.monotonic() - self.daemons_began
        return rows

    def wait_for_rows(self, daemons: list[Child]) -> None:
        """Wait until the table has as many rows as were put, or no more come."""
        progress = Progress("load", "rows", self.total)
        rows, moved = 0, time.monotonic()
        while rows < self.total and time.monotonic() - moved < PATIENCE:
            time.sleep(0.2)
            self.stack.check()
            for daemon in daemons:
                daemon.check()
            if (now := self.rows()) != rows:
                rows, moved = now, time.monotonic()
            progress(rows)
        progress.finish(rows)

    def compare(self) -> int:
        """Say whether what was put, what is in the files, and what is in the table agree."""
        began = time.monotonic()
        files, size, in_files = self.files()
        say("stage 1", f"{self.total:,} records → {files:,} files · {size / 1e6:.1f} MB")
        table = self.two[DATA_TABLE]
        source = flights.checksums(flights.source_rows())
        loaded = flights.checksums(flights.table_rows(self.warehouse, table))
        ledger = self.two[FILE_TABLE]
        copies = self.query(f"SELECT count(DISTINCT manifest) FROM {ledger}")  # noqa: S608
        say(
            "stage 2",
            f"{files:,} files → {copies:,} COPYs → {loaded['rows']:,} rows · "
            f"first row after {self.first_row or 0:.0f} s",
        )
        wrong = [name for name in source if source[name] != loaded[name]]
        counts = f"{self.total:,} put, {in_files:,} in files, {loaded['rows']:,} in the table"
        if in_files != self.total or wrong:
            say("DISAGREED", f"{counts} · differing: {', '.join(wrong) or 'rows in files'}")
            return EXIT_FOUND
        equal = " = ".join(counts.split(", "))
        agreed = f"{equal} · checksums of {len(flights.COLUMNS)} columns agree"
        say("agreed", agreed, time.monotonic() - began)
        return EXIT_OK

    def files(self) -> tuple[int, int, int]:
        """Read every file of stage one; return how many, their bytes, and the rows in them."""
        s3 = client("s3", self.one)
        bucket = self.one[S3_BUCKET]
        folder = files_folder(self.one)
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
        files = size = rows = 0
        for page in pages:
            for item in page.get("Contents", ()):
                body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
                files += 1
                size += len(body)
                rows += gzip.decompress(body).count(b"\n")
        return files, size, rows

    def keep(self) -> None:
        """Stay up until Ctrl-C."""
        say("psql", f"PGPASSWORD=$REDSHIFT_PASSWORD psql {self.address()}")
        say("environment", f". {DIRECTORY}/environment     (Ctrl-C here ends the stand-ins)")
        while True:
            self.stack.check()
            time.sleep(1)

    def connect(self) -> Any:  # noqa: ANN401 - psycopg2's connection
        """Connect to the stand-in for Redshift."""
        return psycopg2.connect(self.address(), password=os.environ["REDSHIFT_PASSWORD"])

    def address(self) -> str:
        """Return the address for psql."""
        where = self.stack.properties
        return f"postgresql://{where['redshiftUsername']}@{where['redshiftURL']}"

    def query(self, sql: str) -> int:
        """Return the one number that a query gives."""
        with self.warehouse, self.warehouse.cursor() as cursor:
            cursor.execute(sql)
            return int(cursor.fetchone()[0])


if __name__ == "__main__":
    sys.exit(main())
