"""The least that a pipeline must be allowed on AWS, as an IAM policy, read off its file.

It is for the role of the hosts: the daemon and its children share it. The role by which COPY reads
the bucket (``redshiftIamRole``) is Redshift's own. What the file does not name is not in it: a key
of your own that encrypts a stream, the secret, or by default the bucket; files that are announced
from beyond ``s3Bucket`` and ``s3Prefix``; and what an emitter of one's own does.

Which actions a call needs, and on what: docs.aws.amazon.com/service-authorization/latest/reference/
list_amazon*.html, unless said otherwise.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .credentials import database_of
from .redshift_settings import REDSHIFT, REDSHIFT_CLUSTER, REDSHIFT_SECRET, REDSHIFT_WORKGROUP
from .settings import (
    APPLICATION_NAME,
    DEAD_LETTER_PREFIX,
    DESTINATION,
    FILES,
    KMS_KEY,
    MANIFEST,
    OUTPUT_STREAM,
    REGION,
    S3_BUCKET,
    S3_PREFIX,
    STREAM_NAME,
    Settings,
)

UNKNOWN = "*"
LEASE_INDEX = "LeaseOwnerToLeaseKeyIndex"  # KCL's

Statement = dict[str, Any]
Part = Callable[["Names"], Iterator[Statement]]


def policy(settings: Settings, account: str = UNKNOWN, *, create: bool = False) -> dict[str, Any]:
    """Return the policy of a pipeline that runs, or what the command ``create`` needs.

    ``account`` are its twelve digits. The region is that of the file, or of the environment.
    """
    names = Names.of(settings, account)
    parts = TO_CREATE if create else TO_RUN
    statements = [statement for part in parts for statement in part(names)]
    return {"Version": "2012-10-17", "Statement": statements}


class Names(NamedTuple):
    """What the file names, and how ARNs are made of it."""

    settings: Settings
    region: str
    account: str

    @classmethod
    def of(cls, settings: Settings, account: str) -> Names:
        """Take the region from the file, or from where the clients take it."""
        variables = (os.environ.get(name) for name in ("AWS_REGION", "AWS_DEFAULT_REGION"))
        region = settings[REGION] or next(filter(None, variables), UNKNOWN)
        return cls(settings, region, account)

    def text(self, key: str, default: str) -> str:
        """Return what the file says under one of KCL's keys, for use in an ARN."""
        return literal(self.settings.texts.get(key, default))

    @property
    def partition(self) -> str:
        """What an ARN begins with: docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html."""
        partitions = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
        return next((partitions[p] for p in partitions if self.region.startswith(p)), "aws")

    def arn(self, service: str, resource: str) -> str:
        """Name a resource of the account in the region."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    def stream(self, name: str) -> str:
        """Name a stream."""
        return self.arn("kinesis", f"stream/{name}")

    def table(self, name: str) -> str:
        """Name a table of KCL's."""
        return self.arn("dynamodb", f"table/{name}")

    @property
    def bucket(self) -> str:
        """Name the bucket."""
        return f"arn:{self.partition}:s3:::{self.settings[S3_BUCKET]}"

    def objects(self, prefix: str, folder: str = "") -> str:
        """Name all objects whose keys begin with a prefix of the file, and a folder of ours."""
        return f"{self.bucket}/{literal(prefix)}{folder}*"

    @property
    def application(self) -> str:
        """The folder of the pipeline's own objects."""
        return f"{self.settings[APPLICATION_NAME]}/"

    @property
    def lease_table(self) -> str:
        """KCL's table of leases and checkpoints."""
        return self.table(self.text("tableName", self.settings[APPLICATION_NAME]))

    @property
    def metrics_table(self) -> str:
        """KCL's table of how busy each worker is."""
        default = f"{self.settings[APPLICATION_NAME]}-WorkerMetricStats"
        return self.table(self.text("workerMetricsTableName", default))

    @property
    def state_table(self) -> str:
        """KCL's table of who among the workers leads."""
        default = f"{self.settings[APPLICATION_NAME]}-CoordinatorState"
        return self.table(self.text("coordinatorStateTableName", default))


