"""Letters of files that are kept out as a whole, where no record announced them."""

from __future__ import annotations

import hashlib

from ...aws.bucket import Bucket
from ...aws.layout import dead_letters_folder
from ...config.setting import Settings
from ...files.file import File
from ...flow.letter import Letter, report
from .repair import DIGEST
from .row_letters import STAGE


class FileLetters:
    """Writes the letters of files, each into an object of its own.

    ``data`` is the message that would announce the file; ``stream`` and ``shard`` are those that
    its records are of, ``position`` the first of them. A letter counts unless the ledger has the
    file: what one life keeps out and does not live to checkpoint, the next one judges anew.
    """

    def __init__(self, settings: Settings, bucket: Bucket) -> None:
        self.bucket = bucket
        self.folder = dead_letters_folder(settings)

    def write(self, file: File, reason: str) -> None:
        """Make a letter durable. Raises Fatal.

        The key is a function of the file, so that it is written again rather than twice. It is no
        record's, whose keys end in a position, nor that of rows, which begin with a digest.
        """
        digest = hashlib.sha256(file.url.encode()).hexdigest()[:DIGEST]
        key = f"{self.folder}{file.shard}-{file.first}-file-{digest}.jsonl"
        letter = Letter(
            stream=file.stream,
            shard=file.shard,
            position=file.first,
            data=file.encode(),
            stage=STAGE,
            reason=reason,
        )
        self.bucket.put(key, letter.encode())
        report(1, f"{STAGE}: {reason}", self.bucket.url(key))
