"""Redshift: one connection, and its transactions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import botocore
import psycopg2
import psycopg2.extensions

from ...config.setting import Settings
from .errors import LoadFailed, classify, classify_login
from .login import Login, login_of
from .settings import REDSHIFT_URL, SSL_MODE, SSL_ROOT_CERT
from .timeouts import DEAD_PEER_MILLISECONDS, LOCK_MILLISECONDS, LOGIN_SECONDS

Cursor = psycopg2.extensions.cursor


class LoadErrorDetail(NamedTuple):
    """One row of ``sys_load_error_detail``."""

    file: str
    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        column = f", column {self.column}" if self.column else ""
        return f"line {self.line}{column}: {self.reason}"


class Connection:
    """One connection to Redshift, made when it is needed and again after every error."""

    def __init__(self, url: str, login: Callable[[], Login], ssl_mode: str, ssl_root: str) -> None:
        self.url = url
        self.login = login
        self.ssl_mode = ssl_mode
        self.ssl_root = ssl_root
        self._connection: psycopg2.extensions.connection | None = None
        self._connected_at: object = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Connection:
        """Take address, login and TLS. Amazon's roots are in the bundle that botocore ships."""
        bundle = Path(botocore.__file__).with_name("cacert.pem")
        return cls(
            settings[REDSHIFT_URL],
            login_of(settings),
            settings[SSL_MODE],
            settings[SSL_ROOT_CERT] or str(bundle),
        )

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Run statements in one transaction: COMMIT at the end, ROLLBACK on any exception.

        Raises Transient (the outcome of a lost COMMIT is unknown: run the whole again, the ledger
        knows), Fatal, and LoadFailed of ``run_copy``.
        """
        connection = self._connect()
        try:
            with connection.cursor() as cursor:
                yield cursor
            connection.commit()
        except psycopg2.Error as error:
            self.close()
            raise classify(error) from error
        except LoadFailed:
            if not _rolled_back(connection):  # which leaves ``load_errors`` of this connection
                self.close()
            raise
        except BaseException:
            self.close()
            raise

    @contextmanager
    def rolled_back(self) -> Iterator[Cursor]:
        """Run statements as ``transaction`` does, with what that raises, and undo them all."""
        with self.transaction() as cursor:
            yield cursor
            cursor.connection.rollback()

    def load_errors(self) -> list[LoadErrorDetail]:
        """Return what the last COPY of this connection complained of, and end the connection.

        One connection sees one failed COPY, so that no older complaint is taken for its own.
        """
        try:
            with self._connect().cursor() as cursor:
                cursor.execute(
                    "SELECT trim(file_name), line_number, trim(column_name), trim(error_message) "
                    "FROM sys_load_error_detail WHERE session_id = pg_backend_pid() "
                    "AND start_time >= %s ORDER BY line_number",
                    (self._connected_at,),
                )
                return [LoadErrorDetail(*row) for row in cursor.fetchall()]
        except psycopg2.Error as error:
            raise classify(error) from error
        finally:
            self.close()

    def close(self) -> None:
        """End the connection; an open transaction is rolled back by the server."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connect(self) -> psycopg2.extensions.connection:
        if self._connection is None or self._connection.closed:
            host, _, rest = self.url.partition(":")
            port, _, database = rest.partition("/")
            user, password = self.login()
            try:
                connection = psycopg2.connect(
                    host=host,
                    port=int(port),
                    dbname=database,
                    user=user,
                    password=password,
                    sslmode=self.ssl_mode,
                    sslrootcert=self.ssl_root,
                    application_name="kinesis-connectors",
                    connect_timeout=LOGIN_SECONDS,
                    keepalives=1,
                    keepalives_idle=30,  # seconds
                    keepalives_interval=10,
                    keepalives_count=3,
                    # Keepalives are silent while data is on its way; this is for a server that
                    # vanishes then. libpq knows it since 12.
                    tcp_user_timeout=DEAD_PEER_MILLISECONDS,
                )
                # Alone in their transaction: LOCK must be the first statement of the next one.
                with connection.cursor() as cursor:
                    # The error tables tell UTC, getdate() the session's time.
                    cursor.execute("SET timezone TO 'UTC'; SELECT getdate()")
                    (self._connected_at,) = cursor.fetchone() or (None,)
                    cursor.execute(f"SET statement_timeout TO {LOCK_MILLISECONDS}")
                connection.commit()
            except psycopg2.Error as error:
                raise classify_login(error, self.url) from error
            self._connection = connection
        return self._connection


def run_copy(cursor: Cursor, statement: str) -> None:
    """Run a COPY in a transaction of a Connection.

    Raises LoadFailed if it refused the files, Transient, Fatal.
    """
    try:
        cursor.execute(statement)
    except psycopg2.Error as error:
        raise classify(error, of_copy=True) from error


def copied_rows(cursor: Cursor) -> int:
    """Return how many rows the session's last COPY has loaded."""
    cursor.execute("SELECT pg_last_copy_count()")
    (rows,) = cursor.fetchone() or (0,)
    return int(rows)


def _rolled_back(connection: psycopg2.extensions.connection) -> bool:
    """End the failed transaction, if the connection still lives."""
    try:
        connection.rollback()
    except psycopg2.Error:
        return False
    return True
