"""Calls of a service that speaks JSON, by hand: for the one call that every record costs.

botocore checks and writes each value of a request by the service's model, which takes several times
what the rest of a record does. What is sent is the same: POSTs, signed, several at once by libcurl,
which is an extra: who imports this insists on it.
docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import os
import re
import time
from collections.abc import Generator, Iterable, Mapping
from hashlib import sha256
from typing import Any, TypeAlias
from urllib.parse import quote, urlsplit

import botocore.session
import msgspec
import pycurl
from botocore.exceptions import ClientError, HTTPClientError
from botocore.httpsession import ProxyConfiguration, get_cert_path
from botocore.utils import get_environ_proxies

from ..errors import ConnectorError, Fatal, Transient
from .clients import ANSWER_SECONDS, CONNECT_SECONDS, Client, session
from .failures import ConditionFailed, Missing, classified

# BatchWriteItem may give back all that it was sent, 16 MiB: docs.aws.amazon.com/amazondynamodb/
# latest/APIReference/API_BatchWriteItem.html
ANSWER_BYTES = 32 * 1024 * 1024
LOOK_SECONDS = 1.0  # after which libcurl looks at its clocks

Answer = dict[str, Any]
Curl: TypeAlias = Any  # pycurl has no types


class Calls:
    """Sends requests to the endpoint of a client, at most ``at_once``, over kept connections.

    libcurl sends again, on a new connection, what a kept one ended at without a word.
    """

    def __init__(self, client: Client, at_once: int) -> None:
        service = client.meta.service_model
        self.url = client.meta.endpoint_url.rstrip("/") + "/"
        self.region = client.meta.region_name
        self.service = service.signing_name
        self.prefix = service.metadata["targetPrefix"]
        self.content_type = f"application/x-amz-json-{service.metadata['jsonVersion']}"
        self._multi = pycurl.CurlMulti()
        options = _options(self.url)
        self._heard = dict(_lane(options) for _ in range(at_once))

    def each(
        self, what: str, signer: Signer, operation: str, bodies: Iterable[bytes]
    ) -> Generator[tuple[int, Answer | Exception]]:
        """Yield, as they come, the place of a body, and its answer or its error, which is ours.

        ``what`` says what is tried. A lane ends at its first Transient, so that a service that is
        down is tried no more than ``at_once`` times; nothing is said of what was not begun. Once
        the iterator has ended, by its ``close`` too, nothing goes on.
        """
        target = f"{self.prefix}.{operation}"
        waiting = enumerate(bodies)
        free = list(self._heard)
        running: dict[Curl, int] = {}
        try:
            while True:
                for curl, (place, body) in zip(free, waiting):  # noqa: B905 - to the end of either
                    self._begin(curl, signer.headers(target, body), body)
                    running[curl] = place
                free.clear()
                if not running:
                    return
                for curl, failure in self._ended():
                    answer = self._answer(curl, what, operation, failure)
                    if not isinstance(answer, Transient):
                        free.append(curl)
                    yield running.pop(curl), answer
        finally:  # also when a signal ends us
            while self._multi.perform()[1]:
                self._multi.select(LOOK_SECONDS)
            for curl in self._heard:
                if curl.multi():
                    self._multi.remove_handle(curl)

    def signer(self) -> Signer:
        """Return what signs with the credentials of this moment, which it may have to fetch."""
        found = session().get_credentials()
        if found is None:
            raise Fatal("the AWS credentials are gone")
        keys = found.get_frozen_credentials()
        return Signer(self, keys.access_key or "", keys.secret_key or "", keys.token)

    def close(self) -> None:
        """End the connections."""
        self._multi.close()

    def _begin(self, curl: Curl, headers: Mapping[str, str], body: bytes) -> None:
        self._heard[curl].clear()
        lines = [f"{name}: {value}" for name, value in headers.items()]
        curl.setopt(pycurl.HTTPHEADER, [*lines, "expect:"])  # which is sent at once, with its body
        curl.setopt(pycurl.POSTFIELDS, body)
        self._multi.add_handle(curl)

    def _ended(self) -> list[tuple[Curl, str]]:
        """Return what has ended, each with what was in its way; wait for something to happen."""
        self._multi.perform()
        _, answered, failed = self._multi.info_read()
        if not answered and not failed:
            self._multi.select(LOOK_SECONDS)
        ended = [*((curl, "") for curl in answered), *((curl, said) for curl, _, said in failed)]
        for curl, _ in ended:
            self._multi.remove_handle(curl)
        return ended

    def _answer(self, curl: Curl, what: str, operation: str, failure: str) -> Answer | Exception:
        try:
            with classified(what):
                return self._said(curl, operation, failure)
        except (ConnectorError, ConditionFailed, Missing) as error:
            return error

    def _said(self, curl: Curl, operation: str, failure: str) -> Answer:
        if failure:
            # Without what is another each time: equal failures are told of once.
            raise HTTPClientError(error=re.sub(r" after \d+ m\w+", "", failure))
        body = b"".join(self._heard[curl])
        return self.read(operation, curl.getinfo(pycurl.RESPONSE_CODE), body)

    def read(self, operation: str, status: int, body: bytes) -> Answer:
        """Return what the service answers. Raises ClientError, and Fatal for another's answer."""
        if status == 200 and body == b"{}":
            return {}
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
        self._of_day: tuple[str, hmac.HMAC | None] = ("", None)

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
        signature = self._keyed(now[:8]).copy()
        signature.update(text.encode())
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, "
            f"Signature={signature.hexdigest()}"
        )
        return headers

    def _keyed(self, day: str) -> hmac.HMAC:
        known, keyed = self._of_day
        if keyed is not None and known == day:
            return keyed
        key = f"AWS4{self.secret_key}".encode()
        for word in (day, self.calls.region, self.calls.service, "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        keyed = hmac.new(key, digestmod="sha256")
        self._of_day = (day, keyed)
        return keyed


def _options(url: str) -> dict[int, object]:
    """Return the options of every request; certificates and the proxy are those of botocore."""
    bundle = botocore.session.Session().get_config_variable("ca_bundle")
    bundle = bundle or os.environ.get("REQUESTS_CA_BUNDLE") or get_cert_path(True)
    return {
        pycurl.URL: quote(url, safe="/:[]~%"),
        pycurl.PATH_AS_IS: True,
        pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
        pycurl.NOSIGNAL: True,
        pycurl.CONNECTTIMEOUT: CONNECT_SECONDS,
        # Less than a byte a second, of the mean of some seconds, ends it.
        pycurl.LOW_SPEED_LIMIT: 1,
        pycurl.LOW_SPEED_TIME: ANSWER_SECONDS,
        pycurl.MAXFILESIZE: ANSWER_BYTES,
        pycurl.CAINFO: bundle,
        pycurl.PROXY_CAINFO: bundle,
        # As botocore reads the environment, and not as libcurl does.
        pycurl.PROXY: ProxyConfiguration(get_environ_proxies(url)).proxy_url_for(url) or "",
        pycurl.NOPROXY: "",
    }


def _lane(options: Mapping[int, object]) -> tuple[Curl, list[bytes]]:
    """Return what sends one request at a time, and what it hears."""
    curl, heard = pycurl.Curl(), list[bytes]()
    for option, value in options.items():
        curl.setopt(option, value)
    curl.setopt(pycurl.WRITEFUNCTION, heard.append)
    return curl, heard
