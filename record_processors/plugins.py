"""Transformers, filters, emitters and pipelines of one's own, named as ``package.module:Class``."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .setting import CLASS_PATH
from .settings import DESTINATION, FILTER, TRANSFORMER, Setting

# Which of our base classes a class that a setting names must derive from.
BASES = {
    DESTINATION.key: "Emitter or Pipeline",
    TRANSFORMER.key: "Transformer",
    FILTER.key: "Filter",
}


class PluginError(Exception):
    """A class that is named in the file and cannot be had. ``key`` is the setting that names it."""

    def __init__(self, key: str, sentence: str) -> None:
        super().__init__(sentence)
        self.key = key


def is_plugin(name: str) -> bool:
    """Whether ``name`` is ``package.module:Class`` rather than one of our short names."""
    return re.fullmatch(CLASS_PATH, name) is not None


def load_class(key: str, name: str) -> type[Any]:
    """Import the class ``package.module:Class`` that the setting ``key`` names.

    Modules are also found in the directory that the daemon was started in. Raises PluginError.
    """
    module_name, _, class_name = name.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        found = getattr(importlib.import_module(module_name), class_name)
    except Exception as error:  # the module is another's, and may raise anything
        raise PluginError(key, f"{key} = {name}: {type(error).__name__}: {error}") from error
    # Only our base classes have it. Looking at it here spares this module to import them.
    if not isinstance(found, type) or getattr(found, "named_by", None) != key:
        raise PluginError(key, f"{key} = {name}: not a subclass of {BASES[key]}")
    return found


def plugin_settings(texts: Mapping[str, str]) -> dict[str, Setting[object]]:
    """Return what the classes of one's own that a file names declare."""
    return {
        setting.key: setting
        for chooser in (DESTINATION, TRANSFORMER, FILTER)
        if is_plugin(name := texts.get(chooser.key, ""))
        for setting in getattr(load_class(chooser.key, name), "declares", ())
    }


def is_newer(cls: type, one: str, other: str) -> bool:
    """Whether the method ``one`` of a class comes from nearer to it than the method ``other``."""
    definer = next(each for each in cls.__mro__ if one in vars(each) or other in vars(each))
    return other not in vars(definer)
