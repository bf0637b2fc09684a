"""The pipeline of a file, put together; and everything outside that it needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..aws.bucket import Bucket
from ..aws.layout import dead_letters_folder
from ..aws.new_bucket import PipelineBucket
from ..aws.objects import DeadLetterFiles
from ..config.keys import BYTE_LIMIT, STREAM_NAME
from ..config.registry import chosen
from ..config.resource import Resource
from ..config.setting import Settings
from ..flow.dead_letters import DeadLetters
from ..flow.pipeline import Pipeline
from .resources import Leases, Metrics, SourceStream


def assemble(settings: Settings) -> Pipeline[Any]:
    """Make the pipeline that ``connectorDestination`` names.

    That is one of our destinations, an Emitter of one's own, or a whole Pipeline of one's own.
    """
    destination = chosen(settings.texts).destination
    pipeline = destination if issubclass(destination, Pipeline) else Pipeline
    letters = DeadLetters(
        Bucket.from_settings(settings),
        dead_letters_folder(settings),
        settings[STREAM_NAME],
        settings[BYTE_LIMIT],
    )
    return pipeline.from_settings(settings, letters)


def resources(settings: Settings) -> Iterator[Resource]:
    """Yield all that a pipeline needs outside: the daemon, its destination, the dead letters."""
    yield SourceStream(settings)
    yield Leases(settings)
    yield Metrics(settings)
    yield PipelineBucket(settings)
    yield from chosen(settings.texts).destination.resources(settings)
    yield DeadLetterFiles(settings)
