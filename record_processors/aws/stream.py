"""A stream of Kinesis, as something that a pipeline needs: looked at, made, waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from ..config.resource import Creatable, Failed, Finding, Statement
from ..config.setting import Setting, Settings
from ..errors import Fatal, counted
from .arns import Arns
from .clients import Client, client
from .failures import sentence
from .findings import ERRORS, about, code_of, is_denied, quick_client, why
from .iam import allow

Result = TypeVar("Result")

ACTIVE_SECONDS = 180  # within which Kinesis makes a stream; it takes some ten to thirty
READABLE = {"ACTIVE", "UPDATING"}  # the latter while it is resharded


class Stream(Creatable):
    """The stream that the setting ``name`` names; ``shards`` says how many a new one is given."""

    def __init__(self, settings: Settings, name: Setting[str], shards: Setting[int]) -> None:
        self.settings = settings
        self.setting = name
        self.name = settings[name]
        self.shards = settings[shards]

    def __str__(self) -> str:
        return f"stream {self.name} ({counted(self.shards, 'shard')})"

    def exists(self) -> bool:
        """Look at it; note how many open shards it has."""
        with naming(self.setting, self.name):
            try:
                found = self.kinesis.describe_stream_summary(StreamName=self.name)
            except self.kinesis.exceptions.ResourceNotFoundException:
                return False
        self.shards = found["StreamDescriptionSummary"]["OpenShardCount"]
        return True

    def make(self) -> Sequence[str]:
        """Make it, unless the other stage's ``create`` does at this moment."""
        in_use = self.kinesis.exceptions.ResourceInUseException
        with naming(self.setting, self.name), suppress(in_use):
            self.kinesis.create_stream(StreamName=self.name, ShardCount=self.shards)
        return ()

    def bring_up_to_date(self) -> None:
        """Wait until it is active."""
        with naming(self.setting, self.name):
            try:
                waiter = self.kinesis.get_waiter("stream_exists")
                waiter.wait(
                    StreamName=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": ACTIVE_SECONDS}
                )
            except WaiterError as error:
                raise Fatal(f"stream {self.name} does not become active: {error}") from error
        self.exists()

    @cached_property
    def kinesis(self) -> Client:
        """The client, made once: making one takes longer than a call."""
        return client("kinesis", self.settings)

    def permissions_to_create(self, account: str) -> Iterator[Statement]:
        """Allow to look at it and to make it."""
        actions = "kinesis: CreateStream DescribeStream DescribeStreamSummary"
        yield allow("MakeTheStreams", actions, self.arn(account))

    def arn(self, account: str) -> str:
        """Return its ARN."""
        return Arns(self.settings, account).stream(self.name)

    def look(self) -> Iterable[Finding]:
        """Ask for one of its shards. Raises Failed."""
        kinesis = quick_client("kinesis", self.settings)
        self.tried(
            "kinesis:ListShards",
            lambda: kinesis.list_shards(StreamName=self.name, MaxResults=1),
        )
        return ()

    def looked_at(self) -> Finding:
        """Look at it as ``check --connect`` does; the pipeline itself can do without the right to.

        Raises Failed.
        """
        try:
            return self.described()
        except Failed as failure:
            return unless_denied(failure)

    def described(self) -> Finding:
        """Look at it; the right to is needed. Raises Failed."""
        kinesis = quick_client("kinesis", self.settings)
        answer = self.tried(
            "kinesis:DescribeStreamSummary",
            lambda: kinesis.describe_stream_summary(StreamName=self.name),
        )
        found = answer["StreamDescriptionSummary"]
        place = about(self.setting, self.name)
        if (status := found["StreamStatus"]) not in READABLE:
            raise Failed(f"{place}: the stream is {status}, not ACTIVE")
        return Finding("ok", f"{place}: {status}, open shards: {found['OpenShardCount']}")

    def tried(self, permission: str, action: Callable[[], Result]) -> Result:
        """Do something with it that takes a permission. Raises Failed."""
        try:
            return action()
        except ERRORS as error:
            if code_of(error) == "ResourceNotFoundException":
                reason = "there is no such stream here; `kinesis-connectors create` makes it"
            else:
                reason = why(error, permission)
            raise Failed(f"{about(self.setting, self.name)}: {reason}") from error


def unless_denied(failure: Failed) -> Finding:
    """Return a note if all that a look lacks is the right to; raise the failure otherwise."""
    if failure.__cause__ is not None and is_denied(failure.__cause__):
        return Finding("note", f"{failure}; only this command needs it")
    raise failure


@contextmanager
def naming(setting: Setting[str] | Setting[str | None], value: str) -> Iterator[None]:
    """Turn an error of AWS into one of ours that names the setting."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise Fatal(f"{about(setting, value)}: {sentence(error)}") from error
