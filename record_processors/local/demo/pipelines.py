"""The shipped ``.properties`` files, pointed at the stand-ins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...config.properties import load
from ...config.setting import Settings
from ...config.shipped_files import shipped_files
from ..intervals import QUICK

WAREHOUSES = ("redshift", "opensearch")  # whose keys belong into their own files alone

# So that whoever tries the stand-ins sees a record arrive soon.
SOON = {"bufferMillisecondsLimit": "3000"}

# For the eye: smaller files and earlier COPYs than one would want on AWS.
STAGE_ONE = {
    "bufferRecordCountLimit": "2000",
    "bufferMillisecondsLimit": "2000",
}
STAGE_TWO = {
    "bufferRecordCountLimit": "25",
    "bufferMillisecondsLimit": "2000",
    "redshiftIamRole": "default",
}


def write_pipeline(
    name: str, folder: Path, changes: Mapping[str, str | None], stack: Mapping[str, str]
) -> Settings:
    """Write the shipped ``<name>.properties`` to ``folder`` with some values changed; load it.

    A change to None leaves a key as it is shipped. Raises FolderError for a folder that the daemon
    could not name.
    """
    path = folder / f"{name}.properties"
    keys_of_stage = {
        key: value
        for key, value in stack.items()
        if all(name.startswith(one) for one in WAREHOUSES if key.lower().startswith(one))
    }
    text = shipped_files(str(folder))[path.name]
    wanted = {**keys_of_stage, **QUICK, **changes}
    changed = {key: text for key, text in wanted.items() if text is not None}
    lines = text.splitlines()
    for number, line in enumerate(lines):
        key, equals, _ = line.partition(" = ")
        if equals and key in changed:
            lines[number] = f"{key} = {changed.pop(key)}"
    title = f"\n# ---- for the stand-ins {'-' * 73}\n"
    folder.mkdir(parents=True, exist_ok=True)
    more = [f"{key} = {value}" for key, value in changed.items()]
    path.write_text("\n".join([*lines, title, *more, ""]))
    return load(str(path))
