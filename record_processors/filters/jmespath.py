"""Records of which a JMESPath expression is true."""

from __future__ import annotations

from collections.abc import Iterator

import jmespath
import msgspec

from ..config.component import Contradiction
from ..config.setting import Settings
from ..errors import Rejected
from ..flow.filter import Filter
from ..flow.record import Record
from .expression import EXPRESSION, not_compiled


class JmesPath(Filter):
    """Keeps a JSON record if the expression gives something that JMESPath calls true.

    False are ``false``, ``null``, and the empty string, array and object (jmespath.org).
    """

    declares = (EXPRESSION,)

    def __init__(self, expression: str) -> None:
        self._compiled = jmespath.compile(expression)

    @classmethod
    def from_settings(cls, settings: Settings) -> JmesPath:
        """Take the expression."""
        return cls(settings[EXPRESSION])

    @classmethod
    def contradictions(cls, settings: Settings) -> Iterator[Contradiction]:
        """Refuse what is no expression."""
        yield from not_compiled(settings, "jmespath", jmespath.compile, ValueError)

    def keep(self, record: Record) -> bool:
        """Search the record; one that is not JSON is rejected."""
        try:
            found = self._compiled.search(msgspec.json.decode(record.data))
        except (TypeError, ArithmeticError, AttributeError) as error:
            # How jmespath fails on values that it cannot compare or convert.
            raise Rejected(f"{type(error).__name__}: {error}") from error
        return found is not None and found is not False and found not in ("", [], {})
