"""How far each shard is checkpointed, as KCL's lease table says it."""

from __future__ import annotations

from ..aws.clients import client
from ..aws.failures import call
from ..config.setting import Settings
from ..flow.record import Position
from ..flow.retry import Retry
from ..kcl.tables import LEASES, table_name

SHARD_END = "SHARD_END"
# The words that KCL writes where there is no position: its class SentinelCheckpoint.
BEGINNING = "TRIM_HORIZON"


def checkpoints(settings: Settings) -> dict[str, Position | str]:
    """Return the checkpoint of each shard that has a lease: a position, or a word of KCL's.

    Nothing if there is no lease table yet. Raises Fatal.
    """
    dynamodb, table = client("dynamodb", settings), table_name(settings, LEASES)
    retry, found = Retry.from_settings(settings), {}
    start: dict[str, object] = {}
    while True:
        try:
            page = call(
                retry,
                f"reading the lease table {table}",
                lambda: dynamodb.scan(TableName=table, ConsistentRead=True, **start),  # noqa: B023
            )
        except Exception as error:
            if isinstance(error.__cause__, dynamodb.exceptions.ResourceNotFoundException):
                return {}
            raise
        for lease in page["Items"]:
            if "checkpoint" in lease:
                text = lease["checkpoint"]["S"]
                sub = lease.get("checkpointSubSequenceNumber", {}).get("N", "0")
                where = Position(int(text), int(sub)) if text.isdigit() else text
                found[lease["leaseKey"]["S"]] = where
        if not (last := page.get("LastEvaluatedKey")):
            return found
        start = {"ExclusiveStartKey": last}
