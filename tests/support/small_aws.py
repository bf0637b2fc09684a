"""AWS for files like those of ``fakes``: streams, buckets and tables in this process, by moto."""

import logging
import os
from contextlib import contextmanager
from urllib.request import Request, urlopen

import boto3
from moto.server import ThreadedMotoServer


@contextmanager
def small_aws():
    """Serve it, with nothing in it; yield its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        address = "http://{}:{}".format(*server.get_host_and_port())
        with urlopen(Request(f"{address}/moto-api/reset", method="POST")):
            yield address
    finally:
        server.stop()


def make(*streams, bucket=None, table=None, key="leaseKey"):
    """Make what is not there at the address in AWS_ENDPOINT_URL."""
    assert os.environ["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    kinesis, dynamodb = boto3.client("kinesis"), boto3.client("dynamodb")
    for name in set(streams) - set(kinesis.list_streams()["StreamNames"]):
        kinesis.create_stream(StreamName=name, ShardCount=1)
    if bucket:
        boto3.client("s3").create_bucket(Bucket=bucket)
    if table and table not in dynamodb.list_tables()["TableNames"]:
        dynamodb.create_table(
            TableName=table,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
            KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
        )
