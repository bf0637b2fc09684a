"""The settings of the daemon, the pipeline and S3, each declared once.

Redshift's stand in ``redshift_settings.py``, the rest of KCL's keys in ``kcl.py``; a transformer,
filter or emitter of one's own declares its settings in its class attribute ``declares``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from .kinds import (
    BUCKET_NAME,
    STREAM,
    TABLE,
    delimiter,
    endpoint,
    prefix,
    region,
)
from .setting import (
    EVERYWHERE,
    Setting,
    Settings,
    class_path,
    matching,
    names,
    one_of,
    text,
    whole_number,
)

__all__ = ["Setting", "Settings"]

FILES = frozenset({"s3", "s3-manifest"})
MANIFEST = frozenset({"s3-manifest"})

# The two of KCL's keys that only have a meaning together with us, and others that we use too.
EXECUTABLE_NAME = Setting(
    "executableName",
    text,
    "The command that the daemon starts for each shard: this program, with this file.",
    None,
    EVERYWHERE,
    example="kinesis-connectors process properties/FILE.properties",
)
APPLICATION_NAME = Setting(
    "applicationName",
    matching(TABLE, "3 to 255 of A-Z a-z 0-9 _ . -"),
    "The pipeline's name: of its lease table in DynamoDB, and part of the keys of its files.",
    None,
    EVERYWHERE,
    example="flights-to-s3",
    note="Under a new name it starts anew, at initialPositionInStream.",
)
STREAM_NAME = Setting(
    "streamName",
    matching(STREAM, "a stream's name"),
    "The stream to read.",
    None,
    EVERYWHERE,
    example="events",
)
REGION = Setting[str | None](
    "regionName",
    region,
    "The region of streams, tables and bucket.",
    example="us-east-1",
    note="Without it, AWS_REGION of the environment counts.",
)
KINESIS_ENDPOINT = Setting[str | None](
    "kinesisEndpoint",
    endpoint,
    "Another Kinesis than the region's.",
    example="http://localhost:4566",
)
DYNAMODB_ENDPOINT = Setting[str | None](
    "dynamoDBEndpoint",
    endpoint,
    "Another DynamoDB than the region's.",
    example="http://localhost:4566",
)
WORKER_ID = Setting[str | None](
    "workerId",
    text,
    "This host among those of the application; `run` gives it a name that stays.",
    example="host-1",
)

# The pipeline.
DESTINATION = Setting(
    "connectorDestination",
    class_path("s3", "s3-manifest", "redshift-manifest"),
    "Where the records go.",
    None,
    EVERYWHERE,
    example="s3-manifest",
)
TRANSFORMER = Setting(
    "transformer",
    class_path("json", "delimited", "csv", "text"),
    "What makes rows of a record.",
    "json",
    used_by=FILES,
    example="json",
    note="json: each record is a JSON object, and becomes a line of the file as it is. delimited, "
    "csv: the fields transformerColumns of a JSON object. text: lines as they are.",
)
COLUMNS = Setting[Sequence[str]](
    "transformerColumns",
    names,
    "The fields of delimited and csv rows, in the table's order.",
    used_by=FILES,
    example="year, month, day, carrier, flight",
)
DELIMITER = Setting(
    "transformerDelimiter",
    delimiter,
    "The character between the fields of delimited rows.",
    "|",
    used_by=FILES,
)
FILTER = Setting(
    "filter",
    class_path("all", "jmespath", "regex"),
    "Which records to keep.",
    "all",
    note="jmespath: those of which filterExpression is true. regex: those in which it is found.",
)
FILTER_EXPRESSION = Setting(
    "filterExpression", text, "What jmespath or regex must find.", example="carrier == 'UA'"
)

RECORD_LIMIT = Setting(
    "bufferRecordCountLimit",
    whole_number(),
    "A batch goes out at this many kept records.",
    1000,
    unit="records",
)
BYTE_LIMIT = Setting(
    "bufferByteSizeLimit",
    whole_number(),
    "A batch goes out at this many bytes of records.",
    1_048_576,
    unit="bytes",
    note="Until then they are in memory: records of 300 bytes take three times as much, for each "
    "shard.",
)
MILLISECONDS_LIMIT = Setting(
    "bufferMillisecondsLimit",
    whole_number(),
    "A batch goes out when its first record has waited this long.",
    60_000,
    unit="ms",
)
RETRY_LIMIT = Setting(
    "retryLimit",
    whole_number(),
    "How often a call that fails for a passing reason is tried.",
    12,
    unit="tries",
    note="Then the daemon ends, to be started again from the checkpoint.",
)
BACKOFF_INTERVAL = Setting(
    "backoffInterval",
    whole_number(),
    "The longest wait before the second try; it doubles from try to try, up to 20 s.",
    100,
    unit="ms",
)

# S3.
S3_BUCKET = Setting(
    "s3Bucket",
    matching(BUCKET_NAME, "a bucket's name"),
    "The bucket of files, of the manifests that COPY reads, and of dead letters.",
    None,
    EVERYWHERE,
    example="kinesis-connectors",
)
S3_PREFIX = Setting("s3Prefix", prefix, "What the keys of all files begin with.", "", example="a/")
S3_ENDPOINT = Setting[str | None](
    "s3Endpoint", endpoint, "Another S3 than the region's.", example="http://localhost:4566"
)
COMPRESSION = Setting(
    "s3Compression",
    one_of("gzip", "zstd", "none"),
    "How files are compressed.",
    "gzip",
    used_by=FILES,
    note="zstd makes smaller files for the same CPU (pip install 'kinesis-connectors[zstd]').",
)
ENCRYPTION = Setting[str | None](
    "s3ServerSideEncryption",
    one_of("AES256", "aws:kms"),
    "How S3 encrypts what is written; without it, as the bucket says.",
    example="aws:kms",
)
KMS_KEY = Setting[str | None](
    "s3KmsKeyId", text, "The key for aws:kms; without it, AWS's own.", example="alias/my-key"
)
DEAD_LETTER_PREFIX = Setting(
    "deadLetterPrefix",
    prefix,
    "What the keys of dead letters begin with: records that can go nowhere else.",
    "errors/",
)

# The manifest stream.
OUTPUT_STREAM = Setting(
    "kinesisOutputStream",
    matching(STREAM, "a stream's name"),
    "The stream that stage two reads the files' names from.",
    None,
    MANIFEST,
    used_by=MANIFEST,
    example="manifests",
    note="One shard is enough for 1,000 files a second.",
)

# How many shards `create` gives the streams that it makes.
INPUT_SHARDS = Setting(
    "kinesisInputStreamShardCount",
    whole_number(),
    "How many shards `create` gives streamName, if it has to make it.",
    1,
    unit="shards",
)
OUTPUT_SHARDS = Setting(
    "kinesisOutputStreamShardCount",
    whole_number(),
    "How many shards `create` gives kinesisOutputStream, if it has to make it.",
    1,
    used_by=MANIFEST,
    unit="shards",
)


def region_of(settings: Settings) -> str | None:
    """Return the region of the file, or of the environment by the name that boto3 does not read."""
    return settings[REGION] or os.environ.get("AWS_REGION")


def counts(settings: Settings, setting: Setting[Any]) -> bool:
    """Whether the file holds the key, and its destination heeds it."""
    return setting in settings and setting.is_used_by(settings[DESTINATION])
