"""Requests that are made by hand: signed as botocore signs them, and each with an end."""

import base64
import json
import re
import signal
import socket
import ssl
import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
import trustme
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials

from record_processors.aws import json_calls
from record_processors.aws.json_calls import Calls
from record_processors.errors import Fatal, Transient, Unavailable
from support.handshake import CLOSE_NOTIFY, NOTHING, ending_with

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
    headers = dict(
        calls.signed_by(ReadOnlyCredentials("AKID", "a secret", token)).headers(
            TARGET, b'{"a":"\xc3\xa9"}'
        )
    )
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


class Server:
    """Answers each request with what ``answer`` returns for its body; notes it, and its headers."""

    def __init__(self, answer, context=None, *, closes=False):
        self.requests, self.connections = [], set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.requests.append((self.path, dict(self.headers), body))
                server.connections.add(self.client_address)
                self.wfile.write(answer(body))
                self.close_connection = closes

            def do_CONNECT(self):
                server.requests.append((self.path, dict(self.headers), b""))
                self.wfile.write(b"HTTP/1.1 403 -\r\nContent-Length: 0\r\n\r\n")

            def log_message(self, *_):
                pass

        class Threads(ThreadingHTTPServer):
            def handle_error(self, *_):
                """Say nothing of a client that is gone."""

        self.http = Threads(("127.0.0.1", 0), Handler)
        if context:
            self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()


def reply(status, body, head=b""):
    return b"HTTP/1.1 %d -\r\n%bContent-Length: %d\r\n\r\n%b" % (status, head, len(body), body)


@pytest.fixture
def serve():
    """Return what starts a server."""
    running = []

    def serve(answer=lambda _: reply(200, b"{}"), context=None, **more):
        running.append(Server(answer, context, **more))
        return running[-1]

    yield serve
    for one in running:
        one.close()


def said(url, *bodies, at_once=4):
    """Send requests; return what is said to each, by its place."""
    client = boto3.client("dynamodb", endpoint_url=url)
    with closing(Calls(client, at_once)) as calls:
        signer = calls.signed_by(ReadOnlyCredentials("AKID", "a secret", None))
        return dict(calls.each("writing", signer, "PutItem", bodies))


def test_each_answer_belongs_to_its_request(serve):
    """Many requests go over a few connections, several at once, and each has its own answer."""
    together = threading.Barrier(4)

    def echo(body):
        together.wait()
        return reply(200, body)

    server = serve(echo)
    bodies = [json.dumps({"n": n}).encode() for n in range(40)]

    assert said(server.url, *bodies) == {n: {"n": n} for n in range(40)}
    assert len(server.connections) == 4


def test_what_is_sent(serve):
    """The path as it is signed, the body at once, however large; nothing of the environment's."""
    server = serve()
    large = json.dumps({"a": "x" * 2_000_000}).encode()
    said(f"{server.url}/a b/../c", b"{}", large)
    path, headers, _ = server.requests[0]
    headers = {name.lower(): value for name, value in headers.items()}

    assert path == "/a%20b/../c/"
    assert headers["host"] == f"127.0.0.1:{server.port}"
    assert headers["x-amz-target"] == TARGET
    assert headers["content-type"] == "application/x-amz-json-1.0"
    assert max(server.requests, key=lambda one: len(one[2]))[2] == large
    assert not [one for one in server.requests if "Expect" in one[1]]


def test_a_lane_ends_at_its_first_transient_failure(serve):
    """What failed for a moment takes one lane away; the others go on, and all else has its end."""
    busy = b'{"__type":"x#ProvisionedThroughputExceededException"}'
    server = serve(lambda body: reply(400, busy) if b"busy" in body else reply(200, b"{}"))
    bodies = [b'{"n":"%s"}' % (b"busy" if n in {0, 3, 7} else b"") for n in range(20)]
    found = said(server.url, *bodies)

    assert sorted(found) == list(range(20))
    assert {n for n, one in found.items() if isinstance(one, Transient)} == {0, 3, 7}
    assert len(said(server.url, *[b'"busy"'] * 20)) == 4


def test_a_signal_waits_for_what_was_begun(serve):
    """What a signal interrupts has an end before the exception goes on."""
    arrived, struck, released = (threading.Event() for _ in range(3))

    def slow(_):
        arrived.set()
        released.wait()
        return reply(200, b"{}")

    def strike(*_):
        struck.set()
        raise InterruptedError

    def release():
        arrived.wait()
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)
        struck.wait()
        over.wait(0.3)
        released.set()

    over = threading.Event()
    url = serve(slow).url
    before = signal.signal(signal.SIGUSR1, strike)
    thread = threading.Thread(target=release)
    thread.start()
    try:
        with pytest.raises(InterruptedError):
            said(url, b"{}")
        was_released = released.is_set()
        over.set()
    finally:
        signal.signal(signal.SIGUSR1, before)
        released.set()
        thread.join()

    assert was_released


