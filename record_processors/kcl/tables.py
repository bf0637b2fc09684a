"""KCL's tables in DynamoDB, as things that a pipeline needs: ``create`` makes them beforehand.

A daemon that finds none makes them itself, and starts a minute and a half later. The definitions
are those that KCL 3.1.3 sends: ``DynamoDBLeaseRefresher``, ``WorkerMetricStatsDAO`` and
``CoordinatorStateDAO`` of its jar.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from typing import Any, NamedTuple

from ..aws.arns import Arns
from ..aws.clients import Client, client
from ..aws.iam import allow
from ..aws.stream import naming
from ..aws.table import wait_until_active
from ..config.kcl_settings import (
    COORDINATOR_BACKUPS,
    COORDINATOR_BILLING,
    COORDINATOR_PROTECTION,
    COORDINATOR_TABLE,
    COORDINATOR_TAGS,
    CREDENTIALS_PROVIDER,
    DYNAMODB_PROVIDER,
    LEASE_BACKUPS,
    LEASE_PROTECTION,
    LEASE_TABLE,
    PER_REQUEST,
    WORKERS_BACKUPS,
    WORKERS_BILLING,
    WORKERS_PROTECTION,
    WORKERS_TABLE,
    WORKERS_TAGS,
)
from ..config.keys import APPLICATION_NAME
from ..config.resource import Creatable, Statement
from ..config.setting import Setting, Settings
from ..errors import Fatal


class Kind(NamedTuple):
    """One of KCL's tables: what it is called, its key, and the settings that are about it."""

    what: str
    key: str
    name: Setting[str | None]
    suffix: str  # to the application's name, without a name of its own
    backups: Setting[bool]
    protection: Setting[bool]
    tags: Setting[str | None] | None = None
    billing: Setting[str] | None = None


LEASES = Kind("lease table", "leaseKey", LEASE_TABLE, "", LEASE_BACKUPS, LEASE_PROTECTION)
WORKERS = Kind(
    "worker metrics table",
    "wid",
    WORKERS_TABLE,
    "-WorkerMetricStats",
    WORKERS_BACKUPS,
    WORKERS_PROTECTION,
    WORKERS_TAGS,
    WORKERS_BILLING,
)
COORDINATOR = Kind(
    "coordinator state table",
    "key",
    COORDINATOR_TABLE,
    "-CoordinatorState",
    COORDINATOR_BACKUPS,
    COORDINATOR_PROTECTION,
    COORDINATOR_TAGS,
    COORDINATOR_BILLING,
)
KINDS = (LEASES, WORKERS, COORDINATOR)


def table_name(settings: Settings, kind: Kind) -> str:
    """Return what it is called in DynamoDB."""
    return settings[kind.name] or f"{settings[APPLICATION_NAME]}{kind.suffix}"


class KclTable(Creatable):
    """One of the tables, made unless it is there."""

    def __init__(self, settings: Settings, kind: Kind) -> None:
        self.settings = settings
        self.kind = kind
        self.name = table_name(settings, kind)

    def __str__(self) -> str:
        return f"{self.kind.what} {self.name}"

    def exists(self) -> bool:
        """Look at it. Raises Fatal, also when a table of that name is one of something else."""
        with self.naming():
            try:
                found = self.dynamodb.describe_table(TableName=self.name)["Table"]
            except self.dynamodb.exceptions.ResourceNotFoundException:
                return False
        if not is_a(self.kind, found):
            raise Fatal(
                f"{self} in DynamoDB is a table of something else: its key is not {self.kind.key}"
            )
        return True

    def make(self) -> Sequence[str]:
        """Make it, unless a daemon does at this moment."""
        with self.naming(), suppress(self.dynamodb.exceptions.ResourceInUseException):
            self.dynamodb.create_table(**self.definition())
            if self.settings[self.kind.backups]:
                self.wait()
                self.dynamodb.update_continuous_backups(
                    TableName=self.name,
                    PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
                )
        return ()

    def definition(self) -> dict[str, Any]:
        """Return the parameters of CreateTable."""
        kind = self.kind
        tags = (self.settings[kind.tags] or "") if kind.tags else ""
        pairs = [pair.split("=", 1) for pair in tags.split(",") if pair]
        return {
            "TableName": self.name,
            "BillingMode": PER_REQUEST,
            "KeySchema": [{"AttributeName": kind.key, "KeyType": "HASH"}],
            "AttributeDefinitions": [{"AttributeName": kind.key, "AttributeType": "S"}],
            "DeletionProtectionEnabled": self.settings[kind.protection],
            "Tags": [{"Key": key, "Value": value} for key, value in pairs],
        }

    def bring_up_to_date(self) -> None:
        """Wait until it is active, whoever made it."""
        with self.naming():
            self.wait()

    def wait(self) -> None:
        """Wait until it is active."""
        wait_until_active(self.dynamodb, self.name, self)

    @cached_property
    def dynamodb(self) -> Client:
        """The client."""
        return client("dynamodb", self.settings)

    def naming(self) -> AbstractContextManager[None]:
        """Name the setting in what AWS refuses."""
        is_named = self.settings[self.kind.name] is not None
        return naming(self.kind.name if is_named else APPLICATION_NAME, self.name)

    def permissions_to_create(self, account: str) -> Iterator[Statement]:
        """Allow to look at it and to make it."""
        table = Arns(self.settings, account).table(self.name)
        yield allow("MakeKclTables", "dynamodb: CreateTable DescribeTable", table)
        if self.settings[self.kind.backups]:
            yield allow("BackKclTablesUp", "dynamodb: UpdateContinuousBackups", table)
        if self.kind.tags and self.settings[self.kind.tags]:
            yield allow("TagKclTables", "dynamodb: TagResource", table)


def is_a(kind: Kind, table: dict[str, Any]) -> bool:
    """Whether a table, as DescribeTable tells of it, is of the kind by its key."""
    return [part["AttributeName"] for part in table["KeySchema"]] == [kind.key]


def daemon_is_us(settings: Settings) -> bool:
    """Whether the daemon has our credentials; under others it may see another account."""
    return settings[CREDENTIALS_PROVIDER] == "DefaultCredentialsProvider"


def are_ours(settings: Settings) -> bool:
    """Whether the daemon keeps them under our credentials, in the account that we see."""
    return daemon_is_us(settings) and settings[DYNAMODB_PROVIDER] is None


def is_made_beforehand(settings: Settings, kind: Kind) -> bool:
    """Whether ``create`` makes it; otherwise the daemon does, at its first start.

    It does so under other credentials, maybe in another account, and where it is to be paid for a
    capacity that the file sets.
    """
    billing = settings[kind.billing] if kind.billing else PER_REQUEST
    return are_ours(settings) and billing == PER_REQUEST
