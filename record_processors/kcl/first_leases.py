"""The leases with which an application begins: a worker that finds them need not make them first.

KCL makes them itself when its lease table is empty, from what the stream's shards are at
``initialPositionInStream`` (``HierarchicalShardSyncer``); so do we, and only then. An application
that has begun is never touched: a lease too many would be read from its beginning once more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from ..aws.arns import Arns
from ..aws.clients import Client, client
from ..aws.iam import allow
from ..aws.stream import naming
from ..config.kcl_settings import INITIAL_POSITION, INITIAL_TIMESTAMP
from ..config.keys import STREAM_NAME
from ..config.resource import Statement
from ..config.setting import Settings
from ..errors import counted
from .tables import LEASES, KclTable

# KCL finds a worker's leases by it; made afterwards, it takes minutes.
INDEX = {
    "IndexName": "LeaseOwnerToLeaseKeyIndex",
    "KeySchema": [
        {"AttributeName": "leaseOwner", "KeyType": "HASH"},
        {"AttributeName": "leaseKey", "KeyType": "RANGE"},
    ],
    "Projection": {"ProjectionType": "KEYS_ONLY"},
}
OWNER = {"AttributeName": "leaseOwner", "AttributeType": "S"}


class LeaseTable(KclTable):
    """The lease table, and in a new one a lease for each shard to begin with."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, LEASES)
        self.leases = 0

    def __str__(self) -> str:
        begins = f" (leases of {counted(self.leases, 'shard')})" if self.leases else ""
        return f"{super().__str__()}{begins}"

    def definition(self) -> dict[str, Any]:
        """Add the index by owners."""
        table = super().definition()
        table["AttributeDefinitions"].append(OWNER)
        return {**table, "GlobalSecondaryIndexes": [INDEX]}

    def bring_up_to_date(self) -> None:
        """Make the first leases, unless the application has begun."""
        super().bring_up_to_date()
        dynamodb, stream = self.dynamodb, self.settings[STREAM_NAME]
        with self.naming():
            pages = dynamodb.get_paginator("scan").paginate(
                TableName=self.name, ConsistentRead=True
            )
            if any(has_begun(lease) for page in pages for lease in page["Items"]):
                return
        with naming(STREAM_NAME, stream):
            shards = first_shards(client("kinesis", self.settings), self.settings)
        for shard in shards:
            with self.naming(), suppress(dynamodb.exceptions.ConditionalCheckFailedException):
                dynamodb.put_item(
                    TableName=self.name,
                    Item=lease_of(shard, checkpoint(self.settings)),
                    ConditionExpression="attribute_not_exists(leaseKey)",
                )
        self.leases = len(shards)

    def permissions_to_create(self, account: str) -> Iterator[Statement]:
        """Allow to make the leases too."""
        yield from super().permissions_to_create(account)
        arns = Arns(self.settings, account)
        yield allow("MakeFirstLeases", "dynamodb: Scan PutItem", arns.table(self.name))
        stream = arns.stream(self.settings[STREAM_NAME])
        yield allow("ListTheShards", "kinesis: ListShards", stream)


def has_begun(lease: dict[str, Any]) -> bool:
    """Whether a worker has ever had a lease: it counts up at once. Newer KCLs keep more there."""
    return "leaseOwner" in lease or lease.get("leaseCounter") != {"N": "0"}


def checkpoint(settings: Settings) -> str:
    """Return where a first lease begins, as KCL writes it (``SentinelCheckpoint``)."""
    return "AT_TIMESTAMP" if settings[INITIAL_TIMESTAMP] else settings[INITIAL_POSITION]


def first_shards(kinesis: Client, settings: Settings) -> Sequence[dict[str, Any]]:
    """List the shards that were open at the position; KCL goes on to their children itself."""
    begin: dict[str, Any] = {"Type": f"AT_{settings[INITIAL_POSITION]}"}
    if (seconds := settings[INITIAL_TIMESTAMP]) is not None:
        begin = {"Type": "AT_TIMESTAMP", "Timestamp": seconds}
    page = kinesis.list_shards(StreamName=settings[STREAM_NAME], ShardFilter=begin)
    shards = list(page["Shards"])
    while token := page.get("NextToken"):
        page = kinesis.list_shards(NextToken=token)
        shards += page["Shards"]
    if begin["Type"] == "AT_LATEST":
        return [each for each in shards if is_open(each)]
    # A filter that is not heeded, as by moto, lists the children too.
    listed = {each["ShardId"] for each in shards}
    return [each for each in shards if listed.isdisjoint(parents(each))]


def is_open(shard: dict[str, Any]) -> bool:
    """Whether it still takes records."""
    return "EndingSequenceNumber" not in shard["SequenceNumberRange"]


def parents(shard: dict[str, Any]) -> list[str]:
    """Return the shards that this one came from, as long as Kinesis knows them."""
    found = [shard.get("ParentShardId"), shard.get("AdjacentParentShardId")]
    return [parent for parent in found if parent]


def lease_of(shard: dict[str, Any], position: str) -> dict[str, Any]:
    """Return a shard's first lease as KCL's ``DynamoDBLeaseSerializer`` writes it."""
    keys = shard["HashKeyRange"]
    lease: dict[str, Any] = {
        "leaseKey": {"S": shard["ShardId"]},
        "leaseCounter": {"N": "0"},
        "ownerSwitchesSinceCheckpoint": {"N": "0"},
        "checkpoint": {"S": position},
        "checkpointSubSequenceNumber": {"N": "0"},
        "startingHashKey": {"S": keys["StartingHashKey"]},
        "endingHashKey": {"S": keys["EndingHashKey"]},
    }
    if found := parents(shard):
        lease["parentShardId"] = {"SS": found}
    return lease
