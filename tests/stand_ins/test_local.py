"""`kinesis-connectors local`: it begins empty, at the same addresses, with files that are yours."""

import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import boto3
import psycopg2
import pytest
import urllib3

from record_processors.commands import local as command
from record_processors.commands import main as cli
from record_processors.config.properties import load
from record_processors.local import host
from support.opensearch_server import opensearch

PROGRAM = [sys.executable, "-m", "record_processors"]
PATIENCE = 60  # seconds that only something that hangs takes


class Local:
    """The command in a folder, from when it has told all until it is told to end."""

    def __init__(self, folder, *options):
        self.folder = folder
        self.process = subprocess.Popen(
            [*PROGRAM, "local", *options], cwd=folder, stdout=subprocess.PIPE, text=True
        )
        self.told = ""
        while "# The shipped files" not in self.told:
            line = self.process.stdout.readline()
            assert line, self.told
            self.told += line
        exports = (folder / ".local/environment").read_text()
        self.environment = dict(re.findall(r"^export (\w+)='(.*)'$", exports, re.MULTILINE))

    def settings(self, name):
        """Load one of its files, which name each other relative to the folder."""
        here = Path.cwd()
        os.chdir(self.folder)
        try:
            return load(f".local/properties/{name}.properties")
        finally:
            os.chdir(here)

    def kinesis(self):
        return boto3.client(
            "kinesis",
            endpoint_url=self.environment["AWS_ENDPOINT_URL"],
            region_name="us-east-1",
            aws_access_key_id="local",
            aws_secret_access_key="local",
        )

    def tables(self):
        texts = self.settings("redshift_manifest").texts
        with psycopg2.connect(
            "postgresql://{redshiftUsername}@{redshiftURL}".format(**texts),
            password=self.environment["REDSHIFT_PASSWORD"],
        ) as connection:
            connection.cursor().execute("CREATE TABLE flights (id INT)")
        connection.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(PATIENCE) == 0
        self.process.stdout.close()


def refused(folder, *options):
    answer = subprocess.run(
        [*PROGRAM, "local", *options], cwd=folder, check=False, capture_output=True, text=True
    )
    assert answer.stdout == ""
    assert answer.stderr.count("\n") == 1
    return answer.returncode, answer.stderr.removeprefix("kinesis-connectors: ").rstrip("\n")


def two_in_a_row():
    """Listen on a port whose next one is free."""
    while True:
        taken = socket.create_server(("127.0.0.1", 0))
        with suppress(OSError):
            socket.create_server(("127.0.0.1", taken.getsockname()[1] + 1)).close()
            return taken
        taken.close()


def test_what_stays_and_what_does_not(tmp_path):
    """From start to start addresses, password and edited files stay; streams and tables do not."""
    with Local(tmp_path) as first:
        assert first.settings("s3_manifest").texts["bufferMillisecondsLimit"] == "3000"
        first.kinesis().create_stream(StreamName="events", ShardCount=1)
        first.tables()
        files = tmp_path / ".local/properties"
        edited = files / "s3_manifest.properties"
        text = edited.read_text().replace("applicationName = flights", "applicationName = mine")
        edited.write_text(text)
        (files / "s3.properties").unlink()
        assert refused(tmp_path) == (
            2,
            ".local is in use by stand-ins that are running: end those first",
        )

    with Local(tmp_path) as second:
        assert second.environment == first.environment
        assert edited.read_text() == text
        assert (files / "s3.properties").exists()
        psql = [tmp_path / ".local/psql", "-At", "-c", "SELECT current_database()"]
        assert subprocess.run(psql, check=True, capture_output=True, text=True).stdout == "dev\n"
        assert second.kinesis().list_streams()["StreamNames"] == []
        second.tables()


def test_a_port_of_ones_own(tmp_path):
    """`--port` moves them, in the files too; one that is taken is told before anything starts."""
    with Local(tmp_path) as first:
        edited = tmp_path / ".local/properties/redshift_manifest.properties"
        edited.write_text(edited.read_text() + "# mine\n")
    with two_in_a_row() as taken:
        port = taken.getsockname()[1]
        assert refused(tmp_path, "--port", str(port)) == (
            2,
            f"port {port} of 127.0.0.1 is taken: free it, or choose another with --port",
        )
    with Local(tmp_path, "--port", str(port)) as moved:
        texts = moved.settings("redshift_manifest").texts
        assert texts["kinesisEndpoint"] == moved.environment["AWS_ENDPOINT_URL"]
        assert texts["kinesisEndpoint"] == f"http://127.0.0.1:{port}"
        assert texts["redshiftURL"] == f"127.0.0.1:{port + 1}/dev"
        assert edited.read_text().endswith("# mine\n")
        assert first.environment["AWS_ENDPOINT_URL"] not in edited.read_text()
        moved.tables()


def test_a_real_opensearch_for_those_who_ask(tmp_path):
    """`--opensearch` runs one beside the stand-ins, and its file leads to it."""
    opensearch()  # or skip, where its jars cannot be had
    with Local(tmp_path, "--opensearch") as local:
        url = local.settings("opensearch").texts["openSearchURL"]
        assert urllib3.request("GET", url).json()["version"]["distribution"] == "opensearch"
        assert "openSearchURL" not in local.settings("s3").texts


@pytest.mark.parametrize("module", command.MODULES)
def test_without_its_extra(module, monkeypatch, capsys):
    """Where one of its libraries is not installed, one sentence says how to get them all."""
    monkeypatch.setitem(sys.modules, module, None)
    assert cli.main(["local"]) == 2
    assert capsys.readouterr().err == (
        f"kinesis-connectors: {module} is not installed; pip install 'kinesis-connectors[local]'\n"
    )


def test_what_is_in_the_way_is_told_first(tmp_path, monkeypatch, capsys):
    """No room, no setpriv, no folder: each is a sentence, before a stand-in starts."""
    monkeypatch.chdir(tmp_path)

    def said(*options):
        assert cli.main(["local", *options]) == 2
        return capsys.readouterr().err.removeprefix("kinesis-connectors: ")

    (tmp_path / "file").touch()
    assert said("--directory", "file").startswith("file: cannot be written: ")
    assert said("--directory", "a b").startswith("a b/properties: the daemon cannot pass on")
    with monkeypatch.context() as patch:
        patch.setattr(host, "ROOM", 1 << 60)
        assert re.match(r"\.local: \d+ MiB are free there, and \d+ MiB are needed\n", said())
    monkeypatch.setenv("PATH", str(tmp_path))
    assert said().startswith("setpriv, of Linux' util-linux 2.33 or newer, does not run here: ")
    assert not (tmp_path / ".local/logs").exists()


def test_a_second_demonstration_is_refused(tmp_path):
    """`scripts/run` leaves alone what another one in the same checkout is at work in."""
    (tmp_path / ".local/demo/properties").mkdir(parents=True)
    with host.held(tmp_path / ".local/demo"):
        answer = subprocess.run(
            [*PROGRAM[:2], "record_processors.local.demo"],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
        )
    assert (answer.returncode, answer.stdout) == (2, "")
    assert answer.stderr == (
        ".local/demo is in use by stand-ins that are running: end those first\n"
    )
    assert (tmp_path / ".local/demo/properties").exists()
