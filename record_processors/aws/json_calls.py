"""Calls of a service that speaks JSON, by hand: for the one call that every record costs.

botocore checks and writes each value of a request by the service's model, which takes several times
what the rest of a record does. What is sent is the same: one POST, signed, through urllib3.
docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import quote, urlsplit

import botocore.session
import msgspec
import urllib3
from botocore.exceptions import ClientError, HTTPClientError
from botocore.httpsession import ProxyConfiguration, get_cert_path
from botocore.utils import get_environ_proxies

from ..errors import Fatal
from .clients import CONNECT_SECONDS, Client, session

ANSWER_SECONDS = 10  # DynamoDB answers in some milliseconds


class Calls:
    """Sends requests to the endpoint of a client; any number of threads may, at once."""

    def __init__(self, client: Client, connections: int) -> None:
        service = client.meta.service_model
        self.url = client.meta.endpoint_url.rstrip("/") + "/"
        self.region = client.meta.region_name
        self.service = service.signing_name
        self.prefix = service.metadata["targetPrefix"]
        self.content_type = f"application/x-amz-json-{service.metadata['jsonVersion']}"
        self._http = _http(self.url, connections)

    def __call__(self, signer: Signer, operation: str, body: bytes) -> dict[str, Any]:
        """Return what the service answers.

        Raises ClientError and HTTPClientError, as botocore does, and Fatal for another's answer.
        """
        signed = signer.headers(f"{self.prefix}.{operation}", body)
        try:
            answer = self._http.urlopen(
                "POST", self.url, body=body, headers=signed, redirect=False, retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise HTTPClientError(error=error) from error
        return self._read(operation, answer.status, answer.data)

    def signer(self) -> Signer:
        """Return what signs with the credentials of this moment, which it may have to fetch."""
        found = session().get_credentials()
        if found is None:
            raise Fatal("the AWS credentials are gone")
        keys = found.get_frozen_credentials()
        return Signer(self, keys.access_key or "", keys.secret_key or "", keys.token)

    def close(self) -> None:
        """End the connections."""
        self._http.clear()

    def _read(self, operation: str, status: int, body: bytes) -> dict[str, Any]:
        try:
            answer = msgspec.json.decode(body, type=dict[str, Any])
        except ValueError as error:
            if status == 200:
                raise Fatal(f"what answers at {self.url} is not AWS: {error}") from error
            answer = {}
        if status == 200:
            return answer
        raise ClientError(
            {
                "Error": {
                    # com.amazonaws.dynamodb.v20120810#ResourceNotFoundException
                    "Code": str(answer.get("__type", status)).rpartition("#")[2],
                    "Message": str(answer.get("message") or answer.get("Message") or ""),
                },
                "ResponseMetadata": {"HTTPStatusCode": status},  # type: ignore[typeddict-item]
            },
            operation,
        )


class Signer:
    """Signs requests of one form with the same credentials: Signature Version 4."""

    def __init__(self, calls: Calls, access_key: str, secret_key: str, token: str | None) -> None:
        self.calls = calls
        self.access_key = access_key
        self.secret_key = secret_key
        self.token = token
        url = urlsplit(calls.url)
        self.host = url.netloc
        if self.host.endswith({"https": ":443", "http": ":80"}[url.scheme]):
            self.host = self.host.rpartition(":")[0]
        self.path = quote(url.path, safe="/~")
        self._key = ("", b"")  # of a day

    def headers(self, target: str, body: bytes) -> Mapping[str, str]:
        """Return the headers of a request, its signature among them."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = {
            "content-type": self.calls.content_type,
            "host": self.host,
            "x-amz-date": now,
            **({"x-amz-security-token": self.token} if self.token else {}),
            "x-amz-target": target,
        }
        names = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        request = f"POST\n{self.path}\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
        scope = f"{now[:8]}/{self.calls.region}/{self.calls.service}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        signature = hmac.digest(self._key_of(now[:8]), text.encode(), "sha256").hex()
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, "
            f"Signature={signature}"
        )
        return headers

    def _key_of(self, day: str) -> bytes:
        if (known := self._key)[0] == day:
            return known[1]
        key = f"AWS4{self.secret_key}".encode()
        for word in (day, self.calls.region, self.calls.service, "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        self._key = (day, key)
        return key


def _http(url: str, connections: int) -> urllib3.PoolManager:
    """Make what holds the connections, with the certificates and the proxy that botocore takes."""
    bundle = botocore.session.Session().get_config_variable("ca_bundle")
    bundle = bundle or os.environ.get("REQUESTS_CA_BUNDLE")
    options: dict[str, Any] = {
        "maxsize": connections,
        "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS),
        "ca_certs": bundle or get_cert_path(True),
    }
    proxies = ProxyConfiguration(get_environ_proxies(url))
    if proxy := proxies.proxy_url_for(url):
        login = proxies.proxy_headers_for(proxy)
        return urllib3.ProxyManager(proxy, proxy_headers=login, **options)
    return urllib3.PoolManager(**options)
