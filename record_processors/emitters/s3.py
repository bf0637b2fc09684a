"""S3 files, one for each batch, each a link of its shard's chain."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Protocol

from ..aws import AlreadyExists, Denied, Missing
from ..bucket import Bucket
from ..buffer import Batch
from ..errors import Fatal
from ..manifest import EXTENSIONS, File
from ..places import files_folder
from ..record import Position, Record
from ..settings import APPLICATION_NAME, COMPRESSION, STREAM_NAME, Settings
from ..transformers import configured_transformer
from . import Emitter

log = logging.getLogger(__name__)

BLOCK = 1000  # records that are joined and compressed at once

# A record of 300 bytes costs ISA-L 0.4 µs at level 1, and 1.0 at its highest. zlib takes 4 to 6 at
# level 6, for files that are smaller: JSON by 30 %, delimited rows by 13 %. So does zstd, for 0.5.
GZIP, GZIP_LEVEL = 31, 1  # 31: with the header and the trailer of a gzip file
ZSTD_LEVEL = 1

FORMAT_EXTENSIONS = {"json": ".json", "csv": ".csv"}


class S3Emitter(Emitter[bytes]):
    r"""Writes each batch as one object, rows ended by ``\n``.

    The key derives from the first record kept, never from the clock or from where the batch ends.
    It is written only if it is not there. If it is, an earlier life of this process or another
    process wrote it: it stands, and its metadata say through which position it covers the shard.
    The next object begins with the first record kept after that, whoever writes it: so all
    processes that ever own the shard, and zombies that believe they do, write one chain.
    """

    def __init__(
        self,
        bucket: Bucket,
        folder: str,
        application: str,
        stream: str,
        format: str,  # noqa: A002 - the word of the contract
        compression: str,
    ) -> None:
        self.bucket = bucket
        self.folder = folder
        self.application = application
        self.stream = stream
        self.format = format
        self.compression = compression

    @classmethod
    def from_settings(cls, settings: Settings) -> S3Emitter:
        """Take bucket, prefix, compression, and the format that the transformer makes."""
        return cls(
            Bucket.from_settings(settings),
            files_folder(settings),
            settings[APPLICATION_NAME],
            settings[STREAM_NAME],
            configured_transformer(settings).format,
            settings[COMPRESSION],
        )

    def emit(self, batch: Batch[bytes]) -> Position:
        """Write the file; return how far the object covers the shard, whoever wrote it."""
        return self.write(batch).covered[1]

    def adopt(self, shard: str, first: Record) -> Position | None:
        """Return how far the object that begins with ``first`` covers the shard, if it exists."""
        file = self.find(shard, first)
        return None if file is None else file.covered[1]

    def write(self, batch: Batch[bytes]) -> File:
        """Write the batch, or find what another life wrote in its place."""
        key = self.key(batch.shard, batch.first)
        body, rows = self._compressed(batch)
        file = File(
            application=self.application,
            bucket=self.bucket.name,
            key=key,
            bytes=len(body),
            rows=rows,
            stream=self.stream,
            shard=batch.shard,
            first=str(batch.first.position),
            last=str(batch.last),
            format=self.format,
            compression=self.compression,  # type: ignore[arg-type]
        )
        try:
            self.bucket.create(key, body, _metadata(file))
        except AlreadyExists:
            return self._winner(batch, file)
        log.info("wrote %s: %d rows, %d bytes", file.url, rows, len(body))
        return file

    def _compressed(self, batch: Batch[bytes]) -> tuple[bytes, int]:
        """Return the file's bytes, and how many rows they are."""
        file = compressor(self.compression, batch)
        parts, count = [], 0
        for rows in _blocks(batch):
            count += len(rows)
            parts.append(file.compress(b"\n".join([*rows, b""])))
        return b"".join([*parts, file.flush()]), count

    def find(self, shard: str, first: Record) -> File | None:
        """Return the file that an earlier life began with ``first``; None if none is seen."""
        key = self.key(shard, first)
        try:
            found = self._read(key, shard, first)
        except Missing:
            return None
        except Denied as error:
            # Without s3:ListBucket, S3 does not say of an object that it is not there. If it is,
            # the write finds out.
            log.info("not known whether an earlier life wrote it: %s", error)
            return None
        _report(found)
        return found

    def key(self, shard: str, first: Record) -> str:
        """Name the object: shard and first position, in a folder of the hour of its arrival."""
        hour = datetime.fromtimestamp(first.arrival / 1000, timezone.utc)
        extension = FORMAT_EXTENSIONS.get(self.format, ".txt") + EXTENSIONS[self.compression]
        return f"{self.folder}{hour:%Y/%m/%d/%H}/{shard}-{first.position}{extension}"

    def _winner(self, batch: Batch[bytes], ours: File) -> File:
        """Return the object that stands where ours would: it decides what the shard's rows are."""
        try:
            theirs = self._read(ours.key, batch.shard, batch.first)
        except Missing as error:
            raise Fatal(f"{ours.url} was there a moment ago: somebody deletes files") from error
        except Denied as error:
            raise Fatal(
                f"{error}; it is there, and to see how far it reaches takes s3:GetObject"
            ) from error
        if theirs == ours:  # our own, written by a try whose answer was lost, or by our twin
            log.info("%s is written already, with the same rows", ours.url)
        else:
            _report(theirs)
        return theirs

    def _read(self, key: str, shard: str, first: Record) -> File:
        """Read a file's metadata. Raises Missing, Denied, and Fatal for what is none of ours."""
        place = File(bucket=self.bucket.name, key=key, stream=self.stream, shard=shard)
        try:
            file = place.completed(self.bucket.head(key))
            is_of_our_chain = file.covered[0] == first.position
        except ValueError:
            is_of_our_chain = False
        if not is_of_our_chain or file.application != self.application:
            raise Fatal(f"{place.url} exists and is not a file of {self.application}: move it away")
        return file


def _report(file: File) -> None:
    log.warning("%s was written before, through %s: taken as it is", file.url, file.last)


def _metadata(file: File) -> dict[str, str]:
    return {
        "first-position": str(file.first),
        "last-position": str(file.last),
        "rows": str(file.rows),
        "format": str(file.format),
        "application": str(file.application),
        "stream": str(file.stream),
        "shard": str(file.shard),
    }


def _blocks(batch: Batch[bytes]) -> Iterator[list[bytes]]:
    for start in range(0, len(batch.kept), BLOCK):
        yield [row for kept in batch.kept[start : start + BLOCK] for row in kept.rows]


class Compressor(Protocol):
    """Compresses a file block by block, deterministically: no time in the header."""

    def compress(self, block: bytes, /) -> bytes:
        """Take in a block; return what is ready of the file."""

    def flush(self) -> bytes:
        """Return the rest of the file."""


class _Plain:
    def compress(self, block: bytes, /) -> bytes:
        return block

    def flush(self) -> bytes:
        return b""


def compressor(compression: str, batch: Batch[bytes]) -> Compressor:
    """Return what compresses the file of ``batch``. Imports only what that needs."""
    if compression == "gzip":
        from isal import isal_zlib  # noqa: PLC0415

        return isal_zlib.compressobj(GZIP_LEVEL, wbits=GZIP)
    if compression == "zstd":
        import zstandard  # noqa: PLC0415 - an extra, which only this setting needs

        size = sum(len(row) + 1 for row in batch.rows)  # some readers want it in the header
        return zstandard.ZstdCompressor(ZSTD_LEVEL).compressobj(size)
    return _Plain()
