"""Where OpenSearch is, who may go there, and what is said when something lacks."""

import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import pytest
import trustme

from record_processors import Fatal, Settings, Transient, Unavailable
from record_processors.destinations.opensearch.client import Client, login_of
from record_processors.destinations.opensearch.emitter import OpenSearchEmitter
from record_processors.destinations.opensearch.resources import Index
from record_processors.destinations.opensearch.settings import (
    OPEN_SEARCH_INDEX,
    OPEN_SEARCH_URL,
    PASSWORD_VARIABLE,
    USERNAME_VARIABLE,
    aws_of,
)
from support.handshake import CLOSE_NOTIFY, INTERNAL_ERROR, NO_TLS, NOTHING, ending_with

DOMAIN = "https://search-my-flights-abc123xyz.eu-west-1.es.amazonaws.com"
COLLECTION = "https://abc123.us-east-1.aoss.amazonaws.com"
OWN = "https://search.example.com:9200"


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    for name in (USERNAME_VARIABLE, PASSWORD_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def at(url, **more):
    texts = {
        "openSearchURL": url,
        "openSearchIndex": "flights",
        "retryLimit": "2",
        "outagePatience": "0",
    }
    return Settings("a file", {**texts, "backoffInterval": "1", **more})


@pytest.mark.parametrize(
    ("url", "aws"),
    [
        (DOMAIN, ("es", "eu-west-1", "my-flights")),
        ("https://vpc-a-b-c1.us-gov-west-1.es.amazonaws.com", ("es", "us-gov-west-1", "a-b")),
        ("https://search-a-b1.cn-north-1.es.amazonaws.com.cn", ("es", "cn-north-1", "a")),
        ("https://search-a-b1.aos.us-east-1.on.aws", ("es", "us-east-1", "a")),
        ("https://other.us-east-1.es.amazonaws.com", ("es", "us-east-1", "")),
        (COLLECTION, ("aoss", "us-east-1", "abc123")),
        (OWN, None),
        ("https://es.amazonaws.com.example.com", None),
    ],
)
def test_what_a_host_says(url, aws):
    """Service, region and name are found in the names of AWS's hosts, and in no other."""
    assert aws_of(url) == aws


@pytest.mark.parametrize(
    "url",
    ["http://search.example.com", "ftp://x", "https://a:b@host", "https://x/y", "https://x:p"],
)
def test_no_address(url):
    """What is not https, or on this machine http, is refused; so are paths and logins."""
    with pytest.raises(ValueError, match=r"^not|^http is for this machine alone"):
        OPEN_SEARCH_URL.parse(url)


def test_addresses():
    """Those with TLS go anywhere, others to this machine."""
    for url in (DOMAIN, OWN, "http://127.0.0.1:9200", "http://localhost:9200", "http://[::1]:9200"):
        assert OPEN_SEARCH_URL.parse(url + "/") == url


@pytest.mark.parametrize("name", ["Flights", "-a", "_a", "a b", "a,b", "a/b", "..", "a" * 256])
def test_no_index(name):
    """Names that OpenSearch does not take are refused in the file."""
    with pytest.raises(ValueError, match="not 1 to 255"):
        OPEN_SEARCH_INDEX.parse(name)


@pytest.mark.parametrize("url", [DOMAIN, COLLECTION])
def test_requests_to_aws_are_signed(url, monkeypatch):
    """They carry the signature of the process' credentials for the host's service and region."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    headers = login_of(at(url))("POST", f"{url}/flights/_bulk", b"body", {})
    service, region, _ = aws_of(url)
    assert f"/{region}/{service}/aws4_request" in headers["Authorization"]
    assert "AKID" in headers["Authorization"]


def test_the_environments_login(monkeypatch):
    """User and password of the environment come first; one alone is a sentence."""
    monkeypatch.setenv(USERNAME_VARIABLE, "me")
    with pytest.raises(Fatal, match=f"of {USERNAME_VARIABLE} and {PASSWORD_VARIABLE} one is not"):
        login_of(at(OWN))
    monkeypatch.setenv(PASSWORD_VARIABLE, "secret")
    assert login_of(at(DOMAIN)) == ("me", "secret")
    monkeypatch.delenv(USERNAME_VARIABLE)
    monkeypatch.delenv(PASSWORD_VARIABLE)
    assert login_of(at(OWN)) is None
    assert OpenSearchEmitter.variables(at(OWN)).keys() == {USERNAME_VARIABLE, PASSWORD_VARIABLE}
    assert OpenSearchEmitter.variables(at(DOMAIN)) == {}


def test_the_policy():
    """It allows a look at the index and its _bulk, on the domain of the host, and no more."""

    def allowed(statements):
        return [(each["Action"], each["Resource"]) for each in statements]

    domain = "arn:aws:es:eu-west-1:123456789012:domain/my-flights"
    index = Index(at(DOMAIN))
    assert allowed(index.permissions("123456789012")) == [
        (["es:ESHttpGet"], [f"{domain}/flights"]),
        (["es:ESHttpPost"], [f"{domain}/flights/_bulk"]),
    ]
    assert allowed(index.permissions_to_create("123456789012")) == [
        (["es:ESHttpGet"], [f"{domain}/flights"]),
        (["es:ESHttpPut"], [f"{domain}/flights", f"{domain}/_data_stream/flights"]),
    ]
    collection = "arn:aws:aoss:us-east-1:123456789012:collection/abc123"
    assert allowed(Index(at(COLLECTION)).permissions("123456789012")) == [
        (["aoss:APIAccessAll"], [collection])
    ]
    assert allowed(Index(at(OWN)).permissions("123456789012")) == []


class Unauthorized(BaseHTTPRequestHandler):
    """Knows nobody."""

    def do_GET(self):
        self.send_response(401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def tls(tmp_path):
    """Return the port of a server with a certificate for localhost, and the file of its root."""
    root = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    root.issue_cert("localhost").configure_cert(context)
    root.cert_pem.write_to_path(tmp_path / "root.pem")
    server = HTTPServer(("127.0.0.1", 0), Unauthorized)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1], str(tmp_path / "root.pem")
    server.shutdown()
    server.server_close()


def test_certificates_are_verified(tls):
    """Who has no certificate of a known root, or another host's, is not spoken to."""
    port, root = tls

    def refused(host, certificates=None):
        client = Client(f"https://{host}:{port}", certificates=certificates)
        with pytest.raises(Fatal) as found:
            client.request("asking", "GET", "/flights")
        return str(found.value)

    assert "TLS: " in refused("localhost")
    assert "openSearchSSLRootCert" in refused("localhost")
    assert "TLS: " in refused("127.0.0.1", root)
    assert "OpenSearch does not take the login" in refused("localhost", root)


@pytest.mark.parametrize(
    ("said", "kind", "why"),
    [
        (NOTHING, Unavailable, "EOF"),
        (CLOSE_NOTIFY, Unavailable, "closed"),
        (INTERNAL_ERROR, Transient, "TLS: .*INTERNAL_ERROR.*openSearchURL"),
        (NO_TLS, Transient, "TLS: .*WRONG_VERSION.*openSearchURL"),
    ],
)
def test_a_handshake_that_is_cut_is_an_outage(said, kind, why):
    """What the network does to a handshake is no wrong certificate: it passes by itself.

    What is no TLS, or not ours, may: it has the tries of retryLimit.
    """
    with ending_with(said) as port, pytest.raises(Transient, match=why) as found:
        Client(f"https://127.0.0.1:{port}").request("asking", "GET", "/flights")
    assert type(found.value) is kind


def test_no_certificates(tmp_path):
    """A file of roots that is not there, or holds none, is named."""
    (tmp_path / "empty").touch()
    for path in (tmp_path / "missing", tmp_path / "empty"):
        with pytest.raises(Fatal, match=f"openSearchSSLRootCert = {path}: no certificates"):
            Client(OWN, certificates=str(path))


def test_without_its_extra(monkeypatch):
    """Where the library is not installed, one sentence says how to get it, whoever needs it."""
    monkeypatch.setitem(sys.modules, "opensearchpy", None)
    sentence = r"opensearchpy is not installed; pip install 'kinesis-connectors\[opensearch\]'"
    for needs in (
        lambda: OpenSearchEmitter.from_settings(at(OWN)),
        lambda: list(Index(at(OWN)).probe()),
        lambda: Index(at(OWN)).create(),
    ):
        with pytest.raises(Exception, match=sentence):
            needs()


def test_nobody_there():
    """An address where nothing answers is named, and may pass."""
    with pytest.raises(Exception, match=r"openSearchURL = http://127.0.0.1:1: looking at flights"):
        list(Index(at("http://127.0.0.1:1")).look())
