"""A consumer of enhanced fan-out, by which a daemon reads its stream, as Kinesis tells of it.

The daemon looks for it by its name, and registers it if it is not there
(``FanOutConsumerRegistration`` of KCL 3.1.3). Kinesis asks money for it, read or not, until it is
removed, which no daemon does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property

from botocore.exceptions import ClientError, WaiterError
from botocore.waiter import WaiterModel, create_waiter_with_client

from ..aws.clients import Client, client
from ..aws.findings import ERRORS, about, quick_client, why
from ..aws.prices import consumer_dollars
from ..aws.stream import naming
from ..config.kcl_settings import CONSUMER_NAME
from ..config.keys import APPLICATION_NAME, INPUT_SHARDS, STREAM_NAME
from ..config.resource import Failed, Resource, Statement
from ..config.setting import Setting, Settings
from ..errors import Fatal

# The states are those of …/API_ConsumerDescription.html.
ACTIVE, CREATING, DELETING = "ACTIVE", "CREATING", "DELETING"
SECONDS = 300  # within which one is made or gone; no page says how long that takes

IS_ACTIVE, IS_GONE = "StreamConsumerActive", "StreamConsumerGone"  # botocore has no such waiters
_STATUS = {"matcher": "path", "argument": "ConsumerDescription.ConsumerStatus"}
_EACH_SECOND = {"operation": "DescribeStreamConsumer", "delay": 1, "maxAttempts": SECONDS}
WAITERS = WaiterModel(
    {
        "version": 2,
        "waiters": {
            IS_ACTIVE: {
                **_EACH_SECOND,
                "acceptors": [
                    {**_STATUS, "expected": ACTIVE, "state": "success"},
                    {**_STATUS, "expected": DELETING, "state": "failure"},
                ],
            },
            IS_GONE: {
                **_EACH_SECOND,
                "acceptors": [
                    {
                        "matcher": "error",
                        "expected": "ResourceNotFoundException",
                        "state": "success",
                    }
                ],
            },
        },
    }
)


class Consumer(Resource):
    """A consumer as Kinesis tells of it, by the name that the file gives it."""

    setting: Setting[str] | Setting[str | None]
    """Which setting names it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.stream = settings[STREAM_NAME]
        self.shards = settings[INPUT_SHARDS]  # those that it has, once it was looked at
        self.setting = CONSUMER_NAME if settings[CONSUMER_NAME] else APPLICATION_NAME
        self.name = settings[CONSUMER_NAME] or settings[APPLICATION_NAME]

    def __str__(self) -> str:
        return f"fan-out consumer {self.name} (${consumer_dollars(self.shards):,.0f} a month)"

    @cached_property
    def kinesis(self) -> Client:
        """The client, made once: making one takes longer than a call."""
        return client("kinesis", self.settings)

    @property
    def place(self) -> str:
        """The beginning of a sentence about it."""
        return f"{about(self.setting, self.name)}: the fan-out consumer of stream {self.stream}"

    def which(self, kinesis: Client) -> dict[str, str]:
        """Return how Kinesis is asked for it; note how many open shards its stream has."""
        answer = kinesis.describe_stream_summary(StreamName=self.stream)
        found = answer["StreamDescriptionSummary"]
        self.shards = found["OpenShardCount"]
        return {"StreamARN": found["StreamARN"], "ConsumerName": self.name}

    def status(self, kinesis: Client) -> str | None:
        """Return its status, None if it or its stream is not there. Raises what boto3 does."""
        try:
            answer = kinesis.describe_stream_consumer(**self.which(kinesis))
        except kinesis.exceptions.ResourceNotFoundException:
            return None
        return str(answer["ConsumerDescription"]["ConsumerStatus"])

    def seen(self) -> str | None:
        """Return its status as ``status`` does. Raises Failed."""
        kinesis = quick_client("kinesis", self.settings)
        try:
            return self.status(kinesis)
        except ERRORS as error:
            action = error.operation_name if isinstance(error, ClientError) else ""
            of_it = action == "DescribeStreamConsumer"
            place = self.place if of_it else about(STREAM_NAME, self.stream)
            raise Failed(f"{place}: {why(error, f'kinesis:{action}')}") from error

    def wait(self, until: str, which: Mapping[str, str]) -> None:
        """Wait until it is active, or gone. Raises Fatal."""
        waiter = create_waiter_with_client(until, WAITERS, self.kinesis)
        try:
            waiter.wait(**which)
        except WaiterError as error:
            not_so = "become active" if until == IS_ACTIVE else "go away"
            raise Fatal(f"{self.place} does not {not_so}: {error}") from error

    def naming(self) -> AbstractContextManager[None]:
        """Name the setting in what AWS refuses."""
        return naming(self.setting, self.name)

    def permissions_to_operate(self, account: str) -> Iterator[Statement]:
        """Allow nothing, unless it is read by."""
        del account
        return iter(())
