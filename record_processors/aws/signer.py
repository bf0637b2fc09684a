"""Signature Version 4, for requests that are all of one form.

docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import quote, urlsplit

from botocore.credentials import ReadOnlyCredentials


class Signer:
    """Signs POSTs to one address of a service, with the same credentials."""

    def __init__(
        self, url: str, region: str, service: str, content_type: str, keys: ReadOnlyCredentials
    ) -> None:
        self.region = region
        self.service = service
        self.content_type = content_type
        self.keys = keys
        address = urlsplit(url)
        self.host = address.netloc
        if self.host.endswith({"https": ":443", "http": ":80"}[address.scheme]):
            self.host = self.host.rpartition(":")[0]
        self.path = quote(address.path, safe="/~")
        self._of_day: tuple[str, hmac.HMAC | None] = ("", None)

    def headers(self, target: str, body: bytes) -> Mapping[str, str]:
        """Return the headers of a request, its signature among them."""
        now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        headers = {
            "content-type": self.content_type,
            "host": self.host,
            "x-amz-date": now,
            **({"x-amz-security-token": self.keys.token} if self.keys.token else {}),
            "x-amz-target": target,
        }
        names = ";".join(headers)
        lines = "".join(f"{name}:{value}\n" for name, value in headers.items())
        request = f"POST\n{self.path}\n\n{lines}\n{names}\n{sha256(body).hexdigest()}"
        scope = f"{now[:8]}/{self.region}/{self.service}/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{sha256(request.encode()).hexdigest()}"
        signature = self._keyed(now[:8]).copy()
        signature.update(text.encode())
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.keys.access_key}/{scope}, SignedHeaders={names}, "
            f"Signature={signature.hexdigest()}"
        )
        return headers

    def _keyed(self, day: str) -> hmac.HMAC:
        known, keyed = self._of_day
        if keyed is not None and known == day:
            return keyed
        key = f"AWS4{self.keys.secret_key}".encode()
        for word in (day, self.region, self.service, "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        keyed = hmac.new(key, digestmod="sha256")
        self._of_day = (day, keyed)
        return keyed
