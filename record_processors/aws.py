"""The clients of AWS, and what their errors mean."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import boto3
import botocore.exceptions
import smart_open
from botocore.config import Config

from .errors import Fatal, Transient
from .limits import CONNECT_SECONDS, READ_SECONDS
from .retry import Once, Retry
from .settings import (
    DYNAMODB_ENDPOINT,
    ENCRYPTION,
    KINESIS_ENDPOINT,
    KMS_KEY,
    S3_BUCKET,
    S3_ENDPOINT,
    Setting,
    Settings,
    region_of,
)

Result = TypeVar("Result")
Client: TypeAlias = Any  # boto3 makes the classes of its clients at run time

ENDPOINTS: dict[str, Setting[str | None]] = {
    "dynamodb": DYNAMODB_ENDPOINT,
    "kinesis": KINESIS_ENDPOINT,
    "s3": S3_ENDPOINT,
}

# KCL's own keys for one service, which must lead our clients to the same place.
KCL_CLIENTS = {"kinesis": "kinesisClient", "dynamodb": "dynamoDbClient"}

# docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and …/kinesis/latest/APIReference/
# CommonErrors.html: what passes by itself. Any 5xx counts too. BadDigest (a body damaged on its
# way) and IDPCommunicationError are from botocore's _retry.json.
TRANSIENT_CODES = frozenset(
    "BadDigest BandwidthLimitExceeded ConditionalRequestConflict EC2ThrottledException "
    "ExpiredToken ExpiredTokenException IDPCommunicationError InternalError InternalFailure "
    "InternalServerError KMS.ThrottlingException KMSThrottlingException LimitExceededException "
    "OperationAborted PriorRequestNotComplete ProvisionedThroughputExceededException "
    "RequestLimitExceeded RequestThrottled RequestThrottledException RequestTimeout "
    "RequestTimeoutException ServiceUnavailable SlowDown Throttling ThrottledException "
    "ThrottlingException TooManyRequestsException TransactionInProgressException".split()
)
TRANSIENT_ERRORS = (
    botocore.exceptions.HTTPClientError,  # timeouts, resets, an answer cut short
    botocore.exceptions.ConnectionError,
    botocore.exceptions.IncompleteReadError,
    botocore.exceptions.ResponseStreamingError,
    botocore.exceptions.CredentialRetrievalError,  # the metadata service had a moment
    botocore.exceptions.MetadataRetrievalError,
)


class AlreadyExists(Exception):
    """The object was there before: a conditional write lost."""


class Missing(Exception):
    """No such object."""


class Denied(Fatal):
    """The object cannot be looked at: no right to, another region, or, without s3:ListBucket, none.

    Fatal, unless the caller knows that only this one object is meant.
    """


def client(
    service: str, settings: Settings, *, tries: int = 1, read_seconds: int = READ_SECONDS
) -> Client:
    """Make a client for ``service``, at the endpoint that the settings or the environment name.

    It does not try again by itself, unless told to: ``Retry`` does. Raises Fatal.
    """
    endpoint = settings[ENDPOINTS[service]] if service in ENDPOINTS else None
    of_kcl = KCL_CLIENTS.get(service, service)
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"total_max_attempts": tries},
    )
    try:
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=settings.texts.get(f"{of_kcl}.region") or region_of(settings),
            endpoint_url=endpoint or settings.texts.get(f"{of_kcl}.endpointOverride"),
            config=config,
        )
    except botocore.exceptions.NoRegionError as error:
        raise Fatal("no region: set regionName, or AWS_REGION in the environment") from error
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        raise Fatal(f"{service}: {error}") from error


def classify(error: Exception, what: str) -> Exception:
    """Turn an error of boto3 into one of ours; ``what`` says what was tried."""
    # One line, and no word of botocore's own tries, of which there are none.
    said = f"{what}: {' '.join(str(error).split())}".replace(" (reached max retries: 0)", "")
    if isinstance(error, TRANSIENT_ERRORS):
        return Transient(said)
    if not isinstance(error, botocore.exceptions.ClientError):
        return Fatal(said)
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in TRANSIENT_CODES or status >= 500 or status == 429:
        return Transient(said)
    if status == 412:
        return AlreadyExists(what)
    if status == 404 and code in {"404", "NoSuchKey", "NotFound"}:
        return Missing(what)
    # HEAD's answers have no body, so that their code is the status.
    return Denied(said) if code in {"301", "400", "403"} else Fatal(said)


def call(retry: Retry, what: str, action: Callable[[], Result]) -> Result:
    """Call ``action`` with retries, its errors classified.

    Raises AlreadyExists, Missing, Fatal.
    """

    def classified() -> Result:
        try:
            return action()
        except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
            raise classify(error, what) from error

    return retry(what, classified)


def encryption_of(settings: Settings) -> dict[str, str]:
    """Return PutObject's parameters for how S3 is to encrypt; none if the bucket decides."""
    encryption = {
        "ServerSideEncryption": settings[ENCRYPTION],
        "SSEKMSKeyId": settings[KMS_KEY],
    }
    return {name: value for name, value in encryption.items() if value}


class Bucket:
    """The objects of one bucket, written whole and read by smart_open."""

    def __init__(
        self, s3: Client, name: str, retry: Retry, encryption: Mapping[str, str] | None = None
    ) -> None:
        self.s3 = s3
        self.name = name
        self.retry = retry
        self.encryption = dict(encryption or {})

    @classmethod
    def from_settings(cls, settings: Settings) -> Bucket:
        """Take ``s3Bucket``, its endpoint and its encryption."""
        return cls(
            _shared_client("s3", settings),
            settings[S3_BUCKET],
            Retry.from_settings(settings),
            encryption_of(settings),
        )

    def once(self) -> Bucket:
        """Return the same bucket for a caller that holds a lock and tries again as a whole.

        A call of it is one try, of ``CONNECT_SECONDS`` and ``READ_SECONDS`` at most; a passing
        failure is raised as Transient.
        """
        return Bucket(self.s3, self.name, Once(), self.encryption)

    def put(self, key: str, body: bytes) -> None:
        """Write an object, or write it again. Durable on return; raises Fatal."""
        self._write(key, body, {})

    def create(self, key: str, body: bytes, metadata: Mapping[str, str]) -> None:
        """Write an object that must not be there yet.

        Raises AlreadyExists, also when an earlier try succeeded whose answer was lost; Fatal.
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

    def is_open(self, key: str) -> bool:
        """Write an empty object and look at it: whether this bucket is open to us at all."""
        self.put(key, b"")
        try:
            self.head(key)
        except (Denied, Missing):
            return False
        return True

    def _write(self, key: str, body: bytes, arguments: dict[str, object]) -> None:
        url = f"s3://{self.name}/{key}"
        parameters = {
            "client": self.s3,
            "multipart_upload": False,
            "client_kwargs": {"S3.Client.put_object": {**self.encryption, **arguments}},
        }

        def write() -> None:
            try:
                with smart_open.open(
                    url, "wb", compression="disable", transport_params=parameters
                ) as stream:
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
