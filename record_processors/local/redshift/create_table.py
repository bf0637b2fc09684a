"""CREATE TABLE of Redshift as PostgreSQL understands it.

Keys go, since Redshift does not enforce them and PostgreSQL would, hiding a missing lock;
so do distribution, sort order and encoding. ``column_types`` knows the types.
https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html

Redshift has no indexes, yet reads few blocks of a large table: it sorts rows by the sort key, and
knows the least and greatest value of each column in each block of 1 MB
(https://docs.aws.amazon.com/redshift/latest/dg/t_Sorting_data.html). Indexes stand for that, which
enforce nothing: of the sort key for the order, and once more as BRIN, which is just such least and
greatest values by the megabyte; of the primary key, as keys mostly grow with time, so that few
blocks may hold one. (PostgreSQL's limit for a row of an index is some 2,700 bytes.)
"""

from __future__ import annotations

from record_processors.local.redshift.column_types import column_type
from record_processors.local.redshift.failures import (
    NOT_SUPPORTED,
    CopyError,
    Unsupported,
    syntax_error,
)
from record_processors.local.redshift.sql import (
    Token,
    closing,
    find,
    identifier,
    join,
    quote_name,
    quote_text,
)

_KEYS = ("PRIMARY", "UNIQUE", "FOREIGN", "CONSTRAINT")
_BY_DEFAULT = ("GENERATED", "BY", "DEFAULT", "AS", "IDENTITY")


def rewrite_create_table(tokens: list[Token]) -> str:
    """Return the statement for PostgreSQL; it begins with CREATE and goes to its end."""
    opening = next((at for at, token in enumerate(tokens) if token.key in ("(", "AS")), None)
    if opening is None:
        return join(tokens)
    head, rest = tokens[:opening], tokens[opening:]
    # CREATE TABLE x DISTKEY (a) AS …: the first parenthesis is not the columns'.
    if rest[0].key == "AS" or _is_attribute(head[-1]):
        return join(_without_attributes(tokens))
    close = closing(rest)
    table = identifier(head[-1])
    elements = [_element(table, element) for element in _split(rest[1:close])]
    columns = ", ".join(filter(None, elements))
    return f"{join(head)} ({columns}) {join(_without_attributes(rest[close + 1 :]))}"


def index_statements(tokens: list[Token]) -> list[str]:
    """Return what makes a table's indexes, after its CREATE TABLE; none for CREATE TABLE … AS.

    Each is a DO, which Redshift does not know, so that its answer can be kept from the client. An
    index that cannot be made fails nothing: IF NOT EXISTS may have found another table.
    """
    opening = next((at for at, token in enumerate(tokens) if token.key in ("(", "AS")), None)
    if opening is None or tokens[opening].key == "AS" or _is_attribute(tokens[opening - 1]):
        return []
    head, name = tokens[:opening], identifier(tokens[opening - 1])
    schema = join(head[-3:-1]) if head[-2].key == "." else ""
    sort_key, primary_key = _key(tokens, "SORTKEY"), _key(tokens, "PRIMARY", "KEY")
    wanted = [(f"{name}_key", f"({primary_key})")] if primary_key else []
    if sort_key:
        wanted.append((f"{name}_order", f"({sort_key})"))
        wanted.append((f"{name}_blocks", f"USING brin ({sort_key}) WITH (autosummarize = on)"))
    return [
        _do(
            f"IF to_regclass({quote_text(schema + quote_name(index))}) IS NULL THEN "
            f"CREATE INDEX {quote_name(index)} ON {schema}{tokens[opening - 1].text} {what}; END IF"
        )
        for index, what in wanted
    ]


def _do(statement: str) -> str:
    return "DO " + quote_text(f"BEGIN {statement}; EXCEPTION WHEN OTHERS THEN NULL; END")


def _key(tokens: list[Token], *words: str) -> str:
    """Return the columns that stand in parentheses after these words, if they do."""
    at = find(tokens, *words, "(") + len(words)
    return join(tokens[at + 1 : at + closing(tokens[at:])]) if at >= len(words) else ""


def _is_attribute(token: Token) -> bool:
    return token.key in ("DISTKEY", "SORTKEY")


