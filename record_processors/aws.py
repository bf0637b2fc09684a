"""The clients of AWS, and what their errors mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import boto3
import botocore.exceptions
from botocore.config import Config

from .errors import Fatal, Transient, one_line
from .limits import CONNECT_SECONDS, READ_SECONDS
from .retry import Retry
from .settings import (
    DYNAMODB_ENDPOINT,
    KINESIS_ENDPOINT,
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
    """Turn an error of boto3 into one of ours; ``what`` says what was tried.

    Of what passes, ``Retry`` says that.
    """
    cause = sentence(error)
    said = f"{what}: {cause}"
    if isinstance(error, TRANSIENT_ERRORS):
        return Transient(cause)
    if not isinstance(error, botocore.exceptions.ClientError):
        return Fatal(said)
    code = str(error.response.get("Error", {}).get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in TRANSIENT_CODES or status >= 500 or status == 429:
        return Transient(cause)
    if status == 412:
        return AlreadyExists(what)
    if status == 404 and code in {"404", "NoSuchKey", "NotFound"}:
        return Missing(what)
    # HEAD's answers have no body, so that their code is the status.
    return Denied(said) if code in {"301", "400", "403"} else Fatal(said)


def sentence(error: Exception) -> str:
    """Return what boto3 says, in one line, without its own tries, of which there are none."""
    return one_line(error).replace(" (reached max retries: 0)", "")


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
