"""A file without the rows that COPY refuses, written once more in a place of its own."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, NamedTuple

import msgspec

from ...aws.bucket import Bucket
from ...aws.failures import ConditionFailed, Denied, Missing
from ...aws.layout import files_folder
from ...config.setting import Settings
from ...files.compression import Compression, compressor, uncompressed
from ...files.file import File
from .connection import LoadErrorDetail
from .copy_options import ROWS_APART, names_in
from .file_check import BadFile
from .rows import ROWS, FileRow, UnknownRows, rows_of
from .settings import COPY_OPTIONS, DATA_FORMAT, MAX_BAD_ROWS

MOST_TOLD = 5  # complaints in a reason
NAME_BYTES = 255  # of the original's key in the name of what takes its place, from the end
DIGEST = 32  # of 64 digits: no two of our names are the same by chance
BLOCK = 1024 * 1024
PUT_BYTES = 5 * 1024**3  # docs.aws.amazon.com/AmazonS3/latest/userguide/upload-objects.html


class NoRoom(ValueError):
    """A file is too large to be written once more."""


class LeftOutRow(NamedTuple):
    """A row that COPY refuses, without its end of line; and why. Whether it is the file's first."""

    data: bytes
    complaint: LoadErrorDetail
    is_first: bool


class Repaired(NamedTuple):
    """What COPY reads in the place of a file: another one, without some of its rows.

    ``name`` is a function of the original's URL and of the rows that are left.
    """

    file: File
    name: str
    left_out: Sequence[LeftOutRow]

    @property
    def size(self) -> int:
        """How many bytes the rows have that are left out."""
        return sum(len(row.data) for row in self.left_out)


class Repair:
    """Writes files without their bad rows; each is read as a stream, however large it is."""

    def __init__(self, settings: Settings, bucket: Bucket) -> None:
        self.bucket = bucket
        self.folder = repaired_folder(settings)
        self.most = settings[MAX_BAD_ROWS]
        self.format = settings[DATA_FORMAT]
        rows_are_known = self.format in ROWS and not ROWS_APART & names_in(settings[COPY_OPTIONS])
        self.is_possible = self.most > 0 and rows_are_known

    def run(self, file: File, complaints: Sequence[LoadErrorDetail], room: int) -> Repaired:
        """Write ``file`` without the rows that ``complaints`` are about; it may be there already.

        There is one complaint for a line. Raises BadFile, if it has to be kept out as a whole: with
        more bad rows than are allowed, or of more than ``room`` bytes, with no other row, or if it
        is not certain which they are. Raises Fatal.
        """
        by_line = {complaint.line: complaint for complaint in complaints}
        if len(by_line) > self.most:
            raise kept_out(file, complaints, too_many(self.most))
        try:
            with tempfile.TemporaryFile() as others:

                def split(stream: IO[bytes]) -> _Split:
                    with uncompressed(file.compression or "none", stream) as plain:
                        return _split(rows_of(plain, self.format), by_line, room, others)

                found = self.bucket.read(file.url, split)
                count = len(found.left_out) + found.others
                if file.rows not in {None, count}:
                    raise UnknownRows(f"{count:,} rows are found, announced were {file.rows:,}")
                return self._written(file, others, found)
        except (ValueError, OSError) as error:
            raise kept_out(file, complaints, str(error)) from error
        except Missing as error:
            raise kept_out(file, complaints, "it is not there any more") from error
        except Denied as error:
            raise kept_out(file, complaints, f"not left out, as we may not: {error}") from error

    def _written(self, file: File, others: IO[bytes], found: _Split) -> Repaired:
        """Write what is left. Raises Denied, Fatal."""
        digest = hashlib.sha256(f"{file.url}\n{found.digest}".encode()).hexdigest()[:DIGEST]
        name = f"{digest}-{_end_of(file.key.rpartition('/')[2])}"
        rest = msgspec.structs.replace(
            file,
            bucket=self.bucket.name,
            key=f"{self.folder}{name}",
            rows=found.others,
            fields=None,
        )
        with tempfile.TemporaryFile() as body:
            _compress(others, body, file.compression or "none")
            if (size := body.tell()) > PUT_BYTES:
                raise NoRoom(f"without them, it has more than the {PUT_BYTES:,} bytes of one PUT")
            # A stranger's names may be what no header of HTTP takes.
            about = {name: said for name, said in rest.metadata.items() if _fits_header(said)}
            try:
                self.bucket.create(rest.key, body, about)
            except ConditionFailed:  # with the same rows, perhaps compressed by another version
                size = self.bucket.head(rest.key)["ContentLength"]
        return Repaired(msgspec.structs.replace(rest, bytes=size), name, found.left_out)


class _Split(NamedTuple):
    """What a file has: the rows left out, how many others, and a digest of these."""

    left_out: Sequence[LeftOutRow]
    others: int
    digest: str


def _split(
    rows: Iterable[FileRow], by_line: Mapping[int, LoadErrorDetail], room: int, others: IO[bytes]
) -> _Split:
    """Write the rows that nothing is wrong with to ``others``, from its beginning.

    Raises UnknownRows, and a ValueError of what reads them.
    """
    others.seek(0)
    others.truncate()
    left_out: list[LeftOutRow] = []
    digest, count = hashlib.sha256(), 0
    for row in rows:
        if row.line is not None and row.line in by_line:
            is_first = not left_out and not count
            left_out.append(LeftOutRow(row.content, by_line[row.line], is_first))
            if (room := room - len(row.data)) < 0:
                raise UnknownRows("too large to be letters")
        else:
            digest.update(row.data)
            _write(row.data, others)
            count += row.is_row
    if missing := by_line.keys() - {row.complaint.line for row in left_out}:
        raise UnknownRows(f"which row COPY calls line {min(missing)} is not certain")
    if not count:
        raise UnknownRows("there is no other row")
    return _Split(left_out, count, digest.hexdigest())


def _compress(plain: IO[bytes], body: IO[bytes], compression: Compression) -> None:
    size = plain.tell()
    plain.seek(0)
    file = compressor(compression, lambda: size)
    while block := plain.read(BLOCK):
        _write(file.compress(block), body)
    _write(file.flush(), body)


def _write(data: bytes, file: IO[bytes]) -> None:
    """Write to a file of this host, whose errors are none of S3's. Raises NoRoom."""
    try:
        file.write(data)
    except OSError as error:
        raise NoRoom(f"it cannot be written anew on this host: {error}") from error


def _fits_header(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _end_of(name: str) -> str:
    return name.encode()[-NAME_BYTES:].decode(errors="ignore")


def kept_out(file: File, complaints: Sequence[LoadErrorDetail], why: str) -> BadFile:
    """Return that a file is kept out as a whole, with the first complaints about it, and why."""
    told = "; ".join(map(str, complaints[:MOST_TOLD]))
    more = f"; and {len(complaints) - MOST_TOLD:,} more" if len(complaints) > MOST_TOLD else ""
    return BadFile(file, f"{file.url}, {told}{more}" + (f" ({why})" if why else ""))


def too_many(most: int) -> str:
    """Return why a file is kept out that has more bad rows than it may."""
    return f"more than {most} rows ({MAX_BAD_ROWS.key})"


def repaired_folder(settings: Settings) -> str:
    """Return where repaired files are. No reader takes what is there for files of their own."""
    return f"{files_folder(settings)}repaired/"
