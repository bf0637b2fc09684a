"""A file that is wrong says all that is wrong with it, and nothing starts."""

import codecs
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import amazon_kclpy
import javaproperties
import pytest

from record_processors import Setting
from record_processors.commands import main as cli
from record_processors.config.host_metrics import OF_A_HOST
from record_processors.config.kcl_keys import KCL_KEYS
from record_processors.config.keys import RECORD_LIMIT
from record_processors.config.known_settings import COMMON, elsewhere
from record_processors.config.properties import SettingsError, load
from record_processors.config.reference import reference
from record_processors.config.registry import DESTINATIONS, load_class
from record_processors.config.shipped_files import shipped_files
from record_processors.config.unknown_keys import explain
from record_processors.kcl.assembly import assemble
from support.fakes import STAGE_ONE, STAGE_TWO, properties
from support.paths import REPOSITORY

ALL = {**COMMON, **{key: found.setting for key, found in elsewhere().items()}}
OURS = {key: setting for key, setting in ALL.items() if key not in KCL_KEYS}
SHIPPED = sorted(REPOSITORY.glob("properties/*.properties"))
FILES = {**shipped_files("properties"), "README.md": reference()}
CONSUMER_ARN = "arn:aws:kinesis:eu-west-1:123456789012:stream/events/consumer/me:1"


def problems(path):
    """Return ``(line, sentence)`` of every problem of the file."""
    with pytest.raises(SettingsError) as raised:
        load(path)
    return [(problem.line, problem.sentence) for problem in raised.value.problems]


def line_of(path, key):
    lines = Path(path).read_text(encoding="latin-1").splitlines()
    return next((n for n, line in enumerate(lines, 1) if line.split(" = ")[0] == key), 0)


