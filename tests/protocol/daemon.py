"""The MultiLangDaemon's part, played to the real child: a process, its pipes, its transcript.

A ``Scene`` is what surrounds a pipeline: its settings file, its bucket, its manifest stream. A
``Daemon`` is one life of its child. Both watch what must never happen: at every checkpoint, each
record that it passes must be durable; and no secret may be on stderr.
"""

import functools
import gzip
import itertools
import json
import logging
from collections import Counter, deque
from typing import NamedTuple

import boto3
from botocore.config import Config
from moto.server import ThreadedMotoServer

from record_processors.flow.record import Position
from support.child_talk import Talk, environment_of_child, record_message
from support.fault_proxy import Proxy

SHARD = "shardId-000000000007"
BASE = 10**56 - 6  # the sixth record's sequence number has one digit more than the fifth's
HOUR = "2024/03/05/06"
ARRIVAL = 1_709_618_828_000  # in that hour
SECRETS = {"REDSHIFT_PASSWORD": "rosebud-4711", "AWS_SECRET_ACCESS_KEY": "sesame/0815+open"}

KEPT, FILTERED, REJECTED = "kept", "filtered", "rejected"

_numbers = itertools.count(1)


class Given(NamedTuple):
    """A record as the daemon delivers it."""

    position: Position
    data: bytes
    arrival: int | None = ARRIVAL

    @property
    def fate(self):
        if b"bad" in self.data:
            return REJECTED
        return FILTERED if b"skip" in self.data else KEPT

    @property
    def message(self):
        return record_message(self.data, *self.position, "clé", self.arrival)


def record(number, sub=0, fate=KEPT, arrival=ARRIVAL):
    """Make the record of that number; its data say what becomes of it."""
    data = {
        KEPT: f'{{"n": {number}.{sub}, "digits": 0.10000000000000000001}}',
        FILTERED: f'{{"n": {number}.{sub}, "skip": true}}',
        REJECTED: f"bad {number}.{sub}",
    }
    return Given(at(number, sub), data[fate].encode(), arrival)


def records(first, last):
    """Make the kept records of the numbers from ``first`` to ``last``."""
    return [record(number) for number in range(first, last + 1)]


def at(number, sub=0):
    return Position(BASE + number, sub)


def key(number, sub=0, hour=HOUR, extension=".json.gz"):
    return f"flights/{hour}/{SHARD}-{at(number, sub)}{extension}"


def checkpoint(number, sub=0):
    return ("checkpoint", str(BASE + number), sub)


def put(number, sub=0):
    return ("put", key(number, sub))


def announce(number, sub=0):
    return ("announce", key(number, sub))


def status(action):
    return ("status", action)


def written(first, last):
    """Return the effects of one batch, in order."""
    return [put(first), announce(first), checkpoint(last)]


END_OF_SHARD = ("checkpoint", None, None)