def literal(text: str) -> str:
    """Write text so that it is no pattern.

    docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    return re.sub(r"[*?$]", lambda found: f"${{{found[0]}}}", text)


def allow(
    sid: str, service: str, actions: str, *resources: str, condition: object = None
) -> Statement:
    """Make a statement; ``actions`` are words."""
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": [f"{service}:{action}" for action in actions.split()],
        "Resource": list(resources),
        **({"Condition": condition} if condition else {}),
    }


# ---- the daemon: docs.aws.amazon.com/streams/latest/dev/kcl-iam-permissions.html, and of that
# what KCL 3.1.3 calls: by the names in the classes of its jar, table by table.


def _read(names: Names) -> Iterator[Statement]:
    stream = names.stream(names.settings[STREAM_NAME])
    # With fan-out too: KinesisShardDetector asks a shard that ends for its children.
    actions = "ListShards GetShardIterator GetRecords"
    yield allow("ReadTheStream", "kinesis", actions, stream)
    if names.settings.texts.get("retrievalMode") == "FANOUT":
        yield from _listen(names, stream)


def _listen(names: Names, stream: str) -> Iterator[Statement]:
    """For fan-out: FanOutConsumerRegistration, FanOutRecordsPublisher."""
    if arn := names.text("fanoutConfig.consumerArn", ""):
        yield allow("ListenAsTheConsumer", "kinesis", "SubscribeToShard", arn)
        return
    # A consumer's ARN ends in the time of its making; it is asked for by name before it is made.
    name = names.text("fanoutConfig.consumerName", names.settings[APPLICATION_NAME])
    consumers = (f"{stream}/consumer/{name}", f"{stream}/consumer/{name}:*")
    actions = "DescribeStreamSummary RegisterStreamConsumer"
    yield allow("RegisterTheConsumer", "kinesis", actions, stream)
    actions = "DescribeStreamConsumer SubscribeToShard"
    yield allow("ListenAsTheConsumer", "kinesis", actions, *consumers)


def _share_shards(names: Names) -> Iterator[Statement]:
    """For KCL's classes DynamoDBLeaseRefresher, WorkerMetricStatsDAO and CoordinatorStateDAO."""
    items = "DescribeTable Scan GetItem PutItem UpdateItem DeleteItem"
    metrics = "DescribeTable Scan UpdateItem DeleteItem"
    index = f"{names.lease_table}/index/{LEASE_INDEX}"
    yield allow("KeepLeases", "dynamodb", items, names.lease_table)
    yield allow("FindTheLeasesOfAWorker", "dynamodb", "Query", index)
    yield allow("CompareWorkers", "dynamodb", metrics, names.metrics_table)
    yield allow("ChooseALeader", "dynamodb", items, names.state_table)


def _make_tables(names: Names) -> Iterator[Statement]:
    """For the daemon that is the first. Once the tables are there, these may be taken away."""
    lease, metrics, state = names.lease_table, names.metrics_table, names.state_table
    yield allow("MakeTables", "dynamodb", "CreateTable", lease, metrics, state)
    yield allow("MakeTheIndex", "dynamodb", "UpdateTable", lease)
    backed_up = {
        "leaseTablePitrEnabled": lease,
        "workerMetricsPointInTimeRecoveryEnabled": metrics,
        "coordinatorStatePointInTimeRecoveryEnabled": state,
    }
    texts = names.settings.texts
    if tables := [table for key, table in backed_up.items() if texts.get(key) == "true"]:
        yield allow("BackTablesUp", "dynamodb", "UpdateContinuousBackups", *tables)
    tagged = {"workerMetricsTags": metrics, "coordinatorStateTags": state}
    if tables := [table for key, table in tagged.items() if key in texts]:
        yield allow("TagTables", "dynamodb", "TagResource", *tables)


def _report_metrics(names: Names) -> Iterator[Statement]:
    if names.settings.texts.get("metricsLevel") != "NONE":
        # PutMetricData knows no resources. KCL's namespace is the application's name.
        only = {"StringEquals": {"cloudwatch:namespace": names.settings[APPLICATION_NAME]}}
        yield allow("ReportMetrics", "cloudwatch", "PutMetricData", "*", condition=only)


# ---- its children. A write with If-None-Match needs PutObject alone, a look GetObject:
# docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html, …/API/API_HeadObject.html


