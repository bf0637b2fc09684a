"""Credentials that come late are waited for; where there are none, the tries end."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest

from record_processors import Fatal
from record_processors.aws.bucket import Bucket
from record_processors.aws.clients import client
from record_processors.config.setting import Settings

ROLE = {
    "Code": "Success",
    "Type": "AWS-HMAC",
    "AccessKeyId": "AKLATE",
    "SecretAccessKey": "late",
    "Token": "token",
    "Expiration": "2999-01-01T00:00:00Z",
}


class Metadata(BaseHTTPRequestHandler):
    """The metadata service of a host, which answers 500 as often as it is told to."""

    def do_PUT(self):
        """Give a token."""
        self.answer(200, "token")

    def do_GET(self):
        """Name the role, or give its credentials, or fail."""
        if self.server.failures > 0:
            self.server.failures -= 1
            self.answer(500, "")
            return
        self.answer(200, json.dumps(ROLE) if self.path.endswith("/role") else "role")

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def metadata(monkeypatch):
    """Leave the metadata service as the only one that knows credentials."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    server.failures = 0
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", address)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def settings(tries):
    return Settings("", {"retryLimit": str(tries), "backoffInterval": "1", "s3Bucket": "bucket"})


def test_the_metadata_service_had_a_moment(metadata, waits):
    """Three answers of 500 at a child's first call are tried again, and then there is a client."""
    metadata.failures = 3
    made = client("s3", settings(12))
    assert made._request_signer._credentials.access_key == "AKLATE"
    assert len(waits) == 3


def test_the_metadata_service_is_asked_longer_than_botocore_would(metadata):
    """A host that starts many children at once gives each five seconds, unless told otherwise."""
    client("s3", settings(1))
    session = boto3.DEFAULT_SESSION._session
    assert session.get_config_variable("metadata_service_timeout") == 5


def test_what_the_environment_says_of_its_patience_holds(metadata, monkeypatch):
    """AWS_METADATA_SERVICE_TIMEOUT is the user's."""
    monkeypatch.setenv("AWS_METADATA_SERVICE_TIMEOUT", "9")
    client("s3", settings(1))
    session = boto3.DEFAULT_SESSION._session
    assert session.get_config_variable("metadata_service_timeout") == 9


def test_where_there_are_none_the_tries_end(metadata, waits):
    """What never comes is not waited for without end, and the sentence says where they may be."""
    metadata.failures = 1000
    with pytest.raises(Fatal, match=r"given up after 4 tries.*no AWS credentials are found"):
        Bucket.from_settings(settings(4))
    assert len(waits) == 3
