"""Letters of loads, put back: files that were kept out as a whole, and rows that were left out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import groupby
from typing import IO

import msgspec

from ...aws.bucket import Bucket
from ...aws.failures import ConditionFailed, Missing
from ...aws.layout import dead_letters_folder, files_folder
from ...config.setting import Settings
from ...errors import Fatal
from ...files.compression import Compression, compressor
from ...files.file import File
from ...files.formats import FORMATS
from ...files.message import read_message
from ...flow.letter import LetterAgain, StoredLetter, report
from ...flow.own_letters import OPEN, OwnLetters, RefusedAgain, Standing
from .ledger import Ledger
from .loader import Loader
from .repair import DIGEST
from .row_letters import STAGE
from .settings import DATA_FORMAT

COMPRESSION: Compression = "gzip"
HAS_NULL_STRING = frozenset({"csv", "delimited"})  # formats in which a text stands for null
ASKED_AT_ONCE = 1000  # files whose rows of the ledger are read by one SELECT


class LoadLetters(OwnLetters):
    """Loads what was refused, by the destination's own loader: each file once, as the ledger says.

    A letter without ``file`` holds the message of a file. Those of rows become files again, one for
    each file that they were left out of. Their names are functions of these letters and of the
    ``applicationName``; they have no positions, so that they overlap none.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.bucket = Bucket.from_settings(settings)
        self.format = settings[DATA_FORMAT]
        self.folder = f"{files_folder(settings)}rows/"
        self.letters = dead_letters_folder(settings)
        self._files_in = lru_cache(self._read_manifest)

    @cached_property
    def loader(self) -> Loader:
        """What loads; it connects when it is used."""
        return Loader.from_settings(self.settings)

    def owns(self, letter: StoredLetter) -> bool:
        """Whether it is of a load."""
        return letter.stage == STAGE

    def standing(self, letters: Sequence[StoredLetter]) -> Sequence[Standing]:
        """Ask the ledger: a row counts if COPY has read ``repaired`` in place of its ``file``."""
        manifests = self._manifests({letter.file for letter in letters if letter.file})
        return [self._standing(letter, manifests) if letter.file else OPEN for letter in letters]

    def put_back(self, letters: Sequence[StoredLetter]) -> list[RefusedAgain]:
        """Load them; return the files that are refused. A row that is left out is a letter."""
        letters_of: dict[File, list[StoredLetter]] = {}
        for letter in letters:
            if not letter.file:
                file = read_message(letter.data, self.bucket.name)
                letters_of.setdefault(file, []).append(letter)
        rows = sorted((one for one in letters if one.file), key=_source)
        for _, of_one in groupby(rows, _source):
            same = list(of_one)
            letters_of[self._file_of(same)] = same
        return [_refused(letters_of[file], reason) for file, reason in self.loader.run(letters_of)]

    def write_again(self, refused: RefusedAgain) -> None:
        """Write the letter of a file, that of rows too, which are there as a file by now."""
        first = refused.letters[0]
        file = (
            self._file_of(refused.letters)
            if first.file
            else read_message(first.data, self.bucket.name)
        )
        self._write(file, first, refused.reason)

    def close(self) -> None:
        """End the connection."""
        if "loader" in vars(self):
            self.loader.close()

    def _standing(self, letter: StoredLetter, manifests: Mapping[str, str]) -> Standing:
        manifest = manifests.get(letter.file or "")
        if manifest is None:
            return Standing(
                "waits", f"{letter.file} is not in the ledger, so that it may not count"
            )
        if letter.repaired not in self._files_in(manifest):
            why = f"{letter.file} was loaded otherwise than without this row: it does not count"
            return Standing("void", why)
        if self.format in HAS_NULL_STRING and self._about(letter) is None:
            why = f"{letter.repaired} is gone, and with it what stands for null in the row"
            return Standing("waits", why)
        return OPEN

    def _manifests(self, urls: Iterable[str]) -> dict[str, str]:
        asked, found = sorted(urls), dict[str, str]()
        ledger, connection = Ledger.from_settings(self.settings), self.loader.load.connection

        def ask(some: Sequence[str]) -> dict[str, str]:
            with connection.rolled_back() as cursor:
                return ledger.manifests(cursor, some)

        for start in range(0, len(asked), ASKED_AT_ONCE):
            some = asked[start : start + ASKED_AT_ONCE]
            what = f"reading the ledger {ledger.table}"
            found |= self.loader.retry(what, lambda some=some: ask(some))  # type: ignore[misc]
        return found

    def _read_manifest(self, url: str) -> frozenset[str]:
        """Return what COPY read. Raises Fatal if that cannot be known."""

        def read(stream: IO[bytes]) -> frozenset[str]:
            return frozenset(
                entry["url"] for entry in msgspec.json.decode(stream.read())["entries"]
            )

        try:
            return self.bucket.read(url, read)
        except Missing as error:
            raise Fatal(f"{url}, the manifest of a load, is gone: restore it") from error

    def _about(self, letter: StoredLetter) -> Mapping[str, str] | None:
        """Return what is said of the file that a row was left out of; None if that is gone."""
        bucket, _, key = str(letter.repaired).removeprefix("s3://").partition("/")
        try:
            found: Mapping[str, str] = self.bucket.head(key, bucket).get("Metadata", {})
        except Missing:
            return None
        return found

    def _file_of(self, rows: Sequence[StoredLetter]) -> File:
        """Write the rows of one file as a file; it may be there already."""
        first = rows[0]
        lines = b"".join(row.data + b"\n" for row in sorted(rows, key=lambda row: row.line or 0))
        packed = compressor(COMPRESSION, lambda: len(lines))
        body = packed.compress(lines) + packed.flush()
        digest = hashlib.sha256("\n".join(_source(first)).encode()).hexdigest()[:DIGEST]
        null = (self._about(first) or {}).get("null") if self.format in HAS_NULL_STRING else None
        file = File(
            bucket=self.bucket.name,
            key=f"{self.folder}{digest}{FORMATS[self.format].extension(COMPRESSION)}",
            bytes=len(body),
            rows=len(rows),
            stream=first.stream,
            shard=first.shard,
            format=self.format,
            compression=COMPRESSION,
            null=null,
        )
        try:
            self.bucket.create(file.key, body, file.metadata)
        except ConditionFailed:  # perhaps compressed by another version
            size = self.bucket.head(file.key)["ContentLength"]
            file = msgspec.structs.replace(file, bytes=size)
        return file

    def _write(self, file: File, letter: StoredLetter, reason: str) -> None:
        digest = hashlib.sha256(file.url.encode()).hexdigest()[:DIGEST]
        key = f"{self.letters}file-{digest}.jsonl"
        again = LetterAgain(
            stream=letter.stream,
            shard=letter.shard,
            position=letter.position,
            arrival=letter.arrival,
            partition_key=letter.partition_key,
            data=file.encode(),
            stage=STAGE,
            reason=reason,
            first=letter.first or "",
        )
        self.bucket.put(key, again.encode())
        report(1, f"{STAGE}: {reason}", self.bucket.url(key))


def _refused(letters: Sequence[StoredLetter], reason: str) -> RefusedAgain:
    """Compare the reasons, of a file: it is the same one in each batch, and rows are not."""
    is_unchanged = all(not letter.file and letter.reason == reason for letter in letters)
    return RefusedAgain(letters, reason, is_unchanged)


def _source(letter: StoredLetter) -> tuple[str, str]:
    return str(letter.file), str(letter.repaired)
