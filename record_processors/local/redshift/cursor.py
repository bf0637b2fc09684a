"""A place in a statement's tokens, and what may come next."""

from __future__ import annotations

from record_processors.local.redshift.failures import SYNTAX_ERROR, CopyError, syntax_error
from record_processors.local.redshift.sql import Token, literal


class Cursor:
    """Goes through tokens from the first to the last; what is not expected is a syntax error."""

    def __init__(self, tokens: list[Token]) -> None:
        self.rest = tokens[::-1]

    def peek(self) -> str:
        """Return the key of the next token, empty at the end."""
        return self.rest[-1].key if self.rest else ""

    def take(self) -> Token:
        """Return the next token and go on."""
        if not self.rest:
            raise CopyError("syntax error at end of input", code=SYNTAX_ERROR)
        return self.rest.pop()

    def skip(self, key: str) -> bool:
        """Go on if this is the next key; return whether it was."""
        return self.peek() == key and bool(self.take())

    def expect(self, key: str) -> None:
        """Go on if this is the next key; else it is a syntax error."""
        token = self.take()
        if token.key != key:
            raise syntax_error(token.text)

    def name(self) -> Token:
        """Take a word or a quoted name."""
        token = self.take()
        if token.kind not in ("word", "name"):
            raise syntax_error(token.text)
        return token

    def text(self) -> str:
        """Take a string and return its value."""
        token = self.take()
        if token.kind != "string":
            raise syntax_error(token.text)
        return literal(token)

    def number(self) -> int:
        """Take a whole number."""
        token = self.take()
        if not token.text.isdecimal():
            raise syntax_error(token.text)
        return int(token.text)