@pytest.fixture
def no_java(tmp_path, monkeypatch):
    """Put a java on PATH that leaves a mark, and return the mark."""
    mark = tmp_path / "java-was-started"
    java = tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\ntouch '{mark}'\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{java.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(os, "execve", lambda *_: pytest.fail("a bad file was started"))
    return mark


# What is changed, the key at fault (its line is named; None: the file as a whole), a part of the
# sentence.
BAD_STAGE_ONE = [
    ({"timeoutInSeconds": "60"}, "timeoutInSeconds", "a batch may need 3680 s"),
    (
        {"initialPositionInStreamExtended": "100nf"},
        "initialPositionInStreamExtended",
        "not a whole",
    ),
    ({"maxRecords": "20000"}, "maxRecords", "not between 1 and 10000"),
    ({"s3Prefix": "a\\tb/"}, "s3Prefix", "printable characters"),
    (
        {"filter": "regex", "filterExpression": r"\d+"},
        "filterExpression",
        r"is lost, as Java reads this file; write filterExpression = \\d+",
    ),
    (
        {"filter": "regex", "filterExpression": r"^a\.b\\.c\|d$"},
        "filterExpression",
        r"write filterExpression = ^a\\.b\\.c\\|d$",
    ),
    ({"s3Prefix": r"a\b/"}, "s3Prefix", r"write s3Prefix = a\\b/"),
    (
        {"transformer": "csv", "transformerColumns": "a", "transformerNull": r"\N"},
        "transformerNull",
        r"write transformerNull = \\N",
    ),
    *(
        (
            {"transformer": "csv", "transformerColumns": "a", "transformerNull": null},
            "transformerNull",
            r"not \N or 1 to 100 ASCII",
        )
        for null in (r"\\n", r"\\\\N", "a b", "a,b", "'", '"', "n" * 101)
    ),
    (
        {"transformer": "delimited", "transformerColumns": "a", "transformerNull": "a|b"},
        "transformerNull",
        "transformerNull holds the delimiter |",
    ),
    ({"s3Prefix": "a" * 300}, "s3Prefix", "not at most 256 bytes"),
    ({"s3Endpoint": "localhost:9000"}, "s3Endpoint", "not http://host:port"),
    ({"redshiftPassword": "hush"}, "redshiftPassword", "REDSHIFT_PASSWORD"),
    ({"s3Bukcet": "x"}, "s3Bukcet", "s3Bukcet is not a setting; did you mean s3Bucket?"),
    ({"maxRecord": "5"}, "maxRecord", "maxRecord is not a setting; did you mean maxRecords?"),
    ({"xyzzy": "5"}, "xyzzy", "xyzzy is not a setting"),
    ({"s3Bucket": ""}, "s3Bucket", "s3Bucket has no value"),
    ({"s3Bucket": "bucket  "}, "s3Bucket", "s3Bucket = 'bucket  ': blanks at the end count"),
    ({"s3Bucket": "bucket\t"}, "s3Bucket", "blanks at the end count"),
    ({"s3Bucket": "My_Bucket"}, "s3Bucket", "s3Bucket = My_Bucket: not a bucket's name"),
    ({"streamName": "a b"}, "streamName", "streamName = a b: not a stream's name"),
    ({"applicationName": "a/b"}, "applicationName", "not 3 to 255 of A-Z a-z 0-9 _ . -"),
    ({"bufferRecordCountLimit": "many"}, "bufferRecordCountLimit", "many: not a whole number"),
    ({"bufferRecordCountLimit": "0"}, "bufferRecordCountLimit", "0: not between 1 and"),
    ({"bufferByteSizeLimit": "-5"}, "bufferByteSizeLimit", "-5: not between 1 and"),
    ({"bufferMillisecondsLimit": "1e3"}, "bufferMillisecondsLimit", "1e3: not a whole number"),
    ({"bufferMillisecondsLimit": "1" * 5000}, "bufferMillisecondsLimit", "bufferMillisecondsLimit"),
    ({"retryLimit": "2.5"}, "retryLimit", "retryLimit = 2.5: not a whole number"),
    ({"maxRecords": "1k"}, "maxRecords", "maxRecords = 1k: not a whole number"),
    ({"s3Compression": "bzip2"}, "s3Compression", "not one of gzip, zstd, none"),
    ({"s3ServerSideEncryption": "aes"}, "s3ServerSideEncryption", "not one of AES256, aws:kms"),
    ({"retrievalMode": "polling"}, "retrievalMode", "not one of DEFAULT, POLLING, FANOUT"),
    ({"initialPositionInStream": "OLDEST"}, "initialPositionInStream", "not one of LATEST"),
    (
        {"callProcessRecordsEvenForEmptyRecordList": "yes"},
        "callProcessRecordsEvenForEmptyRecordList",
        "yes: not 'true' or 'false'",
    ),
    ({"connectorDestination": "s4"}, "connectorDestination", "not one of s3, s3-manifest"),
    ({"transformer": "xml"}, "transformer", "not one of json, delimited, csv, text, nor package"),
    ({"transformerColumns": "a,,b"}, "transformerColumns", "an empty name between the commas"),
    ({"transformerColumns": "a, a"}, "transformerColumns", "a name stands there twice"),
    ({"transformerDelimiter": "||"}, "transformerDelimiter", "not one ASCII character"),
    ({"transformerDelimiter": "n"}, "transformerDelimiter", "not one ASCII character"),
    ({"s3Bucket": None}, None, "s3Bucket is missing, and needed"),
    ({"connectorDestination": None}, None, "connectorDestination is missing"),
    ({"executableName": None}, None, "executableName is missing"),
    ({"AwsCredentialsProvider": None}, None, "AwsCredentialsProvider is missing"),
    (
        {"kinesisOutputStream": None},
        "connectorDestination",
        "kinesisOutputStream is missing, and needed for s3-manifest (",
    ),
    ({"kinesisOutputStream": "events"}, "kinesisOutputStream", "is the stream that is read"),
    (
        {"executableName": "kinesis-connectors process other.properties"},
        "executableName",
        "does not run this file; it should be kinesis-connectors process ",
    ),
    ({"executableName": "kinesis-connectors run {path}"}, "executableName", "does not run this"),
    ({"executableName": "sample.py"}, "executableName", "does not run this file"),
    (
        {"callProcessRecordsEvenForEmptyRecordList": "false"},
        "callProcessRecordsEvenForEmptyRecordList",
        "must be true",
    ),
    ({"callProcessRecordsEvenForEmptyRecordList": None}, None, "must be true"),
    ({"retrievalMode": None}, None, "retrievalMode must be POLLING"),
    ({"retrievalMode": "DEFAULT"}, "retrievalMode", "retrievalMode must be POLLING"),
    ({"shutdownGraceMillis": None}, None, "shutdownGraceMillis must be longer"),
    ({"shutdownGraceMillis": "0"}, "shutdownGraceMillis", "shutdownGraceMillis must be longer"),
    ({"streamArn": "arn:aws:kinesis:x"}, "streamArn", "not a stream's ARN"),
    (
        {"streamArn": "arn:aws:kinesis:eu-west-1:123456789012:stream/other"},
        "streamArn",
        "streamArn would override streamName",
    ),
    (
        {
            "retrievalMode": "FANOUT",
            "fanoutConfig.consumerArn": CONSUMER_ARN.replace("events", "e"),
        },
        "fanoutConfig.consumerArn",
        "fanoutConfig.consumerArn is a consumer of another stream than streamName = events",
    ),
    (
        {"retrievalMode": "FANOUT", "applicationName": "a" * 129},
        None,
        "fanoutConfig.consumerName is missing, and needed: applicationName",
    ),
    ({"fanoutConfig.consumerName": "a b"}, "fanoutConfig.consumerName", "not a consumer's name"),
    # What KCL reads as something else, or ignores.
    ({"RetrievalMode": "POLLING"}, "RetrievalMode", "did you mean retrievalMode?"),
    ({"dynamoDbEndpoint": "http://a:1"}, "dynamoDbEndpoint", "did you mean dynamoDBEndpoint?"),
    ({"region": "eu-west-1"}, "region", "did you mean regionName?"),
    ({"regionName": "EU_WEST_1"}, "regionName", "not a region's name"),
    ({"leaseTableScanTotalSegments": "2"}, "leaseTableScanTotalSegments", "a key of KCL 3.5;"),
    ({"billingMode": "PROVISIONED"}, "billingMode", "cannot be set in a file"),
    ({"shardPrioritization": "x"}, "shardPrioritization", "cannot be set in a file"),
    ({"fanoutConfig.consumername": "a"}, "fanoutConfig.consumername", "fanoutConfig.consumerName?"),
    ({"kinesisClient.maxRetries": "3"}, "kinesisClient.maxRetries", "is not a setting"),
    ({"maxLeasesForWorker": "4294967296"}, "maxLeasesForWorker", "not between 1 and 2147483647"),
    ({"failoverTimeMillis": "0"}, "failoverTimeMillis", "not between 1 and"),
    ({"timeoutInSeconds": "0"}, "timeoutInSeconds", "not between 1 and"),
    ({"cleanupLeasesUponShardCompletion": "false"}, "cleanupLeasesUponShardCompletion", "no effe"),
    (
        {"clientVersionConfig": "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X_PHASE1"},
        "clientVersionConfig",
        "not one of CLIENT_VERSION_CONFIG_3X",
    ),
    ({"workerMetricsEMAAlpha": "1.5"}, "workerMetricsEMAAlpha", "not between 0 and 1"),
    ({"maxThroughputPerHostKBps": "NaN"}, "maxThroughputPerHostKBps", "not a number above 0"),
    (
        {"staleWorkerMetricsEntryCleanupDuration": "1d"},
        "staleWorkerMetricsEntryCleanupDuration",
        "not a duration of ISO 8601",
    ),
    ({"workerMetricsTags": "team"}, "workerMetricsTags", "not name=value"),
    (
        {"initialPositionInStreamExtended": "1700000000000", "initialPositionInStream": None},
        "initialPositionInStreamExtended",
        "not in seconds, but in milliseconds",
    ),
    (
        {"AwsCredentialsProvider": "DefaultAWSCredentialsProviderChain"},
        "AwsCredentialsProvider",
        "a class of the AWS SDK 1; write DefaultCredentialsProvider",
    ),
    ({"AwsCredentialsProvider": "com.amazonaws.auth.X"}, "AwsCredentialsProvider", "the AWS SDK 1"),
    (
        {"AwsCredentialsProvider": "StsAssumeRoleCredentialsProvider"},
        "AwsCredentialsProvider",
        "takes the ARN of a role, and a name for its sessions",
    ),
    (
        {
            "AwsCredentialsProviderDynamoDB": "software.amazon.kinesis.multilang.auth."
            "KclStsAssumeRoleCredentialsProvider|arn:aws:iam::210987654321:role/reader"
        },
        "AwsCredentialsProviderDynamoDB",
        "takes the ARN of a role, and a name for its sessions",
    ),
    (
        {"AwsCredentialsProviderCloudWatch": "StsAssumeRoleCredentialsProvider|reader|kcl"},
        "AwsCredentialsProviderCloudWatch",
        "takes the ARN of a role, and a name for its sessions",
    ),
    (
        {"AwsCredentialsProvider": "DefaultCredentialProvider"},
        "AwsCredentialsProvider",
        "did you mean DefaultCredentialsProvider?",
    ),
    (
        {"AwsCredentialsProvider": "StaticCredentialsProvider|a|b"},
        "AwsCredentialsProvider",
        "secrets never stand in this file",
    ),
    # What is valid alone, and not together.
    ({"shutdownGraceMillis": "300"}, "shutdownGraceMillis", "1000 at the least, rather 30000"),
    ({"failoverTimeMillis": "600000"}, "failoverTimeMillis", "the shards of a host that died"),
    ({"shardSyncIntervalMillis": "3600000"}, "shardSyncIntervalMillis", "a reshard are not seen"),
    ({"maxActiveThreads": "4"}, "maxActiveThreads", "wait for each other for ever"),
    ({"maxActiveThreads": "6", "maxLeasesForWorker": "2"}, "maxActiveThreads", "three threads"),
    ({"workerId": "a", "workerIdentifier": "b"}, "workerIdentifier", "set the same thing"),
    (
        {"initialPositionInStreamExtended": "1700000000"},
        "initialPositionInStreamExtended",
        "set the same thing",
    ),
    ({"kinesisClient.region": "eu-west-1"}, "kinesisClient.region", "set the same thing"),
    ({"initialPositionInStream": None}, None, "initialPositionInStream is missing, and needed"),
    (
        {"s3Endpoint": "http://a:1", "filter": "jmespath", "filterExpression": "name == 'größe'"},
        "filterExpression",
        r"the line is UTF-8; write name == 'gr\u00f6\u00dfe'",
    ),
    (
        {"executableName": "env REDSHIFT_PASSWORD=hush kinesis-connectors process {path}"},
        "executableName",
        "secrets never stand in this file",
    ),
    ({"redshiftPassword": "hush "}, "redshiftPassword", "secrets never stand in this file"),
    # Secrets.
    ({"redshift_password": "hush"}, "redshift_password", "REDSHIFT_PASSWORD"),
    ({"aws.secretAccessKey": "hush"}, "aws.secretAccessKey", "secrets never stand in this file"),
    ({"s3Endpoint": "http://me:hush@host:9000"}, "s3Endpoint", "secrets never stand in this file"),
    ({"processingLanguage": "AKIAIOSFODNN7EXAMPLE"}, "processingLanguage", "secrets never stand"),
    ({"connectorDestination": "s3_manifest"}, "connectorDestination", "did you mean s3-manifest?"),
    ({"transformer": "delimted"}, "transformer", "did you mean delimited?"),
    ({"transformer": "delimited"}, "transformer", "transformerColumns is missing, and needed f"),
    ({"transformer": "csv"}, "transformer", "transformerColumns is missing, and needed for csv ("),
    ({"filter": "regex"}, "filter", "filterExpression is missing, and needed for regex ("),
    ({"filter": "jmespath"}, "filter", "filterExpression is missing, and needed for jmespath ("),
    ({"filterExpression": "a"}, "filterExpression", "has no effect with filter = all"),
    (
        {"filter": "regex", "filterExpression": "("},
        "filterExpression",
        "filterExpression = (: not regex: ",
    ),
    (
        {"filter": "jmespath", "filterExpression": "a =="},
        "filterExpression",
        "filterExpression = a ==: not jmespath: ",
    ),
    (
        {"filter": "jmespath", "filterExpression": "nosuch(a"},
        "filterExpression",
        "not jmespath: ",
    ),
    ({"s3KmsKeyId": "alias/x"}, "s3KmsKeyId", "needs s3ServerSideEncryption = aws:kms"),
    ({"transformer": "no_such_module:X"}, "transformer", "No module named 'no_such_module'"),
    (
        {"filter": "json:NoSuch"},
        "filter",
        "filter = json:NoSuch: json has no NoSuch",
    ),
    ({"transformer": ":X"}, "transformer", "nor package.module:Class"),
    ({"transformer": ".json:X"}, "transformer", "nor package.module:Class"),
    ({"transformer": "json:"}, "transformer", "nor package.module:Class"),
]
BAD_STAGE_TWO = [
    ({"redshiftCopyOptions": "MAXERROR 10"}, "redshiftCopyOptions", "leave rows out unnoticed"),
    ({"redshiftCopyOptions": "IGNOREHEADER 1"}, "redshiftCopyOptions", "leave rows out unnoticed"),
    (
        {"redshiftURL": "jdbc:redshift://h:5439/dev?user=a&password=hush"},
        "redshiftURL",
        "secrets never stand in this file",
    ),
    (
        {"redshiftCopyOptions": "FIXEDWIDTH '1'"},
        "redshiftCopyOptions",
        "FIXEDWIDTH is what we add ourselves",
    ),
    ({"redshiftDataColumns": 'a"b'}, "redshiftDataColumns", "not a column's name"),
    ({"redshiftFileTable": '"a%b"'}, "redshiftFileTable", "not [schema.]table"),
    ({"redshiftURL": "host:99999/dev"}, "redshiftURL", "not host:port/database"),
    (
        {"redshiftURL": None},
        "connectorDestination",
        "redshiftURL is missing, and needed for redshift-manifest (",
    ),
    ({"redshiftDataTable": None}, "connectorDestination", "redshiftDataTable is missing"),
    ({"redshiftIamRole": None}, "connectorDestination", "redshiftIamRole is missing"),
    ({"s3Bucket": None}, None, "s3Bucket is missing"),
    ({"redshiftURL": "host/dev"}, "redshiftURL", "not host:port/database"),
    ({"redshiftURL": "jdbc:redshift:iam://h:1/d"}, "redshiftURL", "not host:port/database"),
    ({"redshiftDataTable": "a.b.c"}, "redshiftDataTable", "not [schema.]table"),
    ({"redshiftDataTable": "a; drop table b"}, "redshiftDataTable", "not [schema.]table"),
    ({"redshiftFileKeyColumn": "a b"}, "redshiftFileKeyColumn", "not a column's name"),
    ({"redshiftIamRole": "arn:aws:iam::1:role/x"}, "redshiftIamRole", "not a role's ARN"),
    ({"redshiftSSLMode": "on"}, "redshiftSSLMode", "not one of disable, allow"),
    ({"redshiftDataFormat": "avro"}, "redshiftDataFormat", "not one of json, delimited, csv"),
    ({"redshiftJsonPaths": "paths.json"}, "redshiftJsonPaths", "not 'auto', 'auto ignorecase'"),
    ({"redshiftCopyMandatory": "1"}, "redshiftCopyMandatory", "not 'true' or 'false'"),
    ({"redshiftUsername": None}, "connectorDestination", "one way to log in is needed"),
    (
        {"redshiftSecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:a-b"},
        "redshiftSecretArn",
        "not redshiftUsername and redshiftSecretArn",
    ),
    (
        {"redshiftDataFormat": "csv", "redshiftJsonPaths": "auto"},
        "redshiftJsonPaths",
        "has no effect unless redshiftDataFormat = json",
    ),
    *(
        ({"redshiftDataFormat": form, "redshiftCopyOptions": options}, "redshiftCopyOptions", said)
        for form, options, said in [
            ("json", "TIMEFORMAT 'epochsecs", "the quote before epochsecs is not closed"),
            ("json", "TIMEFORMAT", "a text in quotes must follow TIMEFORMAT"),
            ("json", "TIMEFORMAT AUTO", "a text in quotes must follow TIMEFORMAT"),
            ("json", "TIMEFORMAT AS", "a text in quotes must follow TIMEFORMAT"),
            ("json", "COMPROWS 10x", "10x has no place in it"),
            ("json", "COMPROWS 'x'", "a whole number must follow COMPROWS"),
            ("json", "TRUNCATECOLUMN", "did you mean TRUNCATECOLUMNS?"),
            ("json", "TRUNCATECOLUMNS truncatecolumns", "TRUNCATECOLUMNS stands there twice"),
            ("json", "NULL AS ''", "NULL is what we add ourselves"),
            ("csv", "NULL AS ''", "NULL is what we add ourselves"),
            ("json", "FILLRECORD", "COPY refuses FILLRECORD for redshiftDataFormat = json"),
            ("json", "REMOVEQUOTES", "COPY refuses REMOVEQUOTES for redshiftDataFormat = json"),
            ("csv", "REMOVEQUOTES", "COPY refuses REMOVEQUOTES for redshiftDataFormat = csv"),
            ("delimited", "QUOTE '-'", "COPY refuses QUOTE for redshiftDataFormat = delimited"),
            ("parquet", "TIMEFORMAT 'auto'", "COPY refuses TIMEFORMAT for redshiftDataFormat"),
            ("json", "READRATIO 50", "READRATIO is for other sources"),
            ("delimited", "IGNOREBLANKLINES", "IGNOREBLANKLINES would leave rows out"),
            ("json", "ENCODING UTF16", "UTF8 or ISO88591 must follow ENCODING"),
            ("json", "EMPTYASNULL; DELETE FROM x", "; has no place in it"),
            ("json", "EMPTYASNULL -- why", "-- has no place in it"),
            ("json", "EMPTYASNULL /* why */", "/* has no place in it"),
            ("json", "EMPTYASNULL DELETE FROM x", "DELETE is no option of COPY"),
        ]
    ),
    (
        {"redshiftDataFormat": "csv", "redshiftUnmatchedFields": "refuse"},
        "redshiftUnmatchedFields",
        "has no effect unless redshiftDataFormat = json",
    ),
    (
        {"redshiftJsonPaths": "noshred", "redshiftDataColumns": "a, b"},
        "redshiftDataColumns",
        "noshred loads one SUPER column",
    ),
    ({"redshiftJsonPaths": "s3://bucket"}, "redshiftJsonPaths", "nor s3://bucket/key"),
    ({"redshiftCopyOptions": "gzip"}, "redshiftCopyOptions", "GZIP is what we add ourselves"),
    (
        {"redshiftCopyOptions": "MANIFEST"},
        "redshiftCopyOptions",
        "MANIFEST is what we add ourselves",
    ),
    (
        {"redshiftDataFormat": "delimited", "redshiftCopyOptions": "null as 'x'"},
        "redshiftCopyOptions",
        "NULL is what we add ourselves",
    ),
    (
        {"redshiftDataFormat": "delimited", "redshiftCopyOptions": "TRIMBLANKS escape"},
        "redshiftCopyOptions",
        "ESCAPE is what we add ourselves",
    ),
    (
        {"transformer": "json"},
        "transformer",
        "has no effect on redshift-manifest, which has one of its own: ",
    ),
    ({"timeoutInSeconds": "3600"}, "timeoutInSeconds", "a batch may need 25440 s"),
    ({"shutdownGraceMillis": "999"}, "shutdownGraceMillis", "1000 at the least"),
    ({"redshiftSecretArn": "my secret"}, "redshiftSecretArn", "not a secret's ARN"),
]
SECRET_WORDS = ("hush", "AKIAIOSFODNN7EXAMPLE", "|b")
BAD = [(STAGE_ONE, *bad) for bad in BAD_STAGE_ONE] + [(STAGE_TWO, *bad) for bad in BAD_STAGE_TWO]
NAMES = [" ".join(f"{key}={value}"[:60] for key, value in bad[1].items()) for bad in BAD]


@pytest.mark.parametrize(("base", "changes", "key", "sentence"), BAD, ids=NAMES)
@pytest.mark.parametrize("command", ["check", "run"])
def test_bad_file(command, base, changes, key, sentence, tmp_path, capsys, no_java):
    """Each mistake is told with its line and a sentence, the exit code is 2, and no java starts."""
    path = properties(tmp_path, changes, base)
    assert cli.main([command, path]) == 2
    output = capsys.readouterr()
    where = f"{path}:{line_of(path, key)}: " if key else f"{path}: "
    assert output.out == ""
    assert any(where in line and sentence in line for line in output.err.splitlines())
    if "secrets" in sentence:
        assert not [word for word in SECRET_WORDS if word in output.err]
    assert "Traceback" not in output.err
    assert not no_java.exists()


def test_every_wrong_option_of_copy_is_told(tmp_path):
    """One mistake hides no other, whatever stands behind it."""
    options = "MAXERROR AS 10 TRUNCATECOLUMS STATUPDATE MAYBE TIMEFORMAT 'auto' NULL AS 'x' ROUNDEC"
    found = problems(properties(tmp_path, {"redshiftCopyOptions": options}, STAGE_TWO))
    words = ("MAXERROR", "TRUNCATECOLUMS", "STATUPDATE", "MAYBE", "NULL")
    told = [sentence for _, sentence in found]
    assert len(told) <= len(words)
    assert all(any(word in one for one in told) for word in words if word != "STATUPDATE")


@pytest.mark.parametrize("changes", [{"s3Bukcet": "x"}, {"s3Bucket": None}])
def test_bad_file_under_the_daemon(changes, tmp_path):
    """The child says the same on stderr, exits with 2, and prints nothing to the protocol."""
    path = properties(tmp_path, changes)
    child = subprocess.run(
        [sys.executable, "-m", "record_processors", "process", path],
        input="",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (child.returncode, child.stdout) == (2, "")
    assert "s3Bucket" in child.stderr
    assert "Traceback" not in child.stderr


@pytest.mark.parametrize("base", [STAGE_ONE, STAGE_TWO])
def test_good_file(base, tmp_path, capsys):
    """A file without a mistake is fine, and the exit code is 0."""
    assert cli.main(["check", path := properties(tmp_path, {}, base)]) == 0
    assert capsys.readouterr().out == f"{path}: fine\n"


@pytest.mark.parametrize(
    ("base", "changes", "sentence"),
    [
        (STAGE_ONE, {"workerId": "me"}, "workerId stands in the file: two hosts that share it"),
        (STAGE_ONE, {"workerIdentifier": "me"}, "workerIdentifier stands in the file"),
        (STAGE_ONE, {"redshiftURL": "h:1/d"}, "redshiftURL has no effect on s3-manifest: it is fo"),
        (STAGE_ONE, {"connectorDestination": "s3"}, "kinesisOutputStream has no effect on s3"),
        (STAGE_ONE, {"fanoutConfig.consumerName": "a"}, "fanoutConfig.consumerName has no effect"),
        (
            STAGE_ONE,
            {"skipShardSyncAtWorkerInitializationIfLeasesExist": "true"},
            "skipShardSyncAtWorkerInitializationIfLeasesExist = true: KCL then delivers aggregates",
        ),
        (STAGE_TWO, {"s3Compression": "gzip"}, "s3Compression has no effect on redshift-manifest"),
        (
            STAGE_ONE,
            {"transformerColumns": "a"},
            "transformerColumns has no effect on json: it is for csv and delimited",
        ),
        (
            STAGE_ONE,
            {"transformer": "csv", "transformerColumns": "a", "transformerDelimiter": ";"},
            "transformerDelimiter has no effect on csv: it is for delimited",
        ),
        (
            STAGE_TWO,
            {"transformerColumns": "a"},
            "transformerColumns has no effect on redshift-manifest: it is for csv and delimited",
        ),
        (
            STAGE_ONE,
            {"retrievalMode": "FANOUT", "maxRecords": "500"},
            "maxRecords has no effect with retrievalMode = FANOUT",
        ),
        (
            STAGE_ONE,
            {
                "retrievalMode": "FANOUT",
                "fanoutConfig.consumerName": "a",
                "fanoutConfig.consumerArn": CONSUMER_ARN,
            },
            "fanoutConfig.consumerName has no effect with fanoutConfig.consumerArn, which names",
        ),
    ],
)
def test_what_may_be_meant_so_is_a_note(base, changes, sentence, tmp_path, capsys):
    """What is odd and harms nobody is told by `check`, and the file is fine."""
    assert cli.main(["check", path := properties(tmp_path, changes, base)]) == 0
    fine, *notes = capsys.readouterr().out.splitlines()
    assert fine == f"{path}: fine"
    assert [note.startswith(f"note  {sentence}") for note in notes] == [True]


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        (STAGE_ONE, {"transformerDelimiter": "\\t"}),
        (STAGE_ONE, {"transformerDelimiter": "\\u0009"}),
        (STAGE_TWO, {"redshiftDataDelimiter": "\\t"}),
        (STAGE_ONE, {"regionName": "eusc-de-east-1"}),
        (STAGE_ONE, {"regionName": "us-gov-west-1", "kinesisClient.region": "us-gov-west-1"}),
        (STAGE_ONE, {"filter": "regex", "filterExpression": "password="}),
        (STAGE_ONE, {"filter": "regex", "filterExpression": "gr\\u00f6\\u00dfe"}),
    ],
)
def test_what_looks_odd_and_is_right(base, changes, tmp_path):
    """A tab, a region of another kind of cloud, an escaped letter are taken."""
    assert cli.main(["check", properties(tmp_path, changes, base)]) == 0


