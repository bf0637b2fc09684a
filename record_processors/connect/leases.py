"""The table in DynamoDB that says which host has which shard. KCL makes it at the first start."""

from __future__ import annotations

from collections.abc import Iterator

from ..settings import APPLICATION_NAME, Settings
from .finding import ERRORS, Failed, Finding, code_of, quick_client, why

KEY = "leaseKey"  # of KCL's LeaseSerializer


def table(settings: Settings) -> Iterator[Finding]:
    """Look at the lease table; that it is not there yet is fine."""
    key = "tableName" if "tableName" in settings.texts else APPLICATION_NAME.key
    name = settings.texts[key]
    place = f"{key} = {name}: the lease table"
    dynamodb = quick_client("dynamodb", settings)
    try:
        found = dynamodb.describe_table(TableName=name)["Table"]
    except ERRORS as error:
        if code_of(error) == "ResourceNotFoundException":
            yield Finding("ok", f"{place} is not there yet: the daemon makes it when it starts")
            return
        raise Failed(f"{place} in DynamoDB: {why(error, 'dynamodb:DescribeTable')}") from error
    if [part["AttributeName"] for part in found["KeySchema"]] != [KEY]:
        raise Failed(f"{place} in DynamoDB is a table of something else: its key is not {KEY}")
    yield Finding("ok", f"{place} is {found['TableStatus']}")