@functools.cache
def upstream():
    """Start the stand-in for S3 and Kinesis, once."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    return "http://{}:{}".format(*server.get_host_and_port())


@functools.cache
def client(service):
    return boto3.client(
        service,
        endpoint_url=upstream(),
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )


class Object(NamedTuple):
    """What a file in the bucket holds, and the range that it says it covers."""

    key: str
    first: Position
    last: Position
    rows: list
    metadata: dict


class Scene:
    """One pipeline and what surrounds it; ``effects`` is what came out of it, in order."""

    def __init__(self, directory, package=None, **settings):
        self.directory = directory / f"scene-{next(_numbers)}"
        self.directory.mkdir()
        self.package = package
        self.effects = []
        self.given = {}
        self.daemons = []
        self.proxy = Proxy(upstream(), self.effects)
        self.bucket = self.directory.name
        client("s3").create_bucket(Bucket=self.bucket)
        client("kinesis").create_stream(StreamName=self.bucket, ShardCount=1)
        self.properties = self.directory / "flights.properties"
        self.settings = {
            "executableName": f"kinesis-connectors process {self.properties}",
            "applicationName": "flights",
            "streamName": "events",
            "regionName": "us-east-1",
            "kinesisEndpoint": self.proxy.endpoint,
            "AwsCredentialsProvider": "DefaultCredentialsProvider",
            "initialPositionInStream": "TRIM_HORIZON",
            "retrievalMode": "POLLING",
            "callProcessRecordsEvenForEmptyRecordList": "true",
            "shutdownGraceMillis": "30000",
            "connectorDestination": "s3-manifest",
            "filter": "jmespath",
            "filterExpression": "!skip",
            "bufferRecordCountLimit": "10",
            "bufferMillisecondsLimit": "3600000",
            "retryLimit": "3",
            "outagePatience": "0",
            "backoffInterval": "1",
            "s3Bucket": self.bucket,
            "s3Endpoint": self.proxy.endpoint,
            "kinesisOutputStream": self.bucket,
        }
        self.configure(**settings)

    def configure(self, **settings):
        """Change settings; the next child reads them."""
        self.settings.update({name: str(value) for name, value in settings.items()})
        lines = [f"{name} = {value}\n" for name, value in self.settings.items()]
        self.properties.write_text("".join(lines))

    def module(self, text):
        """Put a module ``mine`` where the daemon was started: the user's own code."""
        (self.directory / "mine.py").write_text(text)

    def daemon(self, parent=()):
        """Begin a life. ``parent`` is a command that starts the command that follows it."""
        daemon = Daemon(self, parent)
        self.daemons.append(daemon)
        return daemon

    def ready(self, after=None):
        """Begin a life on the shard, after the checkpoint ``after`` if there is one."""
        daemon = self.daemon()
        if after:
            daemon.acknowledged = daemon.largest = after
        told = (str(after.sequence), after.sub_sequence) if after else ()
        assert daemon.initialize(*told) == [status("initialize")], daemon.told()
        return daemon

    def close(self):
        for daemon in self.daemons:
            daemon.kill()
        self.proxy.close()

    def objects(self):
        """Return the files in the bucket, in the order of the shard."""
        return sorted(map(self._object, self._keys("flights/")), key=lambda found: found.first)

    def dead_letters(self):
        """Return the dead letters in the bucket."""
        return [
            json.loads(line)
            for key in self._keys("errors/flights/")
            for line in self._get(key)["Body"].read().splitlines()
        ]

    def overwrite(self, key, body):
        client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)

    def _keys(self, prefix):
        found = client("s3").list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return [entry["Key"] for entry in found.get("Contents", [])]

    def _get(self, key):
        return client("s3").get_object(Bucket=self.bucket, Key=key)

    def _object(self, key):
        answer = self._get(key)
        body, metadata = gzip.decompress(answer["Body"].read()), answer["Metadata"]
        assert body.endswith(b"\n"), f"{key}: the last row has no end"
        first, last = (
            Position.parse(metadata.get(name, "0-0"))  # a stranger's says nothing
            for name in ("first-position", "last-position")
        )
        return Object(key, first, last, body[:-1].split(b"\n"), metadata)

    def assert_durable(self, position):
        """Look at what a checkpoint at ``position`` passes, while the child awaits its answer."""
        objects = self.objects()
        self._assert_delivered(objects, [p for p in self.given if p <= position])
        announced = {what[1] for what in self.effects if what[0] == "announce"}
        for found in objects:
            inside = found.first <= position < found.last
            assert not inside, f"checkpoint at {position}: inside {found.key}"
            quiet = found.last <= position and found.key not in announced
            assert not quiet, f"checkpoint at {position}: {found.key} is not announced"

    def assert_exactly_once(self):
        """Everything delivered is a row of one object, or filtered, or a dead letter."""
        objects = self.objects()
        self._assert_delivered(objects, self.given)
        for before, after in itertools.pairwise(objects):
            assert before.last < after.first, f"{before.key} overlaps {after.key}"
        writes = Counter(effect for effect in self.effects if effect[0] == "put")
        again = [name for (_, name), times in writes.items() if times > 1 and "errors" not in name]
        assert again == [], "files written again"
        assert [found for found in objects if not found.rows] == [], "empty objects"
        rows = sum(len(found.rows) for found in objects)
        assert rows == [g.fate for g in self.given.values()].count(KEPT), "rows from nowhere"

    def _assert_delivered(self, objects, positions):
        rows = Counter(row for found in objects for row in found.rows)
        letters = {letter["position"] for letter in self.dead_letters()}
        for position in positions:
            given = self.given[position]
            times = rows[given.data]
            wanted = int(given.fate == KEPT)
            assert times == wanted, f"record {position} ({given.fate}) is {times} times in files"
            lost = given.fate == REJECTED and str(position) not in letters
            assert not lost, f"record {position} is no dead letter"


class Daemon(Talk):
    """One life of the child, watched."""

    def __init__(self, scene, parent=()):
        self.scene = scene
        self.answers = deque()  # names of errors, for the checkpoints to come; None: fine
        log = scene.directory / f"stderr-{len(scene.daemons)}"
        environment = {**environment_of_child(scene.package), **SECRETS}
        super().__init__(scene.properties, log, environment, parent)

    def initialize(self, sequence_number="TRIM_HORIZON", sub_sequence_number=0):
        return self.call(
            "initialize",
            shardId=SHARD,
            sequenceNumber=sequence_number,
            subSequenceNumber=sub_sequence_number,
        )

    def process_records(self, given=()):
        """Deliver records; return what the child says to that."""
        self.deliver(given)
        return self.listen()

    def deliver(self, given):
        given = list(given)
        for each in given:
            self.scene.given[each.position] = each
            self.largest = max(self.largest, each.position)
        self.send("processRecords", records=[g.message for g in given], millisBehindLatest=0)

    def hear(self):
        heard = super().hear()
        if heard is not None:
            self.scene.effects.append(heard)
        return heard

    def verdict(self, heard):
        """Give the next of ``answers``, or KCL's own."""
        return (self.answers.popleft() if self.answers else None) or super().verdict(heard)

    def acknowledge(self, heard):
        """Take down a checkpoint, once it is seen that what it passes is durable."""
        self.scene.assert_durable(self.position(heard))
        super().acknowledge(heard)

    def kill(self):
        super().kill()
        secret = next((name for name, value in SECRETS.items() if value in self.told()), None)
        assert secret is None, f"{secret} is on stderr"


class Scenes:
    """Makes scenes in a directory, for the code of ``package``, and cleans up after them."""

    def __init__(self, directory, package=None):
        self.directory = directory
        self.package = package
        self.all = []

    def __call__(self, **settings):
        scene = Scene(self.directory, self.package, **settings)
        self.all.append(scene)
        return scene

    def __enter__(self):
        return self

    def __exit__(self, _, error, __):
        for scene in self.all:
            for daemon in scene.daemons if error else ():
                print(f"--- stderr of a child\n{daemon.told()[-4000:]}")
            scene.close()
