"""Every setting of ours, declared once: key, form, default, and a sentence about it.

KCL's own keys stand in ``kcl.py``; a transformer, filter or emitter of one's own declares its
settings in its class attribute ``declares``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .setting import (
    Setting,
    Settings,
    boolean,
    class_path,
    matching,
    names,
    one_of,
    text,
    whole_number,
)

__all__ = ["OURS", "Setting", "Settings"]

ANY = frozenset({"*"})
REDSHIFT = frozenset({"redshift-manifest"})

# Limits of the services, each with the page that states it.
KEY_BYTES = 1024  # docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
BUCKET_NAME = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"  # …/userguide/bucketnamingrules.html
STREAM = (
    r"[A-Za-z0-9_.-]{1,128}"  # docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream
)
TABLE = r"[A-Za-z0-9_.-]{3,255}"  # …/amazondynamodb/latest/developerguide/HowItWorks.NamingRules
ROLE = r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]+"  # …/IAM/latest/UserGuide/reference_iam

_PART = r'(?:[A-Za-z_][\w$]*|"[^"%\0]+")'
_PREFIX_BYTES = KEY_BYTES // 4  # application, date, shard and position come after it


def _prefix(value: str) -> str:
    if not value.isprintable() or len(value.encode()) > _PREFIX_BYTES:
        raise ValueError(f"not at most {_PREFIX_BYTES} bytes of printable characters")
    return value


def _columns(value: str) -> Sequence[str]:
    found = names(value)
    for name in found:
        if not re.fullmatch(_PART, name):
            raise ValueError(f"{name} is not a column's name; quote it if it must be so")
    return found


def _endpoint(value: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]+/?", value):
        raise ValueError("not http://host:port or https://host")
    return value


def _delimiter(value: str) -> str:
    if len(value) != 1 or not value.isascii() or value in "\\\n\r\0" or value.isalnum():
        raise ValueError("not one ASCII character that is no letter, digit, backslash or line end")
    return value


def _redshift_url(value: str) -> str:
    match = re.fullmatch(r"(?:jdbc:redshift://)?([\w.-]+):([0-9]{1,5})/([^/?;&\s]+)", value)
    if not match or not 0 < int(match[2]) < 65_536:
        raise ValueError("not host:port/database, nor jdbc:redshift://host:port/database")
    return "{}:{}/{}".format(*match.groups())


def _roles(value: str) -> str:
    if value != "default" and not re.fullmatch(rf"{ROLE}(,{ROLE})*", value):
        raise ValueError("not a role's ARN (or several, with commas), nor 'default'")
    return value


def _json_paths(value: str) -> str:
    if value not in {"auto", "auto ignorecase"} and not re.fullmatch(r"s3://[^\s']+", value):
        raise ValueError("not 'auto', 'auto ignorecase', nor s3://bucket/key")
    return value


# KCL's keys that we use too.
APPLICATION_NAME = Setting(
    "applicationName",
    matching(TABLE, "3 to 255 of A-Z a-z 0-9 _ . -"),
    "The pipeline's name: of its lease table in DynamoDB, and in the keys of its files.",
    None,
    ANY,
)
STREAM_NAME = Setting(
    "streamName", matching(STREAM, "a stream's name"), "The stream to read.", None, ANY
)
REGION = Setting[str | None]("regionName", text, "The region of the streams and the lease table.")
KINESIS_ENDPOINT = Setting[str | None]("kinesisEndpoint", _endpoint, "Another Kinesis than AWS's.")
EXECUTABLE_NAME = Setting(
    "executableName", text, "The command that the daemon runs for each shard.", None, ANY
)
WORKER_ID = Setting[str | None]("workerId", text, "This host among those of the application.")

# The pipeline.
DESTINATION = Setting(
    "connectorDestination",
    class_path("s3", "s3-manifest", "redshift-manifest"),
    "Where the records go: s3, s3-manifest, redshift-manifest, or package.module:Class.",
    None,
    ANY,
)
TRANSFORMER = Setting(
    "transformer",
    class_path("json", "delimited", "csv", "text"),
    "What makes rows of a record: json, delimited, csv, text, or package.module:Class.",
    "json",
)
COLUMNS = Setting[Sequence[str]](
    "transformerColumns", names, "The fields of delimited and csv rows, in the table's order."
)
DELIMITER = Setting(
    "transformerDelimiter", _delimiter, "The character between delimited fields.", "|"
)
FILTER = Setting(
    "filter",
    class_path("all", "jmespath", "regex"),
    "Which records to keep: all, jmespath, regex, or package.module:Class.",
    "all",
)
FILTER_EXPRESSION = Setting("filterExpression", text, "What jmespath or regex must find.")

RECORD_LIMIT = Setting(
    "bufferRecordCountLimit", whole_number(), "Flush at this many kept records.", 1000
)
BYTE_LIMIT = Setting(
    "bufferByteSizeLimit", whole_number(), "Flush at this many bytes of record data.", 1_048_576
)
MILLISECONDS_LIMIT = Setting(
    "bufferMillisecondsLimit", whole_number(), "Flush what has waited this long.", 60_000
)

RETRY_LIMIT = Setting(
    "retryLimit",
    whole_number(),
    "Tries of a failing call before the process ends and the daemon starts again.",
    12,
)
BACKOFF_INTERVAL = Setting(
    "backoffInterval",
    whole_number(),
    "Longest wait before the second try, in milliseconds; it doubles from try to try, up to 20 s.",
    100,
)

# S3.
S3_BUCKET = Setting(
    "s3Bucket",
    matching(BUCKET_NAME, "a bucket's name"),
    "The bucket of files and dead letters.",
    None,
    ANY,
)
S3_PREFIX = Setting("s3Prefix", _prefix, "What the keys of all files begin with.", "")
S3_ENDPOINT = Setting[str | None]("s3Endpoint", _endpoint, "Another S3 than the region's.")
COMPRESSION = Setting(
    "s3Compression", one_of("gzip", "zstd", "none"), "How files are compressed.", "gzip"
)
ENCRYPTION = Setting[str | None](
    "s3ServerSideEncryption", one_of("AES256", "aws:kms"), "How S3 encrypts the files."
)
KMS_KEY = Setting[str | None]("s3KmsKeyId", text, "The key for aws:kms.")
DEAD_LETTER_PREFIX = Setting(
    "deadLetterPrefix", _prefix, "What the keys of dead letters begin with.", "errors/"
)

# The manifest stream.
OUTPUT_STREAM = Setting(
    "kinesisOutputStream",
    matching(STREAM, "a stream's name"),
    "The stream that stage two reads the files' names from.",
    None,
    frozenset({"s3-manifest"}),
)

# How many shards `create` gives the streams that it makes.
INPUT_SHARDS = Setting(
    "kinesisInputStreamShardCount", whole_number(), "Shards of streamName, if created.", 1
)
OUTPUT_SHARDS = Setting(
    "kinesisOutputStreamShardCount", whole_number(), "Shards of kinesisOutputStream, if created.", 1
)

# Redshift.
REDSHIFT_URL = Setting(
    "redshiftURL", _redshift_url, "host:port/database of the warehouse.", None, REDSHIFT
)
REDSHIFT_USER = Setting[str | None](
    "redshiftUsername", text, "The user, whose password is in REDSHIFT_PASSWORD."
)
PASSWORD_VARIABLE = "REDSHIFT_PASSWORD"  # noqa: S105 - the environment variable's name
REDSHIFT_SECRET = Setting[str | None](
    "redshiftSecretArn", text, "The Secrets Manager secret that holds username and password."
)
REDSHIFT_CLUSTER = Setting[str | None](
    "redshiftClusterIdentifier", text, "The cluster to log in to by IAM."
)
REDSHIFT_WORKGROUP = Setting[str | None](
    "redshiftWorkgroup", text, "The serverless workgroup to log in to by IAM."
)
SSL_MODE = Setting(
    "redshiftSSLMode",
    one_of("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "As in libpq.",
    "verify-full",
)
SSL_ROOT_CERT = Setting[str | None](
    "redshiftSSLRootCert", text, "The file of root certificates; default: one that holds Amazon's."
)
DATA_TABLE = Setting(
    "redshiftDataTable",
    matching(rf"(?:{_PART}\.)?{_PART}", "[schema.]table"),
    "The table that the rows go to.",
    None,
    REDSHIFT,
)
DATA_COLUMNS = Setting[Sequence[str]](
    "redshiftDataColumns", _columns, "The columns that the fields go to; default: the table's.", ()
)
FILE_TABLE = Setting(
    "redshiftFileTable",
    matching(rf"(?:{_PART}\.)?{_PART}", "[schema.]table"),
    "The load ledger: which files the table holds.",
    "kinesis_connector_files",
)
FILE_KEY_COLUMN = Setting(
    "redshiftFileKeyColumn", matching(_PART, "a column's name"), "The ledger's key column.", "file"
)
IAM_ROLE = Setting(
    "redshiftIamRole", _roles, "The role(s) by which COPY reads S3, or 'default'.", None, REDSHIFT
)
DATA_FORMAT = Setting(
    "redshiftDataFormat",
    one_of("json", "delimited", "csv", "parquet"),
    "What the files hold.",
    "json",
)
JSON_PATHS = Setting(
    "redshiftJsonPaths", _json_paths, "'auto', or the s3:// path of a jsonpaths file.", "auto"
)
DATA_DELIMITER = Setting(
    "redshiftDataDelimiter", _delimiter, "The character between the fields of the files.", "|"
)
COPY_OPTIONS = Setting("redshiftCopyOptions", text, "More COPY options, appended as they are.", "")
COPY_MANDATORY = Setting(
    "redshiftCopyMandatory", boolean, "Whether COPY insists on every file of the manifest.", True
)

OURS: dict[str, Setting[object]] = {
    value.key: value for value in list(globals().values()) if isinstance(value, Setting)
}
