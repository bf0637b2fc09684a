"""Who a host is: its instance id, by the metadata service that EC2 has."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from record_processors.fleet import host

INSTANCE = "i-0123456789abcdef0"
SAYS = {
    "/latest/meta-data/instance-id": INSTANCE,
    "/latest/meta-data/placement/region": "eu-central-1",
}


class Metadata(BaseHTTPRequestHandler):
    """The metadata service of an instance that takes tokens alone (IMDSv2)."""

    busy = 0  # so many calls are refused first
    token = "a-token"

    def do_PUT(self):
        cls = type(self)
        if cls.busy:
            cls.busy -= 1
            self.answer(503)
        elif self.path == "/latest/api/token" and "X-aws-ec2-metadata-token-ttl-seconds" in (
            self.headers
        ):
            self.answer(200, self.token)
        else:
            self.answer(400)

    def do_GET(self):
        if self.headers.get("X-aws-ec2-metadata-token") != self.token:
            self.answer(401)
        else:
            self.answer(200 if self.path in SAYS else 404, SAYS.get(self.path, ""))

    def answer(self, code, text=""):
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def metadata(tmp_path, monkeypatch):
    """Serve it, and run what is asked for as systemd would."""
    monkeypatch.setattr(host, "SECONDS_BETWEEN", 0)
    monkeypatch.setattr(Metadata, "busy", 0)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv(host.ADDRESS_VARIABLE, f"http://127.0.0.1:{server.server_port}/")
    yield Metadata
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_instance_is_who_the_metadata_service_says(metadata, tmp_path):
    """The id and the region are there for the units, by tokens, as soon as the service is up."""
    metadata.busy = 2
    assert host.main() == 0
    told = (tmp_path / "host.env").read_text()
    assert told == f"KINESIS_CONNECTORS_HOST={INSTANCE}\nAWS_REGION=eu-central-1\n"


def test_a_host_without_such_a_service(metadata, tmp_path, monkeypatch):
    """Elsewhere nothing is said, and what an earlier start said does not stay."""
    (tmp_path / "host.env").write_text("KINESIS_CONNECTORS_HOST=another\n")
    monkeypatch.setenv(host.ADDRESS_VARIABLE, "http://127.0.0.1:9")
    assert host.main() == 0
    assert (tmp_path / "host.env").read_text() == ""
