"""A destination of one's own, in one file: rows in a local folder, and a receipt in the bucket.

At least once: after a crash a file may come again, cut at another place.
"""

from pathlib import Path

from record_processors import Creatable, Emitter, Finding, Setting
from record_processors.aws.arns import Arns
from record_processors.aws.bucket import Bucket
from record_processors.aws.iam import allow
from record_processors.config.keys import APPLICATION_NAME
from record_processors.config.types import text

FOLDER = Setting("localFolder", text, "Where the files go.", required=True, example="/tmp/rows")


def receipts_folder(settings):
    return f"receipts/{settings[APPLICATION_NAME]}/"


class Folder(Creatable):
    """The folder, which `create` makes."""

    def __init__(self, settings):
        self.settings = settings
        self.path = Path(settings[FOLDER])

    def __str__(self):
        return f"folder {self.path}"

    def exists(self):
        return self.path.is_dir()

    def make(self):
        self.path.mkdir(parents=True)
        return ()

    def probe(self):
        kind = "ok" if self.exists() else "problem"
        yield Finding(kind, f"{FOLDER.key} = {self.path}: {'there' if self.exists() else 'gone'}")

    def permissions(self, account):
        receipts = Arns(self.settings, account).objects(receipts_folder(self.settings))
        yield allow("WriteReceipts", "s3: PutObject", receipts)


class LocalFolder(Emitter):
    """Writes each batch as one file, named by its first record; refuses rows that say so."""

    accepts = frozenset({"json", "text"})
    declares = (FOLDER,)

    def __init__(self, folder, bucket, receipts):
        self.folder, self.bucket, self.receipts = folder, bucket, receipts

    @classmethod
    def resources(cls, settings):
        return [Folder(settings)]

    @classmethod
    def from_settings(cls, settings):
        bucket = Bucket.from_settings(settings)
        return cls(Path(settings[FOLDER]), bucket, receipts_folder(settings))

    def emit(self, batch):
        rows = []
        for kept in batch.kept:
            if b"refuse me" in kept.record.data:
                batch.reject(kept.record, "it asked for it")
            else:
                rows += kept.rows
        name = f"{self.shard}-{batch.first.position}"
        (self.folder / name).write_bytes(b"".join(row + b"\n" for row in rows))
        self.bucket.put(self.receipts + name, b"")
