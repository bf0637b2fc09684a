"""A table of DynamoDB that is being made."""

from __future__ import annotations

from botocore.exceptions import WaiterError

from ..errors import Fatal
from .clients import Client

ACTIVE_SECONDS = 120  # within which DynamoDB makes a table; it takes about ten


def wait_until_active(dynamodb: Client, name: str, what: object) -> None:
    """Wait until a table is active; ``what`` it is stands in the sentence. Raises Fatal."""
    try:
        dynamodb.get_waiter("table_exists").wait(
            TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": ACTIVE_SECONDS}
        )
    except WaiterError as error:
        raise Fatal(f"{what} does not become active: {error}") from error
