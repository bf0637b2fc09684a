"""JSON fields to delimited text, under the rule of Redshift's ESCAPE."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..config.component import Contradiction
from ..config.keys import THE_PIPELINE
from ..config.null_string import COPYS_OWN, NULL
from ..config.setting import Setting, Settings
from ..config.types import delimiter
from .fields import COLUMNS, FieldRows

DELIMITER = Setting(
    "transformerDelimiter",
    delimiter,
    "The character between the fields of delimited rows.",
    "|",
    section=THE_PIPELINE,
)


class Delimited(FieldRows):
    """Joins the named fields of a JSON object by a delimiter.

    A backslash goes before backslash, delimiter, newline and carriage return (ESCAPE in
    docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-conversion.html).
    """

    format = "delimited"
    declares = (*FieldRows.declares, DELIMITER)

    def __init__(self, columns: Sequence[str], delimiter: str, null: str = COPYS_OWN) -> None:
        super().__init__(columns, delimiter, null)
        self._escapes = str.maketrans({char: "\\" + char for char in ("\\", delimiter, "\n", "\r")})

    @classmethod
    def contradictions(cls, settings: Settings) -> Iterator[Contradiction]:
        """Refuse a null string that would be two fields."""
        if settings[DELIMITER] in settings[NULL]:
            yield NULL.key, f"transformerNull holds the delimiter {settings[DELIMITER]}"

    @classmethod
    def from_settings(cls, settings: Settings) -> Delimited:
        """Take the columns, the delimiter and the null string."""
        return cls(settings[COLUMNS], settings[DELIMITER], settings[NULL])

    def written(self, text: str) -> str:
        """Escape it."""
        return text.translate(self._escapes)
