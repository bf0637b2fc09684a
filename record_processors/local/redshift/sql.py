"""Tokens and statements of an SQL text, comments left out, literals and names kept whole."""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<space> \s+ | --[^\n]* | /\*.*?\*/ )
  | (?P<string> [eE]'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'
              | '[^']*(?:''[^']*)*'
              | \$(?P<tag>[A-Za-z_]*)\$.*?\$(?P=tag)\$ )
  | (?P<name> "[^"]*(?:""[^"]*)*" )
  | (?P<word> [^\W\d][\w$]* )
  | (?P<number> \d[\w.]* )
  | (?P<symbol> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_BACKSLASHED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


class Token(NamedTuple):
    """A token: its kind (word, name, string, number, symbol), its text, where it stands.

    ``key`` is what to compare with: a word in capitals, a symbol as it is, else empty, so
    that no literal and no quoted name is ever taken for a keyword.
    """

    kind: str
    text: str
    start: int
    end: int

    @property
    def key(self) -> str:
        """What to compare with keywords and symbols."""
        if self.kind == "word":
            return self.text.upper()
        return self.text if self.kind == "symbol" else ""


def tokens(sql: str) -> list[Token]:
    """Return the tokens of an SQL text."""
    return [
        Token(match.lastgroup or "", match[0], match.start(), match.end())
        for match in _TOKEN.finditer(sql)
        if match.lastgroup != "space"
    ]


def statements(found: list[Token]) -> list[list[Token]]:
    """Split tokens at the semicolons, which are left out; empty statements too."""
    result: list[list[Token]] = [[]]
    for token in found:
        if token.key == ";":
            result.append([])
        else:
            result[-1].append(token)
    return [statement for statement in result if statement]


def literal(token: Token) -> str:
    r"""Return the value of a string token: ``'it''s'``, ``E'a\tb'``, ``$$x$$``."""
    if token.text.startswith("$"):
        return token.text.split("$", 2)[2].rsplit("$", 2)[0]
    if token.text[0] in "eE":
        body = token.text[2:-1].replace("''", "'")
        return re.sub(r"\\(.)", lambda m: _BACKSLASHED.get(m[1], m[1]), body, flags=re.DOTALL)
    return token.text[1:-1].replace("''", "'")


def identifier(token: Token) -> str:
    """Return the name that a word (folded to lower case) or a quoted name stands for."""
    if token.kind == "name":
        return token.text[1:-1].replace('""', '"')
    return token.text.lower()


def quote_name(name: str) -> str:
    """Return a name as a quoted identifier."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(value: str) -> str:
    """Return a value as a string literal."""
    return "'" + value.replace("'", "''") + "'"


def find(found: list[Token], *keys: str) -> int:
    """Return where these keywords stand one after the other, -1 if nowhere."""
    present = [token.key for token in found]
    width = len(keys)
    wanted = list(keys)
    places = (at for at in range(len(present)) if present[at : at + width] == wanted)
    return next(places, -1)


def closing(found: list[Token]) -> int:
    """Return where the parenthesis that the tokens begin with is closed."""
    depth = 0
    for at, token in enumerate(found):
        depth += (token.key == "(") - (token.key == ")")
        if depth == 0:
            return at
    return len(found)


def join(found: list[Token]) -> str:
    """Put tokens together, with a blank where there was a gap."""
    text = ""
    for before, token in zip([None, *found], found, strict=False):
        gap = before is not None and before.end != token.start
        text += (" " if gap else "") + token.text
    return text
