"""One run: from the stand-ins' start to the comparison, wherever the flights go."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from ...config.keys import STREAM_NAME
from ...config.setting import Settings
from ...errors import EXIT_FOUND, EXIT_OK
from ...progress import Progress
from ..children import Child, ChildError
from ..stack import Stack
from . import flights
from .destination import Destination, Found
from .telling import say, saying

PATIENCE = 180.0  # seconds without a new arrival: a busy machine takes one to start KCL
GRACE = 90.0  # seconds for a daemon to flush, some more than what its file says
PROGRAM = [sys.executable, "-m", "record_processors"]


class Demonstration:
    """One run in a directory of its own. All flights are kept as JSON lines beside it.

    ``most`` is how many flights are carried, None for all; they are those of the year's beginning.
    """

    def __init__(
        self, kind: type[Destination], directory: Path, most: int | None, cleanup: ExitStack
    ) -> None:
        self.kind = kind
        self.directory = directory
        self.most = most
        self.lines = (directory if most else directory.parent) / "flights.jsonl"
        self.cleanup = cleanup
        self.first: float | None = None  # seconds until the first one was there

    def run(self, *, keep: bool) -> int:
        """Do it; return 0 if what was put and what arrived agree."""
        began = time.monotonic()
        self.start_stand_ins()
        self.create()
        daemons = [self.start_daemon(*one) for one in self.there.pipelines.items()]
        many = len(daemons) > 1
        are = "two MultiLangDaemons are" if many else "a MultiLangDaemon is"
        say("daemons", f"{are} starting: Java, then a child for each shard")
        self.put()
        self.wait_for_arrivals(daemons)
        with saying("stopped") as told:
            for daemon in daemons:
                if (code := daemon.stop()) not in (0, 143):
                    raise ChildError(f"{daemon.name} ended with code {code}:\n{daemon.tail()}")
            who, they = ("both daemons", "they") if many else ("the daemon", "it")
            told.append(f"{who}, by SIGTERM: what {they} held is flushed")
        code = self.compare()
        say("look", f"logs in {self.directory}/logs · properties used in {self.there.properties}")
        say("in all", "", time.monotonic() - began)
        if keep:
            self.keep()
        return code

    def start_stand_ins(self) -> None:
        """Start everything that AWS would be."""
        with saying("stand-ins") as told:
            stack = Stack(self.directory, opensearch=self.kind.opensearch)
            self.stack = self.cleanup.enter_context(stack)
            for name in [name for name in os.environ if name.startswith("AWS_")]:
                del os.environ[name]
            os.environ.update(self.stack.environment)
            self.total = flights.write_json_lines(self.lines, self.most)
            told.append(f"Kinesis, DynamoDB, S3 at {self.stack.properties['kinesisEndpoint']}")
            self.there = self.kind(self.stack, self.directory / "properties", self.most)
            told.extend(self.there.services())

    def create(self) -> None:
        """Make what the pipelines need; with KCL's tables, which saves it a minute."""
        with saying("created") as told:
            told.extend(dict.fromkeys(self.there.create()))

    def start_daemon(self, name: str, settings: Settings) -> Child:
        """Start ``kinesis-connectors run``."""
        daemon = Child.start(
            name,
            [*PROGRAM, "run", settings.path],
            os.environ,
            self.directory / f"logs/{name}.log",
            grace=GRACE,
        )
        self.cleanup.callback(daemon.stop)
        self.daemons_began = time.monotonic()
        return daemon

    def put(self) -> None:
        """Put every flight by ``kinesis-connectors put``, which shows its progress."""
        first, *_ = self.there.pipelines.values()
        command = [*PROGRAM, "put", first[STREAM_NAME], str(self.lines)]
        with subprocess.Popen(command) as putting:
            try:
                while putting.poll() is None:
                    self.arrived()
                    time.sleep(0.5)
            finally:
                putting.terminate()
        if putting.returncode:
            raise ChildError(f"put ended with code {putting.returncode}")

    def arrived(self) -> int:
        """Count what is there, and note when the first was."""
        count = self.there.arrived()
        if count and self.first is None:
            self.first = time.monotonic() - self.daemons_began
        return count

    def wait_for_arrivals(self, daemons: list[Child]) -> None:
        """Wait until as many are there as were put, or no more come."""
        progress = Progress(self.there.doing, self.there.unit, self.total)
        count, moved = 0, time.monotonic()
        while count < self.total and time.monotonic() - moved < PATIENCE:
            time.sleep(0.2)
            self.stack.check()
            for daemon in daemons:
                daemon.check()
            if (now := self.arrived()) != count:
                count, moved = now, time.monotonic()
            progress(count)
        progress.finish(count)

    def compare(self) -> int:
        """Say whether what was put and what is in each place agree."""
        began = time.monotonic()
        places = list[Found]()
        for found in self.there.found(self.total, self.first or 0):
            say(found.label, found.how)
            places.append(found)
        words = f"{self.total:,} put"
        for found in places:
            rows = found.sums["rows"]
            words += f"{' = ' if rows == self.total else ' · '}{rows:,} {found.where}"
        if differing := " · ".join(filter(None, map(self.differing, places))):
            say("DISAGREED", f"{words} · {differing}")
            return EXIT_FOUND
        agreed = f"{words} · checksums of {len(flights.COLUMNS)} columns agree"
        say("agreed", agreed, time.monotonic() - began)
        return EXIT_OK

    def differing(self, found: Found) -> str:
        """Name what is another than of the source should be in a place; mostly nothing is."""
        source = flights.checksums(found.of_source(flights.source_rows(self.most)))
        names = [name for name, value in found.sums.items() if value != source[name]]
        return f"differing {found.where}: {', '.join(names)}" if names else ""

    def keep(self) -> None:
        """Stay up until Ctrl-C."""
        for label, text in self.there.ways_in():
            say(label, text)
        environment = f". {self.directory}/environment"
        say("environment", f"{environment}     (Ctrl-C here ends the stand-ins)")
        while True:
            self.stack.check()
            time.sleep(1)
