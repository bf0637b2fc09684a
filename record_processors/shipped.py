"""The files in ``properties/``: which settings stand in each, in which order, with which values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .catalogue import REDSHIFT

# The order in which a person meets them. Of KCL's keys, those that one comes to need.
SECTIONS: dict[str, list[str]] = {
    "the daemon (KCL)": [
        *("executableName", "applicationName", "streamName", "regionName"),
        *("AwsCredentialsProvider", "initialPositionInStream", "retrievalMode", "maxRecords"),
        *("idleTimeBetweenReadsInMillis", "callProcessRecordsEvenForEmptyRecordList"),
        *("shutdownGraceMillis", "metricsLevel", "maxLeasesForWorker", "workerId"),
        *("kinesisEndpoint", "dynamoDBEndpoint"),
    ],
    "the pipeline": [
        *("connectorDestination", "transformer", "transformerColumns", "transformerDelimiter"),
        *("filter", "filterExpression", "bufferRecordCountLimit", "bufferByteSizeLimit"),
        *("bufferMillisecondsLimit", "retryLimit", "backoffInterval"),
    ],
    "S3": [
        *("s3Bucket", "s3Prefix", "s3Compression", "s3ServerSideEncryption", "s3KmsKeyId"),
        *("deadLetterPrefix", "s3Endpoint"),
    ],
    "the streams": [
        *("kinesisOutputStream", "kinesisInputStreamShardCount", "kinesisOutputStreamShardCount"),
    ],
    "Redshift": [each.key for each in REDSHIFT],
}
DAEMON = {
    "AwsCredentialsProvider": "DefaultCredentialsProvider",
    "regionName": "us-east-1",
    "initialPositionInStream": "TRIM_HORIZON",
    "retrievalMode": "POLLING",
    "maxRecords": "10000",
    "idleTimeBetweenReadsInMillis": "1000",
    "callProcessRecordsEvenForEmptyRecordList": "true",
    "shutdownGraceMillis": "30000",
    "metricsLevel": "SUMMARY",
    "bufferMillisecondsLimit": "60000",
    "retryLimit": "12",
    "backoffInterval": "100",
    "deadLetterPrefix": "errors/",
}
FILES = {
    **DAEMON,
    "transformer": "json",
    "filter": "all",
    "bufferRecordCountLimit": "10000",
    "bufferByteSizeLimit": "4194304",
    "s3Compression": "gzip",
    "kinesisInputStreamShardCount": "4",
}


# Of KCL's keys, what a comment shows.
EXAMPLES = {"maxLeasesForWorker": "8"}


class Shipped(NamedTuple):
    """A file that is shipped: what it is for, what stands in it, and what is left out."""

    about: str
    values: Mapping[str, str]
    left_out: frozenset[str] = frozenset()


SHIPPED = {
    "s3": Shipped(
        "Records of a Kinesis stream become files in S3.",
        {**FILES, "connectorDestination": "s3", "applicationName": "flights-archive"},
    ),
    "s3_manifest": Shipped(
        "Stage one: records of a Kinesis stream become files in S3, and each file's name goes to "
        "the manifest stream, from which stage two (redshift_manifest.properties) loads it into "
        "Redshift.",
        {
            **FILES,
            "connectorDestination": "s3-manifest",
            "kinesisOutputStreamShardCount": "1",
        },
    ),
    "redshift_manifest": Shipped(
        "Stage two: the files that stage one (s3_manifest.properties) announces on the manifest "
        "stream are loaded into a Redshift table by COPY, each exactly once.",
        {
            **DAEMON,
            "connectorDestination": "redshift-manifest",
            "applicationName": "flights-to-redshift",
            "streamName": "manifests",
            "maxRecords": "1000",
            "shutdownGraceMillis": "60000",
            "bufferRecordCountLimit": "100",
            "kinesisInputStreamShardCount": "1",
            "redshiftUsername": "connectors",
            "redshiftSSLMode": "verify-full",
            "redshiftFileTable": "kinesis_connector_files",
            "redshiftFileKeyColumn": "file",
            "redshiftDataFormat": "json",
            "redshiftCopyOptions": "TIMEFORMAT 'auto'",
            "redshiftCopyMandatory": "true",
        },
        frozenset({"bufferByteSizeLimit", "filter", "filterExpression"}),
    ),
}
