"""Redshift: the login, the ledger, the table, and the role that COPY reads by."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import msgspec
import psycopg2.errors

from ...aws.findings import about, results, why
from ...aws.probe import written
from ...config.resource import Failed, Finding
from ...config.setting import Settings
from ...errors import ConnectorError, Transient
from ...files.file import File
from .catalog import ABSENT, columns_of
from .connection import Connection, Cursor, run_copy
from .copy import copy_statement, manifest_of, manifests_folder
from .errors import NO_AUTHORITY, QUOTED, LoadFailed
from .ledger import ADDED_LATER, COLUMNS, Ledger
from .repair import repaired_folder
from .settings import (
    DATA_COLUMNS,
    DATA_FORMAT,
    DATA_TABLE,
    FILE_KEY_COLUMN,
    FILE_TABLE,
    IAM_ROLE,
    MAX_BAD_ROWS,
    REDSHIFT_CLUSTER,
    REDSHIFT_SECRET,
    REDSHIFT_URL,
    REDSHIFT_USER,
    REDSHIFT_WORKGROUP,
    SSL_MODE,
)
from .sql import quoted
from .timeouts import PROBE_COPY_MILLISECONDS, PROBE_LOCK_MILLISECONDS

TLS = re.compile(r"SSL|certificate")  # libpq's words
ERRORS = (ConnectorError, LoadFailed)
NO_LEDGER = "is not there; `kinesis-connectors create` makes it"


def probe(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """Log in; then try each of what the loader uses, and roll it back."""
    yield _login(connection, settings)
    yield from results(_ledger(connection, settings))
    of_table = list(results(_data_table(connection, settings)))
    yield from of_table
    if any(finding.kind == "problem" for finding in of_table):
        yield _not_tried(settings, "it needs the table")
    else:
        yield from results(_copy(connection, settings))


def look(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """Log in, and look whether ledger and table are there; nothing is locked or loaded."""
    yield _login(connection, settings)
    yield from results(_ledger_as_it_is(connection, settings))
    yield from _data_table(connection, settings)


def _login(connection: Connection, settings: Settings) -> Finding:
    try:
        with connection.transaction() as cursor:
            info = cursor.connection.info
            tls = info.ssl_attribute("protocol") if info.ssl_in_use else "without TLS"
            return Finding(
                "ok", f"{about(REDSHIFT_URL, connection.url)}: logged in as {info.user}, {tls}"
            )
    except ERRORS as error:
        raise Failed(
            f"{_at_fault(error, settings)}: no login to Redshift, and nothing in it was tried: "
            f"{why(error)}"
        ) from error


def _at_fault(error: Exception, settings: Settings) -> str:
    """Return which setting a failed login is about, as the beginning of a sentence."""
    if isinstance(error, Transient):
        return about(REDSHIFT_URL, settings[REDSHIFT_URL])
    if TLS.search(QUOTED.sub("", str(error))):
        return about(SSL_MODE, settings[SSL_MODE])
    ways = (REDSHIFT_USER, REDSHIFT_SECRET, REDSHIFT_CLUSTER, REDSHIFT_WORKGROUP)
    way = next(way for way in ways if way in settings)
    return f"{way.key} = {settings[way]}"


def _ledger(connection: Connection, settings: Settings) -> Iterator[Finding]:
    ledger = Ledger.from_settings(settings)
    place = _place_of_ledger(settings)
    try:
        with connection.rolled_back() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout TO {PROBE_LOCK_MILLISECONDS}")
            ledger.lock(cursor)
            columns = columns_of(cursor, ledger.table)
            lacking = _lacking_rights(cursor, ledger.table, ("select", "insert"))
    except ERRORS as error:
        if isinstance(error.__cause__, ABSENT):
            raise Failed(f"{place} {NO_LEDGER}") from error
        if isinstance(error.__cause__, psycopg2.errors.QueryCanceled):
            yield Finding("note", f"{place} is locked by another session just now; try again")
            return
        raise Failed(f"{place} cannot be locked: {why(error)}") from error
    _insist_on_columns(columns, settings)
    if lacking:
        raise Failed(f"{place}: the user lacks the right to {' and '.join(lacking)}")
    yield Finding("ok", f"{place} is there and can be locked")


def _ledger_as_it_is(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """Look at the ledger; nothing to be said of one that will do."""
    try:
        with connection.transaction() as cursor:
            columns = columns_of(cursor, Ledger.from_settings(settings).table)
    except ERRORS as error:
        if isinstance(error.__cause__, ABSENT):
            raise Failed(f"{_place_of_ledger(settings)} {NO_LEDGER}") from error
        raise
    _insist_on_columns(columns, settings)
    yield from ()


def _insist_on_columns(columns: Sequence[str], settings: Settings) -> None:
    names = [settings[FILE_KEY_COLUMN], *(column.split()[0] for column in COLUMNS)]
    if missing := _missing(names, columns):
        remedy = (
            "`kinesis-connectors create` brings it up to date"
            if ADDED_LATER.keys() >= set(missing)
            else "it is a table of something else"
        )
        place = _place_of_ledger(settings)
        raise Failed(f"{place} has no column {', '.join(missing)}: {remedy}")


def _place_of_ledger(settings: Settings) -> str:
    return f"{about(FILE_TABLE, settings[FILE_TABLE])}: the ledger"


def _data_table(connection: Connection, settings: Settings) -> Iterator[Finding]:
    place = f"{about(DATA_TABLE, settings[DATA_TABLE])}: the table"
    table = quoted(settings[DATA_TABLE])
    try:
        with connection.transaction() as cursor:
            columns = columns_of(cursor, table)
            lacking = _lacking_rights(cursor, table, ("insert",))
    except ERRORS as error:
        if isinstance(error.__cause__, ABSENT):
            raise Failed(
                f"{place} is not there; `kinesis-connectors create --table FILE.sql` makes it"
            ) from error
        raise Failed(f"{place} cannot be looked at: {why(error)}") from error
    if missing := _missing(settings[DATA_COLUMNS], columns):
        yield Finding(
            "problem",
            f"{DATA_COLUMNS.key}: {settings[DATA_TABLE]} has no column {', '.join(missing)}",
        )
    if lacking:
        yield Finding("problem", f"{place}: the user lacks the right to {' and '.join(lacking)}")
    if not missing and not lacking:
        yield Finding("ok", f"{place} is there and may be inserted into")


def _copy(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """COPY a file without a row, as a load would, and roll it back."""
    if settings[DATA_FORMAT] == "parquet":
        yield _not_tried(settings, "there is no Parquet file without columns")
        return
    folder = manifests_folder(settings)
    # COPY's role must be able to read what we write, too: the manifest, and files repaired.
    of_files = repaired_folder(settings) if settings[MAX_BAD_ROWS] else folder
    left_behind: list[Finding] = []
    try:
        with written(settings, of_files) as empty:
            left_behind = empty.left_behind
            file = File(bucket=empty.bucket, key=empty.key, bytes=0)
            body = msgspec.json.encode(manifest_of([file], settings))
            with written(settings, folder, body) as manifest:
                yield _rehearsed(connection, settings, manifest.url)
            yield from manifest.left_behind
    except Failed:  # which the check of the bucket has told
        yield _not_tried(settings, "no file can be written for it")
    yield from left_behind


def _rehearsed(connection: Connection, settings: Settings, manifest: str) -> Finding:
    place = about(IAM_ROLE, settings[IAM_ROLE])
    try:
        with connection.rolled_back() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout TO {PROBE_COPY_MILLISECONDS}")
            run_copy(cursor, copy_statement(settings, manifest, "none"))
    except ERRORS as error:
        if isinstance(error.__cause__, psycopg2.errors.QueryCanceled):
            return _not_tried(settings, f"it took longer than {PROBE_COPY_MILLISECONDS // 1000} s")
        if NO_AUTHORITY.search(str(error)):
            return Finding("problem", f"{place}: Redshift may not read the bucket: {why(error)}")
        return Finding("problem", f"{place}: a COPY of an empty file fails: {why(error)}")
    return Finding("ok", f"{place}: a COPY of an empty file went through, and was rolled back")


def _not_tried(settings: Settings, reason: str) -> Finding:
    place = about(IAM_ROLE, settings[IAM_ROLE])
    return Finding("note", f"{place}: whether COPY can read the bucket was not tried, as {reason}")


def _lacking_rights(cursor: Cursor, table: str, rights: Sequence[str]) -> list[str]:
    lacking = []
    for right in rights:
        cursor.execute("SELECT has_table_privilege(%s, %s)", [table, right])
        if cursor.fetchone() != (True,):
            lacking.append(right.upper())
    return lacking


def _missing(names: Sequence[str], columns: Sequence[str]) -> list[str]:
    """Return which are no columns. Case does not count: Redshift folds quoted names, or not."""
    there = {column.lower() for column in columns}
    return [name for name in names if quoted(name).strip('"').lower() not in there]
