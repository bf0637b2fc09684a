"""One load: files into the table and into the ledger, or into neither."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import msgspec

from ..copy_statement import COMPRESSION_WORDS, copy_statement, manifest_of
from ..ledger import Ledger, Quarantined, Verdict
from ..manifest import File
from ..places import manifests_folder
from ..redshift_errors import LoadFailed
from ..redshift_settings import COPY_MANDATORY, DATA_TABLE
from ..settings import Settings
from ..warehouse import Cursor, Warehouse, copy
from .blame import blame
from .file_check import BadFile, FileCheck, Unseen

log = logging.getLogger(__name__)


class Load:
    """Loads files in one transaction with their rows of the ledger.

    ::

        BEGIN; LOCK ledger              no other loader is at work
        SELECT ledger                   what is loaded is skipped, what overlaps is quarantined
        PUT manifest                    its key holds its digest: never overwritten
        COPY table FROM manifest
        INSERT ledger; COMMIT
    """

    def __init__(
        self, settings: Settings, warehouse: Warehouse, ledger: Ledger, check: FileCheck
    ) -> None:
        self.settings = settings
        self.table = settings[DATA_TABLE]
        self.warehouse = warehouse
        self.ledger = ledger
        self.check = check
        self.manifests = manifests_folder(settings)
        self.bucket_under_lock = check.bucket.once()
        self.check_under_lock = FileCheck(settings, self.bucket_under_lock, check.probe)

    def run(self, files: Sequence[File], faults: Mapping[File, str]) -> Verdict:
        """Load files of one compression; return what became of each.

        ``faults`` says of some why they cannot be loaded, unless they were before.
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
            raise blame(fresh, str(error), self.warehouse.load_errors(), self.check) from error
        log.info(
            "loaded %d rows of %d files into %s; %d files were loaded before",
            rows,
            len(fresh),
            self.table,
            len(verdict.loaded),
        )
        if fresh:
            _report_count(fresh, rows, manifest)
        return verdict

    def rehearse(self) -> bool | None:
        """Load the newest of the files that are loaded, and roll back: it shows whose fault it is.

        Return whether it can be loaded; None if none of them is in S3 any more.
        """
        with self.warehouse.transaction() as cursor:
            latest = self.ledger.latest(cursor)
        for entered in latest:
            with suppress(BadFile):
                return self._can_load(self._seen(entered))
        return None

    def _seen(self, entered: File) -> File:
        """Look at a file of the table. Raises BadFile if it is no longer what was loaded."""
        try:
            return self.check.completed(entered)
        except Unseen:  # COPY has another role than we: what it could read, it may be able to
            return entered

    def _judge(self, cursor: Cursor, files: Sequence[File], faults: Mapping[File, str]) -> Verdict:
        """Ask the ledger; quarantine those with a fault, unless they were loaded without it.

        They come last, so that they stand in the way of no other.
        """
        verdict = self.ledger.judge(cursor, sorted(files, key=lambda file: file in faults))
        sound = [file for file in verdict.fresh if file not in faults]
        bad = [Quarantined(file, faults[file]) for file in verdict.fresh if file in faults]
        return verdict._replace(fresh=sound, quarantined=verdict.quarantined + bad)

    def _copy(self, cursor: Cursor, files: Sequence[File]) -> str:
        """Load files, all of one compression; return the manifest that lists them."""
        body = msgspec.json.encode(manifest_of(files, self.settings))
        key = f"{self.manifests}{hashlib.sha256(body).hexdigest()}.manifest"
        self.bucket_under_lock.put(key, body)
        manifest = f"s3://{self.bucket_under_lock.name}/{key}"
        compression = files[0].compression or "none"
        copy(cursor, copy_statement(self.settings, manifest, compression))
        return manifest

    def _insist_on_all(self, files: Sequence[File], rows: int) -> None:
        """Let no file into the ledger that COPY passed over: it went after we had looked at it.

        The number of rows tells without a call of S3, if all files say theirs.
        """
        if not self.settings[COPY_MANDATORY] and _announced_rows(files) != rows:
            for file in files:
                self.check_under_lock.look_at(file)

    def _can_load(self, file: File) -> bool:
        reasons: list[str] = []
        # Which compression it has, its message said; the ledger does not, nor need its name.
        for compression in dict.fromkeys([file.compression, *COMPRESSION_WORDS]):
            try:
                with self.warehouse.rehearsal() as cursor:
                    self.ledger.lock(cursor)
                    self._copy(cursor, [msgspec.structs.replace(file, compression=compression)])
            except LoadFailed as error:
                reasons.append(str(error))
                self.warehouse.close()  # with what it complains of
            else:
                return True
        log.error(
            "%s is in %s, and could not be loaded there once more, so that no file is at fault: "
            "look at the table and its rights, redshiftCopyOptions, redshiftIamRole: %s",
            file.url,
            self.table,
            reasons[0],
        )
        return False


def _report_count(files: Sequence[File], rows: int, manifest: str) -> None:
    announced = _announced_rows(files)
    if announced not in {None, rows}:
        log.warning(
            "COPY reports %d rows, the files of %s were announced with %d: look at "
            "redshiftCopyOptions",
            rows,
            manifest,
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
