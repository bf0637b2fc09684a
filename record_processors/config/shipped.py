"""What the shipped ``.properties`` files have in common.

Which there are, and what stands in each beside this, the destinations say: ``Destination.shipped``.
"""

from __future__ import annotations

# The daemon's section, in the order in which a person meets its keys; of KCL's, those that one
# comes to need.
DAEMON_KEYS = [
    *("executableName", "applicationName", "streamName", "regionName"),
    *("AwsCredentialsProvider", "initialPositionInStream", "retrievalMode", "maxRecords"),
    *("idleTimeBetweenReadsInMillis", "millisBehindLatestThresholdForReducedTps"),
    "callProcessRecordsEvenForEmptyRecordList",
    *("shutdownGraceMillis", "leaseAssignmentIntervalMillis", "workerMetricsReporterFreqInMillis"),
    *("metricsLevel", "maxLeasesForWorker", "workerId"),
    *("kinesisEndpoint", "dynamoDBEndpoint"),
]
# What a comment shows of keys that are KCL's.
EXAMPLES = {"maxLeasesForWorker": "8"}

DAEMON = {
    "AwsCredentialsProvider": "DefaultCredentialsProvider",
    "regionName": "us-east-1",
    "initialPositionInStream": "TRIM_HORIZON",
    "retrievalMode": "POLLING",
    "maxRecords": "5000",
    "idleTimeBetweenReadsInMillis": "750",
    "millisBehindLatestThresholdForReducedTps": "1000",
    "callProcessRecordsEvenForEmptyRecordList": "true",
    "shutdownGraceMillis": "30000",
    # Half of KCL's own and a third: so long shards wait for another host when theirs is gone.
    "leaseAssignmentIntervalMillis": "10000",
    "workerMetricsReporterFreqInMillis": "10000",
    "metricsLevel": "SUMMARY",
    "bufferMillisecondsLimit": "60000",
    "retryLimit": "12",
    "outagePatience": "1h",
    "backoffInterval": "100",
    "deadLetterPrefix": "errors/",
}
# What waits for a minute's batch need not be read each second: a read has its price, with records
# and without (tests/bench/README.md).
FOR_FILES = {**DAEMON, "millisBehindLatestThresholdForReducedTps": "2000"}
FILES_OF_ROWS = {
    **FOR_FILES,
    "transformer": "json",
    "filter": "all",
    "bufferRecordCountLimit": "10000",
    "bufferByteSizeLimit": "4194304",
    "s3Compression": "gzip",
    "kinesisInputStreamShardCount": "4",
}
