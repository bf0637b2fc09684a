"""A tiny object of our own, by which is tried what the pipeline does in its bucket."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from botocore.exceptions import ClientError

from ..config.keys import S3_BUCKET
from ..config.resource import Failed, Finding
from ..config.setting import Settings
from .bucket import CHECKSUM, encryption_of
from .findings import ERRORS, about, code_of, quick_client, status_of, why

NAME = "access-check-"  # and what no other check has


class Probe:
    """A tiny object of our own, in the bucket while a check is under way."""

    def __init__(
        self, settings: Settings, folder: str, body: bytes, stored: Mapping[str, str]
    ) -> None:
        self.s3 = quick_client("s3", settings)
        self.bucket = settings[S3_BUCKET]
        self.key = f"{folder}{NAME}{uuid.uuid4().hex}"
        self.folder = f"s3://{self.bucket}/{folder}"
        self.body = body
        self.stored = {**encryption_of(settings), **stored, "ChecksumAlgorithm": CHECKSUM}
        self.left_behind: list[Finding] = []

    @property
    def url(self) -> str:
        """Where it is."""
        return f"s3://{self.bucket}/{self.key}"

    @property
    def place(self) -> str:
        """The beginning of a sentence."""
        return about(S3_BUCKET, self.bucket)

    def write(self) -> None:
        """Write it as files are written: only if it is not there. Raises ClientError and others."""
        self.s3.put_object(
            Bucket=self.bucket, Key=self.key, Body=self.body, IfNoneMatch="*", **self.stored
        )

    def create(self) -> None:
        """Write it for the first time. Raises Failed."""
        try:
            self.write()
        except ERRORS as error:
            code = code_of(error)
            # The name is nobody else's: an earlier try has written it, and its answer was lost.
            if isinstance(error, ClientError) and status_of(error) == 412:
                return
            if code == "NoSuchBucket":
                reason = "there is no such bucket; `kinesis-connectors create` makes it"
            elif code in {"NotImplemented", "501"}:
                reason = f"{UNCONDITIONAL} ({why(error)})"
            else:
                reason = f"no file can be written to {self.folder}: {why(error, 's3:PutObject')}"
            raise Failed(f"{self.place}: {reason}") from error

    def delete(self) -> None:
        """Delete it; what cannot be deleted is noted, as the pipeline itself deletes nothing."""
        try:
            self.s3.delete_object(Bucket=self.bucket, Key=self.key)
        except ERRORS as error:
            said = why(error, "s3:DeleteObject")
            self.left_behind.append(Finding("note", f"{self.url} is left behind: {said}"))


UNCONDITIONAL = (
    "this S3 does not honour conditional writes (If-None-Match), so that files could be "
    "overwritten and records be in the table twice"
)


@contextmanager
def written(
    settings: Settings, folder: str, body: bytes = b"", stored: Mapping[str, str] | None = None
) -> Iterator[Probe]:
    """Keep an object in the bucket for a while, stored as ``Bucket.from_settings`` says.

    Raises Failed if it cannot be written.
    """
    probe = Probe(settings, folder, body, stored or {})
    probe.create()
    try:
        yield probe
    finally:
        probe.delete()
