"""A table of DynamoDB on the stand-ins, and a pipeline whose destination it is."""

import itertools
import json

import boto3

from record_processors.destinations.dynamodb.settings import DATA_TABLE
from record_processors.destinations.dynamodb.table import Table
from record_processors.kcl.assembly import assemble
from record_processors.local.demo.pipelines import write_pipeline
from support.fakes import SHARD, record
from support.fault_proxy import Proxy

ARRIVAL = 1704164645678  # 2024-01-02T03:04:05.678Z
NUMBERS = itertools.count(1)


class Items:
    """A pipeline of its own table, which is made."""

    def __init__(self, stack, folder, **changes):
        name = f"items-{next(NUMBERS)}"
        self.wire = Proxy(stack.properties["dynamoDBEndpoint"], [])
        self.settings = write_pipeline(
            "dynamodb",
            folder / name,
            {
                "applicationName": name,
                "dynamoDBDataTableName": name,
                "dynamoDBEndpoint": self.wire.endpoint,
                "s3Bucket": f"{name}-bucket",
                "retryLimit": "4",
                "outagePatience": "0",
                "backoffInterval": "1",
                **changes,
            },
            {key: text for key, text in stack.properties.items() if key != "dynamoDBEndpoint"},
        )
        self.bucket = f"{name}-bucket"
        boto3.client("s3").create_bucket(Bucket=self.bucket)
        self.table = Table(self.settings)
        self.table.create()
        self.wire.requests.clear()
        self.sequence = itertools.count(1)

    def life(self):
        life = assemble(self.settings)
        life.start(SHARD)
        return life

    def carry(self, *records, life=None):
        """Bring records as one batch; return the positions of the checkpoints."""
        positions = []
        life = life or self.life()
        life.process(records, positions.append)
        life.flush(positions.append)
        return positions

    def record(self, row, sequence=None, **more):
        data = row if isinstance(row, bytes) else json.dumps(row).encode()
        more = {"arrival": ARRIVAL, **more}
        return record(data, sequence or next(self.sequence), **more)

    def items(self, key="id"):
        """Return the items as they are stored, by their key's value."""
        table = boto3.client("dynamodb").scan(TableName=self.settings[DATA_TABLE])
        return {next(iter(item[key].values())): item for item in table["Items"]}

    def letters(self):
        """Return the reason of each dead letter by its position's sequence number."""
        s3 = boto3.client("s3")
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket=self.bucket).get("Contents", [])]
        bodies = [s3.get_object(Bucket=self.bucket, Key=key)["Body"].read() for key in keys]
        found = map(json.loads, b"".join(bodies).splitlines())
        return {int(one["position"].partition("-")[0]): one["reason"] for one in found}