def test_duplicate_key(tmp_path):
    """A key that stands there twice is told with both lines."""
    path = properties(tmp_path)
    with Path(path).open("a") as file:
        file.write("\n# again\nstreamName = other\n")
    first = line_of(path, "streamName")
    last = len(Path(path).read_text().splitlines())
    assert problems(path) == [(last, f"streamName stands already in line {first}")]


def test_every_problem_at_once(tmp_path):
    """All mistakes of a file are told in one go, in the order of their lines."""
    changes = {"s3Compression": "bzip2", "s3Bukcet": "x", "retryLimit": "x", "streamName": None}
    found = problems(properties(tmp_path, changes))
    assert [line for line, _ in found] == sorted(line for line, _ in found)
    assert [sentence.split()[0] for _, sentence in found] == [
        "streamName",
        "s3Compression",
        "s3Bukcet",
        "retryLimit",
    ]


def test_mistakes_and_contradictions_at_once(tmp_path):
    """A mistyped key does not hide that settings contradict each other."""
    changes = {"s3Bukcet": "x", "shutdownGraceMillis": "0", "filterExpression": "a"}
    found = {sentence.split()[0] for _, sentence in problems(properties(tmp_path, changes))}
    assert found == {"s3Bukcet", "shutdownGraceMillis", "filterExpression"}


