"""The keys of KCL 3.1.3's MultiLangDaemon, so that a mistyped one is found.

The daemon itself ignores unknown keys, reads a mistyped number as 0 and any word but ``true`` as
false. Sources: ``MultiLangDaemonConfiguration`` and ``MultiLangDaemonConfig`` of the release.
"""

from __future__ import annotations

from collections.abc import Callable

from .setting import boolean, one_of, text, whole_number

_TEXTS = """
    applicationName AwsCredentialsProvider AwsCredentialsProviderCloudWatch
    AwsCredentialsProviderDynamoDB coordinatorStateBillingMode coordinatorStateTableName
    coordinatorStateTags dynamoDBEndpoint executableName kinesisEndpoint metricsEnabledDimensions
    processingLanguage regionName staleWorkerMetricsEntryCleanupDuration streamArn streamName
    tableName workerId workerIdentifier workerMetricsBillingMode workerMetricsTableName
    workerMetricsTags
"""
_NUMBERS = """
    coordinatorStateReadCapacity coordinatorStateWriteCapacity dampeningPercentage
    failoverTimeMillis gracefulLeaseHandoffTimeoutMillis idleTimeBetweenReadsInMillis
    inMemoryWorkerMetricsCaptureFrequencyMillis initialLeaseTableReadCapacity
    initialLeaseTableWriteCapacity leaseAssignmentIntervalMillis listShardsBackoffTimeInMillis
    logWarningForTaskAfterMillis maxActiveThreads maxGetRecordsThreadPool maxLeaseRenewalThreads
    maxLeasesForWorker maxLeasesToStealAtOneTime maxListShardsRetryAttempts
    maxThroughputPerHostKBps metricsBufferTimeMillis metricsMaxQueueSize
    millisBehindLatestThresholdForReducedTps noOfPersistedMetricsPerWorkerMetrics
    parentShardPollIntervalMillis reBalanceThresholdPercentage retryGetRecordsInSeconds
    schedulerInitializationBackoffTimeMillis shardSyncIntervalMillis shutdownGraceMillis
    taskBackoffTimeMillis timeoutInSeconds varianceBalancingFrequency workerMetricsReadCapacity
    workerMetricsReporterFreqInMillis workerMetricsWriteCapacity
"""
_FLAGS = """
    allowThroughputOvershoot callProcessRecordsEvenForEmptyRecordList
    cleanupLeasesUponShardCompletion coordinatorStateDeletionProtectionEnabled
    coordinatorStatePointInTimeRecoveryEnabled disableWorkerMetrics enablePriorityLeaseAssignment
    ignoreUnexpectedChildShards isGracefulLeaseHandoffEnabled
    leaseTableDeletionProtectionEnabled leaseTablePitrEnabled
    skipShardSyncAtWorkerInitializationIfLeasesExist validateSequenceNumberBeforeCheckpointing
    workerMetricsDeletionProtectionEnabled workerMetricsPointInTimeRecoveryEnabled
"""


def _decimal(value: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError("not a number") from None


KCL_KEYS: dict[str, Callable[[str], object]] = {
    **dict.fromkeys(_TEXTS.split(), text),
    **dict.fromkeys(_NUMBERS.split(), whole_number(0)),
    **dict.fromkeys(_FLAGS.split(), boolean),
    "initialPositionInStreamExtended": whole_number(1),  # seconds since 1970
    "maxRecords": whole_number(1, 10_000),  # GetRecords takes no more
    "workerMetricsEMAAlpha": _decimal,
    "clientVersionConfig": one_of(
        "CLIENT_VERSION_CONFIG_3X",
        "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X",
        "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X_PHASE1",
    ),
    "initialPositionInStream": one_of("LATEST", "TRIM_HORIZON"),
    "metricsLevel": one_of("NONE", "SUMMARY", "DETAILED"),
    "retrievalMode": one_of("DEFAULT", "POLLING", "FANOUT"),
}

# Keys of the SDK's client builders and of fan-out; the daemon refuses a wrong one itself.
KCL_PREFIXES = ("kinesisClient.", "dynamoDbClient.", "cloudWatchClient.", "fanoutConfig.")

KCL_NEEDED = (
    "applicationName",
    "AwsCredentialsProvider",
    "executableName",
    "initialPositionInStream",
    "streamName",
)
