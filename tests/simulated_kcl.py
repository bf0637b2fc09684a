"""A KCL application in small: shards, leases, checkpoints, and the children that own shards.

A *life* is one child on one shard. Whoever takes a shard becomes its owner; the earlier owner goes
on in the belief that it still is, until a checkpoint of its is refused.
"""

from __future__ import annotations

import base64
import gzip
import json
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import SimpleNamespace

import boto3
import greenlet
import psycopg2
import pytest
from child_talk import record_message
from simulated_services import S3, Content, Kinesis, Redshift, Stored, is_refused
from simulation import LogOfProcess, Outcome, Pipes, Process, Violation, demand

from record_processors.ledger import Ledger
from record_processors.pipeline import build_pipeline
from record_processors.processor import RecordProcessor, serve
from record_processors.record import Position, Record
from record_processors.retry import Retry
from record_processors.setting import Settings
from record_processors.transformers import Transformer

ARRIVAL = 1_709_618_828_000
TRIES = 3  # with fewer failures in a call, none may end the process
SILENCE = {Outcome.LOST, Outcome.UNANSWERED, Outcome.LATE}
MOST_STEPS = 1000
MOST_LIVES = 3  # on one shard at once

STAGE_ONE = {
    "applicationName": "one",
    "streamName": "events",
    "connectorDestination": "s3-manifest",
    "transformer": "simulated_kcl:Rows",
    "filter": "jmespath",
    "filterExpression": "!skip",
    "kinesisOutputStream": "manifests",
}
STAGE_TWO = {
    "applicationName": "two",
    "streamName": "manifests",
    "connectorDestination": "redshift-manifest",
    "redshiftURL": "redshift:5439/dev",
    "redshiftUsername": "loader",
    "redshiftDataTable": "rows",
    "redshiftFileTable": "files",
    "redshiftIamRole": "default",
}
COMMON = {"s3Bucket": "bucket", "retryLimit": str(TRIES), "backoffInterval": "1"}

FIRST = "first.json.gz"
NOWHERE = Position(-1)  # where a shard without a checkpoint begins


class Rows(Transformer[bytes]):
    """Makes as many rows of a record as it says, each unlike any other; refuses what has none."""

    format = "json"

    def transform(self, record: Record) -> list[bytes]:
        told = json.loads(record.data)  # of a bad record, a ValueError
        return rows_of(record.data) if told["rows"] else []


def rows_of(data: bytes) -> list[bytes]:
    """Return the rows of a record that is kept."""
    told = json.loads(data)
    return [b"%s%d" % (data, number) for number in range(told["rows"])]


@dataclass(frozen=True)
class Given:
    """A record of a stream, and what is to become of it."""

    position: Position
    data: bytes

    @property
    def is_bad(self) -> bool:
        return self.data.startswith(b"bad")

    @property
    def rows(self) -> list[bytes]:
        return [] if self.is_bad or b"skip" in self.data else rows_of(self.data)


