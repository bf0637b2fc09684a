"""The consumer of enhanced fan-out by which a daemon reads its stream: made, tried, removed.

The daemon looks for it by its name, and registers it if it is not there
(``FanOutConsumerRegistration`` of KCL 3.1.3). Kinesis asks money for it, read or not, until it is
removed, which no daemon does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress

from botocore.exceptions import ClientError, WaiterError
from botocore.waiter import WaiterModel, create_waiter_with_client

from ..aws.arns import Arns, no_pattern
from ..aws.clients import Client, client
from ..aws.findings import ERRORS, about, quick_client, why
from ..aws.iam import allow
from ..aws.prices import consumer_dollars
from ..aws.stream import naming, unless_denied
from ..config.kcl_settings import CONSUMER_ARN, CONSUMER_NAME, RETRIEVAL_MODE
from ..config.keys import APPLICATION_NAME, INPUT_SHARDS, STREAM_NAME
from ..config.resource import Creatable, Fact, Failed, Finding, Outcome, Resource, Statement
from ..config.setting import Setting, Settings
from ..errors import Fatal

# Of a stream (50 of one that is on-demand advantage), and of an account in the making at once:
# docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html
MOST_CONSUMERS, MOST_IN_THE_MAKING = 20, 5
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


def consumer(settings: Settings) -> Resource:
    """Return the consumer of the file, or what it may have left behind when it had one."""
    if settings[RETRIEVAL_MODE] != "FANOUT":
        return UnusedConsumer(settings)
    return GivenConsumer(settings) if settings[CONSUMER_ARN] else OwnConsumer(settings)


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

    def wait(self, until: str, kinesis: Client, which: Mapping[str, str]) -> None:
        """Wait until it is active, or gone. Raises Fatal."""
        waiter = create_waiter_with_client(until, WAITERS, kinesis)
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


class UsedConsumer(Consumer, Creatable):
    """The consumer of a file with ``retrievalMode = FANOUT``."""

    def exists(self) -> bool:
        """Look at it; one that is being removed is as good as gone."""
        with self.naming():
            return self.status(client("kinesis", self.settings)) not in {None, DELETING}

    def bring_up_to_date(self) -> None:
        """Wait until it is active: until then nothing can be read by it."""
        kinesis = client("kinesis", self.settings)
        with self.naming():
            self.wait(IS_ACTIVE, kinesis, self.which(kinesis))

    def state(self) -> Iterator[Fact]:
        """Tell its status; who may not ask does without."""
        try:
            status = self.seen()
        except Failed as failure:
            unless_denied(failure)
            return
        found = status or "not there"
        sentence = f"fan-out consumer {self.name}: {found}"
        yield Fact("fanOutConsumer", status, sentence, attention=status != ACTIVE)

    def tried(self, status: str | None) -> Iterator[Finding]:
        """Say what ``check`` finds of one that is there. Raises Failed."""
        if status == DELETING:
            raise Failed(
                f"{self.place} is being removed; `kinesis-connectors create` makes another"
            )
        yield Finding("ok", f"{self.place} is {status}")
        yield Finding(
            "note",
            f"{self.place}: kinesis:SubscribeToShard was not tried, as it takes a shard away from "
            "a daemon that reads it",
        )

    def permissions_to_operate(self, account: str) -> Iterator[Statement]:
        """Allow to look at it."""
        yield allow("LookAtTheConsumer", "kinesis: DescribeStreamConsumer", *self.arns(account))

    def arns(self, account: str) -> list[str]:
        """Return what it is called in a policy.

        Its ARN ends in the time of its making; before, it is asked for by name.
        """
        stream = Arns(self.settings, account).stream(self.stream)
        return [f"{stream}/consumer/{no_pattern(self.name)}{ending}" for ending in ("", ":*")]


class OwnConsumer(UsedConsumer):
    """One that is registered under the file's name: by ``create``, or by the daemon."""

    def make(self) -> Sequence[str]:
        """Register it, unless a daemon does at this moment."""
        kinesis = client("kinesis", self.settings)
        with self.naming(), suppress(kinesis.exceptions.ResourceInUseException):
            which = self.which(kinesis)
            self.wait(IS_GONE, kinesis, which)  # one of that name may just be on its way out
            try:
                kinesis.register_stream_consumer(**which)
            except kinesis.exceptions.LimitExceededException as error:
                raise Fatal(
                    f"{self.place} is refused: a stream takes {MOST_CONSUMERS} consumers, and an "
                    f"account makes {MOST_IN_THE_MAKING} at once; `aws kinesis list-stream-"
                    f"consumers --stream-arn {which['StreamARN']}` shows them ({error})"
                ) from error
        return ()

    def probe(self) -> Iterator[Finding]:
        """Look at it, which the daemon does too."""
        status = self.seen()
        if status is None:
            yield Finding(
                "ok",
                f"{self.place} is not there yet: `kinesis-connectors create` makes it, or the "
                "daemon when it starts, by kinesis:RegisterStreamConsumer, which was not tried",
            )
        else:
            yield from self.tried(status)

    def look(self) -> Iterator[Finding]:
        """Tell of a first start, at which the daemon has to make it."""
        status = self.seen()
        if status in {None, CREATING}:
            yield Finding(
                "note",
                f"{self.place} is not there yet, and nothing is read until it is ACTIVE; "
                "`kinesis-connectors create` makes it beforehand",
            )

    def permissions(self, account: str) -> Iterator[Statement]:
        """Allow what FanOutConsumerRegistration and FanOutRecordsPublisher do."""
        make = "kinesis: DescribeStreamSummary RegisterStreamConsumer"
        yield allow("RegisterTheConsumer", make, Arns(self.settings, account).stream(self.stream))
        use = "kinesis: DescribeStreamConsumer SubscribeToShard"
        yield allow("ListenAsTheConsumer", use, *self.arns(account))

    def permissions_to_create(self, account: str) -> Iterator[Statement]:
        """Allow to make it, and to wait for it."""
        stream = Arns(self.settings, account).stream(self.stream)
        yield allow("RegisterTheConsumer", "kinesis: RegisterStreamConsumer", stream)
        yield allow("WaitForTheConsumer", "kinesis: DescribeStreamConsumer", *self.arns(account))


