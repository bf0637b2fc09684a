"""Documents in OpenSearch: each row one, or the last record of each value of a field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...aws.clients import READ_SECONDS
from ...config.component import Shipped
from ...config.keys import STREAM_NAME
from ...config.metric import Counter
from ...config.resource import Resource
from ...config.setting import Setting, Settings
from ...config.shipped import DAEMON
from ...config.work import Cost, Load, Work
from ...extras import insist_on
from ...flow.batch import Batch
from ...flow.emitter import Emitter
from ...flow.retry import Retry
from .documents import by_field, by_position
from .resources import EXTRA, Index
from .settings import (
    DECLARED,
    OPEN_SEARCH_ID_FIELD,
    OPEN_SEARCH_INDEX,
    OPEN_SEARCH_URL,
    PASSWORD_VARIABLE,
    USERNAME_VARIABLE,
    aws_of,
    is_loopback,
)

if TYPE_CHECKING:
    from .bulk import Bulk


DOCUMENTS = Counter(
    "opensearch.documents", "Documents sent, those that were there already or refused included."
)


class OpenSearchEmitter(Emitter[bytes]):
    """Writes each row as a document.

    Its ``_id`` is its record's position, and it is created only if it is not there, so that a
    replay adds nothing. With ``openSearchIdField`` it is that field's value, and the position is
    its version, so that neither a replay nor a zombie moves a document back.
    """

    accepts = frozenset({"json"})
    declares = tuple(DECLARED)
    measures = (*Emitter.measures, DOCUMENTS)
    longest_try = READ_SECONDS
    secrets_come_from = (
        "that of OpenSearch is in OPENSEARCH_PASSWORD of the environment, or there is none because "
        "IAM logs in"
    )
    shipped = Shipped(
        "opensearch",
        "Records of a Kinesis stream become documents in OpenSearch.",
        {
            **DAEMON,
            "connectorDestination": "opensearch",
            "applicationName": "flights-to-opensearch",
            "transformer": "json",
            "filter": "all",
            "bufferRecordCountLimit": "5000",
            "bufferByteSizeLimit": "4194304",
            "bufferMillisecondsLimit": "5000",
            "kinesisInputStreamShardCount": "4",
        },
    )

    def __init__(self, bulk: Bulk, stream: str, id_field: str | None) -> None:
        self.bulk = bulk
        self.stream = stream
        self.id_field = id_field

    @classmethod
    def extras(cls, settings: Settings) -> Sequence[str]:
        """Return that of its client."""
        del settings
        return EXTRA[:1]

    @classmethod
    def resources(cls, settings: Settings) -> Sequence[Resource]:
        """Return the index."""
        return [Index(settings)]

    @classmethod
    def variables(cls, settings: Settings) -> Mapping[str, Setting[Any]]:
        """Return the login of a cluster that is not AWS's, nor on this machine."""
        url = settings[OPEN_SEARCH_URL]
        if is_loopback(url) or aws_of(url) is not None:
            return {}
        return {USERNAME_VARIABLE: OPEN_SEARCH_URL, PASSWORD_VARIABLE: OPEN_SEARCH_URL}

    @classmethod
    def work(cls, settings: Settings, load: Load) -> Work:
        """Send each batch; what the cluster makes of it is not counted."""
        del settings, load
        return Work(Cost(12.6, 11_365))

    @classmethod
    def from_settings(cls, settings: Settings) -> OpenSearchEmitter:
        """Connect to nothing yet. Raises Fatal without the extra."""
        insist_on(*EXTRA)
        from .bulk import Bulk  # noqa: PLC0415 - it stands on the extra
        from .client import Client  # noqa: PLC0415

        bulk = Bulk(
            Client.from_settings(settings),
            settings[OPEN_SEARCH_INDEX],
            Retry.from_settings(settings, "opensearch"),
        )
        return cls(bulk, settings[STREAM_NAME], settings[OPEN_SEARCH_ID_FIELD])

    def emit(self, batch: Batch[bytes]) -> None:
        """Send every row; what the index refuses for good becomes dead letters."""
        documents = (
            by_field(self.id_field) if self.id_field else by_position(self.stream, self.shard)
        )
        items = list(documents(batch))
        self.bulk.send(items, batch)
        DOCUMENTS.add(len(items))

    def close(self) -> None:
        """End the connection."""
        self.bulk.client.close()
