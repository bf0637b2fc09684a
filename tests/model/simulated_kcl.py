"""A KCL application in small: shards, leases, checkpoints, and the children that own shards.

A *life* is one child on one shard. Whoever takes a shard becomes its owner; the earlier owner goes
on in the belief that it still is, until a checkpoint of its is refused.
"""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from types import SimpleNamespace
from typing import NamedTuple

import boto3
import greenlet
import psycopg2
import pytest

from model.promises import Promises, Told, Written, told_by
from model.simulated_services import S3, SERVICE_ERRORS, Content, Kinesis, Redshift, Stored
from model.simulated_table import KEY, POISON, Table
from model.simulation import MESSAGE, LogOfProcess, Outcome, Pipes, Process, demand, violations_told
from record_processors.config.setting import Settings
from record_processors.destinations.redshift.basic import RedshiftBasicEmitter
from record_processors.destinations.redshift.ledger import Ledger
from record_processors.destinations.s3_manifest import S3ManifestEmitter
from record_processors.files.chain_emitter import ChainEmitter
from record_processors.flow.batch import Batch
from record_processors.flow.record import Position, Record
from record_processors.flow.retry import Retry
from record_processors.flow.transformer import Transformer
from record_processors.kcl.assembly import assemble
from record_processors.kcl.processor import RecordProcessor, serve
from support.child_talk import record_message

ARRIVAL = 1_709_618_828_000
TRIES = 3  # with fewer failures in a call, none may end the process
SILENCE = {Outcome.LOST, Outcome.UNANSWERED, Outcome.LATE}
MOST_STEPS = 1000
MOST_LIVES = 3  # on one shard at once