def test_a_class_that_cannot_be_had_does_not_hide_other_mistakes(tmp_path):
    """A class that is not there is told together with what else is wrong."""
    changes = {"transformer": "no_such_module:X", "s3Compression": "bzip2"}
    found = {sentence.split()[0] for _, sentence in problems(properties(tmp_path, changes))}
    assert found == {"transformer", "s3Compression"}


@pytest.mark.parametrize("escape", [r"\u12", r"\u00zz", r"\u"])
def test_wrong_escape(escape, tmp_path):
    """A wrong Unicode escape is told with the line that holds it."""
    path = properties(tmp_path)
    with Path(path).open("a") as file:
        file.write(f"\n\nregionName = {escape}\n")
    lines = Path(path).read_text().splitlines()
    ((line, sentence),) = problems(path)
    assert line == len(lines)
    assert escape in sentence or "\\u" in sentence


@pytest.mark.parametrize(
    "text", [r"\\\d+", r"a\:b\=c\#\!\ d", r"a\u0062c", r"\\d", r"\\\\", "a\\\n  b"]
)
def test_escapes_of_java_are_read(text, tmp_path):
    """What Java knows as an escape is one, a backslash that is written twice is one backslash."""
    changes = {"filter": "regex", "filterExpression": text}
    assert load(properties(tmp_path, changes)).texts["filterExpression"]


