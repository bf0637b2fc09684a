"""One stand-in for Redshift, and one S3 that it reads, for all tests of this folder."""

import os

import boto3
import pytest
from moto.server import ThreadedMotoServer

from support.redshift_stand_in import PATIENCE, connect, postgres_of, run, start


@pytest.fixture(scope="module")
def s3():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    client = boto3.client("s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1")
    client.create_bucket(Bucket="bucket")
    yield client
    server.stop()


@pytest.fixture(scope="module")
def ready(s3, tmp_path_factory):
    directory = tmp_path_factory.mktemp("redshift")
    process, line = start(directory, AWS_ENDPOINT_URL_S3=s3.meta.endpoint_url)
    yield line
    process.terminate()
    assert process.wait(PATIENCE) == 0
    process.stdout.close()
    assert postgres_of(directory) == set()


@pytest.fixture
def db(ready):
    connection = connect(ready)
    connection.autocommit = True
    yield connection
    connection.close()


@pytest.fixture
def table(db):
    """Make a table of these columns, with a name of its own."""

    def make(columns):
        name = f"t{os.urandom(4).hex()}"
        run(db, f"CREATE TABLE {name} ({columns})")
        return name

    return make
