"""Files from the manifest stream into Redshift by COPY, each exactly once: stage two."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby

import msgspec

from ..aws import Bucket
from ..buffer import Batch
from ..copy_statement import COMPRESSION_WORDS, copy_statement, manifest_of
from ..dead_letters import LOAD_STAGE
from ..errors import Fatal, Transient
from ..ledger import Ledger, Refused, Verdict
from ..manifest import File, ManifestMessage
from ..places import manifests_folder
from ..record import Record
from ..redshift_settings import COPY_MANDATORY, DATA_TABLE
from ..retry import Retry
from ..settings import Settings
from ..warehouse import NO_AUTHORITY, Cursor, LoadFailed, Warehouse
from . import Emitter
from .file_check import FileCheck
from .load_search import BadFile, LoadSearch, Unnamed

log = logging.getLogger(__name__)

# How much of a file's name is in the error tables, padded with blanks:
# docs.aws.amazon.com/redshift/latest/dg/SYS_LOAD_ERROR_DETAIL.html
ERROR_FILE_NAME = 256


class RedshiftManifestEmitter(Emitter[File]):
    """Loads files in one transaction with their rows of the ledger.

    ::

        BEGIN; LOCK ledger              no other loader is at work
        SELECT ledger                   what is loaded is skipped, what overlaps is refused
        PUT manifest                    its key holds its digest: never overwritten
        COPY table FROM manifest
        INSERT ledger; COMMIT

    A file that cannot be loaded is taken out and quarantined, and the rest is judged anew.
    """

    transformer = ManifestMessage

    def __init__(
        self, settings: Settings, bucket: Bucket, warehouse: Warehouse, ledger: Ledger, retry: Retry
    ) -> None:
        self.settings = settings
        self.bucket = bucket
        self.warehouse = warehouse
        self.ledger = ledger
        self.retry = retry
        self.manifests = manifests_folder(settings)
        self.check = FileCheck(settings, bucket, f"{self.manifests}access-check")
        self.bucket_under_lock = bucket.once()
        self.check_under_lock = FileCheck(settings, self.bucket_under_lock, self.check.probe)

    @classmethod
    def from_settings(cls, settings: Settings) -> RedshiftManifestEmitter:
        """Take the warehouse, the ledger, and the bucket of the manifest files."""
        return cls(
            settings,
            Bucket.from_settings(settings),
            Warehouse.from_settings(settings),
            Ledger.from_settings(settings),
            Retry.from_settings(settings),
        )

    def emit(self, batch: Batch[File]) -> None:
        """Load what the batch announces; reject the messages of files that cannot be loaded."""
        records: dict[File, Record] = {}
        faults: dict[File, str] = {}
        for announced, record in _announced(batch).items():
            try:
                file = self.check.completed(announced)
            except BadFile as bad:
                file = announced
                faults[file] = bad.reason
            records.setdefault(file, record)
        for group in _same_compression(records):
            search = LoadSearch(
                group, lambda files: self._transaction(files, faults), self._can_load
            )
            what = f"loading {len(group)} files into {self.settings[DATA_TABLE]}"
            for file, reason in self.retry(what, search.run):
                batch.reject(records[file], reason, LOAD_STAGE)

    def _transaction(self, files: Sequence[File], faults: Mapping[File, str]) -> Verdict:
        """Run the one transaction; return what became of each file.

        Raises BadFile, Unnamed, Transient, Fatal; nothing is loaded then.
        """
        fresh: list[File] = []
        rows = 0
        try:
            with self.warehouse.transaction() as cursor:
                self.ledger.lock(cursor)
                verdict = self._judge(cursor, files, faults)
                if fresh := verdict.fresh:
                    manifest = self._copy(cursor, fresh)
                    cursor.execute("SELECT pg_last_copy_count()")
                    (rows,) = cursor.fetchone() or (0,)
                    self._insist_on_all(fresh, rows)
                    self.ledger.enter(cursor, fresh, manifest)
        except LoadFailed as error:
            raise self._blame(fresh, str(error)) from error
        log.info(
            "loaded %d rows of %d files into %s; %d files were loaded before",
            rows,
            len(fresh),
            self.settings[DATA_TABLE],
            len(verdict.loaded),
        )
        _report_count(fresh, rows)
        return verdict

    def _judge(self, cursor: Cursor, files: Sequence[File], faults: Mapping[File, str]) -> Verdict:
        """Ask the ledger; refuse those with a fault, unless they were loaded when they had none.

        They come last, so that they stand in the way of no other.
        """
        verdict = self.ledger.judge(cursor, sorted(files, key=lambda file: file in faults))
        sound = [file for file in verdict.fresh if file not in faults]
        bad = [Refused(file, faults[file]) for file in verdict.fresh if file in faults]
        return verdict._replace(fresh=sound, refused=verdict.refused + bad)

    def _copy(self, cursor: Cursor, files: Sequence[File]) -> str:
        """Load files, all of one compression; return the manifest that lists them."""
        body = msgspec.json.encode(manifest_of(files, self.settings))
        key = f"{self.manifests}{hashlib.sha256(body).hexdigest()}.manifest"
        self.bucket_under_lock.put(key, body)
        manifest = f"s3://{self.bucket.name}/{key}"
        compression = files[0].compression or "none"
        cursor.execute(copy_statement(self.settings, manifest, compression))
        return manifest

    def _can_load(self) -> bool | None:
        """Load the newest of the files that are loaded, and roll back: it shows whose fault it is.

        None if none of them is in S3 any more.
        """
        with self.warehouse.transaction() as cursor:
            latest = self.ledger.latest(cursor)
        for entered in latest:
            with suppress(BadFile):
                return self._rehearse(self.check.look_at(entered))
        return None

    def _rehearse(self, file: File) -> bool:
        # Which compression it has, its message said; the ledger does not, nor need its name.
        for compression in dict.fromkeys([file.compression, *COMPRESSION_WORDS]):
            try:
                with self.warehouse.transaction() as cursor:
                    self.ledger.lock(cursor)
                    self._copy(cursor, [msgspec.structs.replace(file, compression=compression)])
                    cursor.connection.rollback()
                    return True
            except LoadFailed:
                self.warehouse.close()  # with what it complains of
        return False

    def _insist_on_all(self, files: Sequence[File], rows: int) -> None:
        """Let no file into the ledger that COPY passed over: it went after we had looked at it.

        The number of rows tells without a call of S3, if all files say theirs.
        """
        if not self.settings[COPY_MANDATORY] and _announced_rows(files) != rows:
            for file in files:
                self.check_under_lock.look_at(file)

    def _blame(self, files: Sequence[File], message: str) -> Exception:
        """Find the file at fault: by the load error's row, as it is missing, or by COPY's words.

        Never by guess: if nothing names a file, Unnamed.
        """
        for error in self.warehouse.load_errors():
            if (file := _named(files, error.file)) is not None:
                return BadFile(file, f"{file.url}, {error}")
        for file in files:
            try:
                self.check.look_at(file)
            except BadFile as bad:
                return bad
            is_elsewhere = file.bucket != self.bucket.name  # there the role may have no rights
            if (is_elsewhere or message.startswith("failed to inflate")) and _is_read(
                file, message
            ):
                return BadFile(file, f"{file.url}: {message}")
        if NO_AUTHORITY.search(message):
            return Unnamed(
                message, Fatal(f"Redshift may not read the files (redshiftIamRole): {message}")
            )
        return Unnamed(message, Transient(f"Redshift: {message}"))


def _announced(batch: Batch[File]) -> dict[File, Record]:
    """Return each announcement once, in order; a bare path only if no message names its file."""
    announced: dict[File, Record] = {}
    for kept in batch.kept:
        for file in kept.rows:
            announced.setdefault(file, kept.record)
    told = {file.url for file in announced if not file.is_bare}
    return {
        file: record
        for file, record in announced.items()
        if not (file.is_bare and file.url in told)
    }


def _same_compression(files: Iterable[File]) -> Iterable[list[File]]:
    """Group files, as one COPY reads one compression; within a group they keep their order."""
    ordered = sorted(files, key=lambda file: file.compression or "")
    return [list(group) for _, group in groupby(ordered, lambda file: file.compression)]


def _named(files: Sequence[File], name: str) -> File | None:
    """Find the file that an error table means, which keeps the beginning of long names only.

    None if several begin alike.
    """
    found = [file for file in files if file.url[:ERROR_FILE_NAME].rstrip() == name]
    return found[0] if len(found) == 1 else None


def _is_read(file: File, message: str) -> bool:
    """Whether a message of COPY, whose blanks are folded, is about this file."""
    return f" S3 key being read : {' '.join(file.url.split())} " in f"{message} "


def _report_count(files: Sequence[File], rows: int) -> None:
    announced = _announced_rows(files)
    if announced not in {None, rows}:
        log.warning(
            "COPY reports %d rows, the files were announced with %d: look at redshiftCopyOptions",
            rows,
            announced,
        )


def _announced_rows(files: Iterable[File]) -> int | None:
    """Add up the rows of files; None if one does not say how many it has."""
    total = 0
    for file in files:
        if file.rows is None:
            return None
        total += file.rows
    return total
