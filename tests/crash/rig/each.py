"""The rig of one destination: its pipeline, with the KCL played, and what is put into it."""

import base64
import itertools
import json
import os
from collections import Counter
from typing import NamedTuple

import boto3

from crash.rig.kcl import START, Application
from crash.rig.objects import Objects
from crash.rig.play import QUICK_RETRIES, STEADY, Play
from crash.rig.several import rows_of
from crash.rig.source import Put, put_aggregated, put_single
from crash.rig.tally import count
from crash.rig.wires import Place
from record_processors.aws.layout import dead_letters_folder
from record_processors.commands.create import create
from record_processors.config.keys import S3_BUCKET, STREAM_NAME
from record_processors.flow.record import Position
from record_processors.local.demo.pipelines import write_pipeline
from support.child_talk import environment_of_child
from support.fault_proxy import Proxy
from support.paths import TESTS

SHOWN = 10
MOST_WAITING = 80  # records
# Keys come often, for a while, or once. What is written over one that came for a while stays.
FEW_KEYS = 5
A_WHILE = 80  # twice as many as there are records of a while: keys are counted alike
# What becomes of records, and how often. Of "refused" each destination has its own kinds.
FATES = {"row": 8, "rows": 2, "gone": 1, "filtered": 1, "malformed": 1, "refused": 1.5}
TAKEN = {"row", "rows", "gone"}  # by all
GONE = "gone"  # how texts begin that take a row away, where there is such a thing
ZOMBIES = ("frozen", "twin", "orphaned", "(late)")  # in the names of incidents


class Noted(NamedTuple):
    """A record that was put."""

    put: Put
    data: bytes
    said: dict  # {} if it is malformed
    fate: str  # a kind of refusal among them

    @property
    def position(self):
        return Position.parse(self.put.position)

    @property
    def rows(self):
        """Its rows, as pairs of its id in JSON and its text; none if it comes to no destination."""
        if self.fate in {"filtered", "malformed"}:
            return []
        return list(map(pair, rows_of(self.said)))


def pair(row):
    """Return a row as something to compare; its id may be refused for what it is."""
    return json.dumps(row["id"]), row["text"]


class Source:
    """Puts records of every fate, and notes them. All of one id are under one partition key."""

    def __init__(self, kinesis, stream, refusals, random):
        self.kinesis, self.stream, self.random = kinesis, stream, random
        self.refusals = refusals
        self.noted = []
        self._ids = itertools.count()

    def put(self, count):
        """Put so many records, each third time aggregated as the Producer Library does."""
        if self.random.random() < 1 / 3:
            key = self._key()
            records = [self._record(key) for _ in range(count)]
            data = [one for one, _, _ in records]
            puts = put_aggregated(self.kinesis, self.stream, key, data)
        else:
            keys = [self._key() for _ in range(count)]
            records = [self._record(key) for key in keys]
            entries = [(key, data) for key, (data, _, _) in zip(keys, records, strict=True)]
            puts = put_single(self.kinesis, self.stream, entries)
        self.noted += [Noted(put, *record) for put, record in zip(puts, records, strict=True)]

    def _key(self):
        now = next(self._ids)
        often = f"often {self.random.randrange(FEW_KEYS)}"
        for_a_while = f"for a while {now // A_WHILE} {self.random.randrange(FEW_KEYS)}"
        return self.random.choice([often, for_a_while, f"once {now}"])

    def _record(self, key):
        number = next(self._ids)
        fate = self.random.choices(list(FATES), list(FATES.values()))[0]
        if fate == "malformed":
            return b"bad %d" % number, {}, fate
        text = f'{number} é "quoted" \\ 🛩'
        said = {"id": key, "text": f"{GONE} {text}" if fate == "gone" else text, "rows": 1}
        if fate == "rows":
            said["rows"] = self.random.randint(2, 4)
        if fate == "filtered":
            said["skip"] = True
        if fate == "refused":
            fate, change = self.random.choice(self.refusals)
            said = change(said)
        return json.dumps(said).encode(), said, fate


