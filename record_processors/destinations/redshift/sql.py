"""Names and constants in SQL."""

from __future__ import annotations

import re
from collections.abc import Sequence

PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_$]*")  # means the same with and without quotes


def quoted(name: str) -> str:
    """Quote ``[schema.]table`` or a column for SQL; a name without quotes folds to lower case."""
    return ".".join(f'"{part}"' for part in _parts(name))


def folded(name: str) -> str:
    """Write a name the one way that all its spellings have in common: quotes only if needed."""
    parts = _parts(name)
    return ".".join(part if PLAIN_NAME.fullmatch(part) else f'"{part}"' for part in parts)


def _parts(name: str) -> list[str]:
    parts = re.findall(r'"[^"]+"|[^."]+', name)
    return [part.strip('"') if part.startswith('"') else part.lower() for part in parts]


def quoted_list(columns: Sequence[str]) -> str:
    """Quote a column list with its parentheses; nothing for no columns."""
    return f" ({', '.join(quoted(column) for column in columns)})" if columns else ""


def literal(text: str) -> str:
    """Write a string constant for COPY, which takes no bound parameters."""
    escaped = text.replace("'", "''")
    return f"'{escaped}'"