@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        (b"", Transient, "HTTP Client"),
        (reply(503, b"down"), Transient, "503"),
        (reply(200, b"<html>"), Fatal, "what answers at .* is not AWS"),
        (reply(200, b"[]"), Fatal, "what answers at .* is not AWS"),
        (reply(302, b"", b"Location: /elsewhere\r\n"), Fatal, "302"),
        (reply(200, b'{"a":"%b"}' % (b"x" * 9000)), Transient, "(?i)maximum"),
        (
            b"HTTP/1.1 200 -\r\nTransfer-Encoding: chunked\r\n\r\n"
            + b"1000\r\n%b\r\n" % (b" " * 4096) * 3
            + b"2\r\n{}\r\n0\r\n\r\n",
            Transient,
            "(?i)maximum",
        ),
        (b"HTTP/1.1 200 -\r\nContent-Length: 9\r\n\r\n{}", Transient, "HTTP Client"),
    ],
    ids=["cut off", "503", "a page", "a list", "redirect", "too large", "endless", "cut short"],
)
def test_an_answer_that_is_none(serve, monkeypatch, answer, kind, why):
    """What is not AWS's answer, or not all of one, does not pass for a write."""
    monkeypatch.setattr(json_calls, "ANSWER_BYTES", 8192)
    server = serve(lambda _: answer, closes=True)
    found = said(server.url, b"{}")[0]

    assert isinstance(found, kind)
    assert re.search(why, str(found))
    assert {path for path, *_ in server.requests} == {"/"}


def test_nobody_answers(monkeypatch):
    """No connection, and silence, are failures that pass, told without what differs each time."""
    monkeypatch.setattr(json_calls, "ANSWER_SECONDS", 1)
    with socket.socket() as deaf, socket.create_server(("127.0.0.1", 0)) as silent:
        deaf.bind(("127.0.0.1", 0))
        for one in (deaf, silent):
            url = f"http://127.0.0.1:{one.getsockname()[1]}"
            found = said(url, b"{}", b"{}")
            assert {type(one) for one in found.values()} == {Unavailable}
            assert len({str(one) for one in found.values()}) == 1
            assert " after " not in str(found[0])


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_certificates_are_verified_against_botocores(serve, monkeypatch, tmp_path, variable):
    """The variables by which botocore finds certificates name them here; another is not trusted."""
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    authority, context = trustme.CA(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    roots = tmp_path / "roots.pem"
    authority.cert_pem.write_to_path(roots)
    server = serve(context=context)
    untrusted = said(server.url, b"{}")[0]
    monkeypatch.setenv(variable, str(roots))

    assert type(untrusted) is Transient
    assert "certificate" in str(untrusted)
    assert said(server.url, b"{}") == {0: {}}
    other = said(f"https://localhost:{server.port}", b"{}")[0]
    assert type(other) is Transient
    assert len(server.requests) == 1


@pytest.mark.parametrize("ends_with", [NOTHING, CLOSE_NOTIFY])
def test_a_handshake_that_is_cut_is_an_outage(ends_with):
    """What the network does to a handshake is no wrong certificate: it passes by itself."""
    with ending_with(ends_with) as port:
        found = said(f"https://127.0.0.1:{port}", b"{}")
    assert type(found[0]) is Unavailable


@pytest.mark.parametrize("scheme", ["", "http://"])
def test_a_proxy_is_logged_in_to(serve, monkeypatch, scheme):
    """A proxy may stand in the environment without its scheme, and with a login, which is its own.

    NO_PROXY goes around it; nobody is told of the login.
    """
    server = serve()
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}a:b%40c@127.0.0.1:{server.port}")
    for name in ("NO_PROXY", "no_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    found = said("https://example.org", b"{}")[0]
    ((path, headers, _),) = server.requests

    assert path == "example.org:443"
    assert headers["Proxy-Authorization"] == f"Basic {base64.b64encode(b'a:b@c').decode()}"
    assert not [name for name in headers if name.lower() in {"authorization", "x-amz-target"}]
    assert isinstance(found, Transient)
    assert "b@c" not in str(found)
    assert "b%40c" not in str(found)

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("HTTPS_PROXY", "127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "127.0.0.1:1")
    assert said(server.url, b"{}") == {0: {}}
