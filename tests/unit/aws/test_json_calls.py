"""Requests that are made by hand are signed as botocore signs them."""

import boto3
import pytest
import urllib3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from record_processors import Fatal
from record_processors.aws.json_calls import Calls, Signer, _http

TARGET = "DynamoDB_20120810.PutItem"


@pytest.mark.parametrize("token", [None, "a-token"])
@pytest.mark.parametrize(
    "endpoint",
    [
        None,
        "http://127.0.0.1:4566",
        "https://example.org:443",
        "http://[::1]:80/",
        "http://127.0.0.1:1/a b/c",
    ],
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


@pytest.mark.parametrize("proxy", ["a:b%40c@127.0.0.1:9", "http://a:b%40c@127.0.0.1:9"])
def test_a_proxy_is_logged_in_to(monkeypatch, proxy):
    """A proxy may stand in the environment without its scheme, and with a login."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    found = _http("https://example.org/", 1)

    assert isinstance(found, urllib3.ProxyManager)
    assert (found.proxy.scheme, found.proxy.host, found.proxy.port) == ("http", "127.0.0.1", 9)
    assert found.proxy_headers == {"Proxy-Authorization": "Basic YTpiQGM="}


def test_certificates_are_botocores(monkeypatch, tmp_path):
    """The variable by which botocore finds certificates names them here as well."""
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "roots.pem"))

    found = _http("https://example.org/", 1).connection_pool_kw["ca_certs"]

    assert found == str(tmp_path / "roots.pem")


def test_an_answer_that_is_not_awss_is_no_success():
    """A page that somebody on the way answers with 200 does not pass for a write."""
    calls = Calls(boto3.client("dynamodb", endpoint_url="http://127.0.0.1:1"), 1)
    with pytest.raises(Fatal, match="is not AWS"):
        calls._read("PutItem", 200, b"<html>")
