"""`create` makes KCL's tables and the leases with which an application begins."""

import boto3
import moto
import pytest

from record_processors import Fatal
from record_processors.commands.create import create
from record_processors.config.properties import load
from support.fakes import properties

HORIZON = {"initialPositionInStream": "TRIM_HORIZON", "kinesisInputStreamShardCount": "2"}
LEASES, WORKERS, COORDINATOR = "app", "app-WorkerMetricStats", "app-CoordinatorState"


@pytest.fixture
def dynamodb():
    with moto.mock_aws():
        yield boto3.client("dynamodb")


@pytest.fixture
def made(tmp_path, dynamodb):
    """Run `create` on a file with some changes; return its lines."""

    def run(**changes):
        settings = load(properties(tmp_path, {**HORIZON, "applicationName": "app", **changes}))
        return [str(outcome) for outcome in create(settings)]

    return run


def leases(dynamodb):
    items = dynamodb.scan(TableName=LEASES)["Items"]
    return {item["leaseKey"]["S"]: item["checkpoint"]["S"] for item in items}


def split(shard):
    """Split a shard of the stream in its middle."""
    kinesis = boto3.client("kinesis")
    found = kinesis.list_shards(StreamName="events")["Shards"]
    keys = next(each["HashKeyRange"] for each in found if each["ShardId"].endswith(shard))
    kinesis.split_shard(
        StreamName="events",
        ShardToSplit=f"shardId-00000000000{shard}",
        NewStartingHashKey=str((int(keys["StartingHashKey"]) + int(keys["EndingHashKey"])) // 2),
    )


def test_three_tables_are_made_and_a_lease_for_each_shard(made, dynamodb):
    """Each has its key, is paid by the request, and is told in a line."""
    assert made()[1:4] == [
        f"lease table {LEASES} (leases of 2 shards): made",
        f"worker metrics table {WORKERS}: made",
        f"coordinator state table {COORDINATOR}: made",
    ]
    for name, key in ((LEASES, "leaseKey"), (WORKERS, "wid"), (COORDINATOR, "key")):
        table = dynamodb.describe_table(TableName=name)["Table"]
        assert table["KeySchema"] == [{"AttributeName": key, "KeyType": "HASH"}]
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert leases(dynamodb) == dict.fromkeys(
        ["shardId-000000000000", "shardId-000000000001"], "TRIM_HORIZON"
    )


def test_what_is_missing_of_the_first_leases_is_added(made, dynamodb):
    """A `create` that was cut off is finished by the next."""
    made()
    dynamodb.delete_item(TableName=LEASES, Key={"leaseKey": {"S": "shardId-000000000001"}})
    made()
    assert len(leases(dynamodb)) == 2


@pytest.mark.parametrize(
    "begun",
    [
        {"leaseOwner": {"S": "host"}, "leaseCounter": {"N": "0"}},
        {"leaseCounter": {"N": "7"}},
    ],
)
def test_an_application_that_has_begun_is_left_alone(made, dynamodb, begun):
    """A shard that is done with, whose lease KCL has deleted, is not read from its beginning."""
    made()
    shards = [f"shardId-00000000000{number}" for number in (0, 1)]
    there = dynamodb.get_item(TableName=LEASES, Key={"leaseKey": {"S": shards[0]}})["Item"]
    dynamodb.put_item(TableName=LEASES, Item={**there, **begun, "checkpoint": {"S": "17"}})
    dynamodb.delete_item(TableName=LEASES, Key={"leaseKey": {"S": shards[1]}})
    assert made()[1] == f"lease table {LEASES}: was there"
    assert leases(dynamodb) == {shards[0]: "17"}


def test_children_wait_for_their_parents(made, dynamodb):
    """From the beginning on, a shard that was split is read, and not yet what came of it."""
    boto3.client("kinesis").create_stream(StreamName="events", ShardCount=2)
    split("0")
    made()
    assert set(leases(dynamodb)) == {"shardId-000000000000", "shardId-000000000001"}


def test_from_the_latest_record_on_open_shards_count(made, dynamodb):
    """LATEST begins in the shards that take records, which know their parents."""
    boto3.client("kinesis").create_stream(StreamName="events", ShardCount=2)
    split("0")
    made(initialPositionInStream="LATEST")
    assert leases(dynamodb) == dict.fromkeys(
        [f"shardId-00000000000{number}" for number in (1, 2, 3)], "LATEST"
    )
    child = dynamodb.get_item(TableName=LEASES, Key={"leaseKey": {"S": "shardId-000000000002"}})
    assert child["Item"]["parentShardId"] == {"SS": ["shardId-000000000000"]}


def test_a_time_is_for_kcl_to_look_for(made, dynamodb):
    """A lease that begins at a time says so; KCL takes the time from the file."""
    made(initialPositionInStream=None, initialPositionInStreamExtended="1700000000")
    assert set(leases(dynamodb).values()) == {"AT_TIMESTAMP"}


def test_tables_are_protected_backed_up_and_tagged_as_the_file_says(made, dynamodb):
    """What KCL would give a new table, it has."""
    made(
        leaseTableDeletionProtectionEnabled="true",
        workerMetricsPointInTimeRecoveryEnabled="true",
        coordinatorStateTags="team=data,stage=test",
    )
    assert dynamodb.describe_table(TableName=LEASES)["Table"]["DeletionProtectionEnabled"]
    backups = dynamodb.describe_continuous_backups(TableName=WORKERS)
    recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
    assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
    arn = dynamodb.describe_table(TableName=COORDINATOR)["Table"]["TableArn"]
    tags = dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"]
    assert tags == [{"Key": "team", "Value": "data"}, {"Key": "stage", "Value": "test"}]


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"AwsCredentialsProvider": "ProfileCredentialsProvider|other"}, 3),
        ({"AwsCredentialsProviderDynamoDB": "ProfileCredentialsProvider|other"}, 3),
        (
            {
                "workerMetricsBillingMode": "PROVISIONED",
                "workerMetricsReadCapacity": "5",
                "workerMetricsWriteCapacity": "5",
            },
            1,
        ),
    ],
)
def test_some_tables_are_the_daemons_to_make(made, dynamodb, changes, left):
    """Under other credentials they may be in another account; a capacity is KCL's to set."""
    made(**changes)
    assert len(dynamodb.list_tables()["TableNames"]) == 3 - left


def test_a_table_of_something_else_is_refused(made, dynamodb):
    """A table with another key is not KCL's, and nothing is put into it."""
    dynamodb.create_table(
        TableName=LEASES,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    with pytest.raises(Fatal, match="lease table app in DynamoDB is a table of something else"):
        made()
