"""Requests to OpenSearch: one connection, its login, its errors in our words."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Mapping
from typing import Any, TypeAlias

import certifi
from botocore.credentials import Credentials
from botocore.exceptions import NoCredentialsError
from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth
from opensearchpy.exceptions import OpenSearchException

from ...aws.clients import READ_SECONDS, session
from ...aws.failures import call
from ...config.setting import Settings
from ...errors import Fatal
from ...flow.retry import Retry
from .errors import classify
from .settings import (
    OPEN_SEARCH_URL,
    PASSWORD_VARIABLE,
    SSL_ROOT_CERT,
    USERNAME_VARIABLE,
    aws_of,
)

# It says at each failed request what it was, and what it held.
logging.getLogger("opensearch").setLevel(logging.CRITICAL)


Answer: TypeAlias = Any  # of JSON
Login: TypeAlias = Any  # a user with a password, or what signs a request


class Client:
    """One OpenSearch. It does not try again by itself: ``Retry`` does."""

    def __init__(self, url: str, login: Login = None, certificates: str | None = None) -> None:
        self.url = url
        self._transport = OpenSearch(
            [url],
            max_retries=0,
            http_auth=login,
            timeout=READ_SECONDS,
            ssl_context=context_of(certificates) if url.startswith("https:") else None,
        ).transport

    @classmethod
    def from_settings(cls, settings: Settings) -> Client:
        """Take address, login and certificates. Raises Fatal."""
        return cls(settings[OPEN_SEARCH_URL], login_of(settings), settings[SSL_ROOT_CERT])

    def request(
        self,
        what: str,
        method: str,
        path: str,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """Return the answer to a request. Raises Transient, Fatal, TooLarge."""
        headers = {"content-type": "application/x-ndjson"} if body else {}
        try:
            return self._transport.perform_request(
                method, path, headers=headers, params=params, body=body
            )
        except OpenSearchException as error:
            raise classify(error, what) from error

    def close(self) -> None:
        """End the connection."""
        self._transport.close()


def login_of(settings: Settings) -> Login:
    """Return the login: the environment's, or else, to AWS, that of IAM. Raises Fatal."""
    user, password = os.environ.get(USERNAME_VARIABLE), os.environ.get(PASSWORD_VARIABLE)
    if user and password:
        return user, password
    if user or password:
        raise Fatal(f"of {USERNAME_VARIABLE} and {PASSWORD_VARIABLE} one is not in the environment")
    if (aws := aws_of(settings[OPEN_SEARCH_URL])) is None:
        return None
    retry = Retry.from_settings(settings, "opensearch")
    credentials = call(retry, "credentials for OpenSearch", _credentials)
    return Urllib3AWSV4SignerAuth(credentials, aws.region, aws.service)


def _credentials() -> Credentials:
    """Return the process' credentials, which renew themselves."""
    if (found := session().get_credentials()) is None:
        raise NoCredentialsError
    return found


def context_of(certificates: str | None) -> ssl.SSLContext:
    """Return what verifies the server's name and certificate. Raises Fatal."""
    try:
        return ssl.create_default_context(cafile=certificates or certifi.where())
    except OSError as error:  # ssl's own too
        raise Fatal(
            f"openSearchSSLRootCert = {certificates}: no certificates can be read: {error}"
        ) from error
