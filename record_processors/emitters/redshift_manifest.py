"""Files from the manifest stream into Redshift by COPY, each exactly once: stage two."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from ..aws import Bucket, Denied, Missing
from ..buffer import Batch
from ..copy_statement import copy_statement, manifest_of
from ..dead_letters import LOAD_STAGE
from ..errors import Fatal, Transient
from ..ledger import Ledger
from ..manifest import File, ManifestMessage
from ..record import Record
from ..retry import Retry
from ..settings import (
    APPLICATION_NAME,
    COPY_MANDATORY,
    DATA_FORMAT,
    DATA_TABLE,
    S3_PREFIX,
    Settings,
)
from ..warehouse import NO_AUTHORITY, LoadFailed, Warehouse
from . import Emitter

log = logging.getLogger(__name__)


class BadFile(Exception):
    """One file of a load cannot be loaded, and it is known which."""

    def __init__(self, file: File, reason: str) -> None:
        super().__init__(reason)
        self.file = file
        self.reason = reason


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
        self.bucket_under_lock = bucket.once()
        self.manifests = f"{settings[S3_PREFIX]}{settings[APPLICATION_NAME]}/manifests/"

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
        announced = _by_url(batch)
        files = []
        for file, record in announced.values():
            try:
                files.append(self._completed(file))
            except BadFile as bad:
                batch.reject(record, bad.reason, LOAD_STAGE)
        for group in _same_compression(files):
            for file, reason in self._load(group):
                batch.reject(announced[file.url][1], reason, LOAD_STAGE)

    def _load(self, files: Sequence[File]) -> list[tuple[File, str]]:
        """Load files of one compression; return those that could not be loaded, and why."""
        refused: list[tuple[File, str]] = []
        waiting = list(files)
        while waiting:
            try:
                refused += self.retry(
                    f"loading {len(waiting)} files into {self.settings[DATA_TABLE]}",
                    lambda: self._transaction(waiting),
                )
                break
            except BadFile as bad:
                refused.append((bad.file, bad.reason))
                waiting.remove(bad.file)
        return refused

    def _transaction(self, files: Sequence[File]) -> list[tuple[File, str]]:
        """Run the one transaction; return the files that overlap what is loaded."""
        try:
            with self.warehouse.transaction() as cursor:
                self.ledger.lock(cursor)
                verdict = self.ledger.judge(cursor, files)
                rows = 0
                if verdict.fresh:
                    manifest = self._write_manifest(verdict.fresh)
                    compression = verdict.fresh[0].compression or "none"
                    cursor.execute(copy_statement(self.settings, manifest, compression))
                    cursor.execute("SELECT pg_last_copy_count()")
                    (rows,) = cursor.fetchone() or (0,)
                    self._insist_on_all(verdict.fresh, rows)
                    self.ledger.enter(cursor, verdict.fresh, manifest)
        except LoadFailed as error:
            raise self._blame(files, str(error)) from error
        log.info(
            "loaded %d rows of %d files into %s; %d files were loaded before",
            rows,
            len(verdict.fresh),
            self.settings[DATA_TABLE],
            len(verdict.loaded),
        )
        _report_count(verdict.fresh, rows)
        return list(verdict.overlapping)

    def _write_manifest(self, files: Sequence[File]) -> str:
        body = msgspec.json.encode(manifest_of(files, self.settings))
        key = f"{self.manifests}{hashlib.sha256(body).hexdigest()}.manifest"
        self.bucket_under_lock.put(key, body)
        return f"s3://{self.bucket.name}/{key}"

    def _insist_on_all(self, files: Sequence[File], rows: int) -> None:
        """Let no file into the ledger that COPY passed over: it went after we had looked at it.

        The number of rows tells without a call of S3, if all files say theirs.
        """
        if not self.settings[COPY_MANDATORY] and _announced_rows(files) != rows:
            for file in files:
                self._look_at(file, self.bucket_under_lock)

    def _blame(self, files: Sequence[File], message: str) -> Exception:
        """Find the file at fault: by the load error's row, as it is missing, or by COPY's words.

        Never by guess: if nothing names a file, the load is tried again as it is.
        """
        by_url = {file.url: file for file in files}
        for error in self.warehouse.load_errors():
            file = by_url.get(error.file) or _by_prefix(files, error.file)
            if file is not None:
                return BadFile(file, f"{file.url}, {error}")
        for file in files:
            try:
                self._look_at(file)
            except BadFile as bad:
                return bad
            is_elsewhere = file.bucket != self.bucket.name  # there the role may have no rights
            if (is_elsewhere or message.startswith("failed to inflate")) and _is_read(
                file, message
            ):
                return BadFile(file, f"{file.url}: {message}")
        if NO_AUTHORITY.search(message):
            return Fatal(f"Redshift may not read the files (redshiftIamRole): {message}")
        return Transient(f"Redshift: {message}")

    def _look_at(self, file: File, bucket: Bucket | None = None) -> File:
        """Return the file with what S3 says of it. Raises BadFile if it is not as announced."""
        bucket = bucket or self.bucket
        try:
            head = bucket.head(file.key, file.bucket)
        except Missing as error:
            raise BadFile(file, f"{file.url} is not there") from error
        except Denied as error:
            if not bucket.is_open(f"{self.manifests}access-check"):
                raise
            raise BadFile(file, f"{file.url} is not there, or not for us: {error}") from error
        if file.bytes is not None and head["ContentLength"] != file.bytes:
            reason = f"{file.url} has {head['ContentLength']} bytes, announced were {file.bytes}"
            raise BadFile(file, reason)
        try:
            return file.completed(head)
        except ValueError as error:
            raise BadFile(file, f"{file.url} has metadata that make no sense: {error}") from error

    def _completed(self, file: File) -> File:
        """Look up what a bare path does not say; refuse what COPY would take for something else.

        If COPY is to pass a missing file over, look now: S3 is slow for the time under the lock.
        """
        is_enough = file.is_whole and self.settings[COPY_MANDATORY]
        whole = file if is_enough else self._look_at(file)
        expected = self.settings[DATA_FORMAT]
        if whole.format not in {None, "text", expected}:
            reason = f"{file.url} holds {whole.format}, redshiftDataFormat is {expected}"
            raise BadFile(file, reason)
        return whole


def _by_url(batch: Batch[File]) -> dict[str, tuple[File, Record]]:
    """Return each file once, in order; the structured message before the bare one."""
    announced: dict[str, tuple[File, Record]] = {}
    for kept in batch.kept:
        for file in kept.rows:
            known = announced.get(file.url)
            if known is None or (file.is_whole and not known[0].is_whole):
                announced[file.url] = (file, kept.record)
    return announced


def _same_compression(files: Iterable[File]) -> Iterable[list[File]]:
    """Group files, as one COPY reads one compression; within a group they keep their order."""
    ordered = sorted(files, key=lambda file: file.compression or "")
    return [list(group) for _, group in groupby(ordered, lambda file: file.compression)]


def _by_prefix(files: Sequence[File], cut: str) -> File | None:
    """Find the file of which an error table kept only the beginning, if there is but one."""
    found = [file for file in files if cut and file.url.startswith(cut)]
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