class EachRig(Play):
    """One pipeline with one destination, or several at once."""

    def __init__(self, stack, folder, name, random, kind, package=None):
        wire = Proxy(stack.properties["s3Endpoint"], [])
        self.kind = kind
        self.limits = {kind.name: (3, 60)}
        self.going_on = {kind.name: kind.going_on}
        destination = kind(stack, name, wire)
        services = {
            f"{service}Endpoint": wire.endpoint for service in ("kinesis", "dynamoDB", "s3")
        }
        settings = write_pipeline(
            kind.file,
            folder,
            {
                "connectorDestination": kind.destination or kind.name,
                "applicationName": name,
                "streamName": f"{name}-in",
                "kinesisInputStreamShardCount": "2",
                "s3Bucket": f"{name}-bucket",
                "bufferRecordCountLimit": "50",
                "bufferMillisecondsLimit": "300",
                **STEADY,
                **QUICK_RETRIES,
                **destination.changes,
            },
            {**stack.properties, **services, **destination.wired},
        )
        list(create(settings))
        kinesis = boto3.client("kinesis")
        source = Source(kinesis, settings[STREAM_NAME], kind.refusals, random)
        destination.begin(settings, source)
        environment = {**environment_of_child(package), **stack.environment}
        environment["PYTHONPATH"] += os.pathsep + str(TESTS)
        application = Application(kind.name, settings, kinesis, environment, random)
        super().__init__({kind.name: application}, destination, source, destination, random)

    def round(self, *incidents):
        is_alone = not any(word in what for what, _ in incidents for word in ZOMBIES)
        self.wires.is_without_zombies = is_alone
        super().round(*incidents)

    def put_some(self):
        """Put more, unless much waits already: on a busy machine all the time would go there."""
        (application,) = self.stages.values()
        done = {shard: lease.checkpoint for shard, lease in application.leases.items()}
        recent = self.source.noted[-2 * MOST_WAITING :]
        if sum(one.position > done.get(one.put.shard, START) for one in recent) < MOST_WAITING:
            self.source.put(self.random.randint(2, 12))

    def settle(self):
        self.wires.settle()

    def close(self):
        for application in self.stages.values():
            application.close()
        self.wires.close()


class Destination:
    """What a destination is to hold, compared with what was put. A subclass for each.

    ``steps`` are the requests of its protocol, as ``Place`` has them; each refusal a name, and what
    makes of a record one that is refused.
    """

    name: str  # as connectorDestination has it, unless that is another
    destination: str | None = None
    file: str  # the shipped file that it begins with
    write: str  # the step that makes records durable
    steps: dict  # of its requests; all have these besides:
    common = {"dead letter": "PUT /{bucket}/errors/{app}/"}  # noqa: RUF012 - never written to
    refusals = (("refused", lambda said: {**said, "id": {"no": said["id"]}}),)
    going_on = 10  # the seconds that a frozen life lets another work
    changes: dict = {}  # noqa: RUF012 - of settings
    wired: dict = {}  # noqa: RUF012 - settings that lead to wires of its own

    def __init__(self, stack, name, wire):
        self.stack, self.app, self.wire = stack, name, wire
        self.is_without_zombies = True  # in this round

    def begin(self, settings, source):
        """Take what was created, and do what is the user's to do."""
        self.settings, self.source = settings, source
        self.objects = Objects(boto3.client("s3"), settings[S3_BUCKET])

    def place(self, _stage, step):
        request = {**self.common, **self.steps}[step]
        return Place(self.wire, request.format(bucket=f"{self.app}-bucket", app=self.app))

    def settle(self):
        """Let what is late arrive."""

    def close(self):
        self.wire.close()

    def never_wrong(self):
        """Complain of what may be at no moment."""
        return []

    def in_the_end(self):
        """Complain of any difference, once everything has drained."""
        count("rows compared", times=len(self.source.noted))
        return [*self.wrong(), *self.wrong_letters()]

    def wrong(self):
        """Complain of what is at the destination."""
        raise NotImplementedError

    def wrong_letters(self):
        """Complain of letters that are not as many as refused records, one each."""
        wanted = {
            (*one.put, one.data, stage)
            for one in self.source.noted
            if (stage := self.stage_of(one.fate))
        }
        found = {
            (one["shard"], one["position"], base64.b64decode(one["data"]), one["stage"])
            for one in self.letters()
        }
        return [*lost("dead letters", wanted - found), *double("dead letters", found - wanted)]

    def stage_of(self, fate):
        """Return where a letter says that a record was refused; "": it has none."""
        refused = {name for name, _ in self.refusals}
        return "transform" if fate == "malformed" else "emit" if fate in refused else ""

    def letters(self):
        for key, tag in self.objects.named(dead_letters_folder(self.settings)):
            yield from map(json.loads, self.objects.lines(key, tag))

    def taken(self):
        """Return the records that are to be there, in the order of their positions."""
        return sorted(
            (one for one in self.source.noted if self.takes(one.fate)),
            key=lambda one: one.position,
        )

    def takes(self, fate):
        return fate in TAKEN

    def last_of_each(self):
        """Return for each id its last record that is taken."""
        return {one.said["id"]: one for one in self.taken()}


def lost(what, items):
    return _counted("losses", f"{what} lost", items)


def double(what, items):
    return _counted("duplicates", f"{what} too many", items)


def _counted(kind, what, items):
    items = list(items.elements() if isinstance(items, Counter) else items)
    count(kind, times=len(items))
    return [f"{len(items)} {what}: {sorted(items, key=str)[:SHOWN]}"] if items else []