def _write_files(names: Names) -> Iterator[Statement]:
    if names.settings[DESTINATION] in FILES:
        files = names.objects(names.settings[S3_PREFIX], names.application)
        yield allow("WriteFilesAndFindThem", "s3", "PutObject GetObject", files)


def _announce(names: Names) -> Iterator[Statement]:
    if names.settings[DESTINATION] in MANIFEST:
        stream = names.stream(names.settings[OUTPUT_STREAM])
        yield allow("AnnounceFiles", "kinesis", "PutRecord", stream)


def _load_files(names: Names) -> Iterator[Statement]:
    if names.settings[DESTINATION] in REDSHIFT:
        prefix = names.settings[S3_PREFIX]
        manifests = names.objects(prefix, f"{names.application}manifests/")
        yield allow("LookAtAnnouncedFiles", "s3", "GetObject", names.objects(prefix))
        yield allow("WriteManifests", "s3", "PutObject", manifests)


def _tell_missing_objects(names: Names) -> Iterator[Statement]:
    """Without it a look at a missing object is answered 403 instead of 404: API_HeadObject.html.

    No condition on ``s3:prefix``, of which a look at an object has none.
    """
    if names.settings[DESTINATION] in FILES | REDSHIFT:
        yield allow("TellMissingObjectsFromForbiddenOnes", "s3", "ListBucket", names.bucket)


def _keep_dead_letters(names: Names) -> Iterator[Statement]:
    letters = names.objects(names.settings[DEAD_LETTER_PREFIX], names.application)
    yield allow("KeepDeadLetters", "s3", "PutObject", letters)


def _encrypt(names: Names) -> Iterator[Statement]:
    """With a key of one's own; AWS's own key is open to whoever may write to S3.

    docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html. Decrypt is for reading
    and for uploads in parts, of which there are none. A policy cannot name a key by its alias, but
    by a condition: docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
    """
    if (key := names.settings[KMS_KEY]) is None:
        return
    place, _, name = literal(key).rpartition(":")
    place = place or names.arn("kms", "").removesuffix(":")
    if not name.startswith("alias/"):
        arn = f"{place}:{name if name.startswith('key/') else f'key/{name}'}"
        yield allow("EncryptWhatIsWritten", "kms", "GenerateDataKey", arn)
        return
    only = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": name}}
    yield allow("EncryptWhatIsWritten", "kms", "GenerateDataKey", f"{place}:key/*", condition=only)


def _log_in(names: Names) -> Iterator[Statement]:
    if names.settings[DESTINATION] not in REDSHIFT:
        return
    if (secret := names.settings[REDSHIFT_SECRET]) is not None:
        yield allow("ReadTheLogin", "secretsmanager", "GetSecretValue", literal(secret))
    if (cluster := names.settings[REDSHIFT_CLUSTER]) is not None:
        database = literal(f"{cluster}/{database_of(names.settings)}")
        resource = names.arn("redshift", f"dbname:{database}")
        yield allow("LogInToTheCluster", "redshift", "GetClusterCredentialsWithIAM", resource)
    if REDSHIFT_WORKGROUP in names.settings:
        # A workgroup's ARN ends in an id that the file does not know.
        resource = names.arn("redshift-serverless", "workgroup/*")
        yield allow("LogInToTheWorkgroup", "redshift-serverless", "GetCredentials", resource)


# ---- the command `create`


def _make_streams(names: Names) -> Iterator[Statement]:
    streams = [names.settings[STREAM_NAME]]
    if OUTPUT_STREAM in names.settings:
        streams.append(names.settings[OUTPUT_STREAM])
    actions = "CreateStream DescribeStream DescribeStreamSummary"
    yield allow("MakeTheStreams", "kinesis", actions, *map(names.stream, streams))


def _make_bucket(names: Names) -> Iterator[Statement]:
    # HeadBucket needs ListBucket.
    yield allow("MakeTheBucket", "s3", "CreateBucket ListBucket", names.bucket)


TO_RUN: list[Part] = [
    *(_read, _share_shards, _make_tables, _report_metrics),
    *(_write_files, _announce, _load_files, _tell_missing_objects, _keep_dead_letters),
    *(_encrypt, _log_in),
]
TO_CREATE: list[Part] = [_make_streams, _make_bucket, _log_in]