@pytest.mark.parametrize("mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE])
def test_byte_order_mark(mark, tmp_path):
    """A mark that nobody sees, and that Java takes for letters, is named."""
    path = Path(properties(tmp_path))
    path.write_bytes(mark + path.read_bytes())
    ((line, sentence),) = problems(str(path))
    assert line == 1
    assert "begins with a byte order mark" in sentence


@pytest.mark.parametrize("comment", ["# Ångström", "# \f page \x0b", "! a\x85b", "# \x1c\x1d\x1e"])
def test_lines_are_counted_as_java_does(comment, tmp_path):
    """Only line breaks count as lines, not the other bytes that some take for them."""
    path = Path(properties(tmp_path, {"retryLimit": "x"}))
    path.write_bytes(comment.encode() + b"\r\n" + path.read_bytes())
    ((line, _),) = problems(str(path))
    assert line == len(path.read_bytes().split(b"\n")) - 1


def test_line_of_a_continued_value(tmp_path):
    """A value that spans lines counts as many lines as it has."""
    path = Path(properties(tmp_path, {"retryLimit": "x"}))
    before = line_of(path, "retryLimit")
    path.write_bytes(b"transformerColumns = a,\\\n   b,\\\r   c\n\n" + path.read_bytes())
    ((line, _),) = problems(str(path))
    assert line == 4 + before


@pytest.mark.parametrize("name", ["missing.properties", "."])
@pytest.mark.parametrize("command", ["check", "run", "create"])
def test_unreadable_file(command, name, tmp_path, capsys):
    """A file that cannot be read is one sentence and exit code 2."""
    assert cli.main([command, str(tmp_path / name)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"kinesis-connectors: {tmp_path / name}: cannot be read: ")
    assert error.count("\n") == 1


def test_values_are_read_as_java_reads_them(tmp_path):
    """Escapes, continuation lines, other separators and Latin-1 mean what they mean to Java."""
    path = Path(properties(tmp_path))
    with path.open("ab") as file:
        file.write(b"filter:regex\nfilterExpression   caf\xe9\\u00e9\\\n   |\\t\\\\d\n")
    assert load(str(path)).texts["filterExpression"] == "caféé|\t\\d"


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_files_are_fine(path, monkeypatch):
    """Every file that is shipped can be checked as it stands."""
    monkeypatch.chdir(path.parents[1])
    load(str(path.relative_to(path.parents[1])))


@pytest.mark.parametrize("name", FILES)
def test_shipped_files_and_reference_are_current(name):
    """What stands in properties/ is what `init` writes: remove the folder and call it there."""
    assert (REPOSITORY / "properties" / name).read_text() == FILES[name]


def test_a_file_is_shipped_for_each_destination():
    """Each destination has its file, and there is no other in the folder."""
    assert {path.name for path in SHIPPED} == set(FILES) - {"README.md"}
    destinations = {load_text(path)["connectorDestination"] for path in SHIPPED}
    assert destinations == set(DESTINATIONS)


def load_text(path):
    pairs = [line.split(" = ", 1) for line in path.read_text().splitlines() if line[0:1].isalpha()]
    return dict(pairs)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_commented_settings_of_shipped_files_are_valid(path):
    """A line that invites to be taken out of its comment is a key with a value that is valid."""
    lines = path.read_text().splitlines()
    commented = "\n".join(line[1:] for line in lines if re.match(r"#\w+ = ", line))
    assert commented
    for key, value in javaproperties.loads(commented).items():
        ALL[key].parse(value)


def test_the_reference_tells_every_key():
    """Each key of ours and of KCL's has its row in properties/README.md."""
    text = FILES["README.md"]
    assert [key for key in ALL if text.count(f"\n| `{key}` |") != 1] == []


def test_the_reference_tells_every_metric():
    """Each metric that something of ours counts has its row, and no other has."""
    every = {
        metric
        for name in DESTINATIONS
        for metric in load_class("connectorDestination", name).measures
    }
    every |= set(OF_A_HOST)
    rows = re.findall(r"^\| `([\w.]+)` \| (?:counter|gauge|timer) \|", FILES["README.md"], re.M)
    assert sorted(rows) == sorted(metric.name for metric in every)
    modules = [path.read_text() for path in (REPOSITORY / "record_processors").rglob("*.py")]
    made = r'= (?:Counter|Gauge|Timer|TimeSpent)\(\s*"([\w.]+)"'
    assert sorted(rows) == sorted(name for text in modules for name in re.findall(made, text))


@pytest.mark.parametrize("setting", OURS.values(), ids=lambda setting: setting.key)
def test_every_setting_has_a_sentence(setting):
    """Each key is explained in a sentence."""
    assert setting.help[0].isupper() or setting.help[0] in "'h"
    assert setting.help.endswith(".")
    assert len(setting.help) > 5


@pytest.mark.parametrize("setting", OURS.values(), ids=lambda setting: setting.key)
def test_every_default_is_a_value(setting):
    """A default is what the setting's own text would be read as."""
    if setting.default not in (None, "", ()):
        written = str(setting.default).lower() if setting.default is True else str(setting.default)
        assert setting.parse(written) == setting.default


def test_defaults_of_the_contract(tmp_path):
    """What is not in the file has the default that users are told."""
    settings = load(properties(tmp_path))
    assert {key: settings[OURS[key]] for key in CONTRACT_DEFAULTS} == CONTRACT_DEFAULTS


CONTRACT_DEFAULTS = {
    "transformer": "json",
    "transformerDelimiter": "|",
    "filter": "all",
    "bufferRecordCountLimit": 1000,
    "bufferByteSizeLimit": 1048576,
    "bufferMillisecondsLimit": 60000,
    "s3Prefix": "",
    "s3Compression": "gzip",
    "redshiftSSLMode": "verify-full",
    "redshiftFileTable": "kinesis_connector_files",
    "redshiftFileKeyColumn": "file",
    "redshiftDataFormat": "json",
    "redshiftJsonPaths": "auto",
    "redshiftDataDelimiter": "|",
    "redshiftCopyMandatory": True,
    "deadLetterPrefix": "errors/",
}


def test_console_url(tmp_path):
    """The address may be pasted from the console."""
    url = "jdbc:redshift://host.example:5439/dev"
    settings = load(properties(tmp_path, {"redshiftURL": url}, STAGE_TWO))
    assert settings[OURS["redshiftURL"]] == "host.example:5439/dev"


# ---- classes of one's own

MODULE = """
from record_processors import Batch, Buffer, Emitter, Filter, Pipeline, Setting
from record_processors import Transformer
from record_processors.filters.all import All

COLOR = Setting("carColor", str.upper, "The color of the cars.", "RED")
NEEDED = Setting("carWheels", int, "The wheels of the cars.", required=True)


class Cars(Transformer):
    declares = [COLOR]

    def __init__(self, color):
        self.color = color

    @classmethod
    def from_settings(cls, settings):
        return cls(settings[COLOR])

    def transform(self, record):
        return [self.color.encode() + record.data]


class Columnar(Transformer):
    format = "parquet"

    def transform(self, record):
        return [record.data]


class Picky(Filter):
    declares = [NEEDED]

    def keep(self, record):
        return False


class Nowhere(Emitter):
    own_transformer = Cars
    declares = [COLOR]

    def emit(self, batch):
        return None


class Anywhere(Emitter):
    def emit(self, batch):
        return None


class Whole(Pipeline):
    declares = [COLOR]

    @classmethod
    def from_settings(cls, settings, dead_letters):
        whole = cls(Cars(settings[COLOR]), All(), Buffer.from_settings(settings), Nowhere(),
                    dead_letters)
        whole.color = settings[COLOR]
        return whole


class Wrong:
    pass


FUNCTION = len
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Put a module of one's own beside the file, as a user does; return its name."""
    name = "own_" + "".join(filter(str.isalnum, tmp_path.name))
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield name
    sys.modules.pop(name, None)


def test_own_transformer(own, tmp_path):
    """A transformer in the current directory loads, and its own setting is known and read."""
    changes = {"transformer": f"{own}:Cars", "carColor": "blue"}
    pipeline = assemble(load(properties(tmp_path, changes)))
    assert (type(pipeline.transformer).__name__, pipeline.transformer.color) == ("Cars", "BLUE")


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (int, "12", 12),
        (int, "-3", -3),
        (int, "alot", "not a whole number"),
        (float, "0.5", 0.5),
        (float, "half", "not a number like 0.5"),
        (bool, "true", True),
        (bool, "false", False),
        (bool, "no", "not 'true' or 'false'"),
    ],
)
def test_own_setting_of_a_plain_type(kind, text, value):
    """Python's types are read as a person means them, and complain in words for a person."""
    setting = Setting("minVotes", kind, "The fewest votes.")
    if isinstance(value, str):
        with pytest.raises(ValueError, match=value):
            setting.parse(text)
    else:
        assert setting.parse(text) == value
        assert type(setting.parse(text)) is kind


