"""Writes ``properties/``: the shipped files and the reference, from the settings' declarations.

``python -m record_processors.reference`` writes them anew; a test fails when they are stale.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path

from .catalogue import ALL
from .kcl import KCL_KEYS
from .setting import Setting
from .shipped import EXAMPLES, SECTIONS, SHIPPED, Shipped

FOLDER = Path(__file__).parents[1] / "properties"

WIDTH = 98

# What stands before it in README.md is written by hand.
MARK = "<!-- from here on written by python -m record_processors.reference -->\n"


def files() -> dict[str, str]:
    """Return the text of each file in ``properties/``."""
    shipped = {f"{name}.properties": _properties(name, each) for name, each in SHIPPED.items()}
    return {**shipped, "README.md": _readme()}


def _properties(name: str, shipped: Shipped) -> str:
    path = f"properties/{name}.properties"
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
    destination = values["connectorDestination"]
    for title, keys in SECTIONS.items():
        used = [ALL[key] for key in keys if ALL[key].is_used_by(destination)]
        used = [setting for setting in used if setting.key not in shipped.left_out]
        if used:
            lines += ["", f"# ---- {title} ".ljust(WIDTH, "-")]
        for setting in used:
            needed = setting.example if setting.is_needed_by(destination) else None
            value = values.get(setting.key, needed)
            lines += ["", *_wrapped(_explained(setting))]
            example = EXAMPLES.get(setting.key) or setting.example or _written(setting.default)
            entry = f"#{setting.key} = {example}" if value is None else f"{setting.key} = {value}"
            lines.append(entry)
    return "\n".join(lines) + "\n"


def _explained(setting: Setting[object]) -> str:
    kind, default = kind_of(setting), _written(setting.default)
    details = [] if kind == "text" else [kind]
    if default:
        details.append(f"default {default}")
    brackets = f"[{'; '.join(details)}]" if details else ""
    return " ".join(filter(None, [setting.help, setting.note, brackets]))


def kind_of(setting: Setting[object]) -> str:
    """Say how a value is written, with its unit."""
    unit = f"a whole number of {setting.unit}"
    return setting.says.replace("a whole number", unit) if setting.unit else setting.says


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
    for title, keys in SECTIONS.items():
        lines += ["", f"## {title[0].upper()}{title[1:]}", "", *_table(keys)]
    rest = [key for key in KCL_KEYS if not any(key in keys for keys in SECTIONS.values())]
    lines += ["", "## The rest of KCL's keys", "", *_table(sorted(rest, key=str.lower))]
    return "\n".join(lines) + "\n"


def _table(keys: list[str]) -> Iterator[str]:
    yield "| key | what it says | its values | default | for |"
    yield "| --- | --- | --- | --- | --- |"
    for key in keys:
        setting = ALL[key]
        needed = ", ".join(sorted(setting.needed_by)).replace("*", "all")
        default = f"`{shown}`" if (shown := _written(setting.default)) else ""
        users = ", ".join(sorted(setting.used_by)).replace("*", "all")
        cells = [
            f"`{key}`",
            f"{setting.help} {setting.note}".strip(),
            kind_of(setting),
            f"needed for {needed}" if needed else default,
            users,
        ]
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    """Write the files."""
    for name, text in files().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
