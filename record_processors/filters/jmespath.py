"""Records of which a JMESPath expression is true."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import jmespath
import msgspec
from jmespath.visitor import TreeInterpreter

from ..errors import Rejected
from ..flow.record import Record
from .expression import ExpressionFilter


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool | None]:
    """Make null of an order of unlike types, as jmespath.org/specification.html has it."""

    def ordered(left: object, right: object) -> bool | None:
        try:
            return compare(left, right)
        except TypeError:
            return None

    return ordered


class _Interpreter(TreeInterpreter):  # type: ignore[misc]
    """Orders texts too, as the library does, but raises no error for a text and a number."""

    COMPARATOR_FUNC = {  # noqa: RUF012 - the library's
        **TreeInterpreter.COMPARATOR_FUNC,
        "lt": _ordered(operator.lt),
        "lte": _ordered(operator.le),
        "gt": _ordered(operator.gt),
        "gte": _ordered(operator.ge),
    }


class JmesPath(ExpressionFilter):
    """Keeps a JSON record if the expression gives something that JMESPath calls true.

    False are ``false``, ``null``, and the empty string, array and object (jmespath.org). A function
    of what it does not take, an absent field say, is an error: the record is rejected.
    """

    language, invalid = "jmespath", ValueError

    def __init__(self, expression: str) -> None:
        self._expression = jmespath.compile(expression).parsed
        self._visit = _Interpreter().visit

    def keep(self, record: Record) -> bool:
        """Search the record; one that is not JSON is rejected."""
        return self.holds(msgspec.json.decode(record.data))

    def holds(self, value: object) -> bool:
        """Search what was decoded. Raises Rejected."""
        try:
            found = self._visit(self._expression, value)
        except (TypeError, ArithmeticError, AttributeError) as error:
            # How jmespath fails on values that it cannot convert.
            raise Rejected(f"{type(error).__name__}: {error}") from error
        return found is not None and found is not False and found not in ("", [], {})
