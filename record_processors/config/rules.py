"""Settings that are each valid and contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from . import kcl_rules
from .component import Contradiction
from .keys import DESTINATION, ENCRYPTION, KMS_KEY, TRANSFORMER
from .known_settings import of_no_effect
from .registry import Chosen, chosen, name_of
from .setting import Settings


def notes(settings: Settings) -> Iterator[str]:
    """Yield what may be meant so, and should be known."""
    yield from kcl_rules.notes(settings)
    yield from of_no_effect(settings.texts, chosen(settings.texts))


def contradictions(settings: Settings, classes: Chosen) -> Iterator[Contradiction]:
    """Yield every contradiction in settings that are valid one by one."""
    yield from kcl_rules.contradictions(settings, classes.destination.longest_try)
    yield from _rows(settings, classes)
    for each in classes:
        yield from each.contradictions(settings)
    if KMS_KEY in settings and settings[ENCRYPTION] != "aws:kms":
        yield KMS_KEY.key, "s3KmsKeyId needs s3ServerSideEncryption = aws:kms"


def _rows(settings: Settings, classes: Chosen) -> Iterator[Contradiction]:
    """Let the transformer's rows be such as the destination takes."""
    accepts, name = classes.destination.accepts, settings[DESTINATION]
    if classes.destination.own_transformer is not None:
        if TRANSFORMER in settings:
            yield (
                TRANSFORMER.key,
                f"transformer has no effect on {name}, which has one of its own: it belongs in the "
                "file of the stage before",
            )
    elif (
        accepts is not None and (made := getattr(classes.transformer, "format", "")) not in accepts
    ):
        transformer = name_of(TRANSFORMER.key, settings.texts)
        yield (
            TRANSFORMER.key if TRANSFORMER in settings else DESTINATION.key,
            f"transformer = {transformer} makes rows of {made}; {name} takes "
            f"{', '.join(sorted(accepts))}",
        )
