"""A pipeline's ``.properties`` file as it lies on a host."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import javaproperties

from ..config.keys import APPLICATION_NAME, EXECUTABLE_NAME
from ..config.registry import chosen
from ..config.setting import Setting, Settings

FOLDER = "/etc/connectors"


def name_of(settings: Settings) -> str:
    """Return the name of a pipeline among those of a host, which needs no escapes in systemd."""
    return settings[APPLICATION_NAME]


def path_of(settings: Settings) -> str:
    """Return where the file lies."""
    return f"{FOLDER}/{name_of(settings)}.properties"


def secrets_path(settings: Settings) -> str:
    """Return where its secrets lie, as variables of the environment: a file that is root's own."""
    return f"{FOLDER}/{name_of(settings)}.env"


def secrets(settings: Settings) -> Mapping[str, Setting[Any]]:
    """Return the variables that must be there, each with the setting why."""
    return chosen(settings.texts).destination.variables(settings)


def text_of(
    settings: Settings, *, comments: bool = True, added: Mapping[str, str] | None = None
) -> str:
    """Return the file as it is, but that ``executableName`` names the path on the host.

    Without ``comments`` its settings alone are left, each as it was written. Letters beyond ASCII
    of values are escaped as Java reads them: the text is to be written in UTF-8. What is ``added``
    stands at the end, unless the file has the key.
    """
    command = f"{EXECUTABLE_NAME.key} = kinesis-connectors process {path_of(settings)}\n"
    parts = []
    for element in javaproperties.parse(Path(settings.path).read_bytes()):
        if not isinstance(element, javaproperties.KeyValue):
            parts += [_comment(element.source)] if comments else []
        elif element.key == EXECUTABLE_NAME.key:
            parts.append(command)
        else:
            parts.append(_ascii(element.source.rstrip("\r\n")) + "\n")
    for key, value in (added or {}).items():
        if key not in settings.texts:
            parts.append(f"\n{key} = {value}\n")  # a last line may end in a backslash
    return "".join(parts)


def _ascii(source: str) -> str:
    return "".join(each if each.isascii() else f"\\u{ord(each):04x}" for each in source)


def _comment(source: str) -> str:
    """Read a comment as its writer saw it, who mostly writes UTF-8."""
    try:
        return source.encode("latin-1").decode()
    except UnicodeDecodeError:
        return source
