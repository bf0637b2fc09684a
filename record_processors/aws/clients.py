"""The clients of AWS."""

from __future__ import annotations

from typing import Any, TypeAlias, cast

import boto3
import botocore.exceptions
import botocore.session
from botocore.config import Config

from ..config.keys import DYNAMODB_ENDPOINT, KINESIS_ENDPOINT, S3_ENDPOINT, region_of
from ..config.setting import Setting, Settings
from ..errors import Fatal
from ..flow.retry import Retry
from .failures import call

CONNECT_SECONDS = 5  # for a connection
READ_SECONDS = 60  # for an answer
ANSWER_SECONDS = 10  # of DynamoDB to a write, which takes it some milliseconds
# For the credentials of a host, of which many children may ask at once; botocore waits one second
# unless the environment or AWS's files say another.
METADATA_SECONDS, BOTOCORES_METADATA_SECONDS = 5, 1

Client: TypeAlias = Any  # boto3 makes the classes of its clients at run time

ENDPOINTS: dict[str, Setting[str | None]] = {
    "dynamodb": DYNAMODB_ENDPOINT,
    "kinesis": KINESIS_ENDPOINT,
    "s3": S3_ENDPOINT,
}

# KCL's own keys for one service, which must lead our clients to the same place.
KCL_CLIENTS = {"kinesis": "kinesisClient", "dynamodb": "dynamoDbClient"}


def client(
    service: str, settings: Settings, *, tries: int = 1, read_seconds: int = READ_SECONDS
) -> Client:
    """Make a client for ``service``, at the endpoint that the settings or the environment name.

    It does not try again by itself, unless told to: ``Retry`` does. Only credentials are looked for
    again here, as a client that was made without never looks for them. Raises Fatal.
    """
    endpoint = settings[ENDPOINTS[service]] if service in ENDPOINTS else None
    of_kcl = KCL_CLIENTS.get(service, service)
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries={"total_max_attempts": tries},
    )

    def make() -> Client:
        if session().get_credentials() is None:
            raise botocore.exceptions.NoCredentialsError
        return boto3.client(
            service,  # type: ignore[call-overload]
            region_name=settings.texts.get(f"{of_kcl}.region") or region_of(settings),
            endpoint_url=endpoint or settings.texts.get(f"{of_kcl}.endpointOverride"),
            config=config,
        )

    try:
        return call(Retry.from_settings(settings), f"a client of {service}", make)
    except ValueError as error:  # of an endpoint
        raise Fatal(f"{service}: {error}") from error


def session() -> boto3.Session:
    """Return the session of the process, which has patience with the metadata service."""
    if boto3.DEFAULT_SESSION is None:
        made = botocore.session.Session()
        if made.get_config_variable("metadata_service_timeout") == BOTOCORES_METADATA_SECONDS:
            made.set_config_variable("metadata_service_timeout", METADATA_SECONDS)
        boto3.setup_default_session(botocore_session=made)
    return cast("boto3.Session", boto3.DEFAULT_SESSION)
