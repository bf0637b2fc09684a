"""The program that hosts install: which requirement of pip has all that their files need."""

from __future__ import annotations

from collections.abc import Sequence

from ..config.registry import CHOOSERS, chosen, is_plugin, name_of, names_in
from ..config.setting import Settings


class NotInTheProgram(Exception):
    """A class that hosts would not have, and the remedy, in one sentence."""


def requirement(pipelines: Sequence[Settings], version: str) -> str:
    """Return it: this program, with the extra of each library that only some files need.

    A folder of ``scripts/wheels`` has all extras. Raises NotInTheProgram.
    """
    for settings in pipelines:
        _insist_on_ours(settings)
    extras = {
        extra
        for settings in pipelines
        for extra in chosen(settings.texts).destination.extras(settings)
    }
    named = f"[{','.join(sorted(extras))}]" if extras else ""
    return f"kinesis-connectors{named}=={version}"


def _insist_on_ours(settings: Settings) -> None:
    for key in CHOOSERS:
        for name in names_in(name_of(key, settings.texts)):
            if is_plugin(name):
                raise NotInTheProgram(
                    f"{settings.path}: {key} = {name} is a class of your own, which pip's index "
                    "does not have: put a wheel of it into the folder that scripts/wheels makes, "
                    "with its line in requirements.txt there, and name the folder's copy in S3 by "
                    "--source s3://…"
                )
