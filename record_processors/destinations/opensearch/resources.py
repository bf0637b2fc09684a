"""The index, as something that a pipeline needs: looked at, made, allowed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from ...aws.arns import ANY, no_pattern, partition_of
from ...aws.findings import about
from ...aws.iam import allow
from ...config.resource import Creatable, Failed, Finding, Statement
from ...config.setting import Settings
from ...errors import ConnectorError, Fatal
from ...extras import insist_on
from ...flow.retry import Retry
from .settings import OPEN_SEARCH_ID_FIELD, OPEN_SEARCH_INDEX, OPEN_SEARCH_URL, aws_of

if TYPE_CHECKING:
    from .client import Answer

EXTRA = ("opensearch", "opensearchpy")

# Of an index of a data stream: docs.opensearch.org/latest/im-plugin/data-streams
OF_DATA_STREAM = ".ds-"
FOR_DATA_STREAMS = "creates data streams only"  # said of a template that matches the name
THERE_ALREADY = "resource_already_exists_exception"


class Index(Creatable):
    """The index, alias or data stream that the documents go to.

    ``create`` makes what the templates of the user say of its name: its mapping, or that it is a
    data stream; without one, an index whose mapping grows with the documents.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.name = settings[OPEN_SEARCH_INDEX]
        self.place = about(OPEN_SEARCH_INDEX, self.name)

    def __str__(self) -> str:
        return f"index {self.name}"

    def exists(self) -> bool:
        """Look for it."""
        return self._indices() is not None

    def make(self) -> Sequence[str]:
        """Make it, unless another ``create`` does at this moment."""
        try:
            self._request("PUT", f"/{self.name}")
        except Fatal as error:
            if FOR_DATA_STREAMS in str(error):
                self._request("PUT", f"/_data_stream/{self.name}")
            elif THERE_ALREADY not in str(error):
                raise
        return ()

    def probe(self) -> Iterator[Finding]:
        """Look at it. No document is written, as it could be found."""
        kind = self._looked_at()
        yield Finding("ok", f"{self.place}: the {kind} is there")
        if kind == "data stream":
            said = "documents without @timestamp are dead letters"
            yield Finding("note", f"{self.place}: a data stream: {said}")
        yield Finding("note", f"{self.place}: whether documents may be written was not tried")

    def look(self) -> Iterator[Finding]:
        """Look whether it is there."""
        self._looked_at()
        yield from ()

    def _looked_at(self) -> str:
        """Return what it is. Raises Failed."""
        try:
            indices = self._indices()
        except ConnectorError as error:
            raise Failed(
                f"{about(OPEN_SEARCH_URL, self.settings[OPEN_SEARCH_URL])}: {error}"
            ) from error
        if indices is None:
            raise Failed(f"{self.place}: it is not there; `kinesis-connectors create` makes it")
        if any(one.startswith(OF_DATA_STREAM) for one in indices):
            if field := self.settings[OPEN_SEARCH_ID_FIELD]:
                raise Failed(
                    f"openSearchIdField = {field}: {self.name} is a data stream, whose documents "
                    "are never overwritten; leave openSearchIdField out, or take an index"
                )
            return "data stream"
        return "index" if self.name in indices else "alias"

    def _indices(self) -> list[str] | None:
        """Return the names of the indices behind the name; None if there is nothing."""
        insist_on(*EXTRA)
        from .errors import status_of  # noqa: PLC0415

        try:
            found = self._request("GET", f"/{self.name}", {"filter_path": "*.settings.index.uuid"})
        except Fatal as error:
            if isinstance(error.__cause__, Exception) and status_of(error.__cause__) == 404:
                return None
            raise
        return list(found)

    def _request(self, method: str, path: str, params: Mapping[str, str] | None = None) -> Answer:
        insist_on(*EXTRA)
        from .client import Client  # noqa: PLC0415

        what = f"looking at {self.name}" if method == "GET" else f"making {self.name}"
        with closing(Client.from_settings(self.settings)) as client:
            return Retry.from_settings(self.settings, "opensearch")(
                what, lambda: client.request(what, method, path, params)
            )

    def permissions(self, account: str) -> Iterator[Statement]:
        """Allow to look at it and to write documents: by HTTP's methods, on the paths of these.

        docs.aws.amazon.com/opensearch-service/latest/developerguide/ac.html; what a collection lets
        one do is said by its data access policy: …/serverless-data-access.html.
        """
        if collection := self._collection(account):
            yield allow("UseTheCollection", "aoss: APIAccessAll", collection)
        if domain := self._domain(account):
            yield allow("LookAtTheIndex", "es: ESHttpGet", f"{domain}/{self.name}")
            yield allow("WriteDocuments", "es: ESHttpPost", f"{domain}/{self.name}/_bulk")

    def permissions_to_create(self, account: str) -> Iterator[Statement]:
        """Allow to look at it and to make it."""
        if collection := self._collection(account):
            yield allow("UseTheCollection", "aoss: APIAccessAll", collection)
        if domain := self._domain(account):
            paths = [f"{domain}/{self.name}", f"{domain}/_data_stream/{self.name}"]
            yield allow("LookAtTheIndex", "es: ESHttpGet", paths[0])
            yield allow("MakeTheIndex", "es: ESHttpPut", *paths)

    def ports(self) -> Iterator[int]:
        """Return the one that the URL says, if it says one."""
        if port := urlsplit(self.settings[OPEN_SEARCH_URL]).port:
            yield port

    def _collection(self, account: str) -> str:
        return self._arn("aoss", account, "collection")

    def _domain(self, account: str) -> str:
        return self._arn("es", account, "domain")

    def _arn(self, service: str, account: str, kind: str) -> str:
        aws = aws_of(self.settings[OPEN_SEARCH_URL])
        if aws is None or aws.service != service:
            return ""
        place = f"arn:{partition_of(aws.region)}:{service}:{aws.region}:{account}"
        return f"{place}:{kind}/{no_pattern(aws.name) or ANY}"