def rewrite_add_column(tokens: list[Token]) -> str | None:
    """Return an ALTER TABLE … ADD COLUMN for PostgreSQL, None for any other ALTER TABLE."""
    at = next((i + 1 for i, token in enumerate(tokens) if token.key == "ADD"), len(tokens))
    at += at < len(tokens) and tokens[at].key == "COLUMN"
    if tokens[1].key != "TABLE" or at + 1 >= len(tokens) or tokens[at].key in (*_KEYS, "CHECK"):
        return None
    if any(token.key == "IDENTITY" for token in tokens[at:]):
        raise CopyError("ALTER TABLE ADD COLUMN does not support columns with type IDENTITY",
                        code=NOT_SUPPORTED)  # fmt: skip
    return f"{join(tokens[:at])} {_element(join(tokens[2:3]), tokens[at:])}"


def _element(table: str, tokens: list[Token]) -> str:
    """Rewrite a column or a table constraint; a key becomes nothing."""
    first = tokens[0].key
    if first in _KEYS or first in ("DISTKEY", "SORTKEY"):
        return ""
    if first == "LIKE" or len(tokens) < 2:
        return join(tokens)
    kind, rest = column_type(f"{table}.{identifier(tokens[0])}", tokens[1:])
    return f"{tokens[0].text} {kind} {join(_without_attributes(rest))}"


def _without_attributes(tokens: list[Token]) -> list[Token]:
    """Drop what Redshift adds to a column or a table; PRIMARY KEY leaves NOT NULL."""
    kept: list[Token] = []
    rest = tokens
    while rest:
        key, rest = rest[0].key, (taken := rest)[1:]
        if key in ("DISTKEY", "SORTKEY"):
            rest = rest[1:] if rest and rest[0].key == "AUTO" else _after_parenthesis(rest)
        elif key in ("ENCODE", "DISTSTYLE", "BACKUP"):
            rest = rest[1:]
        elif key == "REFERENCES":
            rest = _after_parenthesis(
                rest[3:] if len(rest) > 1 and rest[1].key == "." else rest[1:]
            )
        elif key == "PRIMARY":
            rest = rest[1:]
            kept += [taken[0]._replace(text="NOT NULL")]
        elif key in ("GENERATED", "IDENTITY"):
            text, rest = _identity(taken)
            kept.append(taken[0]._replace(text=text))
        elif key == "COLLATE":
            if not rest or rest[0].key != "CASE_SENSITIVE":  # which is what columns are
                raise Unsupported(f"COLLATE {join(rest[:1])}")
            rest = rest[1:]
        elif key == "AS":  # CREATE TABLE … AS: the query is not ours
            return [*kept, *taken]
        elif key not in ("UNIQUE", "COMPOUND", "INTERLEAVED"):
            kept.append(taken[0])
    return kept


def _identity(tokens: list[Token]) -> tuple[str, list[Token]]:
    """Return an IDENTITY (seed, step) for PostgreSQL, and what follows it.

    GENERATED BY DEFAULT AS IDENTITY takes values as well; IDENTITY does from a COPY alone.
    """
    by_default = find(tokens, *_BY_DEFAULT) == 0
    rest = tokens[len(_BY_DEFAULT) if by_default else 1 :]
    numbers = _split(rest[1 : closing(rest)]) if rest and rest[0].key == "(" else []
    if len(numbers) != 2:
        raise syntax_error(tokens[0].text)
    seed, step = map(join, numbers)
    bound = "MAXVALUE" if step.startswith("-") else "MINVALUE"
    made = "BY DEFAULT" if by_default else "ALWAYS"
    text = f"GENERATED {made} AS IDENTITY (START {seed} INCREMENT {step} {bound} {seed})"
    return text, _after_parenthesis(rest)


def _split(tokens: list[Token]) -> list[list[Token]]:
    """Split at the commas that lie in no parenthesis."""
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token.key == "(") - (token.key == ")")
        if token.key == "," and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    return [part for part in parts if part]


def _after_parenthesis(tokens: list[Token]) -> list[Token]:
    return tokens[closing(tokens) + 1 :] if tokens and tokens[0].key == "(" else tokens
