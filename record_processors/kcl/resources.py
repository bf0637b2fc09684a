"""What a pipeline needs outside; of that, what the daemon does: stream, KCL's tables, CloudWatch.

docs.aws.amazon.com/streams/latest/dev/kcl-iam-permissions.html, and of that what KCL 3.1.3 calls,
table by table, by the names in the classes of its jar.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from ..aws.arns import Arns, account_in
from ..aws.clients import Client
from ..aws.findings import ERRORS, about, code_of, quick_client, why
from ..aws.iam import allow
from ..aws.new_bucket import PipelineBucket
from ..aws.objects import DeadLetterFiles
from ..aws.stream import Stream
from ..config.kcl_settings import (
    CONSUMER_ARN,
    LEASE_TABLE,
    METRICS_LEVEL,
    is_pushed,
)
from ..config.keys import APPLICATION_NAME, INPUT_SHARDS, STREAM_NAME
from ..config.registry import chosen
from ..config.resource import Failed, Finding, Resource, Statement
from ..config.setting import Settings
from .consumer import Consumer
from .first_leases import LeaseTable
from .tables import KINDS, LEASES, KclTable, is_a, is_made_beforehand, table_name
from .unused_consumer import UnusedConsumer
from .used_consumer import GivenConsumer, OwnConsumer


def resources(settings: Settings) -> Iterator[Resource]:
    """Yield all that a pipeline needs outside: the daemon, its destination, the dead letters."""
    yield SourceStream(settings)
    yield consumer(settings)
    yield Leases(settings)
    for kind in KINDS:
        if is_made_beforehand(settings, kind):
            yield LeaseTable(settings) if kind is LEASES else KclTable(settings, kind)
    yield Metrics(settings)
    yield PipelineBucket(settings)
    yield from chosen(settings.texts).destination.resources(settings)
    yield DeadLetterFiles(settings)


def consumer(settings: Settings) -> Consumer:
    """Return the consumer of the file, or what it may have left behind when it had one."""
    if not is_pushed(settings):
        return UnusedConsumer(settings)
    return GivenConsumer(settings) if settings[CONSUMER_ARN] else OwnConsumer(settings)


class SourceStream(Stream):
    """The stream that the daemon reads."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, STREAM_NAME, INPUT_SHARDS)

    def probe(self) -> Iterator[Finding]:
        """Look at it as the daemon does, and read at most one record of one shard."""
        if is_pushed(self.settings):  # its consumer is another thing
            is_asked_for = self.settings[CONSUMER_ARN] is None  # the daemon makes it of the answer
            yield self.described() if is_asked_for else self.looked_at()
            return
        yield self.looked_at()
        yield self._read()

    def _read(self) -> Finding:
        kinesis = quick_client("kinesis", self.settings)
        shards = self.tried(
            "kinesis:ListShards",
            lambda: kinesis.list_shards(StreamName=self.name, MaxResults=1),
        )
        iterator = self.tried(
            "kinesis:GetShardIterator",
            lambda: kinesis.get_shard_iterator(
                StreamName=self.name,
                ShardId=shards["Shards"][0]["ShardId"],
                ShardIteratorType="TRIM_HORIZON",
            ),
        )
        place = about(STREAM_NAME, self.name)
        try:
            kinesis.get_records(ShardIterator=iterator["ShardIterator"], Limit=1)
        except ERRORS as error:
            if code_of(error) == "ProvisionedThroughputExceededException":  # we may, but not now
                return Finding("note", f"{place}: others read it as fast as it may be read")
            raise Failed(f"{place}: {why(error, 'kinesis:GetRecords')}") from error
        return Finding("ok", f"{place}: its records can be read")

    def permissions(self, account: str) -> Iterator[Statement]:
        """Allow to read it; with fan-out too, as KinesisShardDetector asks for children."""
        actions = "kinesis: ListShards GetShardIterator GetRecords"
        yield allow("ReadTheStream", actions, self.arn(account))

    def permissions_to_operate(self, account: str) -> Iterator[Statement]:
        """Allow to read it, shard by shard, and to ask how long it keeps records."""
        actions = "kinesis: ListShards GetShardIterator GetRecords DescribeStreamSummary"
        yield allow("ReadTheStream", actions, self.arn(account))


