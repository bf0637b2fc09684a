"""Files into what PostgreSQL's COPY reads, without the rows that cannot be loaded.

"If the load returns the error_count number of errors or greater, the load fails. If the load
returns fewer errors, it continues":
https://docs.aws.amazon.com/redshift/latest/dg/copy-parameters-data-load.html (MAXERROR, NOLOAD)

An error is one row's. A row ends where its format says, so that text which is no row hides nothing
but itself, as long as its end can be known: of a JSON value whose brackets do not close, and of a
CSV row whose quotes do not, all the rest of the file is part.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from record_processors.local.redshift.failures import BadRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from record_processors.local.redshift.copy_statement import CopyStatement
    from record_processors.local.redshift.encoder import Encoder
    from record_processors.local.redshift.progress import Progress
    from record_processors.local.redshift.sources import Readable
    from record_processors.local.redshift.trial import Trial

# Of an encoded file: few enough that a cancel is soon noticed, even if none can be loaded.
_ROWS = 2000


class Sieve:
    """Reads the files of one COPY; counts the rows that it leaves out over all of them."""

    def __init__(self, copy: CopyStatement, encoder: Encoder, trial: Trial) -> None:
        self._encoder = encoder
        self._trial = trial
        self._loads = not copy.no_load
        self._left = copy.limit

    def blocks(self, stream: Readable, progress: Progress) -> Iterator[bytes]:
        """Yield encoded rows; blocks are empty if the COPY is to load nothing.

        Notes the rows that it leaves out. ``BadRow`` is the one by which the limit is reached: as
        in an ordinary COPY it is the row after the last that ``progress`` has as read.
        """
        for rows in self._encoder.outcomes(stream, _ROWS):
            lines = self._sift(rows, progress)
            progress.rows += len(rows)
            yield b"\n".join([*lines, b""]) if lines and self._loads else b""

    def _sift(self, rows: list[bytes | BadRow], progress: Progress) -> list[bytes]:
        """Return the rows that can be loaded."""
        problems = self._problems(rows)
        for at, problem in problems[: self._left]:
            self._left -= 1
            if self._left == 0:
                progress.rows += at
                raise problem
            progress.left_out.append((progress.rows + at + 1, problem))
        bad = {at for at, _ in problems}
        return [row for at, row in enumerate(rows) if isinstance(row, bytes) and at not in bad]

    def _problems(self, rows: list[bytes | BadRow]) -> list[tuple[int, BadRow]]:
        """Return the places and problems of what cannot be loaded, in the rows' order.

        After the last row by which the limit can be reached there may be more.
        """
        problems = [(at, row) for at, row in enumerate(rows) if isinstance(row, BadRow)]
        places = [at for at, row in enumerate(rows) if isinstance(row, bytes)]
        lines = [row for row in rows if isinstance(row, bytes)]
        refused = self._trial.refused(lines, self._left)
        problems += [(places[place], problem) for place, problem in refused]
        return sorted(problems, key=lambda problem: problem[0])
