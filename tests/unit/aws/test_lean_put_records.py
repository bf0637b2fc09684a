"""The lean way of PutRecords has botocore's own answers."""

import boto3
import pytest
from botocore.config import Config

from record_processors.aws.lean_put_records import make_lean
from support.fault_proxy import Fault, Proxy

RECORDS = [
    {"Data": b"\x00\xff" * 50, "PartitionKey": "é\n"},
    {"Data": b"", "PartitionKey": "k", "ExplicitHashKey": "7"},
]


@pytest.fixture
def wire(stack):
    proxy = Proxy(stack.properties["kinesisEndpoint"], [])
    yield proxy
    proxy.close()


@pytest.fixture
def kinesis(wire):
    """Return two clients that do not try again: botocore's own, and a lean one."""
    config = Config(retries={"total_max_attempts": 1})
    own, lean = (boto3.client("kinesis", endpoint_url=wire.endpoint, config=config) for _ in "12")
    make_lean(lean)
    return own, lean


def test_what_is_put_is_what_is_read(kinesis):
    """Data and keys arrive as they are given; each record has its place in the answer."""
    own, lean = kinesis
    own.create_stream(StreamName="lean", ShardCount=1)
    answer = lean.put_records(StreamName="lean", Records=RECORDS)
    iterator = own.get_shard_iterator(
        StreamName="lean", ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    found = own.get_records(ShardIterator=iterator)["Records"]
    assert [(one["Data"], one["PartitionKey"]) for one in found] == [
        (one["Data"], one["PartitionKey"]) for one in RECORDS
    ]
    assert [one["SequenceNumber"] for one in answer["Records"]] == [
        one["SequenceNumber"] for one in found
    ]
    assert {one["ShardId"] for one in answer["Records"]} == {"shardId-000000000000"}


def test_an_error_is_the_same(kinesis):
    """A stream that is not there is botocore's error, of either client."""
    for client in kinesis:
        with pytest.raises(client.exceptions.ResourceNotFoundException):
            client.put_records(StreamName="nowhere", Records=RECORDS)


def test_an_answer_that_does_not_come(kinesis, wire):
    """A service that is down is an error with its status."""
    for client in kinesis:
        wire.faults.append(Fault("POST /PutRecords", "503"))
        with pytest.raises(Exception, match="503") as failed:
            client.put_records(StreamName="lean", Records=RECORDS)
        assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503
