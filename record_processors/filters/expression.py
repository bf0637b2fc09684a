"""What filters have in common that look for an expression."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar

from ..config.component import Contradiction
from ..config.keys import THE_PIPELINE
from ..config.setting import Setting, Settings
from ..config.types import text
from ..errors import one_line
from ..flow.filter import Filter

EXPRESSION = Setting(
    "filterExpression",
    text,
    "What jmespath or regex must find.",
    required=True,
    example="carrier == 'UA'",
    note=r"A backslash is written twice, as Java reads this file: \\d+. jmespath: a text is "
    "neither more nor less than a number (to_number(n) > `6` compares them); a function of an "
    "absent field is an error, and the record a dead letter, unless the field is asked for first: "
    "name && starts_with(name, 'x').",
    section=THE_PIPELINE,
    may_resemble_a_secret=True,  # as it looks for them
)


class ExpressionFilter(Filter):
    """Keeps a record of which an expression is true."""

    declares = (EXPRESSION,)

    language: ClassVar[str]
    """What the expression is written in."""

    invalid: ClassVar[type[Exception]]
    """What ``__init__`` raises for what is no expression."""

    @abstractmethod
    def __init__(self, expression: str) -> None: ...

    @classmethod
    def from_settings(cls, settings: Settings) -> ExpressionFilter:
        """Take the expression."""
        return cls(settings[EXPRESSION])

    @classmethod
    def contradictions(cls, settings: Settings) -> Iterator[Contradiction]:
        """Refuse what is no expression."""
        expression = settings[EXPRESSION]
        try:
            cls(expression)
        except cls.invalid as error:
            reason = f"not {cls.language}: {one_line(error)}"
            yield EXPRESSION.key, f"{EXPRESSION.key} = {expression}: {reason}"
