"""A short name for what decides which rows a record becomes."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from .component import Component
from .registry import chosen
from .setting import Settings

PACKAGE = __name__.partition(".")[0]
CHARACTERS = 12  # of a digest: two of one pipeline's life will not be alike by chance


def fingerprint(settings: Settings) -> str:
    """Digest the transformer and the filter of a file: their classes, settings and code.

    Of classes of one's own the module that holds the class counts, byte by byte, and not what that
    imports; ours make the same rows of the same settings in every version that does not say
    otherwise in CHANGELOG.md.
    """
    classes = chosen(settings.texts)
    parts = [
        part for one in (classes.transformer, classes.filter) for part in _parts(one, settings)
    ]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:CHARACTERS]


def _parts(component: type[Component], settings: Settings) -> list[str]:
    said = [f"{setting.key}={settings[setting]!r}" for setting in component.declares]
    return [f"{component.__module__}:{component.__qualname__}", *said, _code(component)]


def _code(component: type[Component]) -> str:
    module = sys.modules[component.__module__]
    path = getattr(module, "__file__", None)
    if path is None or module.__name__.partition(".")[0] == PACKAGE:
        return ""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
