"""What transformers have in common that join fields of a JSON object to a row of text."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from ..config.keys import THE_PIPELINE
from ..config.null_string import COPYS_OWN, NULL
from ..config.setting import Setting
from ..config.types import names
from ..errors import Rejected
from ..flow.record import Record
from ..flow.transformer import Transformer
from .json_object import as_lines, fields_reader, json_text
from .unseen_columns import UnseenColumns

COLUMNS = Setting[Sequence[str]](
    "transformerColumns",
    names,
    "The fields of delimited and csv rows, in the table's order.",
    required=True,
    example="year, month, day, carrier, flight",
    note="They are keys of the JSON object, whose case counts.",
    section=THE_PIPELINE,
)


class FieldRows(Transformer[bytes]):
    """Joins the named fields of a JSON object, in their order.

    Numbers keep their digits, objects and arrays are JSON text. Null or absent is the null string;
    a value that equals it is refused, since COPY would load null.
    """

    declares: ClassVar[Sequence[Setting[Any]]] = (COLUMNS, NULL)

    def __init__(
        self, columns: Sequence[str], separator: str, null: str, special: Sequence[str] = ()
    ) -> None:
        """Take what stands between the fields, and regexes of what else is not written as it is."""
        self._columns = columns
        self._fields = fields_reader(columns)
        self._separator = separator
        self._between = separator.encode()
        self.null = None if null == COPYS_OWN else null
        self._null = null
        self._null_line = null.encode() + b"\n"
        # One class of characters is much the quickest to search for; COPY's own null string has a
        # backslash.
        patterns = [rf"[\\\[{{{re.escape(separator)}]", *special]
        if null != COPYS_OWN:
            patterns.append(re.escape(null))
        self._needs_care = re.compile("|".join(patterns).encode()).search
        self._unseen = UnseenColumns(columns)

    def transform(self, record: Record) -> tuple[bytes]:
        """Return one row; reject what is not one JSON object in UTF-8, and the null string."""
        fields = self._fields(record.data)
        if self._unseen.columns:
            self._unseen.look(record.data, fields)
        lines = as_lines(fields)
        if self._needs_care(lines):
            return (self._separator.join(map(self._field, self._columns, fields)).encode(),)
        row = lines.replace(b"null\n", self._null_line).replace(b'"', b"")
        return (row[:-1].replace(b"\n", self._between),)

    def _field(self, name: str, raw: bytes | memoryview) -> str:
        text = json_text(raw)
        if text is None:
            return self._null
        if text == self._null:
            raise Rejected(
                f"{name} is {text}, which would be loaded as null: give transformerNull a text "
                "that is no value"
            )
        return self.written(text)

    @abstractmethod
    def written(self, text: str) -> str:
        """Write a value as it stands in a row."""
