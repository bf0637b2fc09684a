"""The keys of KCL 3.1.3's MultiLangDaemon, so that a mistyped one, or its value, is found.

The daemon itself ignores unknown keys, reads a mistyped number as 0, and does not apply a 0. What
stands here was tried key by key with ``MultiLangDaemonConfiguration`` of the release.
"""

from __future__ import annotations

from collections.abc import Callable

from .kcl_settings import USED_BY_US
from .kcl_types import (
    ALWAYS_TRUE,
    DECIMAL,
    DURATION,
    FRACTION,
    LONG,
    NUMBER,
)
from .setting import Setting
from .types import boolean, endpoint, one_of, region, text, whole_number

V3 = "CLIENT_VERSION_CONFIG_3X"


def _key(
    name: str,
    type_: Callable[[str], object],
    default: str,
    unit: str,
    help_: str,
) -> Setting[object]:
    """Declare a key that only the daemon reads; its default is what the reference says."""
    return Setting(name, type_, help_, unit=unit, default_in_words=default)


# fmt: off
_KEYS = [
    _key("processingLanguage", text, "", "",
         "A word for the log, to say what language the child is written in. Only logged."),
    _key("cleanupLeasesUponShardCompletion", ALWAYS_TRUE, "true", "",
         "Deletes the lease of a shard that has been read to its end."),
    _key("ignoreUnexpectedChildShards", boolean, "false", "",
         "Goes on when the list of shards shows a child shard with an open parent."),
    _key("maxLeasesToStealAtOneTime", NUMBER, "1", "leases",
         "The most leases taken from another worker at a time. No effect in 3.1.3."),
    _key("enablePriorityLeaseAssignment", boolean, "true", "",
         "Takes very late leases first. No effect in 3.1.3."),
    _key("initialLeaseTableReadCapacity", NUMBER, "10", "capacity units",
         "Read capacity of a new lease table with provisioned billing. No effect in 3.1.3."),
    _key("initialLeaseTableWriteCapacity", NUMBER, "10", "capacity units",
         "Write capacity of a new lease table with provisioned billing. No effect in 3.1.3."),
    _key("maxLeaseRenewalThreads", NUMBER, "20", "threads",
         "Threads that renew the leases of this worker."),
    _key("listShardsBackoffTimeInMillis", LONG, "1500", "ms",
         "The pause before ListShards is tried again."),
    _key("maxListShardsRetryAttempts", NUMBER, "50", "tries",
         "How often ListShards is tried."),
    _key("gracefulLeaseHandoffTimeoutMillis", LONG, "30000", "ms",
         "How long a child may take to finish before its lease goes to another worker."),
    _key("isGracefulLeaseHandoffEnabled", boolean, "true", "",
         "Lets a child finish and checkpoint before its lease goes to another worker."),
    _key("inMemoryWorkerMetricsCaptureFrequencyMillis", LONG, "1000", "ms",
         "How often the worker's load is measured."),
    _key("noOfPersistedMetricsPerWorkerMetrics", NUMBER, "10", "measurements",
         "How many measurements of load are kept for each worker."),
    _key("disableWorkerMetrics", boolean, "false", "",
         "Balances by throughput alone, and does not measure the load of workers."),
    _key("maxThroughputPerHostKBps", DECIMAL, "no limit", "KB/s",
         "The most throughput that a worker is given."),
    _key("dampeningPercentage", whole_number(1, 100), "60", "%",
         "How much of the surplus load is moved at a time."),
    _key("reBalanceThresholdPercentage", whole_number(1, 100), "10", "%",
         "Load may differ so much from the mean before leases move."),
    _key("allowThroughputOvershoot", boolean, "true", "",
         "Moves a lease even if it gives the other worker a little too much."),
    _key("varianceBalancingFrequency", NUMBER, "3", "assignments",
         "Balances at each so-many-th assignment of leases."),
    _key("workerMetricsEMAAlpha", FRACTION, "0.5", "",
         "Weight of new measurements of load, between 0 and 1."),
    _key("staleWorkerMetricsEntryCleanupDuration", DURATION, "P1D", "",
         "How old the entry of a silent worker may get before it is removed."),
    _key("workerMetricsReadCapacity", LONG, "0", "capacity units",
         "Read capacity of the worker metrics table."),
    _key("workerMetricsWriteCapacity", LONG, "0", "capacity units",
         "Write capacity of the worker metrics table."),
    _key("coordinatorStateReadCapacity", LONG, "0", "capacity units",
         "Read capacity of the coordinator state table."),
    _key("coordinatorStateWriteCapacity", LONG, "0", "capacity units",
         "Write capacity of the coordinator state table."),
    _key("schedulerInitializationBackoffTimeMillis", LONG, "1000", "ms",
         "The pause before a failed start is tried again."),
    _key("clientVersionConfig", one_of(V3, f"{V3[:-2]}COMPATIBLE_WITH_2X"), V3, "",
         "Lets workers of KCL 2.x and 3.x share an application while it is upgraded."),
    _key("taskBackoffTimeMillis", LONG, "500", "ms",
         "The pause before a failed task is tried again."),
    _key("logWarningForTaskAfterMillis", LONG, "", "ms",
         "Logs a warning when a task takes longer than this."),
    _key("metricsBufferTimeMillis", LONG, "10000", "ms",
         "How long metrics are gathered before they are sent."),
    _key("metricsMaxQueueSize", NUMBER, "10000", "metrics",
         "The most metrics that wait to be sent."),
    _key("metricsEnabledDimensions", text, "ALL", "",
         "The dimensions of the metrics, with commas between: Operation, ShardId, ... or ALL."),
    _key("idleTimeBetweenReadsInMillis", LONG, "1500", "ms",
         "The pause between two reads of a shard; less than 200 counts as 200. Kinesis allows five "
         "reads a second of a shard, to all who read it together."),
    _key("millisBehindLatestThresholdForReducedTps", whole_number(0), "0", "ms",
         "While a shard is less than this behind, it is read once in so long; 0 turns it off."),
    _key("retryGetRecordsInSeconds", NUMBER, "", "s",
         "Was: when a second GetRecords is sent while the first is slow. No effect in 3.1.3."),
    _key("maxGetRecordsThreadPool", NUMBER, "", "threads",
         "Was: threads for such second GetRecords calls. No effect in 3.1.3."),
    _key("validateSequenceNumberBeforeCheckpointing", boolean, "false", "",
         "Was, in KCL 1.x: checks a sequence number before checkpointing it. No effect in 3.1.3."),
]
_FANOUT = [
    _key("fanoutConfig.maxDescribeStreamSummaryRetries", NUMBER, "10", "tries",
         "How often DescribeStreamSummary is tried."),
    _key("fanoutConfig.maxDescribeStreamConsumerRetries", NUMBER, "10", "tries",
         "How often DescribeStreamConsumer is tried."),
    _key("fanoutConfig.registerStreamConsumerRetries", NUMBER, "10", "tries",
         "How often RegisterStreamConsumer is tried."),
    _key("fanoutConfig.retryBackoffMillis", LONG, "1000", "ms",
         "The pause before such a call is tried again."),
]
# fmt: on


