"""Before it starts, `run` looks for what never passes by itself; what may pass does not stop it."""

import os
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import pytest
from botocore.exceptions import ClientError

from record_processors.commands import main as cli
from record_processors.config.properties import load
from record_processors.kcl import look as module
from record_processors.kcl.launch import Host
from record_processors.kcl.look import look
from support.fakes import STAGE_ONE, STAGE_TWO, properties
from support.fault_proxy import Fault, Proxy
from support.small_aws import make, small_aws

NOBODY = "http://127.0.0.1:9"  # the port of "discard", where nobody listens
PASSES = "that may pass, so the daemon starts all the same"


class Started(Exception):
    """The start went on, after the look."""


@pytest.fixture(scope="module")
def aws():
    with small_aws() as endpoint, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        make("events", "manifests", bucket="bucket", table="flights")
        make(table="strange", key="name")
        yield endpoint


@pytest.fixture
def run(aws, tmp_path, monkeypatch, capsys):
    """Run until Java would start; return the exit code (None if it would), and what was said."""

    def start(*_):
        raise Started

    monkeypatch.setattr(Host, "run", start)

    def run(changes=None, base=STAGE_ONE):
        try:
            code = cli.main(["run", properties(tmp_path, changes, base)])
        except Started:
            code = None
        output = capsys.readouterr()
        assert output.out == ""
        return code, output.err

    return run


def test_all_is_there(run):
    """When all is there, nothing is said, and the daemon starts."""
    assert run() == (None, "")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"streamName": "gone"}, "streamName = gone: there is no such stream here; `kinesis-"),
        ({"kinesisOutputStream": "gone"}, "kinesisOutputStream = gone: there is no such stream"),
        ({"s3Bucket": "gone"}, "s3Bucket = gone: there is no such bucket; `kinesis-connectors cr"),
        ({"tableName": "strange"}, "tableName = strange: the lease table in DynamoDB is a table"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_not_there_is_a_sentence(run, changes, sentence):
    """A person must mend it: one sentence, that names the setting and the remedy, and code 2."""
    code, said = run(changes)
    assert code == 2
    assert said.count("\n") == 1
    assert sentence in said


def test_all_that_is_wrong_is_told_at_once(run):
    """Two things that are not there are two sentences."""
    code, said = run({"streamName": "gone", "s3Bucket": "gone"})
    assert (code, said.count("\n")) == (2, 2)


def test_the_first_start_is_told(run):
    """Without a lease table the first start's two minutes are told in a sentence of our own."""
    code, said = run({"applicationName": "newcomer"})
    assert code is None
    assert "applicationName = newcomer: the lease table is not there yet" in said
    assert "up to two minutes" in said
    assert said.count("\n") == 1


def test_no_credentials(tmp_path, aws):
    """Without any credentials `run` says so once and ends with code 2; Java would try 20 times."""
    nothing = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    answer = subprocess.run(
        [sys.executable, "-m", "record_processors", "run", properties(tmp_path)],
        env={name: value for name, value in os.environ.items() if name not in nothing},
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 2
    assert answer.stderr.startswith("kinesis-connectors: ")
    assert "no credentials of AWS" in answer.stderr
    assert answer.stderr.count("\n") == 1


def test_an_outage_of_everything_does_not_stop_a_start(run, monkeypatch):
    """When nobody answers, it is said of each thing, and the daemon starts and waits."""
    monkeypatch.setenv("REDSHIFT_PASSWORD", "secret")
    everywhere = dict.fromkeys(("kinesisEndpoint", "dynamoDBEndpoint", "s3Endpoint"), NOBODY)
    code, said = run({**everywhere, "redshiftURL": "127.0.0.1:9/dev"}, STAGE_TWO)
    assert code is None
    for key in ("streamName", "applicationName", "s3Bucket", "redshiftURL"):
        assert any(key in line and PASSES in line for line in said.splitlines()), said


@pytest.mark.parametrize("request_", ["POST /ListShards", "POST /DescribeTable", "HEAD /bucket"])
def test_an_answer_of_5xx_does_not_stop_a_start(run, aws, request_):
    """A service that is busy is said, and the daemon starts."""
    proxy = Proxy(aws, [])
    proxy.faults.append(Fault(request_, "503", always=True))
    keys = dict.fromkeys(("kinesisEndpoint", "dynamoDBEndpoint", "s3Endpoint"), proxy.endpoint)
    code, said = run(keys)
    proxy.close()
    assert code is None
    assert PASSES in said


class Failing(BaseHTTPRequestHandler):
    """Answers 500 to all."""

    def do_GET(self):
        """Fail."""
        self.send_error(500)

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def failing():
    """Return the address of a service that has a moment."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_credentials_that_come_late_do_not_stop_a_start(run, failing, monkeypatch):
    """A host's or a container's service that knows them answers 500, and the start goes on."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", failing)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    code, said = run()
    assert code is None
    assert PASSES in said


def test_a_login_that_comes_late_does_not_stop_a_start(run, failing, monkeypatch):
    """The service that has Redshift's password answers 500, and the start goes on."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", failing)
    changes = {"redshiftUsername": None, "redshiftSecretArn": "redshift"}
    code, said = run({**changes, "streamName": "manifests"}, STAGE_TWO)
    assert code is None
    assert PASSES in said


def test_what_answers_and_is_not_aws(run, failing, monkeypatch):
    """An endpoint that knows nothing of DynamoDB is a sentence, no traceback."""
    monkeypatch.setattr(Failing, "do_POST", answer_nothing)
    code, said = run({"dynamoDBEndpoint": failing})
    assert code == 2
    assert "what answers at the endpoint is not AWS" in said


def answer_nothing(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "2")
    handler.end_headers()
    handler.wfile.write(b"{}")


def test_a_stream_that_is_being_made_does_not_stop_a_start():
    """It will be there soon."""
    error = ClientError({"Error": {"Code": "ResourceInUseException"}}, "ListShards")
    assert module.passes(error)


def test_a_look_has_an_end(run, monkeypatch):
    """When time is over, what is left is not looked at, which is said, and the daemon starts."""
    monkeypatch.setattr(module, "LOOK_SECONDS", -1)
    code, said = run({"streamName": "gone"})
    assert code is None
    assert "things were not looked at" in said


def test_the_daemon_may_be_somebody_else(run):
    """With credentials of its own the daemon may see a stream that we do not."""
    assert (
        run({"streamName": "gone", "AwsCredentialsProvider": "ProfileCredentialsProvider|x"})[0]
        is None
    )


def test_whose_it_is(aws, tmp_path):
    """The lease table says whose the application is, once it is there."""
    there = look(load(properties(tmp_path)))
    assert (there.endpoint, there.account) == (aws, "123456789012")
    assert look(load(properties(tmp_path, {"applicationName": "newcomer"}))).account is None


def test_nothing_is_changed(aws, run):
    """A look makes no table, writes no object and reads no record."""
    proxy = Proxy(aws, [])
    keys = dict.fromkeys(("kinesisEndpoint", "dynamoDBEndpoint", "s3Endpoint"), proxy.endpoint)
    assert run({**keys, "applicationName": "newcomer"})[0] is None
    proxy.close()
    looks = ("POST /ListShards", "POST /DescribeTable", "HEAD /bucket")
    assert {one.rstrip("/") for one in proxy.requests} == set(looks)
    assert "newcomer" not in boto3.client("dynamodb").list_tables()["TableNames"]
