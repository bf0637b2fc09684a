"""The setting of filters that look for something."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..config.component import Contradiction
from ..config.keys import THE_PIPELINE
from ..config.setting import Setting, Settings
from ..config.types import text
from ..errors import one_line

EXPRESSION = Setting(
    "filterExpression",
    text,
    "What jmespath or regex must find.",
    required=True,
    example="carrier == 'UA'",
    section=THE_PIPELINE,
    may_resemble_a_secret=True,  # as it looks for them
)


def not_compiled(
    settings: Settings, language: str, compile_: Callable[[str], object], *errors: type[Exception]
) -> Iterator[Contradiction]:
    """Yield what is wrong with the expression: one of ``errors`` of ``compile_``."""
    expression = settings[EXPRESSION]
    try:
        compile_(expression)
    except errors as error:
        reason = f"not {language}: {one_line(error)}"
        yield EXPRESSION.key, f"{EXPRESSION.key} = {expression}: {reason}"
