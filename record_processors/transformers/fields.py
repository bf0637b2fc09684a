"""The settings of transformers that pick fields of a JSON object."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.keys import THE_PIPELINE
from ..config.setting import Setting
from ..config.types import delimiter, names

COLUMNS = Setting[Sequence[str]](
    "transformerColumns",
    names,
    "The fields of delimited and csv rows, in the table's order.",
    required=True,
    example="year, month, day, carrier, flight",
    section=THE_PIPELINE,
)
DELIMITER = Setting(
    "transformerDelimiter",
    delimiter,
    "The character between the fields of delimited rows.",
    "|",
    section=THE_PIPELINE,
)