class Leases(Resource):
    """KCL's tables: the leases with the checkpoints, how busy each worker is, and who leads.

    The daemon makes those that are not there at its first start.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.account: str | None = None  # whose they are, once they were looked at
        setting = LEASE_TABLE if LEASE_TABLE in settings else APPLICATION_NAME
        self.name = table_name(settings, LEASES)
        self.place = f"{setting.key} = {self.name}: the lease table"

    @cached_property
    def dynamodb(self) -> Client:
        """The client."""
        return quick_client("dynamodb", self.settings)

    def probe(self) -> Iterator[Finding]:
        """Look at the lease table; that it is not there yet is fine."""
        if (status := self.status()) is None:
            yield Finding(
                "ok",
                f"{self.place} is not there yet: `kinesis-connectors create` makes it, or the "
                "daemon when it starts, which takes longer",
            )
        else:
            yield Finding("ok", f"{self.place} is {status}")

    def look(self) -> Iterator[Finding]:
        """Look at the lease table, and tell of a first start, which takes its time."""
        if self.status() is None:
            yield Finding(
                "note",
                f"{self.place} is not there yet: this is the first start of the application, and "
                "until KCL hands out records it takes up to two minutes; `kinesis-connectors "
                "create` beforehand makes it half a minute",
            )

    def status(self) -> str | None:
        """Return the lease table's status, None if it is not there. Raises Failed."""
        dynamodb = self.dynamodb  # raises what is true of all clients, and is said once
        try:
            found = dynamodb.describe_table(TableName=self.name)["Table"]
        except ERRORS as error:
            if code_of(error) == "ResourceNotFoundException":
                return None
            reason = why(error, "dynamodb:DescribeTable")
            raise Failed(f"{self.place} in DynamoDB: {reason}") from error
        if not is_a(LEASES, found):
            raise Failed(
                f"{self.place} in DynamoDB is a table of something else: "
                f"its key is not {LEASES.key}"
            )
        self.account = account_in(found["TableArn"])
        return str(found["TableStatus"])

    def permissions(self, account: str) -> Iterator[Statement]:
        """Allow to share the shards, and, the first daemon, to make the tables for that."""
        arns, settings = Arns(self.settings, account), self.settings
        each = [(kind, arns.table(table_name(settings, kind))) for kind in KINDS]
        leases, workers, leader = (table for _, table in each)
        # DynamoDBLeaseRefresher, WorkerMetricStatsDAO, and CoordinatorStateDAO with its lock.
        few = "dynamodb: DescribeTable Scan UpdateItem DeleteItem"
        index = f"{leases}/index/LeaseOwnerToLeaseKeyIndex"
        yield allow("KeepLeases", f"{few} GetItem PutItem", leases)
        yield allow("FindTheLeasesOfAWorker", "dynamodb: Query", index)
        yield allow("CompareWorkers", few, workers)
        yield allow("ChooseALeader", f"{few} GetItem PutItem", leader)
        # Once the tables are there, these may be taken away.
        yield allow("MakeTables", "dynamodb: CreateTable", leases, workers, leader)
        yield allow("MakeTheIndex", "dynamodb: UpdateTable", leases)
        if tables := [table for kind, table in each if settings[kind.backups]]:
            yield allow("BackTablesUp", "dynamodb: UpdateContinuousBackups", *tables)
        if tables := [table for kind, table in each if kind.tags and kind.tags in settings]:
            yield allow("TagTables", "dynamodb: TagResource", *tables)

    def permissions_to_operate(self, account: str) -> Iterator[Statement]:
        """Allow to read the leases, and when each worker was heard of."""
        arns = Arns(self.settings, account)
        tables = [arns.table(table_name(self.settings, kind)) for kind in KINDS[:2]]
        yield allow("ReadTheLeases", "dynamodb: Scan", *tables)


class Metrics(Resource):
    """KCL's metrics in CloudWatch."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def permissions(self, account: str) -> Iterator[Statement]:
        """Allow to report them; KCL's namespace is the application's name."""
        del account
        if self.settings[METRICS_LEVEL] != "NONE":
            # PutMetricData knows no resources.
            only = {"StringEquals": {"cloudwatch:namespace": self.settings[APPLICATION_NAME]}}
            yield allow("ReportMetrics", "cloudwatch: PutMetricData", "*", when=only)

    def permissions_to_operate(self, account: str) -> Iterator[Statement]:
        """Allow nothing: the daemon reports them."""
        del account
        return iter(())