@dataclass
class Shard:
    """A shard and its lease."""

    name: str
    parents: tuple[Shard, ...] = ()
    records: list[Given] = field(default_factory=list)
    is_closed: bool = False
    checkpoint: Position = NOWHERE
    is_done: bool = False  # its end is checkpointed
    owner: Life | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it may be read: not before its parents are done."""
        return not self.is_done and all(parent.is_done for parent in self.parents)


class Life:
    """One child on one shard, and the daemon's side of it."""

    def __init__(self, world: World, shard: Shard, texts: Mapping[str, str]) -> None:
        self.world = world
        self.shard = shard
        self.delivered = shard.checkpoint
        self.is_told_end = False
        self.faults = 0  # of the call that it is at work on
        self.pipes = Pipes(self._checkpoint)
        settings = Settings("", texts)

        def main(_: Process) -> None:
            pipeline = build_pipeline(settings)
            pipeline.buffer.clock = lambda: world.seconds
            serve(RecordProcessor(pipeline, Retry.from_settings(settings)), self.pipes, self.pipes)

        self.process = Process(main, world)
        at = shard.checkpoint
        told = {"sequenceNumber": str(at.sequence), "subSequenceNumber": at.sub_sequence}
        fresh = {"sequenceNumber": "TRIM_HORIZON", "subSequenceNumber": 0}
        self.pipes.send("initialize", shardId=shard.name, **(fresh if at == NOWHERE else told))
        self.run()
        shard.owner = self

    @property
    def is_owner(self) -> bool:
        return self.shard.owner is self

    @property
    def is_idle(self) -> bool:
        """Whether it waits for the daemon."""
        return self.process.effect is not None and self.pipes.is_idle

    @property
    def is_over(self) -> bool:
        return self.process.effect is None

    def deliver(self, count: int) -> None:
        """Hand over up to ``count`` records, perhaps none."""
        rest = [given for given in self.shard.records if given.position > self.delivered][:count]
        if rest:
            self.delivered = rest[-1].position
        self.pipes.send("processRecords", records=list(map(_message, rest)), millisBehindLatest=0)

    @property
    def has_all(self) -> bool:
        """Whether it was given every record that the shard will ever have."""
        records = self.shard.records
        return self.shard.is_closed and (not records or self.delivered == records[-1].position)

    def end(self, action: str) -> None:
        """Call it for the last time."""
        self.is_told_end = True
        self.pipes.send(action)

    def step(self, outcome: Outcome = Outcome.DONE) -> None:
        """Let its next effect happen, or not."""
        effect = self.process.effect
        if effect is not None and effect.name == "message":
            outcome = Outcome.DONE
        if self.is_idle:
            self.faults = 0
        self.faults += outcome is not Outcome.DONE
        if effect is not None and effect.name == "checkpoint" and outcome in SILENCE:
            self.faults = TRIES  # the daemon is gone
        self.process.step(outcome)
        self._look()

    def run(self) -> None:
        """Go on without faults until it waits for the daemon, or for another process."""
        for _ in range(MOST_STEPS):
            if self.process.is_stuck:
                self._look()
                return
            self.process.step()
        raise AssertionError(f"it goes round and round: {self.process.log[-5:]}")

    def kill(self) -> None:
        """Kill it, if it lives."""
        if not self.is_over:
            self.process.kill()

    def _look(self) -> None:
        if self.is_over and self.process.code and self.faults < TRIES:
            raise AssertionError("it gave up:\n" + "\n".join(self.process.log[-5:]))
        if self.is_idle and self.pipes.answered == "shardEnded" and self.is_owner:
            assert self.shard.is_done, "the end of a shard is answered, and not checkpointed"

    def _checkpoint(self, sequence: int | None, sub_sequence: int | None) -> str | None:
        """Take a checkpoint down as the KCL does; return the name of its error.

        What a zombie asks for is refused; it must not be wrong all the same.
        """
        is_end = sequence is None
        position = self.delivered if is_end else Position(sequence, sub_sequence or 0)
        demand(not is_end or self.pipes.action == "shardEnded", "a checkpoint of no position")
        demand(position <= self.delivered, "a checkpoint of what was not delivered")
        self.world.look_at_durable(self.shard, position)
        if not self.is_owner:
            return "ShutdownException"
        demand(position >= self.shard.checkpoint, "a checkpoint that goes back")
        self.shard.checkpoint = position
        self.shard.is_done = is_end
        return None


