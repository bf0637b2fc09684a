"""The bucket: whether the pipeline may do there what it does, and whether S3 keeps its word."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import ClientError

from ..bucket import encryption_of
from ..places import dead_letters_folder, manifests_folder
from ..settings import DEAD_LETTER_PREFIX, S3_BUCKET, Settings
from .finding import ERRORS, Failed, Finding, about, code_of, quick_client, status_of, why

NAME = "access-check-"  # and what no other check has


class Probe:
    """A tiny object of our own, in the bucket while a check is under way."""

    def __init__(self, settings: Settings, folder: str, body: bytes) -> None:
        self.s3 = quick_client("s3", settings)
        self.bucket = settings[S3_BUCKET]
        self.key = f"{folder}{NAME}{uuid.uuid4().hex}"
        self.folder = f"s3://{self.bucket}/{folder}"
        self.body = body
        self.encryption = encryption_of(settings)
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
            Bucket=self.bucket, Key=self.key, Body=self.body, IfNoneMatch="*", **self.encryption
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
def written(settings: Settings, folder: str, body: bytes = b"") -> Iterator[Probe]:
    """Keep an object in the bucket for a while. Raises Failed if it cannot be written."""
    probe = Probe(settings, folder, body)
    probe.create()
    try:
        yield probe
    finally:
        probe.delete()


def files(settings: Settings) -> Iterator[Finding]:
    """Try what writing files and finding them again takes."""
    with written(settings, manifests_folder(settings)) as probe:
        yield Finding("ok", f"{probe.place}: files can be written")
        yield _written_again(probe)
        yield _looked_at(probe)
        yield _missing(probe)
    yield from probe.left_behind


def dead_letters(settings: Settings) -> Iterator[Finding]:
    """Try to write where dead letters go."""
    where = about(DEAD_LETTER_PREFIX, settings[DEAD_LETTER_PREFIX])
    try:
        with written(settings, dead_letters_folder(settings)) as probe:
            yield Finding("ok", f"{where}: dead letters can be written")
    except Failed as failure:
        if code_of(failure.__cause__) == "NoSuchBucket":  # no more than the check of files says
            raise
        raise Failed(f"{where}: {failure}") from failure
    yield from probe.left_behind


def _written_again(probe: Probe) -> Finding:
    try:
        probe.write()
    except ERRORS as error:
        if isinstance(error, ClientError) and status_of(error) == 412:
            return Finding("ok", f"{probe.place}: what is there is not written again (412)")
        said = why(error, "s3:PutObject")
        return Finding("problem", f"{probe.place}: a second conditional write: {said}")
    return Finding("problem", f"{probe.place}: {UNCONDITIONAL}")


def _looked_at(probe: Probe) -> Finding:
    try:
        probe.s3.head_object(Bucket=probe.bucket, Key=probe.key)
    except ERRORS as error:
        said = why(error, "s3:GetObject")
        return Finding("problem", f"{probe.place}: {probe.url} cannot be looked at: {said}")
    return Finding("ok", f"{probe.place}: files can be looked at")


def _missing(probe: Probe) -> Finding:
    try:
        probe.s3.head_object(Bucket=probe.bucket, Key=f"{probe.key}-missing")
    except ERRORS as error:
        if isinstance(error, ClientError) and status_of(error) == 404:
            return Finding("ok", f"{probe.place}: S3 says of a file that it is not there")
        if isinstance(error, ClientError) and status_of(error) == 403:
            return Finding(
                "note",
                f"{probe.place}: without the permission s3:ListBucket, S3 does not say of a file "
                "that it is not there; files are written all the same",
            )
        said = why(error)
        return Finding("problem", f"{probe.place}: a missing file cannot be looked for: {said}")
    return Finding("problem", f"{probe.place}: S3 says of a missing file that it is there")
