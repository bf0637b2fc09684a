"""The message by which one pipeline tells the next of a file: written, and read."""

from __future__ import annotations

import msgspec

from ..config.keys import S3_BUCKET
from ..config.setting import Settings
from ..errors import Rejected
from ..flow.record import Record
from ..flow.transformer import Transformer
from .file import VERSION, File

# docs.aws.amazon.com/AmazonS3/latest/userguide/directory-bucket-naming-rules.html
DIRECTORY_BUCKET = "--x-s3"


class FileMessages(Transformer[File]):
    """Reads a message: our JSON object, or the bare path that the ancestors sent."""

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket

    @classmethod
    def from_settings(cls, settings: Settings) -> FileMessages:
        """Bare paths lie in ``s3Bucket``."""
        return cls(settings[S3_BUCKET])

    def transform(self, record: Record) -> tuple[File]:
        """Return the one file that is announced; reject what announces none."""
        return (read_message(record.data, self.bucket),)


def read_message(data: bytes, bucket: str) -> File:
    """Read one message; a bare ``key`` lies in ``bucket``. Raises Rejected."""
    try:
        text = data.decode().strip()
    except UnicodeDecodeError as error:
        raise Rejected("not a manifest message: not UTF-8") from error
    file = _structured(text) if text.startswith(("{", "[")) else _bare(text, bucket)
    if file.bucket.endswith(DIRECTORY_BUCKET):
        raise Rejected(
            f"a manifest message of {file.url}: files in directory buckets are not loaded"
        )
    return file


def _structured(text: str) -> File:
    try:
        file = msgspec.json.decode(text, type=File)
    except (ValueError, RecursionError) as error:
        raise Rejected(f"not a manifest message: {error}") from error
    if file.version != VERSION:
        raise Rejected(f"a manifest message of version {file.version}; this program knows 1")
    return file


def _bare(text: str, bucket: str) -> File:
    if text.startswith("s3://"):
        bucket, _, text = text.removeprefix("s3://").partition("/")
    if not text.isprintable():
        raise Rejected("not a manifest message: neither JSON nor the path of a file")
    try:
        return msgspec.convert({"bucket": bucket, "key": text}, File)
    except ValueError as error:
        raise Rejected(
            f"not a manifest message: neither JSON nor the path of a file: {error}"
        ) from error
