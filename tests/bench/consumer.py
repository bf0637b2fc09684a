"""A whole consumer, the daemon and all its children, on a stream: what it uses, how far it is."""

import json
import sys
import time

import boto3
import psutil

from bench.child import BARE, mebibytes
from record_processors.config.keys import APPLICATION_NAME
from record_processors.destinations.s3_manifest import OUTPUT_STREAM
from record_processors.kcl.java import find_java
from record_processors.kcl.launch import DAEMON, classpath
from record_processors.local.children import Child
from record_processors.local.intervals import QUICK

PATIENCE = 180.0  # seconds without progress
WORKER = "bench"
# The yardstick's child, which also leaves a line for each call: how many records it was given.
COUNTING = BARE.replace(
    "    def process_records(self, given):",
    "    def process_records(self, given):\n        counts.write(f'{len(given.records)}\\n')",
).replace("kcl.KCLProcess", "import sys; counts = open(sys.argv[1], 'a', 1)\nkcl.KCLProcess")
LOGBACK = """<configuration>
  <appender name="E" class="ch.qos.logback.core.ConsoleAppender"><target>System.err</target>
    <encoder><pattern>%d %-5level %logger - %msg%n</pattern></encoder></appender>
  <root level="WARN"><appender-ref ref="E"/></root></configuration>
"""
AS_SHIPPED = dict.fromkeys(QUICK)  # the intervals that a person starts with
# What the yardstick has of a pipeline's file; all else is KCL's default.
OF_THE_BARE_ONE = {
    *("applicationName", "streamName", "regionName", "AwsCredentialsProvider", "workerId"),
    *("initialPositionInStream", "retrievalMode", "kinesisEndpoint", "dynamoDBEndpoint"),
    *("metricsLevel", "maxRecords", "idleTimeBetweenReadsInMillis"),
}


class Consumer:
    """A running consumer. It has its leases from the beginning, so that no start waits."""

    def __init__(self, workbench, settings, command):
        _give_leases(settings[APPLICATION_NAME])
        self.child = Child.start(
            settings[APPLICATION_NAME],
            command,
            # Of the stand-ins' flags none: Java's are what is measured.
            {**workbench.environment, "JAVA_TOOL_OPTIONS": ""},
            workbench.folder / f"{settings[APPLICATION_NAME]}.log",
            grace=30,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stop()

    def count(self):
        """Return how many records have arrived where they are to go."""
        raise NotImplementedError

    def wait(self, total):
        """Wait until so many have arrived; return when that was, in seconds, and how many."""
        seen, moved = 0, time.monotonic()
        while seen < total:
            self.child.check()
            if (count := self.count()) != seen:
                seen, moved = count, time.monotonic()
            elif time.monotonic() - moved > PATIENCE:
                raise SystemExit(f"{seen:,} of {total:,} came\n{self.child.tail()}")
            else:
                time.sleep(0.1)
        return moved, seen

    def cpu(self):
        """Return the seconds of CPU of all its processes."""
        used = [each.cpu_times() for each in self._processes()]
        return sum(each.user + each.system for each in used)

    def mebibytes(self):
        """Return the peak memory of Java alone, and of all processes together."""
        peaks = [mebibytes(each.pid, "VmHWM") for each in self._processes()]
        return max(peaks), sum(peaks)

    def _processes(self):
        ours = psutil.Process(self.child.process.pid)
        return [ours, *ours.children(recursive=True)]


class Bare(Consumer):
    """amazon_kclpy's daemon under Java's and KCL's defaults; its children write nothing."""

    def __init__(self, workbench, stream, **changes):
        settings = workbench.pipeline(
            streamName=stream, workerId=WORKER, **{**AS_SHIPPED, **changes}
        )
        folder = workbench.folder / settings[APPLICATION_NAME]
        (folder / "bare.py").write_text(COUNTING)
        (folder / "logback.xml").write_text(LOGBACK)
        self.counts = folder / "counts"
        self.counts.touch()
        self._offset = self._count = 0
        kept = {key: text for key, text in settings.texts.items() if key in OF_THE_BARE_ONE}
        kept["executableName"] = f"{sys.executable} {folder}/bare.py {self.counts}"
        path = folder / "bare.properties"
        path.write_text("".join(f"{key} = {text}\n" for key, text in kept.items()))
        command = [
            *(find_java()[0], "-cp", classpath(str(path)), DAEMON, "--properties-file", str(path)),
            *("--log-configuration", str(folder / "logback.xml")),
        ]
        super().__init__(workbench, settings, command)

    def count(self):
        with self.counts.open() as lines:
            lines.seek(self._offset)
            new = lines.read()
        self._offset += len(new)
        self._count += sum(map(int, new.split()))
        return self._count


class Ours(Consumer):
    """``kinesis-connectors run`` on a pipeline of stage one; what is announced has arrived."""

    def __init__(self, workbench, stream, **changes):
        settings = workbench.pipeline(
            streamName=stream, workerId=WORKER, **{**AS_SHIPPED, **changes}
        )
        self.application, self.output = settings[APPLICATION_NAME], settings[OUTPUT_STREAM]
        self._kinesis, self._iterator, self._count = boto3.client("kinesis"), None, 0
        command = [sys.executable, "-m", "record_processors", "run", settings.path]
        super().__init__(workbench, settings, command)

    def count(self):
        if self._iterator is None:
            self._iterator = self._kinesis.get_shard_iterator(
                StreamName=self.output,
                ShardId="shardId-000000000000",
                ShardIteratorType="TRIM_HORIZON",
            )["ShardIterator"]
        answer = self._kinesis.get_records(ShardIterator=self._iterator)
        self._iterator = answer["NextShardIterator"]
        told = [json.loads(each["Data"]) for each in answer["Records"]]
        self._count += sum(each["rows"] for each in told if each["application"] == self.application)
        return self._count


def _give_leases(table):
    """Make them the worker's own: it takes back at once what carries its name."""
    dynamodb = boto3.client("dynamodb")
    for item in dynamodb.scan(TableName=table)["Items"]:
        dynamodb.put_item(TableName=table, Item={**item, "leaseOwner": {"S": WORKER}})
