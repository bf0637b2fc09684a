"""Reads a ``.properties`` file, and finds everything that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import javaproperties

from . import rules
from .catalogue import ALL
from .plugins import PluginError, plugin_settings
from .settings import DESTINATION, FILTER_EXPRESSION, Setting, Settings
from .unknown_keys import SECRETS, told_of

# Keys of AWS, the class that takes them as they are, and passwords in addresses.
SECRET = re.compile(
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|\bStaticCredentialsProvider\b|://[^/\s:]+:[^/\s@]+@"
    r"|password=|secret_?(access_?)?key=|MASTER_SYMMETRIC_KEY",
    re.IGNORECASE,
)


class Problem(NamedTuple):
    """One thing wrong with a file: where, and a sentence for a person. ``line`` 0: nowhere."""

    path: str
    line: int
    sentence: str

    def __str__(self) -> str:
        return (
            f"{self.path}:{self.line}: {self.sentence}"
            if self.line
            else (f"{self.path}: {self.sentence}")
        )


class SettingsError(Exception):
    """A file that must not start; ``problems`` holds every reason."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class Entry(NamedTuple):
    """One ``key = value`` of the file."""

    line: int
    key: str
    value: str
    source: str  # as it stands there


def load(path: str) -> Settings:
    """Read ``path`` and return its settings.

    Raises SettingsError with every problem in the file: ours, KCL's, and contradictions.
    """
    entries = list(_entries(path))
    texts = {entry.key: entry.value for entry in entries}
    try:
        known = {**ALL, **plugin_settings(texts)}
        problems = list(_wrong_keys(path, entries, known, all_known=True))
    except PluginError as error:
        # What that class declares is unknown.
        known = ALL
        problems = [Problem(path, _line(entries, error.key), str(error))]
        problems += _wrong_keys(path, entries, known, all_known=False)
    invalid = [*_wrong_values(path, entries, known), *_missing(path, texts, known)]
    problems += invalid
    settings = Settings(path, texts)
    if not invalid:
        problems += [
            Problem(path, _line(entries, key), sentence)
            for key, sentence in rules.contradictions(settings)
        ]
    if problems:
        raise SettingsError(sorted(problems, key=lambda problem: problem.line))
    return settings


def _entries(path: str) -> Iterator[Entry]:
    """Read as Java does: Latin-1, backslash escapes, trailing blanks kept."""
    try:
        source = Path(path).read_bytes()
    except OSError as error:
        raise SettingsError([Problem(path, 0, f"cannot be read: {error.strerror}")]) from error
    line = 1
    try:
        for element in javaproperties.parse(source):
            if isinstance(element, javaproperties.KeyValue):
                yield Entry(line, element.key, element.value, element.source)
            line += len(re.findall(r"\r\n|\r|\n", element.source))
    except javaproperties.InvalidUEscapeError as error:
        raise SettingsError([Problem(path, line, str(error))]) from error


def _line(entries: list[Entry], key: str) -> int:
    return next((entry.line for entry in entries if entry.key == key), 0)


def _wrong_keys(
    path: str, entries: list[Entry], known: dict[str, Setting[object]], *, all_known: bool
) -> Iterator[Problem]:
    """Find repeated and unknown keys; unless all are known, only what resembles a known one."""
    seen: dict[str, int] = {}
    for line, key, _, _ in entries:
        if key in seen:
            yield Problem(path, line, f"{key} stands already in line {seen[key]}")
        seen.setdefault(key, line)
        if key in known:
            continue
        told = told_of(key, known)
        if all_known or not told.endswith("is not a setting"):
            yield Problem(path, line, told)


def _wrong_values(
    path: str, entries: list[Entry], known: dict[str, Setting[object]]
) -> Iterator[Problem]:
    for line, key, value, source in entries:
        setting = known.get(key)
        if not value:
            yield Problem(path, line, f"{key} has no value; give it one, or take the line out")
        elif SECRET.search(value) and key != FILTER_EXPRESSION.key:
            yield Problem(path, line, f"{key}: {SECRETS}")
        elif setting is None:
            continue  # nothing is known of it, nor whether it may be shown
        elif _is_utf8(source):
            yield Problem(
                path,
                line,
                f"{key}: Java reads this file as Latin-1, and the line is UTF-8; write "
                f"{_escaped(value)}",
            )
        elif value != value.rstrip() and len(value) > 1:  # a tab may be a delimiter
            yield Problem(path, line, f"{key} = {value!r}: blanks at the end count; take them out")
        else:
            try:
                setting.parse(value)
            except ValueError as error:
                yield Problem(path, line, f"{key} = {value}: {error}")


def _is_utf8(source: str) -> bool:
    """Whether bytes, read as Latin-1, are letters of UTF-8."""
    try:
        return not source.isascii() and bool(source.encode("latin-1").decode())
    except UnicodeDecodeError:
        return False


def _escaped(value: str) -> str:
    """Write what UTF-8 meant as Java reads it."""
    meant = value.encode("latin-1").decode()
    return "".join(each if each.isascii() else f"\\u{ord(each):04x}" for each in meant)


def _missing(
    path: str, texts: dict[str, str], known: dict[str, Setting[object]]
) -> Iterator[Problem]:
    destination = texts.get(DESTINATION.key, "")
    for key, setting in known.items():
        if setting.is_needed_by(destination) and key not in texts:
            why = "" if "*" in setting.needed_by else f" for {destination}"
            yield Problem(path, 0, f"{key} is missing, and needed{why} ({setting.help})")
