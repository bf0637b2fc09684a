"""The pipeline of a file, put together."""

from __future__ import annotations

from typing import Any

from ..aws.bucket import Bucket
from ..aws.layout import dead_letters_folder
from ..config.keys import BYTE_LIMIT, STREAM_NAME
from ..config.registry import chosen
from ..config.setting import Settings
from ..flow.buffer import Buffer
from ..flow.dead_letters import DeadLetters
from ..flow.pipeline import Pipeline


def assemble(settings: Settings, letters_kind: type[DeadLetters] = DeadLetters) -> Pipeline[Any]:
    """Make the pipeline that ``connectorDestination`` names.

    That is one of our destinations, an Emitter of one's own, or a whole Pipeline of one's own.
    """
    parts: Any = chosen(settings.texts)
    dead_letters = letters_kind(
        Bucket.from_settings(settings),
        dead_letters_folder(settings),
        settings[STREAM_NAME],
        settings[BYTE_LIMIT],
    )
    if issubclass(parts.destination, Pipeline):
        whole: Pipeline[Any] = parts.destination.from_settings(settings, dead_letters)
        return whole
    return Pipeline(
        parts.transformer.from_settings(settings),
        parts.filter.from_settings(settings),
        Buffer.from_settings(settings),
        parts.destination.from_settings(settings),
        dead_letters,
    )