def test_own_setting_has_its_default(own, tmp_path):
    """A setting that a class declares has the default that it declares."""
    pipeline = assemble(load(properties(tmp_path, {"transformer": f"{own}:Cars"})))
    assert pipeline.transformer.color == "RED"


def test_own_setting_is_unknown_without_its_class(own, tmp_path):
    """A setting of a class that the file does not name is not a setting."""
    ((_, sentence),) = problems(properties(tmp_path, {"carColor": "blue"}))
    assert sentence.startswith("carColor is not a setting")


def test_own_filter_and_its_needed_setting(own, tmp_path):
    """A filter's own setting may be needed: the file must hold it, and its value is checked."""
    changes = {"filter": f"{own}:Picky"}
    ((_, sentence),) = problems(properties(tmp_path, changes))
    assert sentence.startswith("carWheels is missing")
    ((_, sentence),) = problems(properties(tmp_path, {**changes, "carWheels": "four"}))
    assert sentence.startswith("carWheels = four: ")
    pipeline = assemble(load(properties(tmp_path, {**changes, "carWheels": "4"})))
    assert type(pipeline.filter).__name__ == "Picky"


def test_own_emitter(own, tmp_path):
    """An emitter as destination gets the pipeline around it, with the transformer it asks for."""
    changes = {"connectorDestination": f"{own}:Nowhere", "kinesisOutputStream": None}
    pipeline = assemble(load(properties(tmp_path, changes)))
    assert type(pipeline.emitter).__name__ == "Nowhere"
    assert type(pipeline.transformer).__name__ == "Cars"
    assert pipeline.buffer.record_limit == RECORD_LIMIT.default


