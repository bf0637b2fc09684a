"""CREATE TABLE of Redshift as PostgreSQL understands it.

Keys go, since Redshift does not enforce them and PostgreSQL would, hiding a missing lock;
so do distribution, sort order and encoding. Types get the lengths that Redshift implies.
https://docs.aws.amazon.com/redshift/latest/dg/r_CREATE_TABLE_NEW.html

Redshift has no indexes, yet reads few blocks of a large table: it sorts rows by the sort key, and
knows the least and greatest value of each column in each block of 1 MB
(https://docs.aws.amazon.com/redshift/latest/dg/t_Sorting_data.html). Indexes stand for that, which
enforce nothing: of the sort key for the order, and once more as BRIN, which is just such least and
greatest values by the megabyte; of the primary key, as keys mostly grow with time, so that few
blocks may hold one. (PostgreSQL's limit for a row of an index is some 2,700 bytes.)
"""

from __future__ import annotations

from record_processors.local.redshift.sql import Token, find, identifier, quote_name, quote_text

_TYPES = {
    "SUPER": "json",
    "TEXT": "varchar(256)",
    "BPCHAR": "char(256)",
    "VARBYTE": "bytea",
    "VARBINARY": "bytea",
}
# With a length of their own, else with this one.
_SIZED = {
    "VARCHAR": ("varchar", "256"),
    "NVARCHAR": ("varchar", "256"),
    "CHAR": ("char", "1"),
    "CHARACTER": ("char", "1"),
    "NCHAR": ("char", "1"),
    "DECIMAL": ("numeric", "18, 0"),
    "NUMERIC": ("numeric", "18, 0"),
}
_MAXIMUM = {"varchar": "65535", "char": "4096"}
_KEYS = ("PRIMARY", "UNIQUE", "FOREIGN", "CONSTRAINT")


def rewrite_create_table(tokens: list[Token]) -> str:
    """Return the statement for PostgreSQL; it begins with CREATE and goes to its end."""
    opening = next((at for at, token in enumerate(tokens) if token.key in ("(", "AS")), None)
    if opening is None:
        return _join(tokens)
    head, rest = tokens[:opening], tokens[opening:]
    # CREATE TABLE x DISTKEY (a) AS …: the first parenthesis is not the columns'.
    if rest[0].key == "AS" or _is_attribute(head[-1]):
        return _join(_without_attributes(tokens))
    close = _closing(rest)
    elements = [_element(element) for element in _split(rest[1:close])]
    columns = ", ".join(filter(None, elements))
    return f"{_join(head)} ({columns}) {_join(_without_attributes(rest[close + 1 :]))}"


def index_statements(tokens: list[Token]) -> list[str]:
    """Return what makes a table's indexes, after its CREATE TABLE; none for CREATE TABLE … AS.

    Each is a DO, which Redshift does not know, so that its answer can be kept from the client. An
    index that cannot be made fails nothing: IF NOT EXISTS may have found another table.
    """
    opening = next((at for at, token in enumerate(tokens) if token.key in ("(", "AS")), None)
    if opening is None or tokens[opening].key == "AS" or _is_attribute(tokens[opening - 1]):
        return []
    head, name = tokens[:opening], identifier(tokens[opening - 1])
    schema = _join(head[-3:-1]) if head[-2].key == "." else ""
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
    return _join(tokens[at + 1 : at + _closing(tokens[at:])]) if at >= len(words) else ""


def _is_attribute(token: Token) -> bool:
    return token.key in ("DISTKEY", "SORTKEY")


def _element(tokens: list[Token]) -> str:
    """Rewrite a column or a table constraint; a key becomes nothing."""
    first = tokens[0].key
    if first in _KEYS or first in ("DISTKEY", "SORTKEY"):
        return ""
    if first == "LIKE" or len(tokens) < 2:
        return _join(tokens)
    name, kind, rest = _type(tokens)
    return f"{name} {kind} {_join(_without_attributes(rest))}"


def _type(tokens: list[Token]) -> tuple[str, str, list[Token]]:
    """Return a column's name, its type for PostgreSQL, and what follows."""
    name, word, rest = tokens[0].text, tokens[1], tokens[2:]
    if word.key in _TYPES:
        return name, _TYPES[word.key], _after_parenthesis(rest)
    if word.key not in _SIZED:
        return name, word.text, rest
    kind, size = _SIZED[word.key]
    if rest and rest[0].key == "VARYING":
        kind, size, rest = "varchar", "256", rest[1:]
    if rest and rest[0].key == "(":
        close = _closing(rest)
        size, rest = _join(rest[1:close]), rest[close + 1 :]
    return name, f"{kind}({_MAXIMUM[kind] if size.upper() == 'MAX' else size})", rest


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
        elif key == "IDENTITY" and len(taken) > 5:
            start, _, step = taken[2:5]
            text = f"GENERATED BY DEFAULT AS IDENTITY (START {start.text} INCREMENT {step.text})"
            kept, rest = [*kept, taken[0]._replace(text=text)], _after_parenthesis(rest)
        elif key == "AS":  # CREATE TABLE … AS: the query is not ours
            return [*kept, *taken]
        elif key not in ("UNIQUE", "COMPOUND", "INTERLEAVED"):
            kept.append(taken[0])
    return kept


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


def _closing(tokens: list[Token]) -> int:
    """Return where the parenthesis that ``tokens`` begins with is closed."""
    depth = 0
    for at, token in enumerate(tokens):
        depth += (token.key == "(") - (token.key == ")")
        if depth == 0:
            return at
    return len(tokens)


def _after_parenthesis(tokens: list[Token]) -> list[Token]:
    return tokens[_closing(tokens) + 1 :] if tokens and tokens[0].key == "(" else tokens


def _join(tokens: list[Token]) -> str:
    """Put tokens together, with a blank where there was a gap."""
    text = ""
    for before, token in zip([None, *tokens], tokens, strict=False):
        gap = before is not None and before.end != token.start
        text += (" " if gap else "") + token.text
    return text
