"""What the README shows is what there is."""

import re
import subprocess
import sys
from pathlib import Path

import boto3
import moto
import pytest

from record_processors import Batch, Failed, Kept, Position, Record, Rejected
from record_processors.commands import main as cli
from record_processors.config.properties import load
from record_processors.config.registry import chosen
from record_processors.kcl.assembly import assemble
from support.paths import REPOSITORY

README = Path("README.md").read_text()
PYTHON = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """Write the README's classes as its reader would, in the folder the daemon starts in."""
    (tmp_path / "mine.py").write_text("\n".join(PYTHON))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    sys.modules.pop("mine", None)
    yield tmp_path
    sys.modules.pop("mine", None)


def properties(folder, **changes):
    shipped = (REPOSITORY / "properties/s3_manifest.properties").read_text()
    path = folder / "pipeline.properties"
    changes["executableName"] = f"kinesis-connectors process {path}"
    for key, value in changes.items():
        line = f"{key} = {value}"
        shipped, found = re.subn(rf"^{key} = .*$", line, shipped, flags=re.MULTILINE)
        shipped += "" if found else f"\n{line}\n"
    path.write_text(shipped)
    return load(str(path))


def test_the_classes_shown_load_and_do_what_they_say(mine):
    """The README's transformer, filter and setting work as they stand there."""
    settings = properties(mine, transformer="mine:Prices", filter="mine:InCurrency", currency="USD")
    pipeline = assemble(settings)
    transformer, keep = pipeline.transformer, pipeline.filter.keep
    order = Record(b'{"id": 1, "currency": "USD", "items": [{"n": 1}, {"n": 2}]}', "1")

    assert list(transformer.transform(order)) == [b'{"order": 1, "n": 1}', b'{"order": 1, "n": 2}']
    assert keep(order)
    assert not keep(Record(b'{"currency": "EUR"}', "2"))
    with pytest.raises(Rejected, match="an order without items"):
        transformer.transform(Record(b"{}", "3"))


def test_the_emitter_shown_emits(mine):
    """The README's emitter is found by its name and makes a batch durable."""
    emitter = assemble(properties(mine, connectorDestination="mine:Append")).emitter
    emitter.start("shard", "text", None)
    emitter.emit(Batch([Kept(Record(b"x", "1"), [b"a", b"b"])], Position(1)))

    assert (mine / "rows.txt").read_bytes() == b"a\nb\n"


def test_the_emitter_shown_is_a_destination_like_ours(mine, capsys):
    """The README's queue is made, allowed, and gets a message for each row."""
    with moto.mock_aws():
        settings = properties(mine, connectorDestination="mine:ToQueue", queueName="rows")
        (queue,) = chosen(settings.texts).destination.resources(settings)
        with pytest.raises(Failed, match="there is no such queue"):
            queue.look()
        made = [str(queue.create()), str(queue.create())]
        queue.look()
        emitter = assemble(settings).emitter
        emitter.emit(Batch([Kept(Record(b"x", "1"), [b"a", b"b"])], Position(1)))
        sqs = boto3.client("sqs")
        url = sqs.get_queue_url(QueueName="rows")["QueueUrl"]
        received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    assert cli.main(["iam-policy", settings.path]) == 0

    assert made == ["queue rows: made", "queue rows: was there"]
    assert sorted(message["Body"] for message in received) == ["a", "b"]
    assert '"sqs:SendMessage"' in capsys.readouterr().out


def test_every_command_is_shown():
    """The README names each command, and each has a sentence of help."""
    helped = subprocess.run(
        [sys.executable, "-m", "record_processors", "--help"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    commands = re.findall(r"^    ([\w-]+) +\w", helped, re.MULTILINE)

    assert set(commands) == set(cli.NAMES)
    for command in commands:
        assert f"kinesis-connectors {command}" in README, command
    assert cli.parser().prog == "kinesis-connectors"


def test_links_lead_somewhere():
    """Every relative link of the README is a file."""
    for link in re.findall(r"\]\((?!http)([^)#]+)\)", README):
        assert Path(link).exists(), link
