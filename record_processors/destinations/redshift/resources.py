"""What a load needs outside: manifests in S3, the ledger, the table, and a login to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

from ...aws.arns import Arns, no_pattern
from ...aws.iam import allow
from ...aws.layout import REDRIVEN, files_folder
from ...aws.objects import Files, tell_missing, use_of_key
from ...aws.probe import written
from ...config.keys import S3_PREFIX
from ...config.resource import Creatable, CreatableBySql, Fact, Finding, Resource, Statement
from ...config.setting import Settings
from ...errors import Fatal
from .catalog import ABSENT, columns_of, is_there
from .connection import Connection
from .copy import manifests_folder
from .ledger import Ledger
from .login import database_of
from .probe import look, probe
from .repair import repaired_folder
from .settings import (
    DATA_TABLE,
    JSON_PATHS,
    MAX_BAD_ROWS,
    REDSHIFT_CLUSTER,
    REDSHIFT_SECRET,
    REDSHIFT_URL,
    REDSHIFT_WORKGROUP,
)
from .sql import quoted
from .state import state


class ManifestFiles(Files):
    """The manifests that COPY reads, and the announced files, which are looked at, and repaired."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.tried_in = manifests_folder(settings)

    @property
    def stored(self) -> Mapping[str, str]:
        """Nothing: they are none of rows."""
        return {}

    def probe(self) -> Iterator[Finding]:
        """Try what manifests and files take, and where a file goes without its bad rows."""
        yield from super().probe()
        if self.settings[MAX_BAD_ROWS]:
            with written(self.settings, repaired_folder(self.settings)) as probe:
                yield Finding(
                    "ok", f"{probe.place}: files can be repaired, their bad rows left out"
                )
            yield from probe.left_behind

    def permissions(self, account: str) -> Iterator[Statement]:
        """Allow to look at whatever may be announced, to write manifests, and to leave rows out."""
        arns = Arns(self.settings, account)
        announced = arns.objects(self.settings[S3_PREFIX])
        yield allow("LookAtAnnouncedFiles", "s3: GetObject", announced)
        yield from _json_paths(self.settings, arns)
        yield allow("WriteManifests", "s3: PutObject", arns.objects(self.tried_in))
        if self.settings[MAX_BAD_ROWS]:
            repaired = arns.objects(repaired_folder(self.settings))
            yield allow("WriteRepairedFiles", "s3: PutObject", repaired)
            yield from _reading_files(self.settings, arns)
        yield tell_missing(arns)

    def permissions_to_operate(self, account: str) -> Iterator[Statement]:
        """Allow to load again what letters hold: manifests and files are in a folder for that."""
        arns = Arns(self.settings, account)
        announced = arns.objects(self.settings[S3_PREFIX])
        yield allow("LookAtAnnouncedFiles", "s3: GetObject", announced)
        yield from _json_paths(self.settings, arns)
        again = arns.objects(f"{files_folder(self.settings)}{REDRIVEN}")
        yield allow("WriteManifestsAndRowsAgain", "s3: PutObject", again)
        yield from _reading_files(self.settings, arns)
        yield tell_missing(arns)


class LoadedFiles(Files):
    """Files that one process writes and loads; manifests, and files repaired, are among them."""

    def permissions(self, account: str) -> Iterator[Statement]:
        """Allow to read files that have bad rows, too."""
        yield from super().permissions(account)
        arns = Arns(self.settings, account)
        yield from _json_paths(self.settings, arns)
        if self.settings[MAX_BAD_ROWS]:
            yield from _reading_files(self.settings, arns)


def _json_paths(settings: Settings, arns: Arns) -> Iterator[Statement]:
    """Allow to compare the keys of rows with a file of JSONPaths."""
    if (paths := settings[JSON_PATHS]).startswith("s3://"):
        path = no_pattern(paths.removeprefix("s3://"))
        yield allow("CompareJsonPaths", "s3: GetObject", f"arn:{arns.partition}:s3:::{path}")


def _reading_files(settings: Settings, arns: Arns) -> Iterator[Statement]:
    return use_of_key(settings, arns, "ReadFilesWithBadRows", "Decrypt")


