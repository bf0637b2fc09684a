"""Which keys of JSON rows COPY loads into no column: it leaves them out without a word."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import IO

import msgspec

from ...aws.bucket import Bucket
from ...aws.failures import Missing
from ...config.setting import Settings
from ...errors import Fatal
from ...files.compression import uncompressed
from ...files.file import File
from ...files.formats import members
from .catalog import columns_of
from .connection import Connection
from .events import UNMATCHED
from .settings import DATA_COLUMNS, DATA_FORMAT, DATA_TABLE, JSON_PATHS, UNMATCHED_FIELDS
from .sql import quoted

log = logging.getLogger(__name__)

MOST_SHOWN = 50  # keys in a sentence, and characters of a key
MOST_REPORTED = 1000  # keys: who makes up keys without end does not fill our memory

# The first step of a JSONPath: docs.aws.amazon.com/redshift/latest/dg/
# copy-usage_notes-copy-from-json.html
FIRST_STEP = re.compile(r"\$(?:\.([^.\[\]]+)|\['([^']+)'\])")

Takes = Callable[[str], bool]  # whether COPY loads a key into some column


class UnmatchedFields:
    """Compares the keys of files' first rows with what COPY looks for; reports each key once."""

    def __init__(self, settings: Settings, connection: Connection, bucket: Bucket) -> None:
        self.settings = settings
        self.connection = connection
        self.bucket = bucket
        self.table = settings[DATA_TABLE]
        self.refuses = settings[UNMATCHED_FIELDS] == "refuse"
        self.is_json = settings[DATA_FORMAT] == "json"
        self._takes: Takes | None = None
        self._reported: set[str] = set()

    def refusals(self, files: Iterable[File]) -> Mapping[File, str]:
        """Return which files are to be refused, and why; report what COPY will leave out.

        Raises Transient, Fatal, as it may look at the table.
        """
        told = {file: fields for file in files if (fields := self._fields_of(file))}
        found = self._unmatched(told)
        if self._is_news(found.values()):
            self._takes = None  # the table may have got a column meanwhile
            found = self._unmatched(told)
        if self.refuses:
            return {file: self._sentence(file, fields) for file, fields in found.items()}
        for file, fields in found.items():
            if self._is_news([fields]):
                said = UNMATCHED.of(url=file.url, table=self.table, fields=list(fields))
                log.warning("%s", self._sentence(file, fields), extra=said)
                self._reported.update(fields)
                if len(self._reported) > MOST_REPORTED:
                    log.warning("more keys than %s: no others are told of", f"{MOST_REPORTED:,}")
        return {}

    def _fields_of(self, file: File) -> Sequence[str]:
        """Return the keys of the first row, as the message says; what is refused must be known."""
        if not self.is_json or file.fields is not None or not self.refuses:
            return file.fields or ()
        if file.format not in {None, "json"}:
            return ()
        try:
            return tuple(members(self.bucket.read(file.url, partial(_first_line, file))))
        except (Missing, Fatal, ValueError, RecursionError) as error:
            log.info("%s is not compared with the table: %s", file.url, error)
            return ()

    def _is_news(self, found: Iterable[Sequence[str]]) -> bool:
        if len(self._reported) > MOST_REPORTED:
            return False
        return any(not self._reported.issuperset(fields) for fields in found)

    def _unmatched(self, told: Mapping[File, Sequence[str]]) -> dict[File, list[str]]:
        if told and self._takes is None:
            self._takes = self._what_copy_takes()
        if (takes := self._takes) is None:
            return {}
        left_out = {file: [name for name in told[file] if not takes(name)] for file in told}
        return {file: fields for file, fields in left_out.items() if fields}

    def _what_copy_takes(self) -> Takes | None:
        """Return what tells it; None if nothing does, just now."""
        paths = self.settings[JSON_PATHS]
        if paths == "noshred":
            return lambda _: True
        if paths.startswith("s3://"):
            return self._in_paths(paths)
        columns = self._columns()
        if paths == "auto":
            return columns.__contains__
        folded = {column.lower() for column in columns}
        return lambda field: field.lower() in folded

    def _columns(self) -> set[str]:
        """Return the columns that are loaded: of the list, or all of the table."""
        if listed := self.settings[DATA_COLUMNS]:
            return {quoted(name).strip('"') for name in listed}
        with self.connection.transaction() as cursor:
            return set(columns_of(cursor, quoted(self.table)))

    def _in_paths(self, url: str) -> Takes | None:
        try:
            document = msgspec.json.decode(
                self.bucket.read(url, lambda stream: stream.read()), type=dict[str, list[str]]
            )
            steps = [FIRST_STEP.match(path) for path in document["jsonpaths"]]
        except (Missing, Fatal, ValueError, LookupError) as error:
            # COPY reads it by another role than ours, and says what is wrong with it.
            log.info("%s is not compared with the keys of rows: %s", url, error)
            return None
        names = {step[1] or step[2] for step in steps if step}
        return names.__contains__ if all(steps) else lambda _: True

    def _sentence(self, file: File, fields: Sequence[str]) -> str:
        by_case = [field for field in fields if self._is_only_case(field)]
        remedies = []
        if by_case:
            remedies.append(f"redshiftJsonPaths = auto ignorecase takes {_few(by_case)}")
        if len(by_case) < len(fields):
            remedies.append(self._remedy())
        return (
            f"{file.url} has rows with {_few(fields)}, which COPY leaves out, as it finds no "
            f"column for it in {self.table} (redshiftUnmatchedFields): {'; '.join(remedies)}"
        )

    def _is_only_case(self, field: str) -> bool:
        is_exact = self.settings[JSON_PATHS] == "auto"
        return is_exact and self._takes is not None and self._takes(field.lower())

    def _remedy(self) -> str:
        if self.settings[JSON_PATHS].startswith("s3://"):
            return "a path in the file that redshiftJsonPaths names takes more"
        if self.settings[DATA_COLUMNS]:
            return "a column in redshiftDataColumns takes more"
        return (
            "a column of that name takes it (in small letters; of others with auto ignorecase), or "
            "redshiftJsonPaths = noshred the whole object"
        )


def _first_line(file: File, stream: IO[bytes]) -> bytes:
    with uncompressed(file.compression or "none", stream) as rows:
        return rows.readline()


def _few(fields: Sequence[str]) -> str:
    """Write some names so that they are one line, whatever they are: they are a stranger's."""
    shown = [
        msgspec.json.encode(field).decode()[1:-1][:MOST_SHOWN] for field in fields[:MOST_SHOWN]
    ]
    more = f" and {len(fields) - MOST_SHOWN} more" if len(fields) > MOST_SHOWN else ""
    return ", ".join(shown) + more
