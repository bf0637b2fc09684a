"""Files in S3, one for each batch, each a link of its shard's chain."""

from __future__ import annotations

from collections.abc import Sequence

from ..aws.objects import Files
from ..config.component import Shipped
from ..config.resource import Resource
from ..config.setting import Settings
from ..config.shipped import FILES_OF_ROWS
from ..files.chain import Chain
from ..files.chain_emitter import ChainEmitter


class S3Emitter(ChainEmitter):
    """Writes each batch as one file, never over another."""

    shipped = Shipped(
        "s3",
        "Records of a Kinesis stream become files in S3.",
        {**FILES_OF_ROWS, "connectorDestination": "s3", "applicationName": "flights-archive"},
    )

    @classmethod
    def resources(cls, settings: Settings) -> Sequence[Resource]:
        """Return the files."""
        return [Files(settings)]

    @classmethod
    def from_settings(cls, settings: Settings) -> S3Emitter:
        """Take the chain of the pipeline's files."""
        return cls(Chain.from_settings(settings))
