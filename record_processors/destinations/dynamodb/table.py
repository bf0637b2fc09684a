"""The table: looked at, made, tried, and what is allowed on it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from ...aws.arns import Arns
from ...aws.clients import Client, client
from ...aws.findings import ERRORS, about, code_of, quick_client, why
from ...aws.iam import allow
from ...aws.stream import naming
from ...aws.table import wait_until_active
from ...config.resource import Creatable, Failed, Finding, Statement
from ...config.setting import Settings
from ...errors import Fatal
from ...extras import insist_on
from .items import Shape
from .settings import ATTRIBUTE_TYPES, DATA_TABLE, KEY, TTL, guard_of

EXTRA = ("dynamodb", "pycurl")

WRITABLE = {"ACTIVE", "UPDATING"}  # the latter while its capacity or its indexes change


def shape_of(settings: Settings, table: Mapping[str, Any]) -> Shape:
    """Return what a table, as DescribeTable tells of it, says of its items.

    Raises Failed if the settings say another thing of its key.
    """
    by_kind = {part["KeyType"]: part["AttributeName"] for part in table["KeySchema"]}
    keys = tuple(by_kind[kind] for kind in ("HASH", "RANGE") if kind in by_kind)
    types = {one["AttributeName"]: one["AttributeType"] for one in table["AttributeDefinitions"]}
    place = about(DATA_TABLE, settings[DATA_TABLE])
    if (wanted := settings[KEY]) and wanted != {name: types[name] for name in keys}:
        theirs, ours = (_spelled(one) for one in ({name: types[name] for name in keys}, wanted))
        raise Failed(f"{place}: its key is {theirs}, not {ours}, as dynamoDBKey has it")
    declared = settings[ATTRIBUTE_TYPES] or {}
    for name, kind in types.items():
        if declared.get(name, kind) != kind:
            raise Failed(
                f"{place}: its key {name} is of type {kind}, and of type {declared[name]} in "
                "dynamoDBAttributeTypes"
            )
        if kind == "B" and name in keys and name not in declared:
            raise Failed(f"{place}: its key {name} is binary: dynamoDBAttributeTypes = {name}: B")
    if guard_of(settings) in types:
        raise Failed(f"{place}: {guard_of(settings)} (dynamoDBPositionAttribute) is a key of it")
    return Shape(keys, types)


def _spelled(key: Mapping[str, str]) -> str:
    return ", ".join(name if kind == "S" else f"{name}: {kind}" for name, kind in key.items())


class Table(Creatable):
    """The table that the items go to."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.name = settings[DATA_TABLE]
        self.place = about(DATA_TABLE, self.name)

    def __str__(self) -> str:
        return f"table {self.name}"

    @cached_property
    def dynamodb(self) -> Client:
        """The client."""
        return client("dynamodb", self.settings)

    def exists(self) -> bool:
        """Look at it. Raises Fatal, also when its key is another."""
        with naming(DATA_TABLE, self.name):
            try:
                found = self.dynamodb.describe_table(TableName=self.name)["Table"]
            except self.dynamodb.exceptions.ResourceNotFoundException:
                return False
        try:
            shape_of(self.settings, found)
        except Failed as failure:
            raise Fatal(str(failure)) from failure
        return True

    def make(self) -> Sequence[str]:
        """Make it, on demand, unless another `create` does at this moment."""
        key = self.settings[KEY]
        if key is None:
            raise Fatal(f"{self.place}: there is no such table; dynamoDBKey says how to make it")
        with (
            naming(DATA_TABLE, self.name),
            suppress(self.dynamodb.exceptions.ResourceInUseException),
        ):
            self.dynamodb.create_table(
                TableName=self.name,
                BillingMode="PAY_PER_REQUEST",
                KeySchema=[
                    {"AttributeName": name, "KeyType": kind}
                    for name, kind in zip(key, ("HASH", "RANGE"), strict=False)
                ],
                AttributeDefinitions=[
                    {"AttributeName": name, "AttributeType": kind} for name, kind in key.items()
                ],
            )
        return ()

    def bring_up_to_date(self) -> None:
        """Wait until it is active; turn its TTL on."""
        with naming(DATA_TABLE, self.name):
            wait_until_active(self.dynamodb, self.name, self)
            if ttl := self.settings[TTL]:
                self._turn_on(ttl.attribute)

    def _turn_on(self, attribute: str) -> None:
        found = self.dynamodb.describe_time_to_live(TableName=self.name)["TimeToLiveDescription"]
        if found["TimeToLiveStatus"] in {"DISABLED", "DISABLING"}:
            self.dynamodb.update_time_to_live(
                TableName=self.name,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": attribute},
            )
        elif found["AttributeName"] != attribute:
            raise Fatal(f"{self.place}: its TTL is by {found['AttributeName']}, not {attribute}")

    def look(self) -> Iterator[Finding]:
        """Look whether it is there, with such a key. Raises Failed, and Fatal without the extra."""
        insist_on(*EXTRA)
        self.described(quick_client("dynamodb", self.settings))
        yield from ()

    def probe(self) -> Iterator[Finding]:
        """Look at it, and try a write that cannot take place.

        Raises Failed, and Fatal without the extra.
        """
        insist_on(*EXTRA)
        dynamodb = quick_client("dynamodb", self.settings)
        shape = self.described(dynamodb)
        yield Finding("ok", f"{self.place}: there, its key is {', '.join(shape.keys)}")
        nobody = {name: {shape.types[name]: _NOBODY[shape.types[name]]} for name in shape.keys}
        try:
            if guard_of(self.settings):
                dynamodb.put_item(
                    TableName=self.name,
                    Item=nobody,
                    ConditionExpression="attribute_exists(#key)",
                    ExpressionAttributeNames={"#key": shape.keys[0]},
                )
            else:
                delete = {"DeleteRequest": {"Key": nobody}}
                dynamodb.batch_write_item(RequestItems={self.name: [delete]})
        except ERRORS as error:
            if code_of(error) != "ConditionalCheckFailedException":
                permission = "PutItem" if guard_of(self.settings) else "BatchWriteItem"
                said = why(error, f"dynamodb:{permission}")
                raise Failed(f"{self.place}: nothing can be written: {said}") from error
        yield Finding("ok", f"{self.place}: items can be written")

    def shape(self, dynamodb: Client) -> Shape:
        """Ask what it says of its items.

        Raises Failed if it cannot be written to, or has another key; and what boto3 raises.
        """
        found = dynamodb.describe_table(TableName=self.name)["Table"]
        if found["TableStatus"] not in WRITABLE:
            raise Failed(f"{self.place}: the table is {found['TableStatus']}, not ACTIVE")
        return shape_of(self.settings, found)

    def described(self, dynamodb: Client) -> Shape:
        """Ask what it says of its items. Raises Failed, whatever keeps it from telling."""
        try:
            return self.shape(dynamodb)
        except ERRORS as error:
            cause = error if isinstance(error, ClientError) else error.__cause__
            if code_of(cause) == "ResourceNotFoundException":
                reason = "there is no such table here; `kinesis-connectors create` makes it"
            else:
                reason = why(error, "dynamodb:DescribeTable")
            raise Failed(f"{self.place}: {reason}") from error

    def permissions(self, account: str) -> Iterator[Statement]:
        """Allow to look at its key, and to write."""
        write = "PutItem" if guard_of(self.settings) else "BatchWriteItem"
        yield allow("WriteItems", f"dynamodb: DescribeTable {write}", self.arn(account))

    def permissions_to_create(self, account: str) -> Iterator[Statement]:
        """Allow to look at it, to make it, and to turn its TTL on."""
        yield allow("MakeTheTable", "dynamodb: CreateTable DescribeTable", self.arn(account))
        if self.settings[TTL]:
            actions = "dynamodb: DescribeTimeToLive UpdateTimeToLive"
            yield allow("TurnTheTTLOn", actions, self.arn(account))

    def arn(self, account: str) -> str:
        """Return its ARN."""
        return Arns(self.settings, account).table(self.name)


# A key that nobody has.
_NAME = f"access-check-{uuid.uuid4().hex}"
_NOBODY: dict[str, Any] = {"S": _NAME, "N": f"-{uuid.uuid4().int >> 8}", "B": _NAME.encode()}
