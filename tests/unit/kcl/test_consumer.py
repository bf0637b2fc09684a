"""A consumer of fan-out is made once, waited for, seen, and removed when it is asked for.

Kinesis is npm's emulator here, in which a consumer takes half a second to come, and two to go.
"""

import itertools
import time

import boto3
import pytest

from record_processors.commands import main as cli
from record_processors.commands.create import create
from record_processors.config.properties import load
from record_processors.config.resource import Failed
from record_processors.kcl.look import look
from record_processors.kcl.resources import consumer
from support.fakes import STAGE_ONE, properties
from support.kinesis_local import kinesis_local

NAMES = (f"heard{number}" for number in itertools.count())
GONE = "arn:aws:kinesis:us-east-1:123456789012:stream/{}/consumer/gone:1"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    with kinesis_local(tmp_path_factory.mktemp("kinesis-local")) as running:
        yield running


class Place:
    """A file that reads a stream of its own by fan-out, and the stream."""

    def __init__(self, emulator, stack, folder, capsys):
        self.name, self.folder, self.capsys = next(NAMES), folder, capsys
        self.kinesis = boto3.client("kinesis", endpoint_url=emulator.endpoint)
        names = dict.fromkeys(("applicationName", "streamName", "s3Bucket"), self.name)
        there = {"kinesisEndpoint": emulator.endpoint, "s3Endpoint": stack.properties["s3Endpoint"]}
        self.base = {
            **{key: text for key, text in STAGE_ONE.items() if key != "kinesisOutputStream"},
            **names,
            **there,
            "dynamoDBEndpoint": stack.properties["dynamoDBEndpoint"],
            "connectorDestination": "s3",
            "retrievalMode": "FANOUT",
            "kinesisInputStreamShardCount": "2",
        }

    def file(self, **changes):
        return properties(self.folder, changes, self.base)

    def create(self, *options, code=0, **changes):
        """Run it; return what it says of the consumer, or what is wrong."""
        assert cli.main(["create", self.file(**changes), *options]) == code
        told = self.capsys.readouterr()
        lines = [line for line in told.out.splitlines() if "consumer" in line]
        return lines if code == 0 else told.err

    @property
    def stream(self):
        found = self.kinesis.describe_stream_summary(StreamName=self.name)
        return found["StreamDescriptionSummary"]["StreamARN"]

    def consumers(self):
        found = self.kinesis.list_stream_consumers(StreamARN=self.stream)["Consumers"]
        return {one["ConsumerName"]: one["ConsumerStatus"] for one in found}


@pytest.fixture
def here(emulator, stack, tmp_path, capsys):
    return Place(emulator, stack, tmp_path, capsys)


def test_it_is_made_once_and_waited_for(here):
    """The first `create` registers it and ends when it is active, the second leaves it alone."""
    told = f"fan-out consumer {here.name} ($22 a month)"
    assert here.create("--dry-run") == [f"{told}: would be made"]
    assert here.create() == [f"{told}: made"]
    assert here.consumers() == {here.name: "ACTIVE"}
    assert here.create() == [f"{told}: was there"]
    assert here.create("--dry-run") == [f"{told}: is there"]
    assert here.consumers() == {here.name: "ACTIVE"}


def test_its_name_is_that_of_the_file(here):
    """fanoutConfig.consumerName says how it is called."""
    named = {"fanoutConfig.consumerName": "mine"}
    assert here.create(**named) == ["fan-out consumer mine ($22 a month): made"]
    assert here.consumers() == {"mine": "ACTIVE"}


def test_one_that_is_being_removed_is_made_anew(here):
    """It is waited for until the old one is gone."""
    here.create()
    here.kinesis.deregister_stream_consumer(StreamARN=here.stream, ConsumerName=here.name)
    assert here.consumers() == {here.name: "DELETING"}
    assert here.create() == [f"fan-out consumer {here.name} ($22 a month): made"]
    assert here.consumers() == {here.name: "ACTIVE"}


def test_too_many_consumers(here):
    """What Kinesis refuses is told with its limits, and where to look."""
    here.create(retrievalMode="POLLING")
    for number in range(20):
        while list(here.consumers().values()).count("CREATING") == 5:
            time.sleep(0.1)
        here.kinesis.register_stream_consumer(StreamARN=here.stream, ConsumerName=f"c{number}")
    said = here.create(code=70)
    assert f"applicationName = {here.name}: the fan-out consumer of stream" in said
    assert "a stream takes 20 consumers, and an account makes 5 at once" in said
    assert f"list-stream-consumers --stream-arn {here.stream}" in said


def test_it_is_removed_when_it_is_asked_for(here):
    """Under POLLING `create` leaves it, and removes it with an option, until it is gone."""
    here.create()
    polling = {"retrievalMode": "POLLING"}
    assert here.create(**polling) == []
    told = f"fan-out consumer {here.name} ($22 a month)"
    assert here.create("--remove-consumer", "--dry-run", **polling) == [f"{told}: would be removed"]
    assert here.consumers() == {here.name: "ACTIVE"}
    assert here.create("--remove-consumer", **polling) == [f"{told}: removed"]
    assert here.consumers() == {}
    assert here.create("--remove-consumer", **polling) == [f"{told}: is not there"]


def test_one_that_is_read_by_is_not_removed(here):
    """A file with FANOUT is told to be changed first; making and removing do not go together."""
    assert "set retrievalMode = POLLING" in here.create("--remove-consumer", code=2)
    both = ("--remove-consumer", "--table", "t.sql")
    assert "leave --table out" in here.create(*both, code=2, retrievalMode="POLLING")


def test_one_that_is_given(here):
    """It is looked at and waited for, and none is made in its place."""
    here.create(retrievalMode="POLLING")
    arn = here.kinesis.register_stream_consumer(StreamARN=here.stream, ConsumerName="theirs")
    given = {"fanoutConfig.consumerArn": arn["Consumer"]["ConsumerARN"]}
    assert here.create(**given)[0].endswith(": was there")
    assert here.consumers() == {"theirs": "ACTIVE"}
    gone = {"fanoutConfig.consumerArn": GONE.format(here.name)}
    assert "there is no such consumer" in here.create(code=70, **gone)
    assert here.consumers() == {"theirs": "ACTIVE"}


def test_what_a_start_says(here):
    """`run` tells of one that is not there yet, and refuses to start by one that is not theirs."""
    list(create(load(here.file(retrievalMode="POLLING"))))
    (found,) = look(load(here.file())).findings
    assert found.kind == "note"
    assert "`kinesis-connectors create` makes it beforehand" in found.sentence
    gone = {"fanoutConfig.consumerArn": GONE.format(here.name)}
    (problem,) = look(load(here.file(**gone))).problems
    assert "there is no such consumer" in problem.sentence
    here.create()
    assert look(load(here.file())).findings == []


def test_what_status_says(here):
    """It is told what it is, and that a person is needed if it is gone."""
    here.create()
    used = consumer(load(here.file()))
    (fact,) = used.state()
    assert (fact.value, fact.attention) == ("ACTIVE", False)
    here.create("--remove-consumer", retrievalMode="POLLING")
    (fact,) = used.state()
    assert (fact.value, fact.attention) == (None, True)
    assert fact.sentence == f"fan-out consumer {here.name}: not there"


def test_one_that_is_on_its_way_out_is_a_problem(here):
    """`check` does not take it for one that can be read by."""
    here.create()
    here.kinesis.deregister_stream_consumer(StreamARN=here.stream, ConsumerName=here.name)
    with pytest.raises(Failed, match="is being removed; `kinesis-connectors create` makes another"):
        list(consumer(load(here.file())).probe())
