"""Calls of a service that speaks JSON, by hand: for the one call that every record costs.

botocore checks and writes each value of a request by the service's model, which takes several times
what the rest of a record does. What is sent is the same: POSTs, signed, several at once by libcurl,
which is an extra: who imports this insists on it first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterable, Mapping
from typing import Any, TypeAlias
from urllib.parse import quote

import botocore.session
import msgspec
import pycurl
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, SSLError
from botocore.httpsession import ProxyConfiguration, get_cert_path
from botocore.utils import get_environ_proxies

from ..errors import ConnectorError, Fatal, Transient
from .clients import ANSWER_SECONDS, CONNECT_SECONDS, Client, session
from .failures import ConditionFailed, Missing, classified, classify
from .signer import Signer

# BatchWriteItem may give back all that it was sent, 16 MiB: docs.aws.amazon.com/amazondynamodb/
# latest/APIReference/API_BatchWriteItem.html
ANSWER_BYTES = 32 * 1024 * 1024
# Of certificates: the server's, or our own file of them.
UNTRUSTED = {pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_CACERT_BADFILE}
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
        self.content_type = f"application/x-amz-json-{service.metadata['jsonVersion']}"
        self.prefix = service.metadata["targetPrefix"]
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
        return self.signed_by(found.get_frozen_credentials())

    def signed_by(self, keys: ReadOnlyCredentials) -> Signer:
        """Return what signs with these credentials."""
        return Signer(self.url, self.region, self.service, self.content_type, keys)

    def close(self) -> None:
        """End the connections."""
        self._multi.close()

    def _begin(self, curl: Curl, headers: Mapping[str, str], body: bytes) -> None:
        self._heard[curl].clear()
        lines = [f"{name}: {value}" for name, value in headers.items()]
        curl.setopt(pycurl.HTTPHEADER, [*lines, "expect:"])  # which is sent at once, with its body
        curl.setopt(pycurl.POSTFIELDS, body)
        self._multi.add_handle(curl)

    def _ended(self) -> list[tuple[Curl, BotoCoreError | None]]:
        """Return what has ended, each with what was in its way; wait for something to happen."""
        self._multi.perform()
        _, answered, failed = self._multi.info_read()
        if not answered and not failed:
            self._multi.select(LOOK_SECONDS)
        ended: list[tuple[Curl, BotoCoreError | None]] = [(curl, None) for curl in answered]
        ended += [(curl, self._failure(code, said)) for curl, code, said in failed]
        for curl, _ in ended:
            self._multi.remove_handle(curl)
        return ended

    def _failure(self, code: int, said: str) -> BotoCoreError:
        """Return what botocore would raise, without what is another each time."""
        said = re.sub(r" after \d+ m\w+", "", said)  # equal failures are told of once
        if code in UNTRUSTED:
            return SSLError(endpoint_url=self.url, error=said)  # type: ignore[arg-type] # any text
        return HTTPClientError(error=said)

    def _answer(
        self, curl: Curl, what: str, operation: str, failure: BotoCoreError | None
    ) -> Answer | Exception:
        if failure:
            return classify(failure, what)
        try:
            with classified(what):
                body = b"".join(self._heard[curl])
                return self._read(operation, curl.getinfo(pycurl.RESPONSE_CODE), body)
        except (ConnectorError, ConditionFailed, Missing) as error:
            return error

    def _read(self, operation: str, status: int, body: bytes) -> Answer:
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