class World:
    """All that outlives a process."""

    def __init__(self) -> None:
        self.late: list = []
        self.seconds = 0.0
        self.s3 = S3()
        self.kinesis = Kinesis(self._announce)
        self.redshift = Redshift(self.s3)
        self.redshift.create_ledger(_created_ledger())
        self._load_a_first_file()
        self.manifests = Shard("shardId-000000000000")
        self.shards = [Shard("shardId-000000000001")]
        self.lives: list[Life] = []
        self.count = 0

    def _load_a_first_file(self) -> None:
        """Let the table hold a file: without one, a file that nothing names is nobody's fault."""
        self.s3.objects[FIRST] = Stored(gzip.compress(b"first\n"), {}, (b"first",))
        entry = (f"s3://bucket/{FIRST}", "rows", *[None] * 5, 1, 26, "no manifest", "before", None)
        self.redshift.committed = Content([entry], [b"first"])

    def begin(self, shard: Shard, count: int, size: int, milliseconds: int) -> Life:
        """Begin a life on a shard, with thresholds of its own; of many there, the oldest dies."""
        if len(others := [life for life in self.lives if life.shard is shard]) >= MOST_LIVES:
            others[0].kill()
            self.lives.remove(others[0])
        stage = STAGE_TWO if shard is self.manifests else STAGE_ONE
        thresholds = {
            "bufferRecordCountLimit": str(count),
            "bufferByteSizeLimit": str(size),
            "bufferMillisecondsLimit": str(milliseconds),
        }
        life = Life(self, shard, {**COMMON, **stage, **thresholds})
        self.lives.append(life)
        return life

    def put(self, shard: Shard, fate: str, rows: int, *, aggregated: bool) -> None:
        """Put one record; an aggregated one lies in the Kinesis record of the one before it."""
        self.count += 1
        data = json.dumps({"id": self.count, "rows": rows} | ({fate: 1} if fate else {}))
        self._append(shard, ("bad" + data if fate == "bad" else data).encode(), aggregated)

    def reshard(self, shard: Shard, other: Shard | None) -> None:
        """Split a shard, or merge it with another."""
        parents = (shard, other) if other else (shard,)
        for parent in parents:
            parent.is_closed = True
        for _ in range(1 if other else 2):
            self.shards.append(Shard(f"shardId-{len(self.shards) + 1:012}", parents))

    def arrive(self, which: int) -> None:
        """Let something arrive that was on its way."""
        late = self.late.pop(which % len(self.late))
        try:
            with suppress(Exception):  # an answer to nobody
                late()
        except Violation as violation:
            raise AssertionError(str(violation)) from violation

    def _announce(self, message: bytes) -> None:
        self.count += 1
        self._append(self.manifests, message, aggregated=False)

    def _append(self, shard: Shard, data: bytes, aggregated: bool) -> None:
        last = shard.records[-1].position if shard.records else Position(0)
        # Some numbers have one digit more than those before them: they must not compare as text.
        number = Position(95 + 3 * self.count)
        again = Position(last.sequence, last.sub_sequence + 1)
        shard.records.append(Given(again if aggregated and shard.records else number, data))

    # What must hold.

    def files(self) -> Iterator[tuple[str, Position, Position, str, tuple[bytes, ...]]]:
        """Give key, range, shard and rows of each file of stage one."""
        for key, stored in self.s3.objects.items():
            if "first-position" in (about := stored.metadata):
                first, last = (
                    Position.parse(about[name]) for name in ("first-position", "last-position")
                )
                yield key, first, last, about["shard"], stored.lines

    def letters(self, application: str) -> dict[tuple[str, str], dict]:
        """Give the dead letters; a position counts once."""
        lines = [
            json.loads(line)
            for key, stored in self.s3.objects.items()
            if key.startswith(f"errors/{application}/")
            for line in stored.lines
        ]
        return {(line["shard"], line["position"]): line for line in lines}

    def kept_out(self) -> set[str]:
        """Give the keys of the files that stage two refused."""
        letters = self.letters("two").values()
        return {json.loads(base64.b64decode(letter["data"]))["key"] for letter in letters}

    def look_at_durable(self, shard: Shard, at: Position) -> None:
        """See that a checkpoint may be made there."""
        passed = [given for given in shard.records if given.position <= at]
        if shard is self.manifests:
            entered = {entry[0] for entry in self.redshift.committed.ledger}
            for given in passed:
                key = json.loads(given.data)["key"]
                is_known = f"s3://bucket/{key}" in entered or key in self.kept_out()
                demand(is_known, f"{key} is passed, and neither loaded nor a dead letter")
            return
        files = [file for file in self.files() if file[3] == shard.name]
        announced = {json.loads(given.data)["key"] for given in self.manifests.records}
        for key, first, last, _, _ in files:
            demand(not first <= at < last, f"a checkpoint inside {key}")
            demand(at < last or key in announced, f"{key} is passed and not announced")
        written = Counter(row for *_, lines in files for row in lines)
        letters = self.letters("one")
        for given in passed:
            for row in given.rows:
                demand(written[row] == 1, f"{row!r} is passed and {written[row]} times in S3")
            is_letter = (shard.name, str(given.position)) in letters
            demand(is_letter or not given.is_bad, "a bad record is passed and no letter")

    def finish(self) -> None:
        """Let all run dry, without faults and zombies."""
        self.close()
        while self.late:
            self.arrive(0)
        while ready := [shard for shard in self.shards if shard.is_ready and not shard.is_done]:
            for shard in ready:
                self._drain(shard)
                if not shard.is_closed:
                    shard.is_done = True  # nothing more is put
        self._drain(self.manifests)

    def close(self) -> None:
        """Kill whatever lives."""
        for life in self.lives:
            life.kill()

    def _drain(self, shard: Shard) -> None:
        life = self.begin(shard, 3, 1_000_000, 1_000_000)
        for _ in range(0, len(shard.records), 2):
            life.deliver(2)
            life.run()
        life.end("shardEnded" if shard.is_closed else "shutdownRequested")
        life.run()
        assert life.is_idle, "it does not answer"
        life.kill()

    def look_at_the_whole(self) -> None:
        """See that the table is the transformed stream, and the letters what was refused."""
        records = [(shard, given) for shard in self.shards for given in shard.records]
        files = list(self.files())
        in_files = Counter(row for *_, lines in files for row in lines)
        assert in_files == Counter(row for _, given in records for row in given.rows)
        for key, first, last, name, lines in files:
            covered = [
                g for shard, g in records if shard.name == name and first <= g.position <= last
            ]
            assert list(lines) == [row for given in covered for row in given.rows], (
                f"order in {key}"
            )
        for given in self.manifests.records:
            self._look_at_message(json.loads(given.data))
        bad = {key for key, *_, lines in files if any(map(is_refused, lines))}
        assert self.kept_out() == bad
        table = [row for key, *_, lines in files if key not in bad for row in lines]
        assert Counter(self.redshift.committed.rows) == Counter([b"first", *table])
        assert len(self.redshift.committed.ledger) == 1 + len(files) - len(bad)
        rejected = {(shard.name, str(given.position)) for shard, given in records if given.is_bad}
        assert set(self.letters("one")) == rejected

    def _look_at_message(self, message: dict) -> None:
        stored = self.s3.objects[message["key"]]
        assert message["bytes"] == len(stored.body)
        assert message["rows"] == len(stored.lines)
        assert message["first"] == stored.metadata["first-position"]
        assert message["last"] == stored.metadata["last-position"]


