"""What S3 says of an announced file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...aws.bucket import Bucket
from ...aws.failures import Denied, Missing
from ...config.setting import Settings
from ...errors import Fatal
from ...files.file import File
from .copy import manifests_folder
from .settings import COPY_MANDATORY, DATA_FORMAT


class BadFile(Exception):
    """One file of a load cannot be loaded, and it is known which."""

    def __init__(self, file: File, reason: str) -> None:
        super().__init__(reason)
        self.file = file
        self.reason = reason


class Unseen(BadFile):
    """S3 does not say whether the file is there, nor how long it is: COPY's role may know more."""


class FileCheck:
    """Looks at files in S3: for what a message does not say, and for what is wrong with them."""

    def __init__(self, settings: Settings, bucket: Bucket) -> None:
        self.settings = settings
        self.bucket = bucket
        # The key of an object of our own, to tell a closed bucket by.
        self.probe = f"{manifests_folder(settings)}access-check"

    def completed(self, file: File) -> File:
        """Look up what a bare path does not say; refuse what COPY would take for something else.

        If COPY is to pass a missing file over, look now: S3 is slow for the time under the lock.
        Raises BadFile.
        """
        is_enough = file.is_whole and self.settings[COPY_MANDATORY]
        whole = file if is_enough else self.look_at(file)
        expected = self.settings[DATA_FORMAT]
        if whole.format not in {None, "text", expected}:
            reason = f"{file.url} holds {whole.format}, redshiftDataFormat is {expected}"
            raise BadFile(file, reason)
        return whole

    def look_at(self, file: File) -> File:
        """Return the file with what S3 says of it.

        Raises Unseen, and BadFile if it is not as announced.
        """
        try:
            head = self._head(file)
        except Missing as error:
            raise BadFile(file, f"{file.url} is not there") from error
        except Denied as error:
            raise Unseen(file, f"{file.url} is not there, or not for us: {error}") from error
        if file.bytes is not None and head["ContentLength"] != file.bytes:
            reason = f"{file.url} has {head['ContentLength']} bytes, announced were {file.bytes}"
            raise BadFile(file, reason)
        try:
            return file.completed(head)
        except ValueError as error:
            raise BadFile(file, f"{file.url} has metadata that make no sense: {error}") from error

    def _head(self, file: File) -> Mapping[str, Any]:
        """Look at the object. Raises Missing, Denied for this one alone, Fatal.

        HEAD's answers have no body: a token that has expired, say, is the same "400" as what never
        passes. So before this object is blamed, one of our own shows whether S3 is open to us at
        all, and then it is looked at again.
        """
        try:
            return self.bucket.head(file.key, file.bucket)
        except Denied as error:
            if not self.bucket.is_open(self.probe):
                raise Fatal(str(error)) from error
            return self.bucket.head(file.key, file.bucket)
