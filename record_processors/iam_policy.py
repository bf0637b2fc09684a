"""The least that a pipeline must be allowed on AWS, as an IAM policy, read off its file.

It is for the role of the hosts, which the daemon and its children share; the role by which COPY
reads the bucket (``redshiftIamRole``) is Redshift's own. What the file does not name is not in it:
a key of your own that encrypts a stream, the secret, or by default the bucket; files announced from
beyond ``s3Bucket`` and ``s3Prefix``; what a destination of one's own does.

What an action is allowed on: the services' pages of
docs.aws.amazon.com/service-authorization/latest/reference/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from .arns import ANY, Arns, literal
from .credentials import database_of
from .places import dead_letters_folder, files_folder, manifests_folder
from .redshift_settings import REDSHIFT_CLUSTER, REDSHIFT_SECRET, REDSHIFT_WORKGROUP
from .settings import (
    DESTINATION,
    KMS_KEY,
    OUTPUT_STREAM,
    S3_PREFIX,
    Settings,
    counts,
)

Statement = dict[str, Any]


def policy(settings: Settings, account: str = ANY, *, create: bool = False) -> dict[str, Any]:
    """Return the policy of a pipeline that runs, or of the command ``create``.

    ``account`` are its twelve digits. The region is that of the file, or of the environment.
    """
    arns = Arns(settings, account)
    destination = settings[DESTINATION]
    if create:
        parts = CREATE + (LOG_IN if destination == "redshift-manifest" else ())
    else:
        parts = DAEMON + CHILD.get(destination, ()) + EVERY_CHILD
    statements = [statement for part in parts for statement in part(arns)]
    return {"Version": "2012-10-17", "Statement": statements}


def allow(sid: str, actions: str, *resources: str, when: object = None) -> Statement:
    """Make a statement; ``actions`` are words, of which the first one names the service."""
    service, _, words = actions.partition(": ")
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": [f"{service}:{word}" for word in words.split()],
        "Resource": list(resources),
        **({"Condition": when} if when else {}),
    }


# The daemon: docs.aws.amazon.com/streams/latest/dev/kcl-iam-permissions.html, and of that what KCL
# 3.1.3 calls, table by table, by the names in the classes of its jar.


def _read(arns: Arns) -> Iterator[Statement]:
    # With fan-out too: KinesisShardDetector asks a shard that ends for its children.
    yield allow("ReadTheStream", "kinesis: ListShards GetShardIterator GetRecords", arns.stream)


def _listen(arns: Arns) -> Iterator[Statement]:
    """For FanOutConsumerRegistration and FanOutRecordsPublisher."""
    if arns.texts.get("retrievalMode") != "FANOUT":
        return
    if arn := arns.texts.get("fanoutConfig.consumerArn"):
        yield allow("ListenAsTheConsumer", "kinesis: SubscribeToShard", literal(arn))
        return
    # A consumer's ARN ends in the time of its making; it is asked for by name before it is made.
    name = literal(arns.texts.get("fanoutConfig.consumerName", arns.application))
    consumers = [f"{arns.stream}/consumer/{name}{ending}" for ending in ("", ":*")]
    make = "kinesis: DescribeStreamSummary RegisterStreamConsumer"
    yield allow("RegisterTheConsumer", make, arns.stream)
    use = "kinesis: DescribeStreamConsumer SubscribeToShard"
    yield allow("ListenAsTheConsumer", use, *consumers)


def _share_shards(arns: Arns) -> Iterator[Statement]:
    """For DynamoDBLeaseRefresher, WorkerMetricStatsDAO, and CoordinatorStateDAO with its lock."""
    few = "dynamodb: DescribeTable Scan UpdateItem DeleteItem"
    index = f"{arns.leases}/index/LeaseOwnerToLeaseKeyIndex"
    yield allow("KeepLeases", f"{few} GetItem PutItem", arns.leases)
    yield allow("FindTheLeasesOfAWorker", "dynamodb: Query", index)
    yield allow("CompareWorkers", few, arns.workers)
    yield allow("ChooseALeader", f"{few} GetItem PutItem", arns.leader)


def _make_tables(arns: Arns) -> Iterator[Statement]:
    """For the daemon that is the first. Once the tables are there, these may be taken away."""
    yield allow("MakeTables", "dynamodb: CreateTable", arns.leases, arns.workers, arns.leader)
    yield allow("MakeTheIndex", "dynamodb: UpdateTable", arns.leases)
    backed_up = {
        "leaseTablePitrEnabled": arns.leases,
        "workerMetricsPointInTimeRecoveryEnabled": arns.workers,
        "coordinatorStatePointInTimeRecoveryEnabled": arns.leader,
    }
    tagged = {"workerMetricsTags": arns.workers, "coordinatorStateTags": arns.leader}
    if tables := [table for key, table in backed_up.items() if arns.texts.get(key) == "true"]:
        yield allow("BackTablesUp", "dynamodb: UpdateContinuousBackups", *tables)
    if tables := [table for key, table in tagged.items() if key in arns.texts]:
        yield allow("TagTables", "dynamodb: TagResource", *tables)


def _report_metrics(arns: Arns) -> Iterator[Statement]:
    if arns.texts.get("metricsLevel") != "NONE":
        # PutMetricData knows no resources. KCL's namespace is the application's name.
        only = {"StringEquals": {"cloudwatch:namespace": arns.application}}
        yield allow("ReportMetrics", "cloudwatch: PutMetricData", "*", when=only)


# Its children. A write with If-None-Match needs PutObject alone, a look (HEAD) GetObject:
# docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html, …/API/API_HeadObject.html


def _write_files(arns: Arns) -> Iterator[Statement]:
    files = arns.objects(files_folder(arns.settings))
    yield allow("WriteFilesAndFindThem", "s3: PutObject GetObject", files)


def _announce_files(arns: Arns) -> Iterator[Statement]:
    yield allow("AnnounceFiles", "kinesis: PutRecord", arns.stream_of(OUTPUT_STREAM))


def _load_files(arns: Arns) -> Iterator[Statement]:
    announced = arns.objects(arns.settings[S3_PREFIX])
    yield allow("LookAtAnnouncedFiles", "s3: GetObject", announced)
    manifests = arns.objects(manifests_folder(arns.settings))
    yield allow("WriteManifests", "s3: PutObject", manifests)


def _tell_missing_objects(arns: Arns) -> Iterator[Statement]:
    """Without it a look at a missing object is answered 403, not 404: API_HeadObject.html.

    No condition on ``s3:prefix``, of which a look at an object has none.
    """
    yield allow("TellMissingObjectsFromForbiddenOnes", "s3: ListBucket", arns.bucket)


def _log_in(arns: Arns) -> Iterator[Statement]:
    """By IAM on what AWS's own policy AmazonRedshiftDataFullAccess has it on."""
    if (secret := arns.settings[REDSHIFT_SECRET]) is not None:
        yield allow("ReadTheLogin", "secretsmanager: GetSecretValue", _secret(arns, secret))
    if (cluster := arns.settings[REDSHIFT_CLUSTER]) is not None:
        database = literal(f"{cluster}/{database_of(arns.settings)}")
        resource = arns.arn("redshift", f"dbname:{database}")
        yield allow("LogInToTheCluster", "redshift: GetClusterCredentialsWithIAM", resource)
    if REDSHIFT_WORKGROUP in arns.settings:
        # A workgroup's ARN ends in an id that the file does not know.
        resource = arns.arn("redshift-serverless", "workgroup/*")
        yield allow("LogInToTheWorkgroup", "redshift-serverless: GetCredentials", resource)


