"""The program that hosts install: which requirement of pip has all that their files need."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.registry import chosen
from ..config.setting import Settings


def requirement(pipelines: Sequence[Settings], version: str) -> str:
    """Return it: this program, with the extra of each library that only some files need.

    A folder of ``scripts/wheels`` has all extras.
    """
    extras = {
        extra
        for settings in pipelines
        for extra in chosen(settings.texts).destination.extras(settings)
    }
    named = f"[{','.join(sorted(extras))}]" if extras else ""
    return f"kinesis-connectors{named}=={version}"