def _client_keys(client: str, service: str) -> list[Setting[object]]:
    timeout = f"{client}.overrideConfiguration.apiCall"
    return [
        _key(f"{client}.region", region, "regionName", "", f"The region for {service} alone."),
        _key(f"{client}.endpointOverride", endpoint, "", "", f"Another {service}."),
        _key(f"{client}.dualstackEnabled", boolean, "false", "", f"{service} over IPv6 too."),
        _key(f"{client}.fipsEnabled", boolean, "false", "", f"{service}'s FIPS endpoint."),
        _key(f"{timeout}Timeout", DURATION, "", "", f"The most time for a call of {service}."),
        _key(f"{timeout}AttemptTimeout", DURATION, "", "", "The most time for one try of it."),
    ]


KCL_KEYS: dict[str, Setting[object]] = {
    each.key: each
    for each in [
        *USED_BY_US,
        *_KEYS,
        *_FANOUT,
        *_client_keys("kinesisClient", "Kinesis"),
        *_client_keys("dynamoDbClient", "DynamoDB"),
        *_client_keys("cloudWatchClient", "CloudWatch"),
        _key(
            "dynamoDbClient.endpointDiscoveryEnabled",
            boolean,
            "false",
            "",
            "Lets the SDK find DynamoDB's endpoint.",
        ),
    ]
}
