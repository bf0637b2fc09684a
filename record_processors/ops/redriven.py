"""The files that redrive has written: which there must be, and each once more from its batch.

A batch of records that are put back is one file, of an application of its own: see ``Carrier``.
What must be there, the batch says; and as nothing of it changes, it can be written again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from ..aws.layout import LAYOUT, REDRIVEN, file_key
from ..config.keys import APPLICATION_NAME
from ..config.registry import chosen
from ..config.setting import Settings
from ..files.compression import COMPRESSION
from ..files.formats import FORMATS
from ..flow.batch import Batch
from ..flow.letter import StoredLetter
from ..flow.transformer import Transformer
from .file_listing import FileListing
from .hours import Hours, hour_at
from .judge import Judge, Kind, record_of
from .letter_files import AT_ONCE, LetterFiles
from .load_proof import MissingFile
from .pipelines import chain_names
from .redrive_log import LettersBatch, RedriveLog
from .scratch import Scratch


class Redriven:
    """What the batches of one pipeline say of files."""

    def __init__(self, settings: Settings, listing: FileListing) -> None:
        self.settings = settings
        self.listing = listing
        self.log = RedriveLog(LetterFiles(settings))
        self.chain = chain_names(settings)

    def unfinished(self) -> Iterator[str]:
        """Yield where the batches are that are begun, and not done. Raises Fatal."""
        _, numbers = self.log.look()
        yield from (self.log.address(number) for number in numbers)

    def unwritten(self, scratch: Scratch, hours: Hours) -> Iterator[MissingFile]:
        """Yield a file for each batch that is done, and of which nobody knows one. Raises Fatal."""
        newest, unfinished = self.log.look()
        done = set(range(1, newest + 1)).difference(unfinished)
        lacking = [one for one in sorted(done) if not scratch.knows_of(self._folder(one))]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for start in range(0, len(lacking), AT_ONCE):
                some = lacking[start : start + AT_ONCE]
                for number, batch in zip(some, pool.map(self.log.read, some), strict=True):
                    if kept := self._kept(batch):
                        yield from self._file(number, batch, kept, hours)

    def write(self, number: int) -> None:
        """Write the file of a batch and deliver it. Raises Fatal.

        None of its other destinations gets a record again.
        """
        batch = self.log.read(number)
        kept = self._kept(batch)
        if not kept:
            return
        name = f"{self.settings[APPLICATION_NAME]}/{REDRIVEN}{number:07}"
        settings = self.settings.replacing({APPLICATION_NAME: name})
        judge = Judge(settings, Kind(True, batch.stream, batch.shard, self.chain))
        try:
            emitter = judge.pipeline.emitter
            emitter.emit(Batch(judge.kept(kept), record_of(batch.entries[-1].letter).position))
        finally:
            judge.close()

    def _kept(self, batch: LettersBatch) -> Sequence[StoredLetter]:
        """Return the letters whose records are in the file; none if there is no file."""
        if not batch.is_records or (batch.to and not set(self.chain).intersection(batch.to)):
            return ()
        return [entry.letter for entry in batch.entries if entry.verdict == "kept"]

    def _file(
        self, number: int, batch: LettersBatch, kept: Sequence[StoredLetter], hours: Hours
    ) -> Iterator[MissingFile]:
        first, last = record_of(kept[0]), record_of(batch.entries[-1].letter)
        place = (self.settings[LAYOUT], batch.shard, str(first.position), first.arrival)
        key = file_key(self._folder(number), *place, self._extension())
        if hours.holds(hour_at(first.arrival / 1000)):
            shard = f"{REDRIVEN}{number:07}/{batch.shard}"
            yield MissingFile(key, shard, first.position, last.position, "was put back by redrive")

    def _extension(self) -> str:
        transformer = chosen(self.settings.texts).transformer
        assert issubclass(transformer, Transformer)  # noqa: S101 - for the type
        return FORMATS[transformer.format].extension(self.settings[COMPRESSION])

    def _folder(self, number: int) -> str:
        return f"{self.listing.folder}{REDRIVEN}{number:07}/"
