"""What an error of AWS means to the person who mends it, when something is tried beforehand."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable

from botocore.exceptions import BotoCoreError, ClientError

from ..config.keys import BACKOFF_INTERVAL, OUTAGE_PATIENCE, RETRY_LIMIT
from ..config.resource import Failed, Finding
from ..config.setting import Setting, Settings
from ..errors import ConnectorError, one_line
from .clients import Client, client
from .failures import NO_CREDENTIALS

# Somebody waits for the answer.
TRIES = 2
PROBE_SECONDS = 10  # for an answer

NAMED_ACTION = re.compile(r"not authorized to perform: ([\w-]+:\w+)")
# S3 and KMS word it in more than one way; HEAD's answers have no body: their code is the status.
DENIED = re.compile(r"AccessDenied|^403$|^NotAuthorized")
# docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html and …/AmazonS3/latest/API/
# ErrorResponses.html: what is refused is not the action, but who we say that we are.
NOT_LET_IN = frozenset(
    "AuthFailure ExpiredToken ExpiredTokenException IncompleteSignature InvalidAccessKeyId "
    "InvalidClientTokenId InvalidSignatureException InvalidToken MissingAuthenticationToken "
    "SignatureDoesNotMatch UnrecognizedClientException".split()
)


def impatient(settings: Settings) -> Settings:
    """Return the settings for tries, instead of those of a daemon at night."""
    haste = {RETRY_LIMIT.key: str(TRIES), BACKOFF_INTERVAL.key: "100", OUTAGE_PATIENCE.key: "0"}
    return Settings(settings.path, {**settings.texts, **haste})


def quick_client(service: str, settings: Settings) -> Client:
    """Make a client that soon gives up. Raises Fatal."""
    return client(service, settings, tries=TRIES, read_seconds=PROBE_SECONDS)


def about(setting: Setting[str] | Setting[str | None], value: str) -> str:
    """Return the beginning of a sentence about what a setting names."""
    return f"{setting.key} = {value}"


def code_of(error: BaseException | None) -> str:
    """Return the code of an error that AWS answered; "" of any other."""
    if not isinstance(error, ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def status_of(error: ClientError) -> int:
    """Return the HTTP status of an answer."""
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def is_denied(error: BaseException) -> bool:
    """Whether we are known, and lack a permission."""
    return bool(DENIED.search(code_of(error)) or NAMED_ACTION.search(str(error)))


def why(error: Exception, permission: str = "") -> str:
    """Return the end of a sentence that says what an error means.

    ``permission`` is what the call needs, for an answer that does not name it.
    """
    if isinstance(error, ConnectorError) and isinstance(error.__cause__, ClientError):
        error = error.__cause__
    if NO_CREDENTIALS in str(error):
        return NO_CREDENTIALS
    if is_denied(error):
        named = NAMED_ACTION.search(str(error))
        return f"the permission {named[1] if named else permission} is missing ({code_of(error)})"
    if isinstance(error, ClientError):
        said = str(error.response.get("Error", {}).get("Message", "")) or str(error)
        if code_of(error) in NOT_LET_IN:
            return f"AWS does not take the credentials ({code_of(error)}): {said}"
        return f"{code_of(error)}: {said}"
    return one_line(error)


ERRORS = (ClientError, BotoCoreError, ConnectorError)


def results(check: Iterable[Finding]) -> Generator[Finding, None, None]:
    """Run one check to its end; what it does not survive is a problem like any other."""
    try:
        yield from check
    except Failed as failure:
        yield Finding("problem", str(failure))
    except ERRORS as error:
        yield Finding("problem", why(error))
    except LookupError as error:
        yield not_aws(error)


def not_aws(error: LookupError) -> Finding:
    """Say what it means that an answer lacks what AWS' answers have."""
    return Finding("problem", f"what answers at the endpoint is not AWS: its answer lacks {error}")
