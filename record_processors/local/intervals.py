"""KCL's intervals, so short that all shards deliver some seconds after a start."""

#: The intervals as KCL's properties, for stand-ins only: on AWS they cost calls.
QUICK: dict[str, str] = {
    "workerMetricsReporterFreqInMillis": "1000",
    "inMemoryWorkerMetricsCaptureFrequencyMillis": "500",
    "failoverTimeMillis": "2000",
    "leaseAssignmentIntervalMillis": "1000",
    "shardSyncIntervalMillis": "1000",
    "parentShardPollIntervalMillis": "1000",
    "idleTimeBetweenReadsInMillis": "250",
    "millisBehindLatestThresholdForReducedTps": "500",
}
