"""What Redshift's errors mean: the one place that decides.

Every message is libpq's or Redshift's own; which of its words tell what, is said where it is looked
for.
"""

from __future__ import annotations

import re

import psycopg2

from ...errors import Fatal, Transient, Unavailable, one_line
from .timeouts import COPY_MILLISECONDS, LOCK_MILLISECONDS

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
# The same of what is nobody's fault, and passes when there is room again.
NO_ROOM = re.compile(r"^(ERROR: ?)?Disk Full|out of memory|insufficient memory", re.IGNORECASE)
# Access, syntax, no such thing, wrong login: a person has to act.
FATAL_STATES = re.compile(r"28|3D|3F|42|0A|0L|0P")
CANCELLED = "57014"
OUR_LIMITS = (
    f" (unless a person did it: we wait {LOCK_MILLISECONDS // 60_000} minutes for the ledger's "
    f"lock, which `status` tells of, {COPY_MILLISECONDS // 60_000} for a COPY, which a lower "
    "bufferRecordCountLimit shortens)"
)
DATA_STATES = re.compile(r"22|23")  # a value does not fit its type, or the table's constraints
# As COPY words S3's answers; Spectrum's (of columnar files) in …/dg/c-spectrum-troubleshooting.
S3_IS_BUSY = re.compile(
    r"Status (5\d\d|429)|SlowDown|S3CurlException|ExpiredToken|RequestTimeout|Throttl"
    r"|Reduce (your|the) |Retries exceeded",
    re.IGNORECASE,
)
SPECTRUM = "Spectrum Scan Error"
NO_AUTHORITY = re.compile(r"not authorized|Access Denied|Status 403", re.IGNORECASE)
# libpq's words have no state. A cut is "SSL SYSCALL error", "SSL connection has been closed" or
# "SSL error: unexpected eof".
NO_LOGIN = re.compile(
    r"authentication|certificate|SSL(?! SYSCALL| connection| error: unexpected eof)"
    r"|does not exist|denied"
)
QUOTED = re.compile(r'"[^"]*"')  # names of hosts, users, databases, which may be any words
# The same of tables and of files. Not what is between the apostrophes of two words.
NAMES = re.compile(rf"{QUOTED.pattern}|(?<!\w)'[^']*'(?!\w)|s3://\S*")


class LoadFailed(Exception):
    """A COPY failed, perhaps for its data: a bad row, a missing file. All is rolled back."""


def classify(error: psycopg2.Error, *, of_copy: bool = False) -> Exception:
    """Turn an error of psycopg2 into one of ours, or into LoadFailed if it is of a COPY."""
    state, message = error.pgcode or "", one_line(error)
    told = message
    if SPECTRUM not in message:  # which tells the cause there; of others it has keys of files
        told = message.partition(" DETAIL: ")[0]
    told = NAMES.sub("", told)
    if state == CANCELLED:
        message += OUR_LIMITS
    passing = (CONFLICT, S3_IS_BUSY, NO_ROOM)
    if TRANSIENT_STATES.match(state) or any(words.search(told) for words in passing):
        return Unavailable(f"Redshift: {message}")
    # S3's "not authorized" may be about one file only, as its key is another's.
    no_role = "not authorized" in told and "S3ServiceException" not in told
    if FATAL_STATES.match(state) or no_role:
        return Fatal(f"Redshift: {message}")
    # Whatever else COPY complains of may be about the data of a file: who searches finds out. What
    # has no state is a lost connection.
    if of_copy and state:
        return LoadFailed(message)
    kind = Fatal if DATA_STATES.match(state) else Transient if state else Unavailable
    return kind(f"Redshift: {message}")


def classify_login(error: psycopg2.Error, url: str) -> Exception:
    """Sort a failed login: a server that is away comes back, a wrong password does not."""
    message = one_line(error)
    if NO_LOGIN.search(QUOTED.sub("", message)):
        return Fatal(f"Redshift at {url} (redshiftURL): {message}")
    return Unavailable(f"Redshift at {url} (redshiftURL): {message}")
