"""Redshift: connections, transactions, and what its errors mean."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import botocore
import psycopg2
import psycopg2.extensions

from .credentials import Login, login_of
from .errors import Fatal, Transient
from .limits import LOCK_MILLISECONDS
from .redshift_settings import REDSHIFT_URL, SSL_MODE, SSL_ROOT_CERT
from .settings import Settings

log = logging.getLogger(__name__)

Cursor = psycopg2.extensions.cursor

# Bounds on every wait: a host that vanished must not hold the ledger's lock for ever.
CONNECT_SECONDS = 15
DEAD_PEER_MILLISECONDS = 60 * 1000  # sent data that nobody acknowledges; as long as the keepalives

# SQLSTATE classes, PostgreSQL's appendix A, that pass by themselves, or are nothing that a file
# could be blamed for: connections, transactions (25P02: an earlier statement failed; 25006: read
# only, as during a classic resize), rollbacks, resources, locks, shutdowns and cancels, disks.
TRANSIENT_STATES = re.compile(r"08|25|40|53|55|57|58")
# What Redshift says of others at work on the same tables; most of it has the state XX000. From
# docs.aws.amazon.com/redshift/latest/dg/c_serial_isolation-serializable-isolation-troubleshooting
# and github.com/dbt-labs/dbt-adapters/pull/1873.
CONFLICT = re.compile(
    r"^(ERROR: ?)?1023\b|serializable isolation violation|concurrent transaction|with OID \d+",
    re.IGNORECASE,
)
# Access, syntax, no such thing, wrong login: a person has to act.
FATAL_STATES = re.compile(r"28|3D|3F|42|0A|0L|0P")
DATA_STATES = re.compile(r"22|23")  # a value does not fit its type, or the table's constraints
INTERNAL_STATE = "XX000"  # also what Redshift says of a load that failed, so look at the text
# As COPY words S3's answers; Spectrum's (of columnar files) in …/dg/c-spectrum-troubleshooting.
S3_IS_BUSY = re.compile(
    r"Status (5\d\d|429)|SlowDown|S3CurlException|ExpiredToken|RequestTimeout|Throttl"
    r"|Reduce (your|the) |Retries exceeded",
    re.IGNORECASE,
)
SPECTRUM = "Spectrum Scan Error"
LOAD_FAILED = re.compile(
    r"stl_load_errors|sys_load_error_detail|S3ServiceException|specified S3|manifest|to inflate"
    rf"|{SPECTRUM}",
    re.IGNORECASE,
)
NO_AUTHORITY = re.compile(r"not authorized|Access Denied|Status 403", re.IGNORECASE)
# libpq's words have no state. A cut is "SSL SYSCALL error", "SSL connection has been closed" or
# "SSL error: unexpected eof".
NO_LOGIN = re.compile(
    r"authentication|certificate|SSL(?! SYSCALL| connection| error: unexpected eof)"
    r"|does not exist|denied"
)
QUOTED = re.compile(r'"[^"]*"')  # names of hosts, users, databases, which may be any words


class LoadFailed(Exception):
    """A COPY refused the data: a bad row or a missing file. The transaction is rolled back."""


class LoadError(NamedTuple):
    """One row of ``sys_load_error_detail``."""

    file: str
    line: int
    column: str
    reason: str

    def __str__(self) -> str:
        column = f", column {self.column}" if self.column else ""
        return f"line {self.line}{column}: {self.reason}"


class Warehouse:
    """One connection to Redshift, made when it is needed and again after every error."""

    def __init__(self, url: str, login: Callable[[], Login], ssl_mode: str, ssl_root: str) -> None:
        self.url = url
        self.login = login
        self.ssl_mode = ssl_mode
        self.ssl_root = ssl_root
        self._connection: psycopg2.extensions.connection | None = None
        self._connected_at: object = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Warehouse:
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
        knows), LoadFailed, Fatal.
        """
        connection = self._connect()
        try:
            with connection.cursor() as cursor:
                yield cursor
            connection.commit()
        except psycopg2.Error as error:
            ours = classify(error)
            if not (isinstance(ours, LoadFailed) and _rolled_back(connection)):
                self.close()
            raise ours from error
        except BaseException:
            self.close()
            raise

    def load_errors(self) -> list[LoadError]:
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
                return [LoadError(*row) for row in cursor.fetchall()]
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
                    connect_timeout=CONNECT_SECONDS,
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
                raise _classify_connect(error, self.url) from error
            self._connection = connection
        return self._connection


def _rolled_back(connection: psycopg2.extensions.connection) -> bool:
    """End the failed transaction, if the connection still lives."""
    try:
        connection.rollback()
    except psycopg2.Error:
        return False
    return True


def classify(error: psycopg2.Error) -> Exception:
    """Turn an error of psycopg2 into Transient, LoadFailed or Fatal."""
    state, message = error.pgcode or "", " ".join(str(error).split())
    told = message
    if SPECTRUM not in message:  # which tells the cause there; of others it has keys of files
        told = message.partition(" DETAIL: ")[0]
    ours = Transient(f"Redshift: {message}")
    if CONFLICT.search(told) or S3_IS_BUSY.search(told) or TRANSIENT_STATES.match(state):
        return ours
    # S3's "not authorized" may be about one file only, as its key is another's.
    no_role = "not authorized" in told and "S3ServiceException" not in told
    if FATAL_STATES.match(state) or no_role:
        return Fatal(f"Redshift: {message}")
    if DATA_STATES.match(state) or (state == INTERNAL_STATE and LOAD_FAILED.search(message)):
        return LoadFailed(message)
    # Also what has no state, as psycopg2 has none for a lost connection.
    return ours


def _classify_connect(error: psycopg2.Error, url: str) -> Exception:
    """Sort a failed login: a server that is away comes back, a wrong password does not."""
    message = " ".join(str(error).split())
    if NO_LOGIN.search(QUOTED.sub("", message)):
        return Fatal(f"Redshift at {url} (redshiftURL): {message}")
    return Transient(f"Redshift at {url} (redshiftURL): {message}")
