"""What Redshift has and PostgreSQL lacks: load error tables, locks, COPY's functions, clocks.

Columns as in the Database Developer Guide: STL_LOAD_ERRORS, STL_LOAD_COMMITS,
SYS_LOAD_ERROR_DETAIL and SVV_TRANSACTIONS (https://docs.aws.amazon.com/redshift/latest/dg/cm_chap_system-tables.html).
All lie in ``pg_catalog``, so that they are found whatever the ``search_path``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import psycopg2
from psycopg2 import sql as compose

from record_processors.local.redshift import planned_failures
from record_processors.local.redshift.copy_statement import NOWHERE
from record_processors.local.redshift.postgres import DATABASE, Cluster

if TYPE_CHECKING:
    from collections.abc import Sequence

    from psycopg2.extensions import connection

USER = "awsuser"
# Below the data directory: what a session's last COPY did, by the session's process id. A file,
# since neither a failed transaction nor a snapshot taken before the COPY may hide it.
LAST_COPIES = "last_copies"
_NOW = compose.SQL("statement_timestamp()")
_AT_ONCE = 500  # rows of one INSERT

_SETUP = f"""
GRANT ALL ON SCHEMA public TO PUBLIC;
CREATE SCHEMA IF NOT EXISTS stand_in;
CREATE SEQUENCE IF NOT EXISTS stand_in.query START 100;
GRANT USAGE ON SCHEMA stand_in TO PUBLIC;
GRANT USAGE ON SEQUENCE stand_in.query TO PUBLIC;
CREATE TABLE IF NOT EXISTS {NOWHERE} ();
GRANT INSERT ON {NOWHERE} TO PUBLIC;
CREATE TABLE IF NOT EXISTS pg_catalog.stl_load_errors (
    userid integer, slice integer, tbl integer, starttime timestamp, session integer,
    query integer, filename char(256), line_number bigint, colname char(127), type char(10),
    col_length char(10), "position" integer, raw_line char(1024), raw_field_value char(1024),
    err_code integer, err_reason char(100), is_partial integer, start_offset bigint);
CREATE TABLE IF NOT EXISTS pg_catalog.sys_load_error_detail (
    user_id integer, query_id bigint, transaction_id bigint, session_id integer,
    database_name char(64), table_id integer, start_time timestamp, file_name char(256),
    line_number bigint, column_name char(127), column_type char(10), column_length char(10),
    "position" integer, error_code integer, error_message char(512));
CREATE TABLE IF NOT EXISTS pg_catalog.stl_load_commits (
    userid integer, query integer, slice integer, name char(256), filename char(256),
    byte_offset integer, lines_scanned integer, errors integer, curtime timestamp, status integer,
    file_format char(16));
GRANT SELECT ON pg_catalog.stl_load_errors, pg_catalog.sys_load_error_detail,
    pg_catalog.stl_load_commits TO PUBLIC;
CREATE OR REPLACE FUNCTION pg_catalog.getdate() RETURNS timestamp STABLE LANGUAGE sql AS
    'SELECT date_trunc(''second'', statement_timestamp() AT TIME ZONE ''UTC'')';
CREATE OR REPLACE FUNCTION pg_catalog.sysdate() RETURNS timestamp STABLE LANGUAGE sql AS
    'SELECT transaction_timestamp() AT TIME ZONE ''UTC''';
CREATE OR REPLACE FUNCTION stand_in.last_copy() RETURNS bigint[] VOLATILE LANGUAGE sql
    SECURITY DEFINER AS
    'SELECT pg_read_file(''{LAST_COPIES}/'' || pg_backend_pid(), true)::bigint[]';
CREATE OR REPLACE FUNCTION pg_catalog.pg_last_copy_id() RETURNS bigint VOLATILE LANGUAGE sql AS
    'SELECT coalesce((stand_in.last_copy())[1], -1)';
CREATE OR REPLACE FUNCTION pg_catalog.pg_last_copy_count() RETURNS bigint VOLATILE LANGUAGE sql AS
    'SELECT coalesce((stand_in.last_copy())[2], 0)';
