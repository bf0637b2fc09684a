"""How a host leaves its Auto Scaling group: its daemons flush first, then the group goes on."""

import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from record_processors.fleet.in_the_group import leave

INSTANCE = "i-0123456789abcdef0"


class Metadata(BaseHTTPRequestHandler):
    """The metadata of an instance that is asked with a token, and that is to end before long."""

    states = ()

    def do_PUT(self):
        self.answer("a-token" if self.headers["X-aws-ec2-metadata-token-ttl-seconds"] else None)

    def do_GET(self):
        what = self.path.removeprefix("/latest/meta-data/")
        if self.headers["X-aws-ec2-metadata-token"] != "a-token":
            self.answer(None)
        elif what == "autoscaling/target-lifecycle-state":
            self.answer(self.states.pop(0) if self.states else "Terminated")
        else:
            self.answer({"instance-id": INSTANCE}.get(what))

    def answer(self, text):
        self.send_response(200 if text else 401)
        self.end_headers()
        self.wfile.write((text or "").encode())

    def log_message(self, *_):
        pass


@pytest.fixture
def metadata():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield "http://{}:{}".format(*server.server_address)
    server.shutdown()
    server.server_close()


def test_a_host_that_is_let_go(tmp_path, metadata):
    """Until the group lets it go, nothing happens; then the units stop, and the group is told."""
    Metadata.states = ["InService", None, "InService"]
    journal = tmp_path / "journal"
    for name in ("systemctl", "aws"):
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\necho {name} "$@" >>{journal}\n')
        program.chmod(0o755)
    script = leave().replace("%{AWS::StackName}", "fleet")
    script = script.replace("%{AWS::Region}", "eu-west-1")
    path = f"{tmp_path}:{os.environ['PATH']}"
    environment = {"PATH": path, "IMDS": metadata, "PAUSE": "0"}
    subprocess.run(["bash", "-c", script], env=environment, check=True, stdout=subprocess.DEVNULL)

    assert Metadata.states == []
    assert journal.read_text().splitlines() == [
        "systemctl stop kinesis-connectors-report@*.timer kinesis-connectors@*.service",
        "aws autoscaling complete-lifecycle-action --region eu-west-1 "
        "--auto-scaling-group-name fleet --lifecycle-hook-name flush "
        f"--lifecycle-action-result CONTINUE --instance-id {INSTANCE}",
    ]