# Some records are kept by one filter, and not by the other.
OPTIONAL = b"maybe"
KEEP_THEM, LEAVE_THEM_OUT = "!skip", "!skip && !maybe"
STAGE_ONE = {
    "applicationName": "one",
    "streamName": "events",
    "connectorDestination": "simulated_kcl:Picky",
    "transformer": "simulated_kcl:Rows",
    "filter": "jmespath",
    "filterExpression": KEEP_THEM,
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
# Both in one process.
BASIC = {
    **{key: text for key, text in STAGE_ONE.items() if key != "kinesisOutputStream"},
    **{key: text for key, text in STAGE_TWO.items() if key.startswith("redshift")},
    "connectorDestination": "simulated_kcl:PickyBasic",
}
# What the files' destination refuses, the table forgets: it is the row that says so.
ITEMS = {
    **{key: text for key, text in STAGE_ONE.items() if key != "kinesisOutputStream"},
    "connectorDestination": "dynamodb",
    "dynamoDBDataTableName": "items",
    "dynamoDBDeleteExpression": "of.refused",
}
ITEMS_AND_FILES = {**STAGE_ONE, **ITEMS, "connectorDestination": "dynamodb, simulated_kcl:Picky"}
COMMON = {
    "s3Bucket": "bucket",
    "retryLimit": str(TRIES),
    "backoffInterval": "1",
    "outagePatience": "0",
}

# What others may say of a file besides what is true.
LESS = {"format": None}
ANOTHER_RANGE = {"first": "1-0", "last": "1-0"}

FIRST = "first.json.gz"
REFUSED = b"refused"
REFUSED_BY_TABLE = (POISON, b"nameless")  # by DynamoDB; before it is asked


NOWHERE = Position(-1)  # where a shard without a checkpoint begins
# Before the first record; the second has 39 digits, one more than a number of DynamoDB's may have.
BEGINNING = Position(5 * 10**37)
LONGEST = 10**55  # from where on numbers grow no longer, as Kinesis' do not


class Rows(Transformer[bytes]):
    """Makes as many rows of a record as it says, each unlike any other; refuses what has none."""

    format = "json"

    def transform(self, record: Record) -> list[bytes]:
        return rows_of(record.data)  # of a bad record, a ValueError


class Refusing(ChainEmitter):
    """Refuses some records, and writes a file of the others, if there are any."""

    def emit(self, batch: Batch[bytes]) -> Position | None:
        refused = [kept for kept in batch.kept if is_refused(kept.record.data)]
        for kept in refused:
            batch.reject(kept.record, "not to my taste")
        if len(refused) == len(batch.kept):
            return None
        batch.kept = [kept for kept in batch.kept if kept not in refused]
        return super().emit(batch)


class Picky(Refusing, S3ManifestEmitter):
    """Announces its files."""


class PickyBasic(Refusing, RedshiftBasicEmitter):
    """Loads its files."""


def is_refused(data: bytes) -> bool:
    """Whether the destination refuses a record for good."""
    return REFUSED in data


def rows_of(data: bytes) -> list[bytes]:
    """Return the rows of a record that is kept: objects, if it says their keys."""
    told = json.loads(data)
    if "keys" not in told:
        return [b"[%s, %d]" % (data, number) for number in range(told["rows"])]
    keys = [f'"key": "{key}", ' for key in told["keys"]] or [""] * told["rows"]
    return [b'{%s"row": %d, "of": %s}' % (key.encode(), row, data) for row, key in enumerate(keys)]


class Made(NamedTuple):
    """An item as it should be: how new it is, and what it holds besides its guard."""

    position: Position
    row: int  # of the record's
    content: dict[str, object]


@dataclass(frozen=True)
class Given:
    """A record of a stream, and what is to become of it."""

    position: Position
    data: bytes

    @cached_property
    def told(self) -> Told:
        """What it says, if it is a message of the manifest stream."""
        return told_by(self.data)

    @property
    def is_unreadable(self) -> bool:
        return self.data.startswith(b"bad")

    @property
    def is_optional(self) -> bool:
        """Whether the filter of whoever writes its file decides if its rows are in it."""
        return OPTIONAL in self.data

    @cached_property
    def made(self) -> list[bytes]:
        """The rows that are made of it, if it is kept."""
        return [] if self.is_unreadable or b"skip" in self.data else rows_of(self.data)

    @property
    def rows(self) -> list[bytes]:
        """Those that are to be in a file."""
        return [] if is_refused(self.data) else self.made

    @cached_property
    def items(self) -> dict[str, Made]:
        """The last of its rows for each key, if a table takes it."""
        if any(word in self.data for word in REFUSED_BY_TABLE):
            return {}
        rows = [json.loads(row) for row in self.made]
        if is_refused(self.data):
            forgotten = {row[KEY]: {KEY: row[KEY], "_deleted": True} for row in rows}
            return {key: Made(self.position, 0, item) for key, item in forgotten.items()}
        return {row[KEY]: Made(self.position, row["row"], row) for row in rows}


@dataclass
class Shard:
    """A shard and its lease."""

    name: str
    parents: tuple[Shard, ...] = ()
    records: list[Given] = field(default_factory=list)
    is_closed: bool = False
    has_own_numbers: bool = False  # none that another shard has, too, so that all have an order
    checkpoint: Position = NOWHERE
    is_done: bool = False  # its end is checkpointed
    owner: Life | None = None
    history: list[Position] = field(default_factory=lambda: [NOWHERE])  # its checkpoints
    is_exact: bool = True  # nobody ever began inside an object
    missed: set[Position] = field(default_factory=set)  # records that were passed over
    deleted: Position = NOWHERE  # through which files are gone: nobody may begin before

    @property
    def is_ready(self) -> bool:
        """Whether it may be read: not before its parents are done."""
        return not self.is_done and all(parent.is_done for parent in self.parents)

    @property
    def last(self) -> Position:
        """The position of its last record, or of its parents', beyond which its own are."""
        if self.records:
            return self.records[-1].position
        return max((parent.last for parent in self.parents), default=BEGINNING)

    def append(self, data: bytes, *, aggregated: bool = False) -> None:
        """Take a record in; an aggregated one lies in the Kinesis record of the one before it."""
        sequence, sub_sequence = self.last
        position = Position(sequence, sub_sequence + 1)
        if not (aggregated and self.records):
            # Every now and then with one digit more: they must not compare as text.
            sequence += min(sequence // 2, LONGEST)
            ending = int(self.name[-1]) if self.has_own_numbers else 1
            position = Position(sequence // 10 * 10 + ending)
        self.records.append(Given(position, data))

    def take_down(self, position: Position, *, is_end: bool) -> None:
        """Let the lease's owner checkpoint."""
        self.checkpoint, self.is_done = position, is_end
        self.history.append(position)

    def move(self, checkpoint: Position) -> None:
        """Put the checkpoint elsewhere, which takes the lease from its owner."""
        given = {record.position for record in self.records}
        self.missed |= {position for position in given if position > self.checkpoint}
        self.missed = {position for position in self.missed if position <= checkpoint}
        self.checkpoint, self.is_done, self.owner = checkpoint, False, None


class Life:
    """One child on one shard, and the daemon's side of it."""

    def __init__(self, world: World, shard: Shard, texts: Mapping[str, str]) -> None:
        self.world = world
        self.shard = shard
        self.began = self.delivered = shard.checkpoint
        self.is_told_end = False
        self.faults = 0  # of the call that it is at work on
        self.pipes = Pipes(self._checkpoint)
        settings = Settings("", texts)

        def main(_: Process) -> None:
            pipeline = assemble(settings)
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
        if given := self.rest[:count]:
            self.delivered = given[-1].position
        self.pipes.send("processRecords", records=list(map(_message, given)), millisBehindLatest=0)

    @property
    def rest(self) -> list[Given]:
        """What it was not given yet."""
        return [given for given in self.shard.records if given.position > self.delivered]

    @property
    def has_all(self) -> bool:
        """Whether it was given every record that the shard will ever have."""
        return self.shard.is_closed and not self.rest

    def end(self, action: str) -> None:
        """Call it for the last time."""
        self.is_told_end = True
        self.process.is_silent |= action == "leaseLost"
        self.pipes.send(action)

    def step(self, outcome: Outcome = Outcome.DONE) -> None:
        """Let its next effect happen, or not."""
        effect = self.process.effect
        if effect is not None and effect.name == MESSAGE:
            outcome = Outcome.DONE
        if self.is_idle:
            self.faults, self.process.is_excused = 0, False
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

    def time_out(self) -> None:
        """Let it wait no longer for what is not possible."""
        self.step(Outcome.REFUSED)

    def kill(self) -> None:
        """Kill it, if it lives."""
        if not self.is_over:
            self.process.kill()

    def _look(self) -> None:
        may_give_up = self.faults >= TRIES or self.process.is_excused
        if self.is_over and self.process.code and not may_give_up:
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
        self.world.promises.look_at_durable(self.shard, self.began, position)
        if not self.is_owner:
            self.process.is_silent = True
            return "ShutdownException"
        demand(position >= self.shard.checkpoint, "a checkpoint that goes back")
        self.shard.take_down(position, is_end=is_end)
        return None


class World:
    """All that outlives a process; ``settings`` are those of who reads the stream."""

    def __init__(self, settings: Mapping[str, str] = STAGE_ONE) -> None:
        self.settings = settings
        destination = settings["connectorDestination"]
        self.has_table = "dynamodb" in destination
        self.has_files = "Picky" in destination
        self.is_basic = destination == BASIC["connectorDestination"]
        self.is_loading = self.has_files and not self.has_table
        self.late: list[Callable[[], object]] = []
        self.seconds = 0.0
        self.promises = Promises(self)
        self.s3 = S3(self.promises.look_at_object)
        self.table = Table(self.promises.look_at_write)
        self.kinesis = Kinesis(self._announce)
        self.redshift = Redshift(self.s3)
        self.redshift.create_ledger(_created_ledger())
        self._load_a_first_file()
        self.manifests = [Shard(f"shardId-{number:012}") for number in range(2)]
        self.shards = [self._shard()]
        self.filter = KEEP_THEM
        self.loading: dict[str, str] = {}  # settings of stage two
        self.most_bad_rows = 100
        self.lives: list[Life] = []
        self.count = 0
        self.given: dict[int, Given] = {}

    def _load_a_first_file(self) -> None:
        """Let the table hold a file: without one, a file that nothing names is nobody's fault."""
        self.s3.objects[FIRST] = Stored(gzip.compress(b"first\n"), {}, (b"first",))
        entry = (
            f"s3://bucket/{FIRST}",
            "rows",
            *[None] * 5,
            1,
            26,
            "no manifest",
            "before",
            None,
            None,
        )
        self.redshift.committed = Content([entry], [b"first"])

    def begin(self, shard: Shard, count: int, size: int, milliseconds: int) -> Life:
        """Begin a life on a shard, with thresholds of its own; of many there, the oldest dies."""
        if len(others := [life for life in self.lives if life.shard is shard]) >= MOST_LIVES:
            others[0].kill()
            self.lives.remove(others[0])
        stage = STAGE_TWO
        if shard in self.shards:
            stage = self.settings | {"filterExpression": self.filter}
        if self.loads(shard):
            stage = stage | self.loading | {"redshiftMaxBadRows": str(self.most_bad_rows)}
        thresholds = {
            "bufferRecordCountLimit": str(count),
            "bufferByteSizeLimit": str(size),
            "bufferMillisecondsLimit": str(milliseconds),
        }
        life = Life(self, shard, {**COMMON, **stage, **thresholds})
        self.lives.append(life)
        return life

    def loads(self, shard: Shard) -> bool:
        """Whether the lives on a shard load files."""
        return self.is_basic or shard in self.manifests

    def put(self, shard: Shard, fate: str, rows: int, *, aggregated: bool) -> None:
        """Put one record."""
        self.count += 1
        rows = max(rows, 1) if fate == "refused" else rows  # else it were filtered out
        told = {"id": self.count, "rows": rows} | ({fate: 1} if fate else {})
        if self.has_table:  # all rows have one key, or each another
            told.pop(OPTIONAL.decode(), None)
            keys = ("abc" * 2)[self.count % 3 :] if self.count % 2 else "abc"[self.count % 3] * 3
            told["keys"] = "" if fate == "nameless" else keys[:rows]
        data = json.dumps(told)
        shard.append(("bad" + data if fate == "bad" else data).encode(), aggregated=aggregated)
        self.given[self.count] = shard.records[-1]

    def is_bad(self, given: Given) -> bool:
        """Whether a record of the stream is to be a dead letter."""
        words = [
            *([REFUSED] if self.has_files else []),
            *(REFUSED_BY_TABLE if self.has_table else []),
        ]
        return given.is_unreadable or bool(given.made and any(word in given.data for word in words))

    def _shard(self, number: int = 1, parents: tuple[Shard, ...] = ()) -> Shard:
        return Shard(f"shardId-{number:012}", parents, has_own_numbers=self.has_table)

    def reshard(self, shard: Shard, other: Shard | None) -> None:
        """Split a shard, or merge it with another."""
        parents = (shard, other) if other else (shard,)
        for parent in parents:
            parent.is_closed = True
        for _ in range(1 if other else 2):
            self.shards.append(self._shard(len(self.shards) + 1, parents))

    def arrive(self, which: int) -> None:
        """Let something arrive that was on its way."""
        late = self.late.pop(which % len(self.late))
        with violations_told(), suppress(*SERVICE_ERRORS):  # an answer to nobody
            late()

    def announce_again(self, given: Given, how: str, shard: Shard) -> None:
        """Let somebody else announce a file that was announced: by its path, or otherwise."""
        key, covered = given.told
        if how == "path" or covered is None:
            shard.append(key.encode())
            return
        # Who says first what is not true would be believed.
        is_lie = how == "another range" and self.promises.entered().get(key) == covered
        message = json.loads(given.data) | (ANOTHER_RANGE if is_lie else LESS)
        shard.append(json.dumps(message).encode())

    def delete(self, file: Written) -> None:
        """Let a person delete a file that its shard has passed for good.

        Nobody can write it again: nothing is on its way, and who began before its end is gone.
        """
        name, _, last = file.place
        (shard,) = (shard for shard in self.shards if shard.name == name)
        while self.late:
            self.arrive(0)
        for life in self.lives:
            if life.shard is shard and life.began < last:
                life.kill()
            elif self.loads(life.shard):
                life.faults += 1  # what it is about to copy may be gone
        shard.deleted = max(shard.deleted, last)
        shard.history = [position for position in shard.history if position >= last]
        self.s3.delete(file.key)

    def alter_table(self, fault: str) -> None:
        """Let a person spoil the table for all files, or mend it, when nobody is at work on it.

        A ``wide`` one takes rows that it refused, from then on: Redshift makes no column shorter
        than what is in it.
        """
        for life in self.lives:
            if self.loads(life.shard) and not life.is_idle:
                life.kill()
        self.redshift.fault = "" if fault == "wide" else fault
        self.redshift.is_wide |= fault == "wide"

    def change_filter(self) -> None:
        """Let a person start all daemons with another filter, however they were stopped."""
        for life in self.lives:
            if life.shard in self.shards:
                life.kill()
        while self.late:
            self.arrive(0)
        self.filter = KEEP_THEM if self.filter == LEAVE_THEM_OUT else LEAVE_THEM_OUT

    def _announce(self, partition_key: str, message: bytes) -> None:
        self.promises.look_at_message(json.loads(message))
        self.manifests_of(partition_key).append(message)

    def manifests_of(self, partition_key: str) -> Shard:
        """Return the shard of the manifest stream that takes the messages of a source shard."""
        return self.manifests[int(partition_key[-1]) % len(self.manifests)]

    def finish(self) -> None:
        """Let all run dry, without faults and zombies, and look at what has become of it."""
        self.close()
        self.alter_table("")
        while self.late:
            self.arrive(0)
        while ready := [shard for shard in self.shards if shard.is_ready]:
            for shard in ready:
                self._drain(shard)
                if not shard.is_closed:
                    shard.is_done = True  # nothing more is put
        for shard in self.manifests if self.is_loading else []:
            self._drain(shard)
        self.promises.look_at_the_whole()

    def close(self) -> None:
        """Kill whatever lives."""
        for life in self.lives:
            life.kill()

    def _drain(self, shard: Shard) -> None:
        life = self.begin(shard, 3, 1_000_000, 1_000_000)
        while life.rest:
            life.deliver(2)
            life.run()
        life.end("shardEnded" if shard.is_closed else "shutdownRequested")
        life.run()
        assert life.is_idle, "it does not answer"
        life.kill()


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
        return {"s3": world().s3, "kinesis": world().kinesis, "dynamodb": world().table}[service]

    logger, handler = logging.getLogger("record_processors"), LogOfProcess()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(boto3, "client", client)
        patch.setattr("record_processors.aws.bucket._shared_client", client)
        patch.setattr("record_processors.aws.json_calls.Calls", lambda table, _: table)
        patch.setattr(psycopg2, "connect", lambda **_: world().redshift.connect())
        patch.setattr("tenacity.nap.time", SimpleNamespace(sleep=lambda seconds: None))
        for name in ("REDSHIFT_PASSWORD", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "secret")
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        # To nobody else: pytest would keep all that is told of, whole worlds, to the test's end.
        patch.setattr(logging.Logger, "callHandlers", lambda _, record: handler.handle(record))
        level = logger.level
        logger.setLevel(logging.INFO)
        yield
        logger.setLevel(level)
