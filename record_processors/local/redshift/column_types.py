"""Redshift's data types as PostgreSQL has them, with the lengths that Redshift implies.

https://docs.aws.amazon.com/redshift/latest/dg/c_Supported_data_types.html. A type that is not among
them is refused, though PostgreSQL has it.
"""

from __future__ import annotations

from record_processors.local.redshift.failures import NOT_SUPPORTED, CopyError, Unsupported
from record_processors.local.redshift.sql import Token, closing, join

_SAME = frozenset(
    """SMALLINT INT2 INTEGER INT INT4 BIGINT INT8 REAL FLOAT4 DOUBLE FLOAT8 FLOAT BOOLEAN BOOL
    DATE TIMESTAMP TIMESTAMPTZ TIME TIMETZ""".split()
)
_OTHERS = {
    "SUPER": "json",
    "TEXT": "varchar(256)",
    "BPCHAR": "char(256)",
    "VARBYTE": "bytea",
    "VARBINARY": "bytea",
    "BINARY": "bytea",
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
_ELSEWHERE = ("GEOMETRY", "GEOGRAPHY", "HLLSKETCH", "INTERVAL")
_MAXIMUM = {"varchar": 65535, "char": 4096}  # bytes, …/dg/r_Character_types.html
_PRECISION, _SCALE = 38, 37  # …/dg/r_Numeric_types201.html
_INVALID = "22023"


def column_type(column: str, tokens: list[Token]) -> tuple[str, list[Token]]:
    """Return a column's type for PostgreSQL, and what follows it in its definition.

    ``tokens`` begin with the type. Raises ``CopyError`` for a type that Redshift does not have.
    """
    word, rest = tokens[0], tokens[1:]
    if rest and (rest[0].key in ("[", "ARRAY")):
        raise _unsupported(column, f"{word.text}[]".lower())
    if word.key in _SAME:
        return word.text, rest
    if word.key in _OTHERS:
        rest = rest[1:] if rest and rest[0].key == "VARYING" else rest
        return _OTHERS[word.key], rest[closing(rest) + 1 :] if _opens(rest) else rest
    if word.key in _ELSEWHERE:
        raise Unsupported(f"type {word.key}")
    if word.key not in _SIZED:
        raise _unsupported(column, word.text.lower())
    kind, size = _SIZED[word.key]
    if rest and rest[0].key == "VARYING":
        kind, size, rest = "varchar", "256", rest[1:]
    if _opens(rest):
        close = closing(rest)
        size, rest = join(rest[1:close]), rest[close + 1 :]
        if rest and rest[0].key == "[":
            raise _unsupported(column, f"{kind}[]")
    return f"{kind}({_checked(kind, size)})", rest


def _checked(kind: str, size: str) -> str:
    if kind in _MAXIMUM:
        most = _MAXIMUM[kind]
        size = str(most) if size.upper() == "MAX" else size
        if size.isdecimal() and int(size) > most:
            raise CopyError(f"length for type {kind} cannot exceed {most}", code=_INVALID)
        return size
    precision, _, scale = (part.strip() for part in size.partition(","))
    if precision.isdecimal() and not 1 <= int(precision) <= _PRECISION:
        message = f"NUMERIC precision {precision} must be between 1 and {_PRECISION}"
        raise CopyError(message, code=_INVALID)
    if scale.isdecimal() and int(scale) > min(_SCALE, int(precision)):
        raise CopyError(f"NUMERIC scale {scale} must be between 0 and precision {precision}, and "
                        f"{_SCALE} at most", code=_INVALID)  # fmt: skip
    return size


def _opens(tokens: list[Token]) -> bool:
    return bool(tokens) and tokens[0].key == "("


def _unsupported(column: str, kind: str) -> CopyError:
    return CopyError(f'Column "{column}" has unsupported type "{kind}".', code=NOT_SUPPORTED)
