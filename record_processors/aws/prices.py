"""What AWS asks for what it counts, in dollars: list prices in us-east-1 in November 2025."""

from __future__ import annotations

HOURS_A_MONTH = 730
MONTH_SECONDS = HOURS_A_MONTH * 3600

# aws.amazon.com/s3/pricing
MILLION_S3_PUTS = 5.0

# aws.amazon.com/kinesis/data-streams/pricing: provisioned shards. What is put counts by 25 KB.
SHARD_HOUR = 0.015
MILLION_PUT_UNITS = 0.014
PUT_UNIT_BYTES = 25 * 1024
CONSUMER_SHARD_HOUR = 0.015
FAN_OUT_GIB = 0.013  # of what is read by a consumer

# aws.amazon.com/dynamodb/pricing/on-demand: a write is of 1 KB, a read, if consistent, of 4 KB.
MILLION_DYNAMODB_WRITES = 0.625
MILLION_DYNAMODB_READS = 0.125
WRITE_UNIT_BYTES = 1024
READ_UNIT_BYTES = 4096
# A new table takes so many a second: …/amazondynamodb/latest/developerguide/warm-throughput.html
NEW_TABLE_WRITES = 4000

# A month of what a host and its watch take: aws.amazon.com/ebs/pricing (gp3),
# aws.amazon.com/cloudwatch/pricing. Those of hosts: ``fleet/sizes.py``.
DISK_GIB_MONTH = 0.08
METRIC_MONTH = 0.30
ALARM_MONTH = 0.10
DASHBOARD_MONTH = 3.0
LOG_GB = 0.50


def consumer_dollars(shards: int) -> float:
    """Return what a consumer of fan-out costs in a month, whether anything is read by it or not."""
    return shards * CONSUMER_SHARD_HOUR * HOURS_A_MONTH
