"""The limits that we check before the wire are those of dynalite, which nobody here wrote.

It is npm's, and not there for everybody: without Node, or npm's registry, these are skipped.
"""

import json
import shutil
import socket
import subprocess
import tempfile
from contextlib import nullcontext
from pathlib import Path

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError

from record_processors import Record, Rejected
from record_processors.aws.json_calls import Calls
from record_processors.destinations.dynamodb import values
from record_processors.destinations.dynamodb.items import ITEM_BYTES, Items, Shape
from record_processors.destinations.dynamodb.writes import LANES, Guarded, Refused

SHAPE = Shape(("id",), {"id": "S"})
REST = ITEM_BYTES - len("id" + "a" + "_position" + "v") - 81  # of an item of one more text, v


@pytest.fixture(scope="module")
def dynalite():
    """Run it, with a table; return a client."""
    folder = Path(tempfile.gettempdir()) / "kinesis-connectors-dynalite-4"
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("Node is not installed")
    if not (folder / "node_modules" / "dynalite").is_dir():
        folder.mkdir(exist_ok=True)
        install = ["npm", "install", "--silent", "--prefix", str(folder), "dynalite@4"]
        if subprocess.run(install, check=False, timeout=120).returncode:
            pytest.skip("npm cannot install dynalite here")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = f"require('dynalite')({{createTableMs: 0}}).listen({port}, '127.0.0.1', () => "
    program = [shutil.which("node"), "-e", f"{start}console.log('there'))"]
    with subprocess.Popen(program, cwd=folder, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        client = boto3.client("dynamodb", endpoint_url=f"http://127.0.0.1:{port}")
        client.create_table(
            TableName="items",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        client.get_waiter("table_exists").wait(TableName="items", WaiterConfig={"Delay": 1})
        yield client
        process.terminate()


@pytest.mark.parametrize(
    ("row", "is_taken"),
    [
        (b'{"id":"a","v":%s}' % (b"1" * 38), True),
        (b'{"id":"a","v":%s}' % (b"1" * 39), False),
        (b'{"id":"a","v":9.9e125}', True),
        (b'{"id":"a","v":1e126}', False),
        (b'{"id":"a","v":1e-130}', True),
        (b'{"id":"a","v":1e-131}', False),
        (b'{"id":"%s"}' % (b"k" * 2048), True),
        (b'{"id":"%s"}' % (b"k" * 2049), False),
        (b'{"id":"a","v":"%s"}' % (b"x" * REST), True),
        (b'{"id":"a","v":"%s"}' % (b"x" * (REST + 1)), False),
        (b'{"id":"a","v":"","w":null}', True),
        (b'{"id":""}', False),
        (b'{"id":1}', False),
        (b'{"v":1}', False),
    ],
    ids=lambda value: str(value)[:30],
)
def test_it_takes_what_we_take(dynalite, monkeypatch, row, is_taken):
    """At each limit both take it; one beyond, both refuse it."""
    try:
        change = Items(SHAPE, "_position", {}, None, None).change(Record(row, "1"), row)
        item = json.loads(bytes(change.item))
    except Rejected:
        item = None
    assert (item is not None) == is_taken
    monkeypatch.setattr(values, "number", str)
    fields = {name: values.attribute_value(one) for name, one in values.members(row).items()}
    item = item or {**fields, "_position": {"S": "0" * 81}}
    refused = nullcontext() if is_taken else pytest.raises(ClientError)
    with refused:
        dynalite.put_item(TableName="items", Item=item)


def test_the_guard_holds_there_too(dynalite):
    """Positions are compared as we mean it, and what is refused of one is refused of it alone."""
    calls = Calls(dynalite, LANES)
    writes = Guarded(calls, "items", "_position")
    items = Items(SHAPE, "_position", {}, None, None)

    def change(sequence, key="guard"):
        row = json.dumps({"id": key}).encode()
        return items.change(Record(row, str(sequence)), row)

    found = [writes.send([change(sequence)])[0] for sequence in (10, 9, 10, 100, 99)]
    item = json.dumps({"id": {"S": "large"}, "v": {"S": "x" * ITEM_BYTES}}).encode()
    large = change(1, "large")._replace(item=msgspec.Raw(item))
    refused, written = writes.send([large, change(1, "small")])
    calls.close()

    assert found == ["written", "older", "older", "written", "older"]
    assert written == "written"
    assert isinstance(refused, Refused)
    assert "maximum allowed size" in refused.reason
