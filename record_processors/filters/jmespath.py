"""Records of which a JMESPath expression is true."""

from __future__ import annotations

import jmespath
import msgspec

from ..errors import Rejected
from ..flow.record import Record
from .expression import ExpressionFilter


class JmesPath(ExpressionFilter):
    """Keeps a JSON record if the expression gives something that JMESPath calls true.

    False are ``false``, ``null``, and the empty string, array and object (jmespath.org).
    """

    language, invalid = "jmespath", ValueError

    def __init__(self, expression: str) -> None:
        self._compiled = jmespath.compile(expression)

    def keep(self, record: Record) -> bool:
        """Search the record; one that is not JSON is rejected."""
        try:
            found = self._compiled.search(msgspec.json.decode(record.data))
        except (TypeError, ArithmeticError, AttributeError) as error:
            # How jmespath fails on values that it cannot compare or convert.
            raise Rejected(f"{type(error).__name__}: {error}") from error
        return found is not None and found is not False and found not in ("", [], {})
