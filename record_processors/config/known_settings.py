"""Which settings a file may hold: the daemon's, every pipeline's, those of the classes it names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from .component import Component
from .kcl_keys import KCL_KEYS
from .keys import DESTINATION, EVERY_PIPELINE
from .registry import CHOOSERS, Chosen, is_plugin, name_of, ours
from .setting import Setting

Known = Mapping[str, Setting[object]]

COMMON: Known = {**KCL_KEYS, **{each.key: each for each in EVERY_PIPELINE}}


def known_settings(classes: Iterable[type[Component]]) -> Known:
    """Return what a file may hold that names these classes."""
    declared = [setting for each in classes for setting in each.declares]
    return {**COMMON, **{setting.key: setting for setting in declared}}


class Elsewhere(NamedTuple):
    """A setting of no use here, and the names of the classes that it is for."""

    setting: Setting[object]
    chooser: str
    users: tuple[str, ...]


def elsewhere() -> dict[str, Elsewhere]:
    """Return what any class of ours declares. Imports all: only for what is unknown."""
    found: dict[str, Elsewhere] = {}
    for chooser in CHOOSERS:
        for name, each in ours(chooser):
            for setting in each.declares:
                users = found[setting.key].users if setting.key in found else ()
                found[setting.key] = Elsewhere(setting, chooser, (*users, name))
    return found


def where_secrets_are() -> str:
    """Say why a secret is refused, and where each destination of ours has its own."""
    sentences = [each.secrets_come_from for _, each in ours(DESTINATION.key)]
    return "; ".join(
        ["secrets never stand in this file, which the daemon logs", *filter(None, sentences)]
    )


def of_no_effect(texts: Mapping[str, str], chosen: Chosen) -> list[str]:
    """Return a sentence for each key that is for classes that the file does not name.

    A class of one's own may read it all the same.
    """
    known = known_settings(chosen)
    if all(key in known for key in texts):
        return []
    others = elsewhere()
    return [
        f"{key} has no effect on {user}: it is for {' and '.join(sorted(others[key].users))}"
        for key in texts
        if key not in known and not is_plugin(user := _user(others[key].chooser, texts, chosen))
    ]


def _user(chooser: str, texts: Mapping[str, str], chosen: Chosen) -> str:
    if chooser == "transformer" and chosen.destination.own_transformer is not None:
        chooser = chosen.destination.named_by
    return name_of(chooser, texts)
