"""What to say of a key that nobody knows: what it was meant to be, or why it is in vain."""

from __future__ import annotations

from collections.abc import Iterable

from .setting import did_you_mean

# Keys of a KCL that is newer than ours, and the release that brought them.
NEWER = {
    "leaseTableScanTotalSegments": "3.5",
    "migrateAllEntitiesToLeaseTable": "3.5",
    "tableMigrationCompleteBakeTimeSeconds": "3.5",
}
# What people write and KCL ignores, where the letters alone do not lead to the right key.
MEANT = {
    "region": "regionName",
    "awsRegion": "regionName",
    "kinesisRegion": "kinesisClient.region",
    "endpoint": "kinesisEndpoint or dynamoDBEndpoint",
    "cloudWatchEndpoint": "cloudWatchClient.endpointOverride",
    "credentialsProvider": "AwsCredentialsProvider",
    "AwsCredentialsProviderKinesis": "AwsCredentialsProvider",
    "consumerName": "fanoutConfig.consumerName",
    "consumerArn": "fanoutConfig.consumerArn",
    "timestampAtInitialPositionInStream": "initialPositionInStreamExtended",
    "leaseTablePointInTimeRecoveryEnabled": "leaseTablePitrEnabled",
    "deletionProtectionEnabled": "leaseTableDeletionProtectionEnabled",
    "skipShardSyncAtStartupIfLeasesExist": "skipShardSyncAtWorkerInitializationIfLeasesExist",
    "idleTimeInMillis": "idleTimeBetweenReadsInMillis",
    "idleMillisBetweenCalls": "idleTimeBetweenReadsInMillis",
    "userAgent": "kinesisClient.overrideConfiguration.…",
    "redshiftTable": "redshiftDataTable",
    "redshiftUser": "redshiftUsername",
    "batchSize": "bufferRecordCountLimit",
}
# Settings of KCL that its Java interface has and a file has not.
NOT_IN_A_FILE = frozenset(
    "billingMode cacheMissWarningModulus completedLeaseCleanupIntervalMillis consistentReads "
    "dataFetchingStrategy dynamoDbRequestTimeout epsilonMillis kinesisRequestTimeout "
    "leaseAssignmentStrategy leaseCleanupIntervalMillis leaseTableBillingMode leaseTableTags "
    "leasesRecoveryAuditorExecutionFrequencyMillis "
    "leasesRecoveryAuditorInconsistencyConfidenceThreshold listShardsCacheAllowedAgeInSeconds "
    "maxCacheMissesBeforeReload maxInitializationAttempts maxPendingProcessRecordsInput "
    "metricsNamespace namespace readTimeoutsToIgnoreBeforeWarning "
    "shardConsumerDispatchPollIntervalMillis shardPrioritization shardSyncStrategyType "
    "sleepTimeControllerConfig tags usePollingConfigIdleTimeValue workerMetricList "
    "workerStateChangeListener".split()
)
SECRETS = (
    "secrets never stand in this file, which the daemon logs: the password of Redshift comes from "
    "the environment variable REDSHIFT_PASSWORD, or by redshiftSecretArn"
)
_ENDS_OF_SECRETS = ("password", "secret", "secretkey", "accesskey", "accesskeyid", "sessiontoken")


def told_of(key: str, known: Iterable[str]) -> str:
    """Return what to say of ``key``, which is not among ``known``."""
    bare = key.replace("_", "").replace("-", "").replace(".", "").lower()
    if bare.endswith(_ENDS_OF_SECRETS):
        return f"{key}: {SECRETS}"
    if key in NEWER:
        return f"{key} is a key of KCL {NEWER[key]}; 3.1.3, on which this stands, ignores it"
    if key in NOT_IN_A_FILE:
        return f"{key} cannot be set in a file: KCL ignores it"
    hint = f"; did you mean {MEANT[key]}?" if key in MEANT else did_you_mean(key, known)
    return f"{key} is not a setting{hint}"
