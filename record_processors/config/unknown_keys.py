"""What to say of a key that nobody knows: what it was meant to be, or why it is in vain."""

from __future__ import annotations

from collections.abc import Mapping

from .setting import Setting
from .types import did_you_mean

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
NOT_A_SETTING = "is not a setting"
_ENDS_OF_SECRETS = ("password", "secret", "secretkey", "accesskey", "accesskeyid", "sessiontoken")


def is_secret(key: str) -> bool:
    """Whether the value of an unknown key is meant to be a password or the like."""
    return _bare(key).endswith(_ENDS_OF_SECRETS)


def explain(key: str, known: Mapping[str, Setting[object]]) -> str:
    """Return what to say of ``key``, which is not among ``known``, and is no secret."""
    if key in NEWER:
        return f"{key} is a key of KCL {NEWER[key]}; 3.1.3, on which this stands, ignores it"
    if key in NOT_IN_A_FILE:
        return f"{key} cannot be set in a file: KCL ignores it"
    meant = MEANT.get(key) or next((one.key for one in known.values() if key in one.meant_by), "")
    hint = f"; did you mean {meant}?" if meant else did_you_mean(key, known)
    return f"{key} {NOT_A_SETTING}{hint}"


def _bare(key: str) -> str:
    return key.replace("_", "").replace("-", "").replace(".", "").lower()
