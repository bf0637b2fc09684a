"""The metrics of every pipeline, each declared once; each destination declares its own.

Gathered wherever something happens, as a module logs: a process has one shard, and so one of each.
"""

from __future__ import annotations

from ..config.metric import Counter, Gauge, Metric, Timer, TimeSpent

RECORDS_READ = Counter("records.read", "Records that the daemon delivered.")
RECORDS_KEPT = Counter("records.kept", "Records that go to the destination.")
RECORDS_FILTERED = Counter(
    "records.filtered", "Records that the filter, or a transformer that makes no row, left out."
)
RECORDS_REFUSED = Counter(
    "records.refused",
    "Records that became dead letters: by the transformer or the filter, or, once kept, by the "
    "destination.",
)
RECORDS_SKIPPED = Counter(
    "records.skipped", "Records that an earlier life, or another process, had delivered."
)
TRANSFORM_TIME = TimeSpent("transform.time", "Time spent in the transformer and the filter.")
BATCHES = Counter(
    "batches",
    "Batches given to the destination, by what made them one: count, bytes, time, or stop (of the "
    "daemon, the end of the shard, or the rest of a batch that another process wrote in part).",
    tag="threshold",
)
BATCH_BYTES = Counter("batches.bytes", "Bytes of record data in these batches.", "bytes")
EMIT_TIME = Timer("emit.time", "How long it took to make a batch durable, failures included.")
RETRIES = Counter(
    "retries",
    "Calls that failed for a passing reason, or were taken in part, and are tried again.",
    tag="service",
)
MILLIS_BEHIND_LATEST = Gauge(
    "millis_behind_latest",
    "How far the last records read are behind the end of the shard, as KCL says it; it rises as "
    "long as they are worked on, be it in an outage.",
    "milliseconds",
)
BUFFER_AGE = Gauge(
    "buffer.age", "How long the oldest record has waited that is not durable.", "milliseconds"
)

METRICS_LOST = Counter(
    "metrics.lost", "Datagrams with metrics that could not be sent, as far as this host is told."
)

OF_EVERY_PIPELINE = [each for each in list(vars().values()) if isinstance(each, Metric)]
