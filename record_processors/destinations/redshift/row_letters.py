"""Letters of rows that were left out of their files: each with the row's own bytes."""

from __future__ import annotations

from collections.abc import Mapping

from ...aws.bucket import Bucket
from ...aws.layout import dead_letters_folder
from ...config.setting import Settings
from ...files.file import File
from ...flow.letter import Letter
from .repair import LeftOutRow, Repaired

STAGE = "load"  # of all that a load refuses: rows, and files as a whole
AS_IT_IS = frozenset({"json"})  # formats whose rows are as good as the records they were made of


class RowLetter(Letter, frozen=True, kw_only=True, rename="camel"):
    """A letter of one row. ``stream`` and ``shard`` are those that its file is of.

    It counts if the ledger has ``file`` with ``rows_left_out``, and COPY's manifest there lists
    ``repaired``: what a load has left out that was not committed, is loaded, or left out, by
    another. ``file`` and ``line`` together occur once.
    """

    file: str
    line: int
    column: str
    repaired: str
    remedy: str


class RowLetters:
    """Writes the letters of a load, a file of them for each repaired file."""

    def __init__(self, settings: Settings, bucket: Bucket) -> None:
        self.bucket = bucket
        self.folder = dead_letters_folder(settings)

    def write(self, repaired: Mapping[File, Repaired]) -> list[tuple[int, str, str]]:
        """Make them durable; return of each file how many, the first's reason, and where.

        The keys are functions of the file and of what is left of it, so that the same letters are
        written again, and others beside them. Raises Transient, Fatal.
        """
        kept = []
        for file, rest in repaired.items():
            key = f"{self.folder}{rest.name}.jsonl"
            lines = [_letter(file, rest, row).encode() for row in rest.left_out]
            self.bucket.put(key, b"".join(lines))
            first = f"{STAGE}: {_reason(file, rest.left_out[0])}"
            kept.append((len(lines), first, self.bucket.url(key)))
        return kept


def _letter(file: File, rest: Repaired, row: LeftOutRow) -> RowLetter:
    return RowLetter(
        stream=file.stream,
        shard=file.shard,
        # Rows are in the order of their records, and the first record has one at least.
        position=file.first if row.is_first else None,
        data=row.data,
        stage=STAGE,
        reason=_reason(file, row),
        file=file.url,
        line=row.complaint.line,
        column=row.complaint.column,
        repaired=rest.file.url,
        remedy=_remedy(file),
    )


def _reason(file: File, row: LeftOutRow) -> str:
    return f"{file.url}, {row.complaint}"


def _remedy(file: File) -> str:
    """Say what brings a row back, one or the other; to announce its file again does not."""
    stream = f"the stream {file.stream}" if file.stream else "the stream that it came from"
    what = "the row" if file.format in AS_IT_IS else "the record that it was made of"
    by_hand = f"mend {what} and put it on {stream}, as a record of its own: once"
    return f"{by_hand}; or mend the table, and `kinesis-connectors redrive` loads the row"
