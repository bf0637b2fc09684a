"""A KCL application that is quick to start: its leases made beforehand, its intervals short.

At a first start KCL waits up to a minute and a half before it has made its lease table and taken
the leases in it. With both measures all shards deliver after some seconds.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

#: The intervals as KCL's properties, for stand-ins only: on AWS they cost calls.
QUICK: dict[str, str] = {
    "workerMetricsReporterFreqInMillis": "1000",
    "inMemoryWorkerMetricsCaptureFrequencyMillis": "500",
    "failoverTimeMillis": "2000",
    "leaseAssignmentIntervalMillis": "1000",
    "shardSyncIntervalMillis": "1000",
    "parentShardPollIntervalMillis": "1000",
    "idleTimeBetweenReadsInMillis": "500",
}


class ListsShards(Protocol):
    """What is needed of boto3's Kinesis client."""

    def list_shards(self, **parameters: Any) -> dict[str, Any]: ...  # noqa: ANN401, D102


def create_leases(
    dynamodb: "DynamoDBClient", kinesis: ListsShards, application: str, stream: str
) -> None:
    """Make KCL's lease table and a lease at TRIM_HORIZON for each shard that has no parent here.

    KCL makes the leases of the other shards when it is through with their parents. Leases that
    exist already keep their checkpoints. Raises botocore's `ClientError` if the stream is not
    there.
    """
    _create_table(dynamodb, application)
    for shard in _roots(kinesis, stream):
        try:
            dynamodb.put_item(
                TableName=application,
                Item=_lease(shard),
                ConditionExpression="attribute_not_exists(leaseKey)",
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            continue


def _create_table(dynamodb: "DynamoDBClient", name: str) -> None:
    try:
        dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": "leaseKey", "AttributeType": "S"},
                {"AttributeName": "leaseOwner", "AttributeType": "S"},
            ],
            KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "LeaseOwnerToLeaseKeyIndex",
                    "KeySchema": [
                        {"AttributeName": "leaseOwner", "KeyType": "HASH"},
                        {"AttributeName": "leaseKey", "KeyType": "RANGE"},
                    ],
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        )
    except dynamodb.exceptions.ResourceInUseException:
        return
    dynamodb.get_waiter("table_exists").wait(
        TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )


def _roots(kinesis: ListsShards, stream: str) -> Iterator[dict[str, Any]]:
    shards = {shard["ShardId"]: shard for shard in _shards(kinesis, stream)}
    for shard in shards.values():
        parents = {shard.get("ParentShardId"), shard.get("AdjacentParentShardId")}
        if parents.isdisjoint(shards):
            yield shard


def _shards(kinesis: ListsShards, stream: str) -> Iterator[dict[str, Any]]:
    page = kinesis.list_shards(StreamName=stream)
    yield from page["Shards"]
    while token := page.get("NextToken"):
        page = kinesis.list_shards(NextToken=token)
        yield from page["Shards"]


def _lease(shard: dict[str, Any]) -> dict[str, Any]:
    keys = shard["HashKeyRange"]
    return {
        "leaseKey": {"S": shard["ShardId"]},
        "leaseCounter": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "checkpoint": {"S": "TRIM_HORIZON"},
        "checkpointSubSequenceNumber": {"N": "0"},
        "startingHashKey": {"S": keys["StartingHashKey"]},
        "endingHashKey": {"S": keys["EndingHashKey"]},
    }
