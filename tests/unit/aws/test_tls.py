"""A TLS connection that is cut is an outage; a certificate that is not trusted may stay so."""

import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import boto3
import pytest
import trustme
from botocore.config import Config
from botocore.exceptions import SSLError

from record_processors import Transient, Unavailable
from record_processors.aws.failures import classified
from support.handshake import CLOSE_NOTIFY, INTERNAL_ERROR, NO_TLS, NOTHING, ending_with


def asked(port):
    """Return what a call of boto3 by HTTPS is turned into, and what boto3 raised."""
    endpoint, once = f"https://127.0.0.1:{port}", Config(retries={"total_max_attempts": 1})
    client = boto3.client("kinesis", endpoint_url=endpoint, config=once)
    with pytest.raises(Transient) as found, classified("asking"):
        client.list_streams()
    return found.value, found.value.__cause__


@pytest.mark.parametrize("said", [NOTHING, CLOSE_NOTIFY])
def test_a_handshake_that_is_cut_is_an_outage(said):
    """boto3 calls it an SSLError like a wrong certificate; it passes by itself all the same."""
    with ending_with(said) as port:
        ours, theirs = asked(port)
    assert type(ours) is Unavailable
    assert isinstance(theirs, SSLError)


@pytest.mark.parametrize("said", [INTERNAL_ERROR, NO_TLS])
def test_a_handshake_that_is_refused_may_stay_so(said):
    """What answers, but not by TLS, or not as we speak it, has the tries of retryLimit."""
    with ending_with(said) as port:
        ours, _ = asked(port)
    assert type(ours) is Transient


def test_a_certificate_that_nobody_vouches_for_may_stay_so():
    """A host that is not trusted has the tries of retryLimit."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    server.handle_error = lambda *_: None
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    ours, _ = asked(server.server_address[1])
    server.shutdown()
    server.server_close()
    assert type(ours) is Transient
    assert "certificate" in str(ours)