def _secret(arns: Arns, secret: str) -> str:
    """Name a secret; after its name, its ARN has six characters that the file does not know."""
    by_name = arns.arn("secretsmanager", f"secret:{literal(secret)}-??????")
    return literal(secret) if secret.startswith("arn:") else by_name


def _keep_dead_letters(arns: Arns) -> Iterator[Statement]:
    letters = arns.objects(dead_letters_folder(arns.settings))
    yield allow("KeepDeadLetters", "s3: PutObject", letters)


def _encrypt(arns: Arns) -> Iterator[Statement]:
    """With a key of one's own; AWS's own is open to whoever may write to S3.

    docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html: Decrypt is for reading,
    and for uploads in parts, of which there are none. A key is not named by its alias, but by a
    condition: docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
    """
    if (key := arns.settings[KMS_KEY]) is None:
        return
    arn = key if ":" in key else arns.arn("kms", key)
    place, _, name = arn.rpartition(":")
    only = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": name}}
    by_alias = name.startswith("alias/")
    resource = f"{place}:key/{'*' if by_alias else literal(name.removeprefix('key/'))}"
    when = only if by_alias else None
    yield allow("EncryptWhatIsWritten", "kms: GenerateDataKey", resource, when=when)


# The command `create`. A look at a bucket needs ListBucket: API_HeadBucket.html.


def _make_streams(arns: Arns) -> Iterator[Statement]:
    streams = [arns.stream]
    if counts(arns.settings, OUTPUT_STREAM):
        streams.append(arns.stream_of(OUTPUT_STREAM))
    actions = "kinesis: CreateStream DescribeStream DescribeStreamSummary"
    yield allow("MakeTheStreams", actions, *streams)


def _make_bucket(arns: Arns) -> Iterator[Statement]:
    yield allow("MakeTheBucket", "s3: CreateBucket ListBucket", arns.bucket)
    # What new_bucket.py sets: API_PutBucketEncryption.html and so on, "Permissions".
    actions = "s3: PutEncryptionConfiguration PutBucketPublicAccessBlock PutLifecycleConfiguration"
    yield allow("FurnishTheBucket", actions, arns.bucket)


Parts = tuple[Callable[[Arns], Iterator[Statement]], ...]
LOG_IN: Parts = (_log_in,)
DAEMON: Parts = (_read, _listen, _share_shards, _make_tables, _report_metrics)
CHILD: dict[str, Parts] = {
    "s3": (_write_files, _tell_missing_objects),
    "s3-manifest": (_write_files, _announce_files, _tell_missing_objects),
    "redshift-manifest": (_load_files, _tell_missing_objects, _log_in),
}
EVERY_CHILD: Parts = (_keep_dead_letters, _encrypt)
CREATE: Parts = (_make_streams, _make_bucket)
