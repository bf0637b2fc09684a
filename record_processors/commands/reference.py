"""Writes ``properties/``: the shipped files and the reference, from what our classes declare.

``python -m record_processors.commands.reference`` writes them anew; a test fails when they are
stale.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path

from ..config.component import Component, Destination, Shipped
from ..config.kcl_keys import KCL_KEYS
from ..config.keys import DESTINATION, EVERY_PIPELINE, FILTER, THE_DAEMON, TRANSFORMER
from ..config.known_settings import COMMON, Elsewhere, elsewhere
from ..config.registry import ours
from ..config.setting import Setting
from ..config.shipped import DAEMON_KEYS, EXAMPLES

FOLDER = Path(__file__).parents[2] / "properties"

WIDTH = 98

# What stands before it in README.md is written by hand.
MARK = "<!-- from here on written by python -m record_processors.commands.reference -->\n"


def files() -> dict[str, str]:
    """Return the text of each file in ``properties/``."""
    written = {
        f"{each.shipped.name}.properties": _properties(each, each.shipped)
        for _, each in ours(DESTINATION.key)
        if each.shipped
    }
    return {**written, "README.md": _readme()}


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


def _properties(destination: type[Destination], shipped: Shipped) -> str:
    path = f"properties/{shipped.name}.properties"
    lines = [
        *_wrapped(shipped.about),
        "#",
        f"# Edit the values, then:  kinesis-connectors create {path}",
        f"#                         kinesis-connectors run    {path}",
        "#",
        "# Secrets do not belong in this file: the daemon logs every value of it. README.md beside",
        "# it lists every key, KCL's too.",
    ]
    values = {**shipped.values, "executableName": f"kinesis-connectors process {path}"}
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


def _readme() -> str:
    by_hand = (FOLDER / "README.md").read_text().partition(MARK)[0]
    lines = [by_hand + MARK.rstrip()]
    every = [each for key in (TRANSFORMER, FILTER, DESTINATION) for _, each in ours(key.key)]
    users = elsewhere()
    shown = sections(*every)
    lines += ["", "## The files", "", "| file | for |", "| --- | --- |"]
    for each in every:
        if issubclass(each, Destination) and each.shipped:
            name = f"{each.shipped.name}.properties"
            lines.append(f"| [`{name}`]({name}) | {each.shipped.about} |")
    for title, settings in shown.items():
        lines += ["", f"## {title[0].upper()}{title[1:]}", "", *_table(settings, users)]
    rest = set(KCL_KEYS) - {setting.key for settings in shown.values() for setting in settings}
    others = [KCL_KEYS[key] for key in sorted(rest, key=str.lower)]
    lines += ["", "## The rest of KCL's keys", "", *_table(others, users)]
    return "\n".join(lines) + "\n"


def _table(settings: list[Setting[object]], users: dict[str, Elsewhere]) -> Iterator[str]:
    yield "| key | what it says | its values | default | for |"
    yield "| --- | --- | --- | --- | --- |"
    for setting in settings:
        used_by = ", ".join(sorted(_users(setting, users))) or "all"
        default = f"`{shown}`" if (shown := default_of(setting)) else ""
        cells = [
            f"`{setting.key}`",
            f"{setting.help} {setting.note}".strip(),
            type_of(setting),
            f"needed for {used_by}" if setting.required else default,
            used_by,
        ]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _users(setting: Setting[object], declared: dict[str, Elsewhere]) -> Iterable[str]:
    """Name the classes that heed a setting; none if all do."""
    if setting.key == TRANSFORMER.key:
        return [name for name, each in ours(DESTINATION.key) if each.own_transformer is None]
    return declared[setting.key].users if setting.key in declared else ()


def main() -> None:
    """Write the files."""
    for name, text in files().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