class GivenConsumer(UsedConsumer):
    """One that somebody else made: ``fanoutConfig.consumerArn``."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.setting = CONSUMER_ARN
        self.name = settings[CONSUMER_ARN] or ""

    def __str__(self) -> str:
        return f"fan-out consumer {self.name}"

    def which(self, kinesis: Client) -> dict[str, str]:
        """Return its ARN, which says all."""
        del kinesis
        return {"ConsumerARN": self.name}

    def exists(self) -> bool:
        """Insist that it does: there is one under an ARN that is given, or a mistake."""
        if not super().exists():
            raise Fatal(self.missing)
        return True

    def make(self) -> Sequence[str]:
        """Make none: there is one."""
        return ()

    @property
    def missing(self) -> str:
        """What to say if it is not there."""
        return (
            f"{about(self.setting, self.name)}: there is no such consumer; take the line out, and "
            "one is made by the application's name"
        )

    def probe(self) -> Iterator[Finding]:
        """Look at it, which the daemon does not do."""
        try:
            status = self.seen()
        except Failed as failure:
            yield unless_denied(failure)
            return
        if status is None:
            raise Failed(self.missing)
        yield from self.tried(status)

    def look(self) -> Iterator[Finding]:
        """Look whether it is there, as far as one may: the daemon would try for ever."""
        try:
            status = self.seen()
        except Failed as failure:
            unless_denied(failure)
            return
        if status in {None, DELETING}:
            raise Failed(self.missing)
        yield from ()

    def permissions(self, account: str) -> Iterator[Statement]:
        """Allow to listen: KCL asks nothing else of one that is given."""
        yield allow("ListenAsTheConsumer", "kinesis: SubscribeToShard", *self.arns(account))

    def permissions_to_create(self, account: str) -> Iterator[Statement]:
        """Allow to look whether it is there."""
        yield from self.permissions_to_operate(account)

    def arns(self, account: str) -> list[str]:
        """Return its ARN."""
        del account
        return [no_pattern(self.name)]


class UnusedConsumer(Consumer):
    """What a file with ``retrievalMode = POLLING`` may have left behind: it is charged for."""

    def probe(self) -> Iterator[Finding]:
        """Tell of it; whoever may not ask does not need to, and hears of the missing right."""
        try:
            status = self.seen()
        except Failed as failure:
            yield unless_denied(failure)
            return
        if status in {ACTIVE, CREATING}:
            yield Finding(
                "note",
                f"{self.place} is {status}, which retrievalMode = POLLING does not use, and costs "
                f"${consumer_dollars(self.shards):,.0f} a month; when no daemon reads by it any "
                f"more: `kinesis-connectors create {self.settings.path} --remove-consumer`",
            )

    def remove(self, *, dry: bool = False) -> Outcome:
        """Remove it and wait until it is gone; safe to repeat. Raises Fatal."""
        kinesis = client("kinesis", self.settings)
        with self.naming():
            is_there = self.status(kinesis) is not None
            if dry or not is_there:
                return Outcome(str(self), "would be removed" if is_there else "is not there")
            which = self.which(kinesis)
            with suppress(kinesis.exceptions.ResourceNotFoundException):
                kinesis.deregister_stream_consumer(**which)
            self.wait(IS_GONE, kinesis, which)
        return Outcome(str(self), "removed")
