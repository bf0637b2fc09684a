"""The text that stands for null in rows: a transformer writes it, and COPY is told of it."""

from __future__ import annotations

import re

from .keys import THE_PIPELINE
from .setting import Setting
from .types import ValueType

COPYS_OWN = r"\N"
"""What COPY takes for null unless NULL AS says another.

docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-conversion.html
"""

# ASCII that is seen, without quotes and comma, which a field of csv holds only in quotes; and
# without a backslash but that one, as nobody says how COPY reads others in NULL AS.
NULL_STRING = r"""\\N|[!#-&(-+\--\[\]-~]{1,100}"""

SAYS = r"\N or 1 to 100 ASCII characters without blank, quote, comma or backslash"


def _read(value: str) -> str:
    if not re.fullmatch(NULL_STRING, value):
        raise ValueError(rf"not {SAYS}; \N is written \\N")
    return value


NULL = Setting(
    "transformerNull",
    ValueType(SAYS, _read),
    "The text that stands for null, or for an absent field, in delimited and csv rows.",
    COPYS_OWN,
    note="A value that equals it is a dead letter, as it would be loaded as null.",
    section=THE_PIPELINE,
)
