"""Finds the classes that a file names: ours by a short name, one's own by module and class."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .component import Component, Destination
from .types import CLASS_PATH, did_you_mean

SEVERAL = "record_processors.flow.several:several"  # puts destinations together, as one
# A new class of ours is a line here; all else is said by the class itself.
DESTINATIONS = {
    "s3": "record_processors.destinations.s3:S3Emitter",
    "s3-manifest": "record_processors.destinations.s3_manifest:S3ManifestEmitter",
    "redshift-manifest": "record_processors.destinations.redshift.emitter:RedshiftManifestEmitter",
    "redshift-basic": "record_processors.destinations.redshift.basic:RedshiftBasicEmitter",
    "kinesis": "record_processors.destinations.kinesis:KinesisEmitter",
    "dynamodb": "record_processors.destinations.dynamodb.emitter:DynamoDBEmitter",
    "opensearch": "record_processors.destinations.opensearch.emitter:OpenSearchEmitter",
}
TRANSFORMERS = {
    "json": "record_processors.transformers.json:Json",
    "delimited": "record_processors.transformers.delimited:Delimited",
    "csv": "record_processors.transformers.csv:Csv",
    "text": "record_processors.transformers.text:Text",
}
FILTERS = {
    "all": "record_processors.filters.all:All",
    "jmespath": "record_processors.filters.jmespath:JmesPath",
    "regex": "record_processors.filters.regex:Regex",
}


class Chooser(NamedTuple):
    """A setting that names a class: the names of ours, and what one's own must derive from."""

    names: Mapping[str, str]
    base: str
    default: str = ""


CHOOSERS = {
    "connectorDestination": Chooser(DESTINATIONS, "Emitter or Pipeline"),
    "transformer": Chooser(TRANSFORMERS, "Transformer", "json"),
    "filter": Chooser(FILTERS, "Filter", "all"),
}


class PluginError(Exception):
    """A class that is named in the file and cannot be had. ``key`` is the setting that names it."""

    def __init__(self, key: str, sentence: str) -> None:
        super().__init__(sentence)
        self.key = key


class Chosen(NamedTuple):
    """The classes that a file names."""

    destination: type[Destination]
    transformer: type[Component]
    filter: type[Component]


class NotChosen(Exception):
    """Some of the classes cannot be had: ``errors`` says why, ``found`` has the others.

    Names that are neither ours nor like ``package.module:Class`` are in neither.
    """

    def __init__(self, errors: list[PluginError], found: list[type[Component]]) -> None:
        super().__init__("; ".join(map(str, errors)))
        self.errors = errors
        self.found = found


def chosen(texts: Mapping[str, str]) -> Chosen:
    """Import what a file names, or leaves to its default. Raises NotChosen."""
    found: dict[str, type[Any]] = {}
    errors: list[PluginError] = []
    for key, chooser in CHOOSERS.items():
        name = name_of(key, texts)
        try:
            if key == "transformer" and (own := _own_transformer(found)):
                found[key] = own
            elif all(one in chooser.names or is_plugin(one) for one in names_in(name)):
                found[key] = _load(key, names_in(name))
        except PluginError as error:
            errors.append(error)
    if len(found) < len(CHOOSERS):
        raise NotChosen(errors, list(found.values()))
    return Chosen(*found.values())


def _own_transformer(found: Mapping[str, type[Any]]) -> type[Component] | None:
    destination: type[Destination] | None = found.get(Destination.named_by)
    return destination.own_transformer if destination else None


def name_of(key: str, texts: Mapping[str, str]) -> str:
    """Return which class a file names by the setting ``key``."""
    return texts.get(key, CHOOSERS[key].default)


def names_in(text: str) -> list[str]:
    """Return the names of destinations, of which there may be several with commas between them."""
    return [name.strip() for name in text.split(",")]


def is_plugin(name: str) -> bool:
    """Whether ``name`` is ``package.module:Class`` rather than one of our short names."""
    return re.fullmatch(CLASS_PATH, name) is not None


def ours(key: str) -> Iterator[tuple[str, type[Any]]]:
    """Import each class of ours that the setting ``key`` may name; yield it with its name."""
    for name in CHOOSERS[key].names:
        yield name, load_class(key, name)


def _load(key: str, names: Sequence[str]) -> type[Any]:
    """Import what the setting ``key`` names; several are put together. Raises PluginError."""
    if len(names) == 1:
        return load_class(key, names[0])
    members = {name: load_class(key, name) for name in names}
    module, _, function = SEVERAL.partition(":")
    try:
        together: type[Any] = getattr(importlib.import_module(module), function)(members)
    except ValueError as error:
        raise PluginError(key, f"{key} = {', '.join(names)}: {error}") from error
    return together


def load_class(key: str, name: str) -> type[Any]:
    """Import the class that the setting ``key`` names.

    Modules are also found in the directory that the daemon was started in. Raises PluginError.
    """
    module_name, _, class_name = CHOOSERS[key].names.get(name, name).partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # the module is another's, and may raise anything
        raise PluginError(key, f"{key} = {name}: {type(error).__name__}: {error}") from error
    found: object = getattr(module, class_name, None)
    if found is None:
        there = [other for other, value in vars(module).items() if _is_component(value, key)]
        near = did_you_mean(class_name, there)
        raise PluginError(key, f"{key} = {name}: {module_name} has no {class_name}{near}")
    if not _is_component(found, key):
        raise PluginError(key, f"{key} = {name}: not a subclass of {CHOOSERS[key].base}")
    if left := sorted(getattr(found, "__abstractmethods__", ())):
        open_ones = f"does not say what {class_name} leaves open: {', '.join(left)}"
        raise PluginError(key, f"{key} = {name}: {open_ones}")
    return found  # type: ignore[return-value]


def _is_component(value: object, key: str) -> bool:
    return (
        isinstance(value, type)
        and issubclass(value, Component)
        and getattr(value, "named_by", None) == key
    )