def test_own_pipeline(own, tmp_path):
    """A whole pipeline of one's own is taken as it is."""
    changes = {"connectorDestination": f"{own}:Whole", "carColor": "green"}
    pipeline = assemble(load(properties(tmp_path, changes)))
    assert (type(pipeline).__name__, pipeline.color) == ("Whole", "GREEN")


@pytest.mark.parametrize(
    ("key", "name", "sentence"),
    [
        ("transformer", "Wrong", "not a subclass of Transformer"),
        ("transformer", "Picky", "not a subclass of Transformer"),
        ("transformer", "FUNCTION", "not a subclass of Transformer"),
        ("filter", "Cars", "not a subclass of Filter"),
        ("connectorDestination", "Cars", "not a subclass of Emitter or Pipeline"),
        ("transformer", "NoSuch", "has no NoSuch"),
        ("transformer", "Transformer", "does not say what Transformer leaves open: transform"),
        ("filter", "Filter", "does not say what Filter leaves open: keep"),
        ("connectorDestination", "Emitter", "does not say what Emitter leaves open: emit"),
    ],
)
def test_own_class_of_the_wrong_kind(key, name, sentence, own, tmp_path):
    """A class that cannot do the job is told with the line that names it."""
    path = properties(tmp_path, {key: f"{own}:{name}"})
    ((line, found),) = problems(path)
    assert line == line_of(path, key)
    assert found.startswith(f"{key} = {own}:{name}: ")
    assert sentence in found


@pytest.mark.parametrize(
    ("key", "name", "hint"),
    [
        ("transformer", "cars", "; did you mean Cars?"),
        ("filter", "Pikcy", "; did you mean Picky?"),
        ("connectorDestination", "Nowere", "; did you mean Nowhere?"),
        ("connectorDestination", "Hole", "; did you mean Whole?"),
        ("filter", "Carz", ""),
    ],
)
def test_own_class_that_is_misspelt(key, name, hint, own, tmp_path):
    """What the name resembles is asked about, if it can do the job."""
    path = properties(tmp_path, {key: f"{own}:{name}", "kinesisOutputStream": None})
    found = [sentence for _, sentence in problems(path) if sentence.startswith(f"{key} = ")]
    assert found == [f"{key} = {own}:{name}: {own} has no {name}{hint}"]


def test_several_destinations_take_what_each_needs(own, tmp_path):
    """Each of several is told by its own name what it lacks; with all of it, both are there."""
    changes = {"connectorDestination": f"{own}:Anywhere, s3-manifest"}
    path = properties(tmp_path, {**changes, "kinesisOutputStream": None})
    ((line, sentence),) = problems(path)
    assert line == line_of(path, "connectorDestination")
    assert sentence.startswith("kinesisOutputStream is missing, and needed for s3-manifest (")
    emitter = assemble(load(properties(tmp_path, changes))).emitter
    assert [type(each).__name__ for each in emitter.emitters.values()] == [
        "Anywhere",
        "S3ManifestEmitter",
    ]


@pytest.mark.parametrize(
    ("destinations", "sentence"),
    [
        ("s3, {own}:Anywhere", "s3 writes a chain of files, and must come last: {own}:Any"),
        ("s3, s3-manifest", "s3 and s3-manifest each write a chain of files, of which a shard has"),
        ("{own}:Anywhere, {own}:Whole", "{own}:Whole is a whole pipeline, and goes alone; let an"),
        ("redshift-manifest, s3", "redshift-manifest has a transformer of its own, and goes alone"),
        ("s3, s3", "a name stands there twice"),
        ("s3,", "an empty name between the commas"),
        ("{own}:Anywhere, s4", "s4 is not one of s3, s3-manifest, redshift-manifest, "),
    ],
)
def test_what_does_not_go_together_is_refused(destinations, sentence, own, tmp_path):
    """Several destinations that cannot share a read are refused at their line, with why."""
    changes = {"connectorDestination": destinations.format(own=own), "kinesisOutputStream": None}
    path = properties(tmp_path, changes)
    ((line, found),) = problems(path)
    assert line == line_of(path, "connectorDestination")
    assert sentence.format(own=own) in found


