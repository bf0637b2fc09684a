"""The keys that every pipeline has, each declared once: the daemon's, the flow's, the bucket's.

The rest of KCL's keys stand in ``kcl_keys.py``. Each transformer, filter and destination declares
its own.
"""

from __future__ import annotations

import os

from .agent import Agent, agent
from .registry import CHOOSERS, DESTINATIONS, FILTERS, TRANSFORMERS
from .setting import Setting, Settings
from .types import (
    BUCKET_NAME,
    STREAM,
    TABLE,
    Duration,
    class_path,
    class_paths,
    duration,
    endpoint,
    matching,
    one_of,
    prefix,
    region,
    text,
    whole_number,
)

THE_DAEMON, THE_PIPELINE, S3, STREAMS = "the daemon (KCL)", "the pipeline", "S3", "the streams"

# The two of KCL's keys that only have a meaning together with us, and others that we use too.
EXECUTABLE_NAME = Setting(
    "executableName",
    text,
    "The command that the daemon starts for each shard: this program, with this file.",
    required=True,
    example="kinesis-connectors process properties/FILE.properties",
    section=THE_DAEMON,
)
APPLICATION_NAME = Setting(
    "applicationName",
    matching(TABLE, "3 to 255 of A-Z a-z 0-9 _ . -"),
    "The pipeline's name: of its lease table in DynamoDB, and part of the keys of its files.",
    required=True,
    example="flights-to-s3",
    note="Under a new name it starts anew, at initialPositionInStream.",
    section=THE_DAEMON,
)
STREAM_NAME = Setting(
    "streamName",
    matching(STREAM, "a stream's name"),
    "The stream to read.",
    required=True,
    example="events",
    section=THE_DAEMON,
)
REGION = Setting[str | None](
    "regionName",
    region,
    "The region of streams, tables and bucket.",
    example="us-east-1",
    note="Without it, AWS_REGION of the environment counts.",
    section=THE_DAEMON,
)
KINESIS_ENDPOINT = Setting[str | None](
    "kinesisEndpoint",
    endpoint,
    "Another Kinesis than the region's.",
    example="http://localhost:4566",
    section=THE_DAEMON,
)
DYNAMODB_ENDPOINT = Setting[str | None](
    "dynamoDBEndpoint",
    endpoint,
    "Another DynamoDB than the region's.",
    example="http://localhost:4566",
    section=THE_DAEMON,
)
WORKER_ID = Setting[str | None](
    "workerId",
    text,
    "This host among those of the application; `run` gives it a name that stays.",
    example="host-1",
    section=THE_DAEMON,
)
# In the environment of `run`: what a host is called in workerId that has a better name than its
# own, such as an instance id, which no other host has, though it come to the same address.
HOST_VARIABLE = "KINESIS_CONNECTORS_HOST"

# The pipeline.
DESTINATION = Setting(
    "connectorDestination",
    class_paths(*DESTINATIONS),
    "Where the records go: to one, or to several, of which one with files comes last.",
    required=True,
    example="s3",
    section=THE_PIPELINE,
)
TRANSFORMER = Setting(
    "transformer",
    class_path(*TRANSFORMERS),
    "What makes rows of a record.",
    CHOOSERS["transformer"].default,
    example="json",
    note="json: each record is a JSON object, and becomes a line of the file as it is. delimited, "
    "csv: the fields transformerColumns of a JSON object. text: lines as they are.",
    section=THE_PIPELINE,
)
FILTER = Setting(
    "filter",
    class_path(*FILTERS),
    "Which records to keep.",
    CHOOSERS["filter"].default,
    note="jmespath: those of which filterExpression is true. regex: those in which it is found.",
    section=THE_PIPELINE,
)

