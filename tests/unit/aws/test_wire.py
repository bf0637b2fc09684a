"""A POST and its answer, by hand: all forms of an answer, and connections that stay or end."""

import datetime
import socket
import ssl
import threading
from contextlib import closing, suppress

import certifi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from record_processors.aws.wire import Wire

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CHUNKED = (
    b"HTTP/1.1 503 -\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nsome: trailer\r\n\r\n"
)


class Server:
    """Answers each connection's requests by what is written down for it, then closes it."""

    def __init__(self, *connections, tls=None):
        self.tls = tls
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://{}:{}/".format(*self.listener.getsockname())
        self.requests = []
        self.closed = [threading.Event() for _ in connections]
        self.thread = threading.Thread(target=self.serve, args=(connections,), daemon=True)
        self.thread.start()

    def serve(self, connections):
        for answers, closed in zip(connections, self.closed, strict=True):
            with suppress(OSError), self.accept() as one:
                for pieces in answers:
                    self.requests.append(one.recv(1 << 16))
                    for piece in pieces:
                        one.sendall(piece)
            closed.set()

    def accept(self):
        one = self.listener.accept()[0]
        return self.tls.wrap_socket(one, server_side=True) if self.tls else one

    def close(self):
        self.listener.close()


def wire_to(server, proxy=None):
    return Wire(server.url, "", proxy, (5, 5))


def test_answers_of_every_form_on_one_connection():
    """An answer has a length or chunks and comes in any pieces; the connection takes the next."""
    pieces = [bytes([byte]) for byte in CHUNKED]
    with closing(Server([[OK], pieces, [OK]])) as server, closing(wire_to(server)) as wire:
        found = [wire.post({"host": "here", "x": "é"}, b"body") for _ in range(3)]
        assert found == [(200, b"{}"), (503, b"abcde"), (200, b"{}")]
        sent = "POST / HTTP/1.1\r\nhost: here\r\nx: é\r\ncontent-length: 4\r\n\r\nbody"
        assert server.requests == [sent.encode()] * 3


def test_a_connection_that_was_ended_meanwhile_is_not_used():
    """What the other end has closed while it was idle is replaced, without an error."""
    with closing(Server([[OK]], [[OK]])) as server, closing(wire_to(server)) as wire:
        wire.post({}, b"")
        assert server.closed[0].wait(10)
        assert wire.post({}, b"") == (200, b"{}")


def test_a_connection_that_is_to_end_is_not_kept():
    """After ``Connection: close``, or with bytes behind an answer, the next POST has a new one."""
    last = OK.replace(b"\r\n\r\n", b"\r\nconnection: Close\r\n\r\n")
    server = Server([[last], [OK]], [[OK + b"?"], [OK]], [[OK]])
    with closing(server), closing(wire_to(server)) as wire:
        for _ in range(3):
            assert wire.post({}, b"") == (200, b"{}")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        OK[:20],
        OK[:-1],
        CHUNKED[:-4],
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"SSH-2.0-x\r\n\r\n",
        b"?" * 9,
    ],
)
def test_an_answer_that_is_none_is_an_error(answer):
    """An answer that is cut off, or whose end cannot be known, is no answer."""
    with (
        closing(Server([[answer]])) as server,
        closing(wire_to(server)) as wire,
        pytest.raises((OSError, ValueError)),
    ):
        wire.post({}, b"")


def test_through_a_proxy():
    """A proxy is asked for a tunnel, with its login; what is posted goes through it."""
    tunnel = b"HTTP/1.1 200 -\r\n\r\n"
    with closing(Server([[tunnel], [OK]])) as proxy:
        login = proxy.url.replace("//", "//me:p%40ss@")
        with closing(Wire("http://service.example/", "", login, (5, 5))) as wire:
            assert wire.post({}, b"body") == (200, b"{}")
        asked, posted = proxy.requests
        assert asked.startswith(b"CONNECT service.example:80 ")
        assert b"Proxy-Authorization: Basic bWU6cEBzcw==\r\n" in asked
        assert posted.startswith(b"POST / ")


@pytest.fixture
def certificate(tmp_path):
    """Return a file with a certificate of ``localhost`` that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(path)


@pytest.mark.parametrize(
    ("host", "trusts", "is_taken"),
    [("localhost", "it", True), ("127.0.0.1", "it", False), ("localhost", "others", False)],
)
def test_tls_is_verified(certificate, host, trusts, is_taken):
    """Only a host of the certificate's name, with a certificate that is trusted, is posted to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with closing(Server([[OK], [OK]], tls=context)) as server:
        url = server.url.replace("http://127.0.0.1", f"https://{host}")
        bundle = certificate if trusts == "it" else certifi.where()
        with closing(Wire(url, bundle, None, (5, 5))) as wire:
            if is_taken:
                assert [wire.post({}, b"") for _ in range(2)] == [(200, b"{}")] * 2
            else:
                with pytest.raises(ssl.SSLCertVerificationError):
                    wire.post({}, b"")
            assert len(server.requests) == 2 * is_taken
