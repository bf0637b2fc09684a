"""The files of a COPY: the manifest or the key prefix, and their bytes, by way of boto3.

https://docs.aws.amazon.com/redshift/latest/dg/loading-data-files-using-manifest.html
"""

from __future__ import annotations

import gzip
import json
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Protocol, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from record_processors.local.redshift.failures import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_s3 import S3Client

    from record_processors.local.redshift.copy_statement import CopyStatement

_ABSENT = ("NoSuchKey", "404")


class Readable(Protocol):
    """What a file's bytes come from."""

    def read(self, size: int, /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""


@dataclass(frozen=True)
class DataFile:
    """A file to load; ``length`` is its ``content_length`` in the manifest, -1 if not told."""

    bucket: str
    key: str
    mandatory: bool = True
    length: int = -1

    @property
    def url(self) -> str:
        """The file's name, as the system tables show it."""
        return f"s3://{self.bucket}/{self.key}"


def s3_client() -> S3Client:
    """Return a client of the endpoint and region that the environment names."""
    config = Config(
        s3={"addressing_style": "path"},
        connect_timeout=5,
        read_timeout=60,
        retries={"mode": "standard", "total_max_attempts": 3},
        max_pool_connections=64,
    )
    return boto3.client("s3", config=config)


def data_files(client: S3Client, copy: CopyStatement) -> list[DataFile]:
    """Return the files that a COPY names, in their order; they need not exist."""
    files = _manifest(client, copy) if copy.manifest else _prefix(client, copy)
    if not files:
        what = "manifest" if copy.manifest else "S3 prefix"
        raise SourceError(f"The specified {what} '{copy.key}' does not exist", context=" ")
    return files


@contextmanager
def opened(client: S3Client, file: DataFile, compression: str) -> Iterator[Readable | None]:
    """Open a file and undo its compression; None for a file that is absent and may be."""
    context = f"S3 key being read : {file.url}"
    try:
        with _s3_errors(context):
            try:
                answer = client.get_object(Bucket=file.bucket, Key=file.key)
            except ClientError as error:
                if error.response["Error"]["Code"] in _ABSENT and not file.mandatory:
                    yield None
                    return
                raise
            length = answer["ContentLength"]
            if file.length not in (-1, length):
                message = f"S3 file has {length} bytes, its manifest says {file.length}"
                raise SourceError(message, context=context)
            yield _plain(cast("IO[bytes]", answer["Body"]), compression)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        message = f"failed to inflate with zlib lib error: {error}"
        raise SourceError(message, context=context) from error


def _plain(body: IO[bytes], compression: str) -> Readable:
    if compression == "gzip":
        return gzip.GzipFile(fileobj=body)
    if compression == "zstd":
        import zstandard  # noqa: PLC0415 - an extra, wanted by those who load such files only

        return _Zstd(zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True))
    return body


@dataclass
class _Zstd:
    """Zstandard's stream with an error that does not need its module to be caught."""

    stream: Readable

    def read(self, size: int, /) -> bytes:
        import zstandard  # noqa: PLC0415 - see above

        try:
            return self.stream.read(size)
        except zstandard.ZstdError as error:
            raise EOFError(str(error)) from error


def _prefix(client: S3Client, copy: CopyStatement) -> list[DataFile]:
    with _s3_errors(f"S3 prefix being listed : s3://{copy.bucket}/{copy.key}"):
        pages = client.get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=copy.bucket, Prefix=copy.key)
        return [DataFile(copy.bucket, o["Key"]) for page in found for o in page.get("Contents", [])]


def object_bytes(client: S3Client, url: str, prefix: str = "") -> bytes:
    """Return what a small object holds; ``prefix`` begins the sentence if it cannot be read."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    with _s3_errors(f"S3 key being read : {url}", prefix):
        return client.get_object(Bucket=bucket, Key=key)["Body"].read()


def _manifest(client: S3Client, copy: CopyStatement) -> list[DataFile]:
    url = f"s3://{copy.bucket}/{copy.key}"
    context = f"S3 key being read : {url}"
    body = object_bytes(client, url, "Problem reading manifest file - ")
    try:
        return [_entry(entry) for entry in json.loads(body)["entries"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SourceError("Manifest file is not in correct json format", context=context) from error


def _entry(entry: dict[str, Any]) -> DataFile:
    scheme, _, path = entry["url"].partition("://")
    bucket, _, key = path.partition("/")
    mandatory = entry.get("mandatory", False)
    length = entry.get("meta", {}).get("content_length", -1)
    if scheme != "s3" or not bucket or not key or type(mandatory) is not bool:
        raise ValueError(entry)
    if type(length) is not int:
        raise ValueError(entry)
    return DataFile(bucket, key, mandatory, length)


@contextmanager
def _s3_errors(context: str, prefix: str = "") -> Iterator[None]:
    """Word an error of S3 as Redshift does."""
    try:
        yield
    except ClientError as error:
        told, meta = error.response["Error"], error.response["ResponseMetadata"]
        message = (
            f"{prefix}S3ServiceException:{told.get('Message', '')},"
            f"Status {meta['HTTPStatusCode']},Error {told['Code']},"
            f"Rid {meta.get('RequestId', '')},CanRetry 1"
        )
        raise SourceError(message, context=context) from error
    except BotoCoreError as error:
        raise SourceError(f"{prefix}S3CurlException: {error}", context=context) from error
