"""`create` makes of KCL's tables what a daemon makes of them that finds none."""

from contextlib import closing

import boto3

from support.two_stages import TwoStages

APPLICATION = "first-one"
TABLES = [APPLICATION, f"{APPLICATION}-WorkerMetricStats", f"{APPLICATION}-CoordinatorState"]
# What a worker has changed since it took the lease.
OF_THE_WORKER = {
    *("leaseOwner", "leaseCounter", "ownerSwitchesSinceCheckpoint", "throughputKBps"),
    *("lastCounterIncrementNanos", "checkpointOwner", "timeoutMillis"),
}


def described(table):
    """Return what a table is, without its name, its age and what is in it."""
    found = boto3.client("dynamodb").describe_table(TableName=table)["Table"]
    parts = ("IndexName", "KeySchema", "Projection")
    return {
        "key": found["KeySchema"],
        "attributes": sorted(found["AttributeDefinitions"], key=str),
        "billing": found["BillingModeSummary"]["BillingMode"],
        "indexes": [
            {part: index[part] for part in parts}
            for index in found.get("GlobalSecondaryIndexes", ())
        ],
    }


def leases():
    items = boto3.client("dynamodb").scan(TableName=APPLICATION)["Items"]
    return {
        item["leaseKey"]["S"]: {k: v for k, v in item.items() if k not in OF_THE_WORKER}
        for item in items
    }


def test_create_makes_what_a_daemon_would(stack, tmp_path):
    """Keys, index, billing, and what is in a lease are the same, whoever made them."""
    with closing(TwoStages(stack, tmp_path, "first")) as both:
        ours = [described(table) for table in TABLES], leases()
        for table in TABLES:
            boto3.client("dynamodb").delete_table(TableName=table)
        both.start("one")
        both.until_working("one", shards=2)
        assert ([described(table) for table in TABLES], leases()) == ours