def _message(given: Given) -> dict[str, object]:
    return record_message(given.data, *given.position, "key", ARRIVAL)


def _created_ledger() -> str:
    statements: list[str] = []

    class Noting:
        def execute(self, sql: str) -> None:
            statements.append(sql)

    Ledger("files", "file", "rows").create(Noting())
    return statements[0]


@contextmanager
def simulated() -> Iterator[None]:
    """Put the simulated services where clients are made; nothing sleeps."""

    def world() -> World:
        process = greenlet.getcurrent()
        assert isinstance(process, Process)
        return process.world

    def client(service: str, *_: object, **__: object) -> object:
        return {"s3": world().s3, "kinesis": world().kinesis}[service]

    logger, handler = logging.getLogger("record_processors"), LogOfProcess()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boto3, "client", client)
        patch.setattr("record_processors.aws._shared_client", client)
        patch.setattr(psycopg2, "connect", lambda **_: world().redshift.connect())
        patch.setattr("tenacity.nap.time", SimpleNamespace(sleep=lambda seconds: None))
        patch.setenv("REDSHIFT_PASSWORD", "secret")
        patch.setattr(logger, "propagate", False)
        patch.setattr(logger, "handlers", [handler])
        level = logger.level
        logger.setLevel(logging.INFO)
        yield
        logger.setLevel(level)
