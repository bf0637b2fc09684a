"""Redshift's SQL into PostgreSQL's, statement by statement, inside one query text.

What Redshift refuses becomes a statement that fails with Redshift's error: so the server
itself aborts the transaction, keeps the order of several statements, and answers 25P02 when
the transaction had failed before.
"""

from __future__ import annotations

from dataclasses import dataclass

from record_processors.local.redshift import sql
from record_processors.local.redshift.copy_statement import CopyStatement, parse_copy
from record_processors.local.redshift.create_table import (
    index_statements,
    rewrite_add_column,
    rewrite_create_table,
)
from record_processors.local.redshift.failures import (
    NOT_SUPPORTED,
    CopyError,
    Unsupported,
    syntax_error,
)
from record_processors.local.redshift.planned_failures import ANY_PLANNED

# The one column of the row that tells a COPY's table; its name marks the answer as the proxy's.
MARK = "stand_in_copy"

# What a cluster of one node gives of a cursor at once:
# docs.aws.amazon.com/redshift/latest/dg/declare.html
ROWS_FETCHED = 1000

_TABLES = ("TABLE", "TEMP", "TEMPORARY", "LOCAL")


@dataclass(frozen=True)
class Translation:
    """A query text for PostgreSQL, and the COPY statements in it, in their order."""

    text: str
    copies: tuple[CopyStatement, ...]


def translate(text: str, *, is_simple: bool = True) -> Translation:
    """Translate a query text; a text that PostgreSQL understands comes back as it is.

    Only a simple query may become several statements; in the extended protocol there is no COPY.
    """
    copies: list[CopyStatement] = []
    result, done = "", 0
    for statement in sql.statements(sql.tokens(text)):
        try:
            replaced = _translate(statement, copies, is_simple=is_simple)
        except CopyError as error:
            replaced = _raise(error)
        if replaced is not None:
            result += text[done : statement[0].start] + replaced
            done = statement[-1].end
    return Translation(result + text[done:], tuple(copies))


def _translate(
    statement: list[sql.Token], copies: list[CopyStatement], *, is_simple: bool
) -> str | None:
    """Return what takes the statement's place, None if it may stay."""
    _refuse(statement)
    keys = [token.key for token in statement[:5]]
    told = _with_sysdate(statement)
    if keys[0] == "CREATE" and "TABLE" in keys and keys[1] in _TABLES:
        indexes = index_statements(told) if is_simple else []
        return "; ".join([rewrite_create_table(told), *indexes])
    if keys[0] == "ALTER" and (added := rewrite_add_column(told)):
        return added
    if keys[0] != "COPY":
        return None if told == statement else sql.join(told)
    if not is_simple:
        raise Unsupported("COPY in the extended query protocol")
    copies.append(parse_copy(statement))
    return f"{_facts_query(copies[-1])}; {copies[-1].postgres_sql}"


def _with_sysdate(statement: list[sql.Token]) -> list[sql.Token]:
    """Call what Redshift names without parentheses, even as a DEFAULT."""
    around = [None, *statement, None]
    return [
        token._replace(text="pg_catalog.sysdate()")
        if token.key == "SYSDATE"
        and not (before is not None and before.key == ".")
        and not (after is not None and after.key == "(")
        else token
        for before, token, after in zip(around, statement, around[2:], strict=False)
    ]


def _facts_query(copy: CopyStatement) -> str:
    """Ask for a COPY's table just before it: in its session, and after its LOCK."""
    table = sql.quote_text(copy.table_sql)
    return (
        "SELECT pg_catalog.json_build_object("  # noqa: S608 - the one name in it is quoted
        "'table', c.oid::pg_catalog.int8, 'query', pg_catalog.nextval('stand_in.query'), "
        "'user', (SELECT usesysid::pg_catalog.int8 FROM pg_catalog.pg_user"
        " WHERE usename = current_user), "
        "'session', pg_catalog.pg_backend_pid(), "
        f"'planned', {ANY_PLANNED}, "
        "'transaction', pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8, "
        "'columns', (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(attname, "
        "pg_catalog.format_type(atttypid, atttypmod), attidentity, attnotnull, atthasdef)"
        " ORDER BY attnum)"
        " FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND attnum > 0"
        " AND NOT attisdropped)) "
        f"AS {MARK} FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass({table})"
    )


def _refuse(statement: list[sql.Token]) -> None:
    """Raise what Redshift says to a statement of PostgreSQL that it does not know."""
    first = statement[0].key
    for keys in (("ON", "CONFLICT"), ("RETURNING",)):
        if sql.find(statement, *keys) > 0:
            raise syntax_error(keys[0])
    if first in ("SAVEPOINT", "RELEASE") or sql.find(statement, "ROLLBACK", "TO") == 0:
        raise _not_supported(f'SQL command "{first}" not supported.')
    if first == "LOCK" and (sql.find(statement, "IN") > 0 or sql.find(statement, "NOWAIT") > 0):
        raise syntax_error("IN" if sql.find(statement, "IN") > 0 else "NOWAIT")
    if first == "CREATE" and "INDEX" in [token.key for token in statement[1:3]]:
        raise _not_supported('SQL command "CREATE INDEX" not supported.')
    if first == "ALTER" and any(sql.find(statement, key) > 0 for key in ("PRIMARY", "UNIQUE")):
        raise Unsupported("ALTER TABLE … ADD a key")
    if first == "FETCH":
        _refuse_to_fetch(statement)
    _refuse_expressions(statement)


def _refuse_to_fetch(statement: list[sql.Token]) -> None:
    for token in statement:
        if token.kind == "number" and int(token.text) > ROWS_FETCHED:
            raise CopyError(
                f"Fetch size {token.text} exceeds the limit of {ROWS_FETCHED} for a single node "
                "configuration. Reduce the client fetch/cache size or upgrade to a multi node "
                "installation."
            )


def _refuse_expressions(statement: list[sql.Token]) -> None:
    for lock in ("UPDATE", "SHARE"):
        if sql.find(statement, "FOR", lock) > 0:
            raise _not_supported(f"SELECT FOR {lock} is not supported")
    for at, token in enumerate(statement[:-2]):
        name, after = token.key, statement[at + 1].key
        if after == "(" and "ADVISORY" in name and name.startswith("PG_"):
            raise _not_supported(f'Function "{name.lower()}" not supported.')
        compared = at > 0 and statement[at - 1].key in ("=", "<", ">")
        is_array = name in ("ANY", "ALL") and statement[at + 2].key != "SELECT"
        if compared and is_array and not _reads_catalog(statement):
            raise _not_supported("op ANY/ALL (array) not supported")


def _reads_catalog(statement: list[sql.Token]) -> bool:
    """Return whether a query reads the catalog alone, as those of psql's backslash commands do.

    Redshift's leader node runs such queries by itself, and is PostgreSQL to them:
    https://docs.aws.amazon.com/redshift/latest/dg/c_sql-functions-leader-node.html
    """
    after = [statement[at + 1].key for at, token in enumerate(statement[:-1])
             if token.key in ("FROM", "JOIN")]  # fmt: skip
    return bool(after) and all(key in ("PG_CATALOG", "(") for key in after)


def _not_supported(message: str) -> CopyError:
    return CopyError(message, code=NOT_SUPPORTED)


def _raise(error: CopyError) -> str:
    message = sql.quote_text(error.message)
    body = f"BEGIN RAISE EXCEPTION USING ERRCODE = '{error.code}', MESSAGE = {message}; END"
    return f"DO {sql.quote_text(body)}"