"""

_LOCKS = """
CREATE OR REPLACE VIEW pg_catalog.svv_transactions AS SELECT a.usename::text AS txn_owner,
    a.datname::text AS txn_db, a.backend_xid::text::bigint AS xid, l.pid,
    a.xact_start AT TIME ZONE 'UTC' AS txn_start, l.mode AS lock_mode,
    l.locktype AS lockable_object_type, l.relation::bigint::integer AS relation, l.granted
    FROM pg_locks l JOIN pg_stat_activity a USING (pid)
    WHERE l.locktype IN ('relation', 'transactionid') AND (a.usename = current_user OR
    EXISTS (SELECT FROM pg_user WHERE usename = current_user AND usesuper));
GRANT SELECT ON pg_catalog.svv_transactions TO PUBLIC;
"""


class LoadErrorDetail(NamedTuple):
    """A row of the load error tables; ``line`` counts from 1, ``position`` from 0."""

    user: int
    table: int
    session: int
    query: int
    transaction: int
    file: str
    line: int
    column: str
    type: str
    length: str
    position: int
    raw_line: str
    raw_value: str
    code: int
    reason: str


def prepare(cluster: Cluster, password: str) -> None:
    """Make the database, its user (with this password) and the system tables, once."""
    with cluster.connect("postgres") as admin, admin.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_roles WHERE rolname = %s", (USER,))
        if cursor.fetchone() == (0,):
            cursor.execute(f"CREATE ROLE {USER} SUPERUSER LOGIN")
        cursor.execute(f"ALTER ROLE {USER} PASSWORD %s", (password,))
    admin.close()
    _make_database(cluster)
    (cluster.data / LAST_COPIES).mkdir(exist_ok=True)
    for left in (cluster.data / LAST_COPIES).iterdir():
        left.unlink()
    with cluster.connect(options="-c allow_system_table_mods=on") as own, own.cursor() as cursor:
        cursor.execute(_SETUP + _LOCKS + planned_failures.SETUP)
    own.close()


def _make_database(cluster: Cluster) -> None:
    admin = cluster.connect("postgres")
    try:
        with admin.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {DATABASE} OWNER {USER} STRATEGY file_copy")
    except psycopg2.errors.DuplicateDatabase:
        pass
    finally:
        admin.close()


def record_errors(cluster: Cluster, errors: Sequence[LoadErrorDetail]) -> None:
    """Enter load errors, on a connection of our own: they survive the failed transaction."""
    own = cluster.connect()
    try:
        for at in range(0, len(errors), _AT_ONCE):
            some = errors[at : at + _AT_ONCE]
            _insert(own, "stl_load_errors", [_stl_load_error(error) for error in some])
            _insert(own, "sys_load_error_detail", [_sys_load_error(error) for error in some])
    finally:
        own.close()


def _stl_load_error(error: LoadErrorDetail) -> tuple[object, ...]:
    return (
        error.user, 0, error.table, _NOW, error.session, error.query, error.file[:256],
        error.line, *_column_of(error), error.raw_line[:1024], error.raw_value[:1024],
        error.code, error.reason[:100], 0, 0,
    )  # fmt: skip


def _sys_load_error(error: LoadErrorDetail) -> tuple[object, ...]:
    return (
        error.user, error.query, error.transaction, error.session, DATABASE, error.table, _NOW,
        error.file[:256], error.line, *_column_of(error), error.code, error.reason[:512],
    )  # fmt: skip


def _column_of(error: LoadErrorDetail) -> tuple[object, ...]:
    return error.column[:127], error.type[:10], error.length[:10], error.position


def record_commits(
    cluster: Cluster, user: int, query: int, files: Sequence[tuple[str, int]], kind: str
) -> None:
    """Enter the files (name, rows read) that a COPY has read, of which there is one at least.

    Transactions that start later see them.
    """
    rows = [
        (user, query, 0, name[:256], name[:256], 0, rows, 0, _NOW, 1, kind) for name, rows in files
    ]
    own = cluster.connect()
    try:
        _insert(own, "stl_load_commits", rows)
    finally:
        own.close()


def _insert(own: connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    values = [
        compose.SQL("({})").format(
            compose.SQL(", ").join(
                [v if isinstance(v, compose.SQL) else compose.Literal(v) for v in row]
            )
        )
        for row in rows
    ]
    statement = compose.SQL("INSERT INTO pg_catalog.{} VALUES {}").format(
        compose.Identifier(table), compose.SQL(", ").join(values)
    )
    with own.cursor() as cursor:
        cursor.execute(statement)