RECORD_LIMIT = Setting(
    "bufferRecordCountLimit",
    whole_number(),
    "A batch goes out at this many kept records.",
    1000,
    unit="records",
    meant_by=("batchSize",),
    section=THE_PIPELINE,
)
BYTE_LIMIT = Setting(
    "bufferByteSizeLimit",
    whole_number(),
    "A batch goes out at this many bytes of records.",
    1_048_576,
    unit="bytes",
    note="Until then they are in memory: records of 300 bytes take three times as much, for each "
    "shard.",
    section=THE_PIPELINE,
)
MILLISECONDS_LIMIT = Setting(
    "bufferMillisecondsLimit",
    whole_number(),
    "A batch goes out when its first record has waited this long.",
    60_000,
    unit="ms",
    section=THE_PIPELINE,
)
RETRY_LIMIT = Setting(
    "retryLimit",
    whole_number(),
    "How often a call that fails for a passing reason is tried.",
    12,
    unit="tries",
    note="Then the daemon ends, to be started again from the checkpoint.",
    section=THE_PIPELINE,
)
OUTAGE_PATIENCE = Setting(
    "outagePatience",
    duration,
    "How long a call is tried at least, if a service is down or busy.",
    Duration(3600),
    example="12h",
    note="Meanwhile the lease is kept, and the stream waits; it must keep its records for longer.",
    section=THE_PIPELINE,
)
LONGEST_WAIT = 20  # seconds between two tries
BACKOFF_INTERVAL = Setting(
    "backoffInterval",
    whole_number(),
    f"The longest wait before the second try; it doubles from try to try, up to {LONGEST_WAIT} s.",
    100,
    unit="ms",
    section=THE_PIPELINE,
)
LOG_FORMAT = Setting(
    "logFormat",
    one_of("text", "json"),
    "How the log is written: lines for people, or an object of JSON on each line, for machines.",
    "text",
    note="Objects have time, level, message; of a shard also application, shard, event.",
    section=THE_PIPELINE,
)

METRICS = Setting[Agent | None](
    "metrics",
    agent,
    "Where the metrics go, as datagrams: an agent that knows StatsD's lines with tags (Datadog, "
    "Telegraf, CloudWatch, Prometheus' exporter), or CloudWatch's with its embedded metric format.",
    example="statsd://127.0.0.1:8125",
    default_in_words="none",
    note="No agent there: nothing is lost but the metrics.",
    section=THE_PIPELINE,
)
UNHEALTHY_AFTER = Setting(
    "unhealthyAfter",
    duration,
    "How long a destination may fail without interruption until `health` calls it unhealthy.",
    Duration(300),
    section=THE_PIPELINE,
)

# S3.
S3_BUCKET = Setting(
    "s3Bucket",
    matching(BUCKET_NAME, "a bucket's name"),
    "The bucket of files and of dead letters.",
    required=True,
    example="kinesis-connectors",
    section=S3,
)
S3_PREFIX = Setting(
    "s3Prefix", prefix, "What the keys of all files begin with.", "", example="a/", section=S3
)
S3_ENDPOINT = Setting[str | None](
    "s3Endpoint",
    endpoint,
    "Another S3 than the region's.",
    example="http://localhost:4566",
    section=S3,
)
ENCRYPTION = Setting[str | None](
    "s3ServerSideEncryption",
    one_of("AES256", "aws:kms"),
    "How S3 encrypts what is written; without it, as the bucket says.",
    example="aws:kms",
    section=S3,
)
KMS_KEY = Setting[str | None](
    "s3KmsKeyId",
    text,
    "The key for aws:kms; without it, AWS's own.",
    example="alias/my-key",
    section=S3,
)
DEAD_LETTER_PREFIX = Setting(
    "deadLetterPrefix",
    prefix,
    "What the keys of dead letters begin with: records that can go nowhere else.",
    "errors/",
    section=S3,
)

# How many shards `create` gives the streams that it makes.
INPUT_SHARDS = Setting(
    "kinesisInputStreamShardCount",
    whole_number(),
    "How many shards `create` gives streamName, if it has to make it.",
    1,
    unit="shards",
    section=STREAMS,
)

EVERY_PIPELINE = [each for each in list(vars().values()) if isinstance(each, Setting)]


def region_of(settings: Settings) -> str | None:
    """Return the region of the file, or of the environment by the name that boto3 does not read."""
    return settings[REGION] or os.environ.get("AWS_REGION")
