"""The consumer by which a file with ``retrievalMode = FANOUT`` is read: made, tried, allowed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress

from ..aws.arns import Arns, no_pattern
from ..aws.clients import Client
from ..aws.findings import about
from ..aws.iam import allow
from ..aws.stream import unless_denied
from ..config.kcl_settings import CONSUMER_ARN
from ..config.resource import Creatable, Fact, Failed, Finding, Statement
from ..config.setting import Settings
from ..errors import Fatal
from .consumer import ACTIVE, CREATING, DELETING, IS_ACTIVE, IS_GONE, Consumer

# Of a stream (50 of one that is on-demand advantage), and of an account in the making at once:
# docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html
MOST_CONSUMERS, MOST_IN_THE_MAKING = 20, 5


class UsedConsumer(Consumer, Creatable):
    """The consumer of a file with ``retrievalMode = FANOUT``."""

    def exists(self) -> bool:
        """Look at it; one that is being removed is as good as gone."""
        with self.naming():
            return self.status(self.kinesis) not in {None, DELETING}

    def bring_up_to_date(self) -> None:
        """Wait until it is active: until then nothing can be read by it."""
        with self.naming():
            self.wait(IS_ACTIVE, self.which(self.kinesis))

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
        kinesis = self.kinesis
        with self.naming(), suppress(kinesis.exceptions.ResourceInUseException):
            which = self.which(kinesis)
            self.wait(IS_GONE, which)  # one of that name may just be on its way out
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
