"""The leases of an application as they stand in KCL's table, and when each worker was heard of.

Columns of KCL 3.1.3: ``DynamoDBLeaseSerializer`` and ``WorkerMetricStats`` of its jar. No column
says since when an owner has a lease.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timezone
from typing import Any, NamedTuple

from ..aws.clients import Client
from ..config.setting import Settings
from ..flow.record import Position
from .tables import LEASES, WORKERS, table_name

# ``SentinelCheckpoint``: what stands in the place of a sequence number.
TRIM_HORIZON, LATEST, AT_TIMESTAMP = "TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"
SHARD_END = "SHARD_END"


class Lease(NamedTuple):
    """The lease of one shard. ``counter`` goes up while the owner lives."""

    shard: str
    owner: str | None
    counter: int
    checkpoint: Position | str
    """A position, or one of the sentinels."""
    parents: tuple[str, ...]
    owner_switches: int
    """How often the owner has changed since the checkpoint moved."""

    @property
    def is_ended(self) -> bool:
        """Whether all of the shard is delivered."""
        return self.checkpoint == SHARD_END


def read_leases(dynamodb: Client, settings: Settings) -> list[Lease] | None:
    """Return the leases, by shard; None if there is no lease table.

    Raises what boto3 does.
    """
    try:
        items = list(_scan(dynamodb, table_name(settings, LEASES)))
    except dynamodb.exceptions.ResourceNotFoundException:
        return None
    # Newer KCLs keep other things in the same table.
    return sorted(_lease(item) for item in items if "checkpoint" in item)


def heard_of(dynamodb: Client, settings: Settings) -> Mapping[str, datetime]:
    """Return of each worker that reports its load when it last did; none without that table.

    Raises what boto3 does.
    """
    try:
        items = list(_scan(dynamodb, table_name(settings, WORKERS)))
    except dynamodb.exceptions.ResourceNotFoundException:
        return {}
    return {
        item[WORKERS.key]["S"]: datetime.fromtimestamp(int(item["lut"]["N"]), timezone.utc)
        for item in items
        if "lut" in item
    }


def release(dynamodb: Client, settings: Settings, lease: Lease) -> None:
    """Take the owner off a lease, as KCL does to evict one, unless it was renewed meanwhile.

    Raises what boto3 does.
    """
    with suppress(dynamodb.exceptions.ConditionalCheckFailedException):
        dynamodb.update_item(
            TableName=table_name(settings, LEASES),
            Key={LEASES.key: {"S": lease.shard}},
            UpdateExpression="SET leaseCounter = leaseCounter + :one REMOVE leaseOwner",
            ConditionExpression="leaseOwner = :owner AND leaseCounter = :counter",
            ExpressionAttributeValues={
                ":one": {"N": "1"},
                ":owner": {"S": lease.owner},
                ":counter": {"N": str(lease.counter)},
            },
        )


def _scan(dynamodb: Client, table: str) -> Iterator[dict[str, Any]]:
    for page in dynamodb.get_paginator("scan").paginate(TableName=table, ConsistentRead=True):
        yield from page["Items"]


def _lease(item: dict[str, Any]) -> Lease:
    checkpoint = item["checkpoint"]["S"]
    return Lease(
        shard=item[LEASES.key]["S"],
        owner=item.get("leaseOwner", {}).get("S"),
        counter=_number(item, "leaseCounter"),
        checkpoint=Position(int(checkpoint), _number(item, "checkpointSubSequenceNumber"))
        if checkpoint.isdigit()
        else checkpoint,
        parents=tuple(sorted(item.get("parentShardId", {}).get("SS", ()))),
        owner_switches=_number(item, "ownerSwitchesSinceCheckpoint"),
    )


def _number(item: dict[str, Any], column: str) -> int:
    return int(item.get(column, {}).get("N", 0))
