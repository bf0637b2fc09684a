"""What the errors of AWS mean: the one place that decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import botocore.exceptions

from ..errors import Fatal, Transient, Unavailable, one_line
from ..flow.retry import Retry
from .tls import was_cut

Result = TypeVar("Result")

# What passes by itself, besides any 5xx: from docs.aws.amazon.com/AmazonS3/latest/API/
# ErrorResponses.html, …/kinesis/latest/APIReference/CommonErrors.html, …/amazondynamodb/latest/
# developerguide/Programming.Errors.html, botocore's _retry.json and retries/standard.py.
TOO_MUCH = (
    "BandwidthLimitExceeded EC2ThrottledException KMS.ThrottlingException KMSThrottlingException "
    "LimitExceededException PriorRequestNotComplete ProvisionedThroughputExceededException "
    "RequestLimitExceeded RequestThrottled RequestThrottledException SlowDown Throttling "
    "ThrottledException ThrottlingException TooManyRequestsException"
)
# Of the service's own, also while a name or a replica settles.
HAD_A_MOMENT = (
    "IDPCommunicationError InternalError InternalFailure InternalServerError ServiceUnavailable "
    "TemporaryRedirect"
)
AT_ONCE_WITH_ANOTHER = (
    "ConditionalRequestConflict OperationAborted ReplicatedWriteConflictException "
    "TransactionConflictException TransactionInProgressException"
)
DAMAGED_ON_ITS_WAY = (
    "BadDigest IncompleteBody RequestTimeout RequestTimeoutException XAmzContentSHA256Mismatch"
)
# Of this host: its clock is set, its token renewed; if not, the tries end.
UNTIL_IT_IS_RENEWED = (
    "ExpiredToken ExpiredTokenException RequestExpired RequestTimeTooSkewed TokenRefreshRequired"
)
UNAVAILABLE_CODES = frozenset(" ".join((TOO_MUCH, HAD_A_MOMENT)).split())
TRANSIENT_CODES = frozenset(
    " ".join((AT_ONCE_WITH_ANOTHER, DAMAGED_ON_ITS_WAY, UNTIL_IT_IS_RENEWED)).split()
)
# Of a right, or of another region; of HEAD the status.
DENIED_CODES = frozenset(
    "301 400 403 AccessDenied AuthorizationHeaderMalformed PermanentRedirect".split()
)
# As Kinesis and DynamoDB say that a clock is wrong, under the code of a wrong key.
SKEWED = re.compile(r"^Signature (expired|not yet current)", re.IGNORECASE)
# A conditional write that was refused; S3 says it by its status, 412.
# docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html
CONDITION_CODES = frozenset({"ConditionalCheckFailedException"})
UNAVAILABLE_ERRORS = (
    botocore.exceptions.HTTPClientError,  # timeouts, resets, an answer cut short
    botocore.exceptions.ConnectionError,
    botocore.exceptions.IncompleteReadError,
    botocore.exceptions.ResponseStreamingError,
)
TRANSIENT_ERRORS = (
    # A wrong certificate, or what speaks no TLS, does not pass by itself.
    botocore.exceptions.SSLError,
    botocore.exceptions.FlexibleChecksumError,  # an answer damaged on its way
    botocore.exceptions.CredentialRetrievalError,  # the metadata service had a moment
    botocore.exceptions.MetadataRetrievalError,
)
# Also when the metadata service was silent; where there are none, the tries end.
NO_CREDENTIALS = (
    "no AWS credentials are found: in the environment, in AWS's files, or at the metadata service"
)


class ConditionFailed(Exception):
    """A conditional write lost: what is there is not as the condition wants it."""


class Missing(Exception):
    """No such object."""


class Denied(Fatal):
    """No right to this call, or another region; without s3:ListBucket, perhaps no such object.

    Fatal, unless the caller knows that only this one object is meant.
    """


def classify(error: Exception, what: str) -> Exception:
    """Turn an error of boto3 into one of ours; ``what`` says what was tried.

    Of what passes, ``Retry`` says that.
    """
    cause = sentence(error)
    said = f"{what}: {cause}"
    if not isinstance(error, botocore.exceptions.ClientError):
        return _without_an_answer(error, said)
    answer = error.response.get("Error", {})
    code = str(answer.get("Code", ""))
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    is_skewed = SKEWED.search(str(answer.get("Message", "")))
    if code in TRANSIENT_CODES or is_skewed:
        return Transient(cause)
    if code in UNAVAILABLE_CODES or status >= 500 or status == 429:
        return Unavailable(cause)
    if status == 412 or code in CONDITION_CODES:
        return ConditionFailed(what)
    if status == 404 and code in {"404", "NoSuchKey", "NotFound"}:
        return Missing(what)
    # HEAD's answers have no body, so that their code is the status.
    return Denied(said) if code in DENIED_CODES else Fatal(said)


def _without_an_answer(error: Exception, said: str) -> Exception:
    if isinstance(error, botocore.exceptions.NoRegionError):
        return Fatal("no region: set regionName, or AWS_REGION in the environment")
    if isinstance(error, botocore.exceptions.NoCredentialsError):
        return Transient(NO_CREDENTIALS)
    if isinstance(error, botocore.exceptions.SSLError) and was_cut(error):
        return Unavailable(sentence(error))
    if isinstance(error, TRANSIENT_ERRORS):
        return Transient(sentence(error))
    return Unavailable(sentence(error)) if isinstance(error, UNAVAILABLE_ERRORS) else Fatal(said)


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
