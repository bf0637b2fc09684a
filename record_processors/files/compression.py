"""How files are compressed: block by block, and always to the same bytes."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Literal, Protocol, cast

from ..config.keys import S3
from ..config.setting import Setting
from ..config.types import ValueType, one_of

Compression = Literal["gzip", "zstd", "none"]

EXTENSIONS: dict[Compression, str] = {"gzip": ".gz", "zstd": ".zst", "none": ""}

COMPRESSION = Setting[Compression](
    "s3Compression",
    cast("ValueType[Compression]", one_of(*EXTENSIONS)),
    "How files are compressed.",
    "gzip",
    note="zstd makes smaller files for the same CPU (pip install 'kinesis-connectors[zstd]').",
    section=S3,
)

# A record of 300 bytes costs ISA-L 0.4 µs at level 1, and 1.0 at its highest. zlib takes 4 to 6 at
# level 6, for files that are smaller: JSON by 30 %, delimited rows by 13 %. So does zstd, for 0.5.
GZIP, GZIP_LEVEL = 31, 1  # 31: with the header and the trailer of a gzip file
ZSTD_LEVEL = 1


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


def compressor(compression: Compression, size: Callable[[], int]) -> Compressor:
    """Return what compresses a file of ``size()`` bytes. Imports only what that needs."""
    if compression == "gzip":
        from isal import isal_zlib  # noqa: PLC0415

        return isal_zlib.compressobj(GZIP_LEVEL, wbits=GZIP)
    if compression == "zstd":
        import zstandard  # noqa: PLC0415 - an extra, which only this setting needs

        # Some readers want the size in the header.
        return zstandard.ZstdCompressor(ZSTD_LEVEL).compressobj(size())
    return _Plain()


@contextmanager
def uncompressed(compression: Compression, stream: IO[bytes]) -> Iterator[IO[bytes]]:
    """Let the rows of a file be read, of which no more is read than that takes.

    Raises ValueError for what is not compressed so, and without the extra for zstd.
    """
    try:
        if compression == "gzip":
            yield cast("IO[bytes]", gzip.GzipFile(fileobj=stream))
        elif compression == "zstd":
            with _zstd_reader(stream) as reader:
                yield reader
        else:
            yield stream
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise ValueError(f"not {compression}: {error}") from error


@contextmanager
def _zstd_reader(stream: IO[bytes]) -> Iterator[IO[bytes]]:
    try:
        import zstandard  # noqa: PLC0415
    except ImportError as error:
        raise ValueError(str(error)) from error
    try:
        reader = zstandard.ZstdDecompressor().stream_reader(stream, read_across_frames=True)
        yield io.BufferedReader(reader)
    except zstandard.ZstdError as error:
        raise ValueError(f"not zstd: {error}") from error


def compression_of(key: str) -> Compression:
    """Return how a file is compressed, by the end of its key."""
    return "gzip" if key.endswith(".gz") else "zstd" if key.endswith(".zst") else "none"
