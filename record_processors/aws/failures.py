"""What the errors of AWS mean: the one place that decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import botocore.exceptions

from ..errors import Fatal, Transient, one_line
from ..flow.retry import Retry

Result = TypeVar("Result")

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
# A conditional write that was refused; S3 says it by its status, 412.
# docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
CONDITION_CODES = frozenset({"ConditionalCheckFailedException"})
TRANSIENT_ERRORS = (
    botocore.exceptions.HTTPClientError,  # timeouts, resets, an answer cut short
    botocore.exceptions.ConnectionError,
    botocore.exceptions.IncompleteReadError,
    botocore.exceptions.ResponseStreamingError,
    botocore.exceptions.CredentialRetrievalError,  # the metadata service had a moment
    botocore.exceptions.MetadataRetrievalError,
)


class ConditionFailed(Exception):
    """A conditional write lost: what is there is not as the condition wants it."""


class Missing(Exception):
    """No such object."""


class Denied(Fatal):
    """The object cannot be looked at: no right to, another region, or, without s3:ListBucket, none.

    Fatal, unless the caller knows that only this one object is meant.
    """


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
    if status == 412 or code in CONDITION_CODES:
        return ConditionFailed(what)
    if status == 404 and code in {"404", "NoSuchKey", "NotFound"}:
        return Missing(what)
    # HEAD's answers have no body, so that their code is the status.
    return Denied(said) if code in {"301", "400", "403"} else Fatal(said)


def sentence(error: Exception) -> str:
    """Return what boto3 says, in one line, without its own tries, of which there are none."""
    return one_line(error).replace(" (reached max retries: 0)", "")


@contextmanager
def classified(what: str) -> Iterator[None]:
    """Turn errors of boto3 into ours; ``what`` says what is tried."""
    try:
        yield
    except (botocore.exceptions.ClientError, botocore.exceptions.BotoCoreError) as error:
        raise classify(error, what) from error


def call(retry: Retry, what: str, action: Callable[[], Result]) -> Result:
    """Call ``action`` with retries, its errors classified.

    Raises ConditionFailed, Missing, Fatal.
    """

    def attempt() -> Result:
        with classified(what):
            return action()

    return retry(what, attempt)
