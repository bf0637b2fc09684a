"""A COPY that loads nothing: it shows every row that would be refused, all at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...files.file import File
from .copy import MOST_ERRORS, looking_for
from .errors import LoadFailed
from .fault import BadRows, Fault, by_file
from .load import Load
from .repair import Repaired
from .sources import Sources
from .timeouts import COPY_MILLISECONDS


class DryRun:
    """Finds rows that COPY refuses. The ledger is not locked: other loaders go on meanwhile."""

    def __init__(self, load: Load) -> None:
        self.load = load

    def run(self, files: Sequence[File], repaired: Mapping[File, Repaired], most: int) -> Fault:
        """Return all bad rows of files; ``is_cut_short`` if one file has more than ``most``.

        If it is not because of rows that the files cannot be loaded, return what it is. Raises
        Transient, Fatal.
        """
        sources = Sources(files, repaired)
        bearable = most * len(files)  # with more, one of them has too many
        failure = ""
        connection = self.load.connection
        try:
            with connection.rolled_back() as cursor:
                cursor.execute(f"SET LOCAL statement_timeout TO {COPY_MILLISECONDS}")
                self.load.copy_files(cursor, sources.files, looking_for(bearable))
        except LoadFailed as error:
            failure = str(error)
        details = connection.load_errors()
        if failure and len(details) <= min(bearable, MOST_ERRORS - 1):
            return self.load.fault(sources, failure, [])
        complaints = by_file(sources.files, details)
        return sources.of_originals(BadRows(sources.files, complaints, is_cut_short=bool(failure)))
