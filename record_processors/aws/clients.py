"""The clients of AWS."""

from __future__ import annotations

from typing import Any, TypeAlias

import boto3
import botocore.exceptions
from botocore.config import Config

from ..config.keys import DYNAMODB_ENDPOINT, KINESIS_ENDPOINT, S3_ENDPOINT, region_of
from ..config.setting import Setting, Settings
from ..errors import Fatal

CONNECT_SECONDS = 5  # for a connection
READ_SECONDS = 60  # for an answer

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
