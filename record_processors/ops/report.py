"""What an audit saw of one pipeline, in figures, and what is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from ..files.file_ledger import TableRows
from .chain import Chain
from .scratch import KEPT_OUT, LOADED, LOST, WAITING

MOST_OF_A_KIND = 1000  # that are kept in memory and told, each by itself

STATES = {LOADED: "loaded", WAITING: "waiting", KEPT_OUT: "kept out", LOST: "lost"}


class Finding(NamedTuple):
    """One thing that is wrong: of what kind, the object, a sentence, and what mends it, in order.

    The kinds: ``missing`` (files that a chain had are not in S3), ``overlap`` (a file covers what
    another one covers), ``stray`` (a file is none of its chain), ``began anew`` (a life began
    behind files, but at no checkpoint), ``lost`` (a file is in S3, and neither in the table nor
    announced nor a letter), ``letter`` (dead letters are neither put back, which the first command
    does, nor settled: the other one, once it says why), ``rows`` (the table has not the rows that
    the ledger says), ``twice`` (the ledger has a file more than once),
    ``not known`` (something could not be looked at).
    """

    kind: str
    object: str
    sentence: str
    commands: tuple[str, ...]


@dataclass
class Report:
    """Figures are of the hours that were asked about. A table's are None without one."""

    application: str
    place: str
    table: str | None = None  # the application that loads the files
    files: int = 0
    bytes: int = 0
    first_hour: datetime | None = None
    last_hour: datetime | None = None
    chains: list[Chain] = field(default_factory=list)
    is_to_the_end: bool = True  # whether the chains' ends are asked about
    compared: int = 0  # shards that have a lease
    ended: int = 0  # shards that are read to their end, which no checkpoint says
    without_files: int = 0  # shards that were read, and have no file, nor need have one
    at_checkpoint: int = 0  # shards whose last file ends where the lease's checkpoint is
    behind_checkpoint: int = 0  # files that a checkpoint has still to pass
    short_of_checkpoint: int = 0  # shards whose last file ends before it
    states: dict[int, int] = field(default_factory=dict)
    gone: int = 0  # files of the ledger that are older than all in S3
    redriven: int = 0  # files that redrive has written
    redriven_states: dict[int, int] = field(default_factory=dict)
    rows: TableRows | None = None
    rows_left_out: int = 0
    letters_of_rows: int = 0
    letters_of_records: int = 0
    notes: list[str] = field(default_factory=list)
    found: list[Finding] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)

    def add(self, found: Iterable[Finding]) -> None:
        """Take in what is wrong; of each kind only so many one by one."""
        for one in found:
            self.kinds[one.kind] += 1
            if self.kinds[one.kind] <= MOST_OF_A_KIND:
                self.found.append(one)
