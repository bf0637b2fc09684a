"""Requests that are made by hand are signed as botocore signs them."""

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from record_processors import Fatal
from record_processors.aws.json_calls import Calls, Signer

TARGET = "DynamoDB_20120810.PutItem"


@pytest.mark.parametrize("token", [None, "a-token"])
@pytest.mark.parametrize(
    "endpoint",
    [None, "http://127.0.0.1:4566", "https://example.org:443", "http://[::1]:80/"],
)
def test_a_signature_is_botocores(endpoint, token):
    """For the same headers and body botocore comes to the same signature."""
    client = boto3.client("dynamodb", endpoint_url=endpoint)
    calls = Calls(client, 1)
    headers = dict(Signer(calls, "AKID", "a secret", token).headers(TARGET, b'{"a":"\xc3\xa9"}'))
    signature = headers.pop("authorization")
    request = AWSRequest("POST", calls.url, data=b'{"a":"\xc3\xa9"}')
    for name in ("content-type", "x-amz-target"):
        request.headers[name] = headers[name]
    request.context["timestamp"] = headers["x-amz-date"]
    request.headers["X-Amz-Date"] = headers["x-amz-date"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    signer = SigV4Auth(Credentials("AKID", "a secret", token), "dynamodb", "us-east-1")
    canonical = signer.canonical_request(request)
    expected = signer.signature(signer.string_to_sign(request, canonical), request)

    assert signature.rpartition("Signature=")[2] == expected
    assert headers["host"] in canonical


def test_an_answer_that_is_not_awss_is_no_success():
    """A page that somebody on the way answers with 200 does not pass for a write."""
    calls = Calls(boto3.client("dynamodb", endpoint_url="http://127.0.0.1:1"), 1)
    with pytest.raises(Fatal, match="is not AWS"):
        calls._read("PutItem", 200, b"<html>")