@pytest.mark.parametrize("destination", ["s3", "s3-manifest"])
def test_rows_of_a_format_that_files_do_not_have(destination, own, tmp_path):
    """Which formats there are is said at the line that names the transformer."""
    changes = {"connectorDestination": destination, "transformer": f"{own}:Columnar"}
    path = properties(tmp_path, changes)
    assert problems(path) == [
        (
            line_of(path, "transformer"),
            f"transformer = {own}:Columnar makes rows of parquet; {destination} takes csv, "
            "delimited, json, text",
        )
    ]


def test_rows_of_any_format_for_a_destination_of_ones_own(own, tmp_path):
    """An emitter that does not say what it takes is given any rows."""
    changes = {"connectorDestination": f"{own}:Anywhere", "transformer": f"{own}:Columnar"}
    pipeline = assemble(load(properties(tmp_path, {**changes, "kinesisOutputStream": None})))
    assert type(pipeline.transformer).__name__ == "Columnar"


@pytest.mark.parametrize(
    "body", ["def", "import no_such_module", "1 / 0", "undefined_name", "x = {}['y']"]
)
def test_own_module_that_does_not_import(body, own, tmp_path, capsys):
    """A module that fails while it is imported is the user's to mend: a sentence, no traceback."""
    (tmp_path / f"{own}.py").write_text(body + "\n")
    path = properties(tmp_path, {"transformer": f"{own}:X"})
    assert cli.main(["check", path]) == 2
    error = capsys.readouterr().err
    assert f"{path}:{line_of(path, 'transformer')}: transformer = {own}:X: " in error
    assert error.count("\n") == 1


def test_a_setting_is_typed(tmp_path):
    """Settings give the value, read anew from the text, or the default."""
    speed = Setting("speed", int, "How fast.", 5)
    settings = load(properties(tmp_path))
    assert settings[speed] == 5
    assert speed not in settings


# ---- KCL's keys

VALID = {
    "AwsCredentialsProvider": "StsAssumeRoleCredentialsProvider|arn:aws:iam::123456789012:role/r|s",
    "AwsCredentialsProviderCloudWatch": "my.own.Provider, DefaultCredentialsProvider",
    "AwsCredentialsProviderDynamoDB": "ProfileCredentialsProvider|dev",
    "coordinatorStateTags": "team=data,stage=",
    "fanoutConfig.consumerArn": CONSUMER_ARN,
    "fanoutConfig.consumerName": "me",
    "maxActiveThreads": "7",
    "staleWorkerMetricsEntryCleanupDuration": "PT36H",
    "streamArn": "arn:aws:kinesis:us-east-1:123456789012:stream/events",
    "workerMetricsEMAAlpha": "0.5",
    "workerMetricsTags": "a=b",
}
INVALID = {
    "text": "",  # any but the empty text is taken
    "true or false": "yes",
    "true": "false",
}
BESIDE = {  # what must stand, or not stand, beside a key for it to have a meaning
    "initialPositionInStreamExtended": {"initialPositionInStream": None},
    "maxActiveThreads": {"maxLeasesForWorker": "2"},
    "kinesisClient.endpointOverride": {"kinesisEndpoint": None},
}


def valid_value(setting):
    """Find a text that KCL would apply."""
    if setting.key in VALID:
        return VALID[setting.key]
    candidates = ["true", "1", "60", "200", "PT5S", "us-east-1"]
    candidates += ["http://host:1", *setting.says.replace(" or ", ", ").split(", "), "words"]
    for text in candidates:
        try:
            setting.parse(text)
        except ValueError:
            continue
        return text
    raise AssertionError(setting)


def beside(key):
    """Return the changes that let a key stand in a file."""
    changes = dict(BESIDE.get(key, {}))
    if key.startswith("fanoutConfig."):
        changes["retrievalMode"] = "FANOUT"
    if key.endswith(".region"):
        changes["regionName"] = None
    return changes


@pytest.mark.parametrize("setting", KCL_KEYS.values(), ids=lambda setting: setting.key)
def test_a_key_of_kcl_is_taken(setting, tmp_path):
    """Each key that KCL 3.1.3 accepts may stand in a file, with a value that KCL applies."""
    value = valid_value(setting)
    if setting.key in {"retrievalMode", "shutdownGraceMillis"}:
        value = {"retrievalMode": "POLLING", "shutdownGraceMillis": "30000"}[setting.key]
    if setting.key == "timeoutInSeconds":
        value = "7200"
    settings = load(properties(tmp_path, {**beside(setting.key), setting.key: value}))
    assert settings.texts[setting.key] == value


@pytest.mark.parametrize("setting", KCL_KEYS.values(), ids=lambda setting: setting.key)
def test_a_wrong_value_of_kcl_is_refused(setting, tmp_path):
    """For each key of KCL there is a text that KCL would misread, and it is refused by its name."""
    value = INVALID.get(setting.says, "12x,")
    found = problems(properties(tmp_path, {**beside(setting.key), setting.key: value}))
    assert any(sentence.startswith(setting.key) for _, sentence in found)


def setters():
    """Return the properties that the daemon's configuration has, read from its class file."""
    (jar,) = (Path(amazon_kclpy.__file__).parent / "jars").glob("*-multilang-*.jar")
    with zipfile.ZipFile(jar) as classes:
        code = classes.read("software/amazon/kinesis/multilang/config/"
                            "MultiLangDaemonConfiguration.class")  # fmt: skip
    names = re.findall(rb"\x01\x00.set([A-Z]\w+)", code)
    return {name[:1].decode().lower() + name[1:].decode() for name in names}


def test_the_keys_are_those_of_the_jar():
    """What the daemon's configuration can be given is known here, and nothing else is."""
    not_of_a_file = {"delimiter", "endpointForClient", "regionForClient", "property"}
    never_valid = {"shardPrioritization"}
    known = {key for key in {*KCL_KEYS, *OURS} if not key.startswith("AwsCredentialsProvider")}
    found = {name for name in setters() if not name.startswith("awsCredentialsProvider")}
    assert found - not_of_a_file - never_valid - known == set()
    daemon_s_own = {"maxActiveThreads", "processingLanguage"}
    of_kcl = {key for key in KCL_KEYS if "." not in key} & known
    assert of_kcl - daemon_s_own - found == set()


def slips(key):
    """Return what fingers make of a key: a letter left out, two swapped, another case."""
    for at in range(0, len(key) - 1, 4):
        yield key[:at] + key[at + 1 :]
        yield key[:at] + key[at + 1] + key[at] + key[at + 2 :]
    yield from (key.lower(), key.upper(), key[0].upper() + key[1:])


@pytest.mark.parametrize("key", ALL)
def test_a_slip_of_the_fingers_is_understood(key):
    """Whatever single slip is made in a key, the message names the key that was meant."""
    for slip in set(slips(key)) - set(ALL):
        assert explain(slip, ALL) == f"{slip} is not a setting; did you mean {key}?"
