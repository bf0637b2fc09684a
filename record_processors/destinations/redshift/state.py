"""How the ledger is just now: who has it locked, and what was loaded; nobody is waited for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple

import psycopg2.errors

from ...config.resource import Fact
from ...errors import ConnectorError, counted
from .connection import Connection, Cursor
from .ledger import Ledger
from .timeouts import COPY_MILLISECONDS, QUESTION_MILLISECONDS

# Of docs.aws.amazon.com/redshift/latest/dg/r_LOCK.html, which holds up readers too.
EXCLUSIVE = "AccessExclusiveLock"
SPANS = {"minute": 60, "hour": 3600, "day": 86400}


class Lock(NamedTuple):
    """Who has locked the ledger: a session, its user, and since when its transaction runs."""

    session: int
    user: str
    since: datetime


def state(connection: Connection, ledger: Ledger) -> Iterator[Fact]:
    """Tell who has the ledger locked and, if nobody has, what was loaded lately.

    Raises Transient, Fatal.
    """
    with connection.rolled_back() as cursor:
        lock = _lock(cursor, ledger)
    if lock:
        yield _locked(lock, ledger)
        return
    try:
        with connection.rolled_back() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout TO {QUESTION_MILLISECONDS}")
            loaded = _loaded(cursor, ledger)
    except ConnectorError as error:
        if not isinstance(error.__cause__, psycopg2.errors.QueryCanceled):
            raise
        yield Fact(
            "loaded",
            None,
            f"locked, not counted: the ledger {ledger.table} was not read within "
            f"{QUESTION_MILLISECONDS // 1000} s; who has it locked, a superuser sees in "
            "svv_transactions",
        )
        return
    yield Fact("loaded", loaded, _sentence(loaded))


def _locked(lock: Lock, ledger: Ledger) -> Fact:
    """Tell of a lock; of one that lasts longer than any load of ours, a person."""
    held = (datetime.now(timezone.utc) - lock.since).total_seconds()
    return Fact(
        "ledgerLock",
        {"session": lock.session, "user": lock.user, "since": lock.since},
        f"locked, not counted: the ledger {ledger.table} is locked by session {lock.session} "
        f"({lock.user}), whose transaction began at {lock.since:%Y-%m-%d %H:%M:%S} UTC, "
        f"{held:,.0f} s ago",
        attention=held > COPY_MILLISECONDS / 1000,
    )


def _lock(cursor: Cursor, ledger: Ledger) -> Lock | None:
    """Look who has it; of others than ours, Redshift shows a superuser alone.

    docs.aws.amazon.com/redshift/latest/dg/r_SVV_TRANSACTIONS.html
    """
    cursor.execute("SELECT CAST(CAST(%s AS regclass) AS oid)", [ledger.table])
    (relation,) = cursor.fetchone() or (None,)
    cursor.execute(
        "SELECT pid, trim(txn_owner), txn_start FROM svv_transactions "
        "WHERE relation = %s AND lock_mode = %s AND granted LIMIT 1",
        [relation, EXCLUSIVE],
    )
    found = cursor.fetchone()
    if found is None:
        return None
    session, user, since = found
    return Lock(session, user, since.replace(tzinfo=timezone.utc))


def _loaded(cursor: Cursor, ledger: Ledger) -> dict[str, Any]:
    """Count files and rows of the data table; its times are those of Redshift's clock."""
    counts = ", ".join(
        f"coalesce(sum(CASE WHEN loaded_at > getdate() - INTERVAL '{seconds} seconds' "
        f"THEN {what} ELSE 0 END), 0)"
        for seconds in SPANS.values()
        for what in ("1", "coalesce(row_count, 0)")
    )
    cursor.execute(
        f"SELECT max(loaded_at), {counts} "  # noqa: S608
        f"FROM {ledger.table} WHERE data_table = %s",
        [ledger.data_table],
    )
    last, *numbers = cursor.fetchone() or (None, *[0] * 2 * len(SPANS))
    pairs = zip(numbers[::2], numbers[1::2], strict=True)
    return {
        **{
            span: {"files": int(files), "rows": int(rows)}
            for span, (files, rows) in zip(SPANS, pairs, strict=True)
        },
        "last": last and last.replace(tzinfo=timezone.utc),
    }


def _sentence(loaded: Mapping[str, Any]) -> str:
    if loaded["last"] is None:
        return "nothing is loaded yet"
    spans = [
        f"{span} {loaded[span]['rows']:,} ({counted(loaded[span]['files'], 'file')})"
        for span in SPANS
    ]
    last = f"{loaded['last']:%Y-%m-%d %H:%M:%S} UTC"
    return f"rows loaded in the last {', '.join(spans)}; the last at {last}"