class LedgerTable(Creatable):
    """The table that says which files are loaded."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.ledger = Ledger.from_settings(settings)

    def __str__(self) -> str:
        return f"ledger {self.ledger.table}"

    def exists(self) -> bool:
        """Look for it."""
        with closing(Connection.from_settings(self.settings)) as connection:
            return is_there(connection, self.ledger.table)

    def make(self) -> Sequence[str]:
        """Make it."""
        with closing(Connection.from_settings(self.settings)) as connection:
            try:
                with connection.transaction() as cursor:
                    self.ledger.create(cursor)
            except Fatal as error:
                raise Fatal(f"the ledger cannot be made: {error}") from error
        return ()

    def bring_up_to_date(self) -> None:
        """Add what one lacks that an older version made."""
        with closing(Connection.from_settings(self.settings)) as connection:
            try:
                with connection.transaction() as cursor:
                    self.ledger.lock(cursor)
                    self.ledger.upgrade(cursor)
            except Fatal as error:
                raise Fatal(f"the ledger cannot be brought up to date: {error}") from error

    def state(self) -> Iterator[Fact]:
        """Tell who has it locked, and what was loaded lately."""
        with closing(Connection.from_settings(self.settings)) as connection:
            yield from state(connection, self.ledger)


class DataTable(CreatableBySql):
    """The table that the rows go to; its columns are the user's own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.name = settings[DATA_TABLE]

    def __str__(self) -> str:
        return f"table {self.name}"

    def exists(self) -> bool:
        """Look for it."""
        with closing(Connection.from_settings(self.settings)) as connection:
            return is_there(connection, quoted(self.name))

    def make(self) -> Sequence[str]:
        """Run the user's SQL. It must make this table, or all is undone."""
        ran = False
        with closing(Connection.from_settings(self.settings)) as connection:
            try:
                with connection.transaction() as cursor:
                    cursor.execute(self.sql)
                    ran = True
                    columns_of(cursor, quoted(self.name))
            except Fatal as error:
                if ran and isinstance(error.__cause__, ABSENT):
                    raise Fatal(
                        f"the SQL makes another table than {self.name} (redshiftDataTable): it is "
                        "undone"
                    ) from error
                raise Fatal(f"the table {self.name} cannot be made: {error}") from error
        return ()


class RedshiftLogin(Resource):
    """A login, and what a load does with it: the ledger locked, the table copied into."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def probe(self) -> Iterator[Finding]:
        """Try it from the login to a COPY of nothing, which is rolled back."""
        with closing(Connection.from_settings(self.settings)) as connection:
            yield from probe(connection, self.settings)

    def look(self) -> Iterator[Finding]:
        """Log in, and look at ledger and table; nothing is locked or loaded."""
        with closing(Connection.from_settings(self.settings)) as connection:
            yield from look(connection, self.settings)

    def permissions(self, account: str) -> Iterator[Statement]:
        """Allow to log in: on what AWS's own policy AmazonRedshiftDataFullAccess has it on."""
        arns = Arns(self.settings, account)
        if (secret := self.settings[REDSHIFT_SECRET]) is not None:
            # After its name, a secret's ARN has six characters that the file does not know.
            by_name = arns.arn("secretsmanager", f"secret:{no_pattern(secret)}-??????")
            resource = no_pattern(secret) if secret.startswith("arn:") else by_name
            yield allow("ReadTheLogin", "secretsmanager: GetSecretValue", resource)
        if (cluster := self.settings[REDSHIFT_CLUSTER]) is not None:
            database = no_pattern(f"{cluster}/{database_of(self.settings)}")
            resource = arns.arn("redshift", f"dbname:{database}")
            yield allow("LogInToTheCluster", "redshift: GetClusterCredentialsWithIAM", resource)
        if REDSHIFT_WORKGROUP in self.settings:
            # A workgroup's ARN ends in an id that the file does not know.
            resource = arns.arn("redshift-serverless", "workgroup/*")
            yield allow("LogInToTheWorkgroup", "redshift-serverless: GetCredentials", resource)

    def permissions_to_create(self, account: str) -> Iterator[Statement]:
        """Allow to log in, too."""
        return self.permissions(account)

    def ports(self) -> Iterator[int]:
        """Return the one that the URL says."""
        yield int(self.settings[REDSHIFT_URL].partition("/")[0].rpartition(":")[2])
