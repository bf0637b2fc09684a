"""The keys of KCL that we heed too; ``kcl_keys.py`` has the rest, which the daemon alone reads."""

from __future__ import annotations

from .kcl_types import (
    BILLING,
    CREDENTIALS,
    LONG,
    MOST_INT,
    MOST_RECORDS,
    NUMBER,
    SECONDS_SINCE_1970,
    TABLE_NAME,
    TAGS,
)
from .setting import Setting, Settings
from .types import CONSUMER, boolean, matching, one_of, text, whole_number

PER_REQUEST = "PAY_PER_REQUEST"

SHUTDOWN_GRACE = Setting(
    "shutdownGraceMillis",
    whole_number(0),
    "How long a stop (SIGTERM) waits for the children to finish.",
    0,
    unit="ms",
)
TIMEOUT = Setting[int | None](
    "timeoutInSeconds",
    NUMBER,
    "Halts the daemon when a child takes longer for an answer.",
    unit="s",
)
MAX_THREADS = Setting(
    "maxActiveThreads",
    whole_number(0, MOST_INT),
    "Threads for the children; 0: as many as needed. With too few they wait for each other.",
    0,
    unit="threads",
)
MAX_LEASES = Setting[int | None](
    "maxLeasesForWorker",
    NUMBER,
    "The most shards that this worker takes.",
    unit="leases",
    default_in_words="no limit",
)
MAX_RECORDS = Setting(
    "maxRecords",
    whole_number(1, MOST_RECORDS),
    "The most records of one read, 10000 at most.",
    MOST_RECORDS,
    unit="records",
)
CALL_WITHOUT_RECORDS = Setting(
    "callProcessRecordsEvenForEmptyRecordList",
    boolean,
    "Calls the child also when there are no records; flushing by time needs it.",
    default=False,
)
RETRIEVAL_MODE = Setting(
    "retrievalMode",
    one_of("DEFAULT", "POLLING", "FANOUT"),
    "How records are fetched: POLLING, or FANOUT (own throughput, at a charge).",
    "DEFAULT",
)
SKIP_SYNC = Setting(
    "skipShardSyncAtWorkerInitializationIfLeasesExist",
    boolean,
    "Starts without listing the shards, if there are leases.",
    default=False,
)
METRICS_LEVEL = Setting(
    "metricsLevel",
    one_of("NONE", "SUMMARY", "DETAILED"),
    "How many metrics go to CloudWatch.",
    "DETAILED",
)
CREDENTIALS_PROVIDER = Setting(
    "AwsCredentialsProvider",
    CREDENTIALS,
    "Where the AWS credentials come from, as class names with commas between.",
    required=True,
)
DYNAMODB_PROVIDER = Setting[str | None](
    "AwsCredentialsProviderDynamoDB",
    CREDENTIALS,
    "Other credentials for DynamoDB.",
    default_in_words="AwsCredentialsProvider",
)
CLOUDWATCH_PROVIDER = Setting[str | None](
    "AwsCredentialsProviderCloudWatch",
    CREDENTIALS,
    "Other credentials for CloudWatch.",
    default_in_words="AwsCredentialsProvider",
)
FAILOVER = Setting(
    "failoverTimeMillis",
    LONG,
    "A worker that is silent so long loses its leases to others.",
    10_000,
    unit="ms",
)
REPORT_INTERVAL = Setting(
    "workerMetricsReporterFreqInMillis",
    LONG,
    "How often each host tells how busy it is; who has not twice is given no shards.",
    30_000,
    unit="ms",
)
REPORTS_MISSED = 2  # after which KCL's leader gives a worker no leases any more: WorkerMetricStats
ASSIGNMENT_INTERVAL = Setting[int | None](
    "leaseAssignmentIntervalMillis",
    LONG,
    "How often one of the hosts gives out the shards that nobody reads.",
    unit="ms",
    default_in_words="2 * failoverTimeMillis",
)
PARENT_POLL_INTERVAL = Setting(
    "parentShardPollIntervalMillis",
    LONG,
    "How often a shard looks whether its parent shards are finished.",
    10_000,
    unit="ms",
)
SHARD_SYNC_INTERVAL = Setting(
    "shardSyncIntervalMillis",
    LONG,
    "How often the list of shards is compared with the leases.",
    60_000,
    unit="ms",
)
LEASE_TABLE = Setting[str | None](
    "tableName",
    TABLE_NAME,
    "Name of the lease table in DynamoDB.",
    default_in_words="applicationName",
)
WORKERS_TABLE = Setting[str | None](
    "workerMetricsTableName",
    TABLE_NAME,
    "Name of the worker metrics table in DynamoDB.",
    default_in_words="applicationName + -WorkerMetricStats",
)
COORDINATOR_TABLE = Setting[str | None](
    "coordinatorStateTableName",
    TABLE_NAME,
    "Name of the coordinator state table in DynamoDB.",
    default_in_words="applicationName + -CoordinatorState",
)
LEASE_BACKUPS = Setting(
    "leaseTablePitrEnabled",
    boolean,
    "Gives a new lease table point-in-time recovery.",
    default=False,
)
WORKERS_BACKUPS = Setting(
    "workerMetricsPointInTimeRecoveryEnabled",
    boolean,
    "Gives the new worker metrics table point-in-time recovery.",
    default=False,
)
COORDINATOR_BACKUPS = Setting(
    "coordinatorStatePointInTimeRecoveryEnabled",
    boolean,
    "Gives the new coordinator state table point-in-time recovery.",
    default=False,
)
LEASE_PROTECTION = Setting(
    "leaseTableDeletionProtectionEnabled",
    boolean,
    "Protects a new lease table from deletion.",
    default=False,
)
WORKERS_PROTECTION = Setting(
    "workerMetricsDeletionProtectionEnabled",
    boolean,
    "Protects the new worker metrics table from deletion.",
    default=False,
)
COORDINATOR_PROTECTION = Setting(
    "coordinatorStateDeletionProtectionEnabled",
    boolean,
    "Protects the new coordinator state table from deletion.",
    default=False,
)
WORKERS_BILLING = Setting(
    "workerMetricsBillingMode",
    BILLING,
    "How the worker metrics table is billed.",
    PER_REQUEST,
)
COORDINATOR_BILLING = Setting(
    "coordinatorStateBillingMode",
    BILLING,
    "How the coordinator state table is billed.",
    PER_REQUEST,
)
WORKERS_TAGS = Setting[str | None](
    "workerMetricsTags", TAGS, "Tags of the new worker metrics table, as name=value,name=value."
)
COORDINATOR_TAGS = Setting[str | None](
    "coordinatorStateTags",
    TAGS,
    "Tags of the new coordinator state table, as name=value,name=value.",
)
CONSUMER_NAME = Setting[str | None](
    "fanoutConfig.consumerName",
    matching(CONSUMER, "a consumer's name"),
    "The fan-out consumer's name.",
    default_in_words="applicationName",
)
CONSUMER_ARN = Setting[str | None](
    "fanoutConfig.consumerArn",
    matching(r"arn:aws[a-z-]*:kinesis:\S+:stream/\S+/consumer/\S+:[0-9]+", "a consumer's ARN"),
    "A fan-out consumer that is there already, of this stream.",
)
WORKER_IDENTIFIER = Setting[str | None](
    "workerIdentifier",
    text,
    "Name of this worker in the lease table; the same setting as workerId.",
    default_in_words="a random UUID",
)
STREAM_ARN = Setting[str | None](
    "streamArn",
    matching(r"arn:aws[a-z-]*:kinesis:\S+:stream/\S+", "a stream's ARN"),
    "The stream to read, as an ARN, of which KCL uses the name alone.",
)
INITIAL_POSITION = Setting(
    "initialPositionInStream",
    one_of("LATEST", "TRIM_HORIZON"),
    "Where to begin in a shard that has no checkpoint yet.",
    "LATEST",
)
INITIAL_TIMESTAMP = Setting[int | None](
    "initialPositionInStreamExtended",
    SECONDS_SINCE_1970,
    "Where to begin in a shard without a checkpoint: at this time.",
)
USED_BY_US = [each for each in list(vars().values()) if isinstance(each, Setting)]


def is_pushed(settings: Settings) -> bool:
    """Whether Kinesis pushes the records, by enhanced fan-out."""
    return settings[RETRIEVAL_MODE] == "FANOUT"
