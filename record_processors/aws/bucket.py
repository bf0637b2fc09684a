"""The objects of one bucket, and the one client that all who write them share."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, TypeVar

import smart_open

from ..config.keys import ENCRYPTION, KMS_KEY, S3_BUCKET
from ..config.setting import Settings
from ..errors import Unavailable, one_line
from ..flow.retry import Once, Retry
from .clients import Client, client
from .failures import Denied, Missing, call

Result = TypeVar("Result")

# S3 compares it with what arrives, refuses what was damaged on its way, and keeps it for whoever
# reads: docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html
CHECKSUM = "SHA256"


def encryption_of(settings: Settings) -> dict[str, str]:
    """Return PutObject's parameters for how S3 is to encrypt; none if the bucket decides."""
    encryption = {
        "ServerSideEncryption": settings[ENCRYPTION],
        "SSEKMSKeyId": settings[KMS_KEY],
    }
    return {name: value for name, value in encryption.items() if value}


class Bucket:
    """The objects of one bucket, written whole by smart_open, and looked at."""

    def __init__(
        self, s3: Client, name: str, retry: Retry, stored: Mapping[str, str] | None = None
    ) -> None:
        self.s3 = s3
        self.name = name
        self.retry = retry
        self.stored = dict(stored or {})

    @classmethod
    def from_settings(cls, settings: Settings, stored: Mapping[str, str] | None = None) -> Bucket:
        """Take ``s3Bucket``, its endpoint and its encryption.

        ``stored`` is what else PutObject is to be told of how all that is written is kept.
        """
        return cls(
            _shared_client("s3", settings),
            settings[S3_BUCKET],
            Retry.from_settings(settings, "s3"),
            {**encryption_of(settings), **(stored or {})},
        )

    def url(self, key: str) -> str:
        """Return the address of an object."""
        return f"s3://{self.name}/{key}"

    def once(self) -> Bucket:
        """Return the same bucket for a caller that holds a lock and tries again as a whole.

        A call of it is one try, of ``CONNECT_SECONDS`` and ``READ_SECONDS`` at most; a passing
        failure is raised as Transient.
        """
        return Bucket(self.s3, self.name, Once(), self.stored)

    def put(self, key: str, body: bytes) -> None:
        """Write an object, or write it again. Durable on return; raises Fatal."""
        self._write(key, body, {})

    def create(self, key: str, body: bytes | IO[bytes], metadata: Mapping[str, str]) -> None:
        """Write an object that must not be there yet; a large one may be a file of this host.

        Raises ConditionFailed, also when an earlier try succeeded whose answer was lost; Fatal.
        """
        self._write(key, body, {"IfNoneMatch": "*", "Metadata": dict(metadata)})

    def head(self, key: str, bucket: str | None = None) -> Mapping[str, Any]:
        """Return what HeadObject says of an object. Raises Missing, Fatal."""
        what = f"looking at s3://{bucket or self.name}/{key}"
        found: Mapping[str, Any] = call(
            self.retry,
            what,
            lambda: self.s3.head_object(Bucket=bucket or self.name, Key=key),
        )
        return found

    def page(
        self, prefix: str, token: str | None = None, delimiter: str = "", **how: object
    ) -> Mapping[str, Any]:
        """Return what ListObjectsV2 says: one page of the objects whose keys begin so.

        ``token`` is the ``NextContinuationToken`` of the page before; ``how`` is what else
        ListObjectsV2 takes. Raises Denied, Fatal.
        """
        how |= {"ContinuationToken": token} if token else {}
        how |= {"Delimiter": delimiter} if delimiter else {}
        found: Mapping[str, Any] = call(
            self.retry,
            f"listing {self.url(prefix)}",
            lambda: self.s3.list_objects_v2(Bucket=self.name, Prefix=prefix, **how),
        )
        return found

    def objects(self, prefix: str) -> Iterator[Mapping[str, Any]]:
        """Yield the objects whose keys begin so, page after page. Raises Denied, Fatal."""
        token: str | None = None
        while True:
            page = self.page(prefix, token)
            yield from page.get("Contents", ())
            if not (token := page.get("NextContinuationToken")):
                return

    def read(self, url: str, part: Callable[[IO[bytes]], Result]) -> Result:
        """Return what ``part`` makes of an object of any bucket, which it reads from the beginning.

        It is called again when the reading was cut short. Raises Missing, Denied, Fatal, and what
        ``part`` raises.
        """
        parameters = {"client": self.s3}

        def read() -> Result:
            try:
                with smart_open.open(
                    url, "rb", compression="disable", transport_params=parameters
                ) as stream:
                    return part(stream)
            except OSError as error:  # how smart_open wraps a ClientError, or gives up reading
                cause = getattr(error, "backend_error", None)
                raise cause or Unavailable(one_line(error)) from None

        return call(self.retry, f"reading {url}", read)

    def is_open(self, key: str) -> bool:
        """Write an empty object and look at it: whether this bucket is open to us at all."""
        try:
            self.put(key, b"")
            self.head(key)
        except (Denied, Missing):
            return False
        return True

    def _write(self, key: str, body: bytes | IO[bytes], arguments: dict[str, object]) -> None:
        url = self.url(key)
        how = {**self.stored, "ChecksumAlgorithm": CHECKSUM}
        parameters: dict[str, object] = {
            "client": self.s3,
            "multipart_upload": False,
            "client_kwargs": {"S3.Client.put_object": {**how, **arguments}},
        }

        def write() -> None:
            if not isinstance(body, bytes):
                body.flush()
                # All of what is sent, as it lies there; smart_open closes what it is given.
                parameters["writebuffer"] = os.fdopen(os.dup(body.fileno()), "rb")
            try:
                with smart_open.open(
                    url, "wb", compression="disable", transport_params=parameters
                ) as stream:
                    if isinstance(body, bytes):
                        stream.write(body)
            except ValueError as error:  # how smart_open wraps every ClientError
                raise error.__cause__ if error.__cause__ else error from None

        call(self.retry, f"writing {url}", write)


@functools.lru_cache
def _cached_client(service: str, path: str, _texts: frozenset[tuple[str, str]]) -> Client:
    return client(service, Settings(path, dict(_texts)))


def _shared_client(service: str, settings: Settings) -> Client:
    """Return one client per service and process: each costs megabytes."""
    return _cached_client(service, settings.path, frozenset(settings.texts.items()))
