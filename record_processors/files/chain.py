"""The chain of files that a shard's records become, whoever writes them."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from ..aws.bucket import Bucket
from ..aws.failures import ConditionFailed, Denied, Missing
from ..aws.layout import LAYOUT, file_key, files_folder
from ..aws.stored_as import stored_as
from ..config.fingerprint import fingerprint
from ..config.keys import APPLICATION_NAME, DESTINATION, STREAM_NAME
from ..config.metric import Counter
from ..config.null_string import NULL_STRING, SAYS
from ..config.registry import names_in
from ..config.setting import Settings
from ..errors import Fatal, counted
from ..events import FILE_FOUND, FILE_WRITTEN, MADE_OTHERWISE
from ..flow.batch import Batch
from ..flow.record import Position, Record
from .compression import COMPRESSION, Compression
from .earlier import EarlierFiles, Start
from .file import File
from .formats import FORMATS

log = logging.getLogger(__name__)

FILES = Counter("files.written", "Files written to S3.")
FILE_ROWS = Counter("files.rows", "Rows in these files.")
FILE_BYTES = Counter("files.bytes", "Bytes of these files, compressed.", "bytes")
FILES_FOUND = Counter(
    "files.found", "Files that an earlier life, or another process, had written: taken as they are."
)
MADE_BY = (
    "made-by"  # of the metadata: which transformer and filter, with which settings, made its rows
)
MEASURES = (FILES, FILE_ROWS, FILE_BYTES, FILES_FOUND)

ALSO_IN = (
    "also-in"  # of the metadata: destinations that had the file's records before it was written
)


class Chain:
    """Writes each batch of a shard as one file, which continues where the one before it ended.

    The key derives from the first record kept, never from the clock or from where the batch ends.
    It is written only if it is not there. If it is, an earlier life of this process or another
    process wrote it: it stands, and its metadata say through which position it covers the shard.
    The next file begins with the first record kept after that, whoever writes it: so all
    processes that ever own the shard, and zombies that believe they do, write one chain.

    ``made_by`` is the fingerprint of what makes rows of records. A file that says another one
    stands like any other, with its own rows.

    ``also_in`` are the destinations that have a batch before it is written here: a file that does
    not say that of itself is not taken over.
    """

    def __init__(
        self,
        bucket: Bucket,
        folder: str,
        layout: str,
        application: str,
        stream: str,
        compression: Compression,
        also_in: Sequence[str] = (),
        made_by: str = "",
    ) -> None:
        self.bucket = bucket
        self.folder = folder
        self.layout = layout
        self.application = application
        self.stream = stream
        self.compression = compression
        self.also_in = also_in
        self.made_by = made_by
        self.earlier = EarlierFiles(bucket, folder, layout)
        self.shard = ""
        self.format = ""
        self.null: str | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Chain:
        """Take bucket, prefix, layout, compression, and how S3 is to keep the files."""
        return cls(
            Bucket.from_settings(settings, stored_as(settings)),
            files_folder(settings),
            settings[LAYOUT],
            settings[APPLICATION_NAME],
            settings[STREAM_NAME],
            settings[COMPRESSION],
            names_in(settings[DESTINATION])[:-1],
            fingerprint(settings),
        )

    def start(self, shard: str, format: str, null: str | None) -> None:  # noqa: A002
        """Begin with ``shard``; called once, before all else: see ``Emitter.start``.

        Raises Fatal for a format of which there are no files, and a null string that COPY may not
        read as one.
        """
        if format not in FORMATS:
            raise Fatal(f"no files are known of format {format}: it is one of {', '.join(FORMATS)}")
        if null is not None and not re.fullmatch(NULL_STRING, null):
            raise Fatal(f"{null!r} cannot stand for null (Transformer.null): it is {SAYS}")
        self.shard = shard
        self.format = format
        self.null = null

    def write(self, batch: Batch[Any]) -> File:
        """Write the batch, or find what another life wrote in its place."""
        batch.write_letters()  # who finds the file looks at none of its records again
        key = self.key(batch.first)
        format = FORMATS[self.format]  # noqa: A001 - the word of the contract
        body, rows = format.encode(batch, self.compression)
        file = File(
            application=self.application,
            bucket=self.bucket.name,
            key=key,
            bytes=len(body),
            rows=rows,
            stream=self.stream,
            shard=self.shard,
            first=str(batch.first.position),
            last=str(batch.last),
            format=self.format,
            compression=self.compression,
            fields=format.fields(batch),
            null=self.null,
        )
        try:
            account = batch.account.metadata if batch.account else {}
            self.bucket.create(key, body, {**file.metadata, **self._about, **account})
        except ConditionFailed:
            return self._winner(batch, file)
        FILES.add()
        FILE_ROWS.add(rows)
        FILE_BYTES.add(len(body))
        log.info(
            *("wrote %s: %s, %s bytes", file.url, counted(rows, "row"), f"{len(body):,}"),
            extra=FILE_WRITTEN.of(
                url=file.url, rows=rows, bytes=len(body), first=file.first, last=file.last
            ),
        )
        return file

    def next_written(self, record: Record) -> Position | None:
        """Return where the next file begins that an earlier life wrote, at ``record`` or after it.

        None if there is none, or if that cannot be listed.
        """
        return self.earlier.look(self.shard, record)

    def find(self, first: Record) -> File | None:
        """Return the file that an earlier life began with ``first``; None if none is seen."""
        start = self.earlier.at(Start(first.position, self.key(first)))
        if start is None:
            return None
        if self.earlier.is_known:
            found = self._read_what_is_there(start)
        else:
            try:
                found = self._read(start)
            except Missing:
                return None
            except Denied as error:
                # Without s3:ListBucket, S3 does not say of an object that it is not there. If it
                # is, the write finds out.
                log.info("not known whether an earlier life wrote it: %s", error)
                return None
        _report(found)
        return found

    def key(self, first: Record) -> str:
        """Name the file that begins with ``first``."""
        extension = FORMATS[self.format].extension(self.compression)
        position = str(first.position)
        return file_key(self.folder, self.layout, self.shard, position, first.arrival, extension)

    def _winner(self, batch: Batch[bytes], ours: File) -> File:
        """Return the object that stands where ours would: it decides what the shard's rows are."""
        theirs = self._read_what_is_there(Start(batch.first.position, ours.key))
        if theirs == msgspec.structs.replace(ours, fields=None):
            # Our own, written by a try whose answer was lost, or by our twin.
            log.info("%s is written already, with the same rows", ours.url)
            return ours
        _report(theirs)
        return theirs

    def _read_what_is_there(self, start: Start) -> File:
        try:
            return self._read(start)
        except Missing as error:
            url = self.bucket.url(start.key)
            raise Fatal(f"{url} was there a moment ago: somebody deletes files") from error
        except Denied as error:
            raise Fatal(
                f"{error}; it is there, and to see how far it reaches takes s3:GetObject"
            ) from error

    def _read(self, start: Start) -> File:
        """Read a file's metadata. Raises Missing, Denied, and Fatal for what is none of ours."""
        place = File(bucket=self.bucket.name, key=start.key, stream=self.stream, shard=self.shard)
        head = self.bucket.head(start.key)
        try:
            file = place.completed(head)
            is_of_our_chain = file.covered[0] == start.first
        except ValueError:
            is_of_our_chain = False
        said = head.get("Metadata", {})
        whose = said.get("application"), said.get("stream", self.stream)
        if not is_of_our_chain or whose != (self.application, self.stream):
            raise Fatal(
                f"{place.url} exists and is not a file of {self.application} from {self.stream}: "
                "move it away, or take another applicationName or s3Prefix"
            )
        theirs = names_in(said.get(ALSO_IN, ""))
        if lacking := [name for name in self.also_in if name not in theirs]:
            # Whoever takes it over skips its records, which nobody has brought there.
            raise Fatal(
                f"{place.url} was written when connectorDestination did not name "
                f"{' and '.join(lacking)}, so that its records may be missing there: start with "
                "the connectorDestination of before, stop all daemons gracefully (each child says "
                "`flushed for the shutdown`), and change it then"
            )
        if said.get(MADE_BY, self.made_by) != self.made_by:
            log.warning(
                *("%s: its rows are what another transformer or filter made: they stay", place.url),
                extra=MADE_OTHERWISE.of(url=place.url, last=file.last),
            )
        return file

    @property
    def _about(self) -> dict[str, str]:
        """What an object says of its pipeline."""
        said = {ALSO_IN: ", ".join(self.also_in), MADE_BY: self.made_by}
        return {name: value for name, value in said.items() if value}


def _report(file: File) -> None:
    FILES_FOUND.add()
    log.warning(
        *("%s was written before, through %s: taken as it is", file.url, file.last),
        extra=FILE_FOUND.of(url=file.url, last=file.last),
    )
