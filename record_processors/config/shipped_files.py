"""Writes the shipped ``.properties`` files, from what our classes declare.

They are made when they are asked for, so that an installed package has them too, and name the
folder that they are for.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from pathlib import Path

from .component import Component, Destination, Shipped
from .keys import DESTINATION, EVERY_PIPELINE, EXECUTABLE_NAME, FILTER, THE_DAEMON, TRANSFORMER
from .known_settings import COMMON
from .registry import ours
from .setting import Setting
from .shipped import DAEMON_KEYS, EXAMPLES

WIDTH = 98

# The daemon cuts executableName at its blanks and knows no quotes (KCL 3.1.3,
# MultiLangRecordProcessorFactory); a backslash, or what is not ASCII, Java reads as something else.
FOLDER = re.compile(r"[!-\[\]-~]+")


class FolderError(Exception):
    """A folder that the shipped files cannot be for, and why, in one sentence."""


def shipped_files(folder: str) -> dict[str, str]:
    """Return the text of each shipped file by its name, as it is to lie in ``folder``.

    ``folder`` is as the daemon, and whoever types the commands in it, sees it. Raises FolderError
    if the daemon could not name a file there.
    """
    if not FOLDER.fullmatch(folder):
        raise FolderError(
            f"{folder}: the daemon cannot pass on a path with a blank, a backslash, or what is "
            "not ASCII; name another folder, or go where its path is plain and name it from there"
        )
    return {
        f"{each.shipped.name}.properties": _text(each, each.shipped, folder)
        for _, each in ours(DESTINATION.key)
        if each.shipped
    }


def sections(*classes: type[Component]) -> dict[str, list[Setting[object]]]:
    """Return the settings of a file that may name these classes, as a person comes to them."""
    found: dict[str, list[Setting[object]]] = {THE_DAEMON: [COMMON[key] for key in DAEMON_KEYS]}
    destinations = [each for each in classes if issubclass(each, Destination)]
    ordered = [*EVERY_PIPELINE, *_declared(destinations)]
    for chooser in (TRANSFORMER, FILTER):  # behind the setting that chooses them
        after = ordered.index(chooser) + 1
        ordered[after:after] = _declared(each for each in classes if each.named_by == chooser.key)
    for setting in dict.fromkeys(ordered):
        if setting.section != THE_DAEMON:
            found.setdefault(setting.section, []).append(setting)
    return found


def _declared(classes: Iterable[type[Component]]) -> list[Setting[object]]:
    return [setting for each in classes for setting in each.declares]


def _text(destination: type[Destination], shipped: Shipped, folder: str) -> str:
    path = (Path(folder) / f"{shipped.name}.properties").as_posix()
    lines = [
        *_wrapped(shipped.about),
        "#",
        f"# Edit the values, then:  kinesis-connectors create {path}",
        f"#                         kinesis-connectors run    {path}",
        "#",
        "# Secrets do not belong in this file: the daemon logs every value of it. README.md beside",
        "# it lists every key, KCL's too.",
    ]
    values = {**shipped.values, EXECUTABLE_NAME.key: f"kinesis-connectors process {path}"}
    choosable = [each for key in (TRANSFORMER.key, FILTER.key) for _, each in ours(key)]
    left_out = set(shipped.left_out)
    if destination.own_transformer is not None:
        left_out |= {TRANSFORMER.key}
        left_out |= {setting.key for _, each in ours(TRANSFORMER.key) for setting in each.declares}
    of_destination = {setting.key for setting in destination.declares}
    for title, settings in sections(*choosable, destination).items():
        used = [setting for setting in settings if setting.key not in left_out]
        if used:
            lines += ["", f"# ---- {title} ".ljust(WIDTH, "-")]
        for setting in used:
            is_needed = setting.required and setting.key in {*COMMON, *of_destination}
            value = values.get(setting.key, setting.example if is_needed else None)
            lines += ["", *_wrapped(_explained(setting))]
            example = EXAMPLES.get(setting.key) or setting.example or _written(setting.default)
            mark, text = ("#", example) if value is None else ("", value)
            text = text.replace("\\", "\\\\")  # as Java reads it
            lines.append(f"{mark}{setting.key} = {text}")
    return "\n".join(lines) + "\n"


def _explained(setting: Setting[object]) -> str:
    kind, default = type_of(setting), default_of(setting)
    details = [] if kind == "text" else [kind]
    if default:
        details.append(f"default {default}")
    brackets = f"[{'; '.join(details)}]" if details else ""
    return " ".join(filter(None, [setting.help, setting.note, brackets]))


def type_of(setting: Setting[object]) -> str:
    """Say how a value is written, with its unit."""
    unit = f"a whole number of {setting.unit}"
    return setting.says.replace("a whole number", unit) if setting.unit else setting.says


def default_of(setting: Setting[object]) -> str:
    """Say what counts when the key is absent; "" if nothing does, or it must be there."""
    return "" if setting.required else setting.default_in_words or _written(setting.default)


def _written(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return "" if default in (None, ()) else str(default)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
