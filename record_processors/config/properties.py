"""Reads a ``.properties`` file, and finds everything that is wrong with it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import javaproperties

from . import rules
from .component import Component
from .known_settings import COMMON, Known, elsewhere, known_settings, where_secrets_are
from .registry import Chosen, NotChosen, chosen, name_of
from .setting import Settings
from .unknown_keys import NOT_A_SETTING, explain, is_secret

# Keys of AWS, the class that takes them as they are, and passwords in addresses.
SECRET = re.compile(
    r"\b(AKIA|ASIA)[A-Z0-9]{16}\b|\bStaticCredentialsProvider\b|://[^/\s:]+:[^/\s@]+@"
    r"|password=|secret_?(access_?)?key=|MASTER_SYMMETRIC_KEY",
    re.IGNORECASE,
)

# Of UTF-8 and UTF-16; some editors put one where nobody sees it.
BYTE_ORDER_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

# Not of a pair of them, nor at the end of a line, which goes on in the next.
# docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/Properties.html, ``load``
LOST_BACKSLASH = re.compile(r"(?<!\\)\\(?=[^\\nrtfu=:#! \t\f\r\n])")
KEY = re.compile(r"\A\s*(?:\\.|[^\\=:\s])*[ \t\f]*[=:]?[ \t\f]*", re.DOTALL)
CONTINUED = re.compile(r"\\(?:\r\n|\r|\n)\s*")


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


class Property(NamedTuple):
    """One ``key = value`` of the file."""

    line: int
    key: str
    value: str
    source: str  # as it stands there


def load(path: str) -> Settings:
    """Read ``path`` and return its settings.

    Raises SettingsError with every problem in the file: ours, KCL's, and contradictions.
    """
    lines = list(_properties(path))
    settings = Settings(path, {line.key: line.value for line in lines})
    classes, problems = _classes(settings, lines)
    known = known_settings(classes)
    others = {} if known.keys() >= settings.texts.keys() else elsewhere()
    anywhere = {**{key: one.setting for key, one in others.items()}, **known}
    # What a class declares that cannot be had, is unknown: only what resembles a key is told then.
    problems += _wrong_keys(path, lines, anywhere, all_known=not problems)
    invalid = [*_wrong_values(path, lines, anywhere), *_missing(settings, lines, classes)]
    problems += invalid
    if isinstance(classes, Chosen) and not invalid:
        problems += [
            Problem(path, _line(lines, key), sentence)
            for key, sentence in rules.contradictions(settings, classes)
        ]
    if problems:
        raise SettingsError(sorted(problems, key=lambda problem: problem.line))
    return settings


def _classes(
    settings: Settings, lines: Sequence[Property]
) -> tuple[Sequence[type[Component]], list[Problem]]:
    """Import what the file names; return also why some of it cannot be had."""
    try:
        return chosen(settings.texts), []
    except NotChosen as none:
        return none.found, [
            Problem(settings.path, _line(lines, error.key), str(error)) for error in none.errors
        ]


def _properties(path: str) -> Iterator[Property]:
    """Read as Java does: Latin-1, backslash escapes, trailing blanks kept."""
    try:
        source = Path(path).read_bytes()
    except OSError as error:
        raise SettingsError([Problem(path, 0, f"cannot be read: {error.strerror}")]) from error
    if source.startswith(BYTE_ORDER_MARKS):
        sentence = "begins with a byte order mark, which Java takes for letters: save it without"
        raise SettingsError([Problem(path, 1, sentence)])
    line = 1
    try:
        for element in javaproperties.parse(source):
            if isinstance(element, javaproperties.KeyValue):
                yield Property(line, element.key, element.value, element.source)
            line += len(re.findall(r"\r\n|\r|\n", element.source))
    except javaproperties.InvalidUEscapeError as error:
        raise SettingsError([Problem(path, line, str(error))]) from error


def _line(lines: Sequence[Property], key: str) -> int:
    return next((one.line for one in lines if one.key == key), 0)


def _wrong_keys(
    path: str, lines: Sequence[Property], known: Known, *, all_known: bool
) -> Iterator[Problem]:
    """Find repeated and unknown keys; unless all are known, only what resembles a known one."""
    seen: dict[str, int] = {}
    for line, key, _, _ in lines:
        if key in seen:
            yield Problem(path, line, f"{key} stands already in line {seen[key]}")
        seen.setdefault(key, line)
        if key in known:
            continue
        explained = f"{key}: {where_secrets_are()}" if is_secret(key) else explain(key, known)
        if all_known or not explained.endswith(NOT_A_SETTING):
            yield Problem(path, line, explained)


def _wrong_values(path: str, lines: Sequence[Property], known: Known) -> Iterator[Problem]:
    for line, key, value, source in lines:
        setting = known.get(key)
        if not value:
            yield Problem(path, line, f"{key} has no value; give it one, or take the line out")
        elif SECRET.search(value) and not (setting and setting.may_resemble_a_secret):
            yield Problem(path, line, f"{key}: {where_secrets_are()}")
        elif setting is None:
            continue  # nothing is known of it, nor whether it may be shown
        elif _is_utf8(source):
            yield Problem(
                path,
                line,
                f"{key}: Java reads this file as Latin-1, and the line is UTF-8; write "
                f"{_escaped(value)}",
            )
        elif spelling := _unlost(source):
            yield Problem(
                path,
                line,
                f"{key} = {value}: a backslash before another character than \\ n r t f u = : # ! "
                f"is lost, as Java reads this file; write {key} = {spelling}",
            )
        elif value != value.rstrip() and len(value) > 1:  # a tab may be a delimiter
            yield Problem(path, line, f"{key} = {value!r}: blanks at the end count; take them out")
        else:
            try:
                setting.parse(value)
            except ValueError as error:
                yield Problem(path, line, f"{key} = {value}: {error}")


def _unlost(source: str) -> str:
    """Write a value so that Java drops no backslash of it; "" if it drops none."""
    value = CONTINUED.sub("", KEY.sub("", source)).strip()
    return LOST_BACKSLASH.sub(r"\\\\", value) if LOST_BACKSLASH.search(value) else ""


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
    settings: Settings, lines: Sequence[Property], classes: Sequence[type[Component]]
) -> Iterator[Problem]:
    needed = [("", "", setting) for setting in COMMON.values()]
    for each in classes:
        members = getattr(each, "members", {}) or {name_of(each.named_by, settings.texts): each}
        needed += [
            (each.named_by, n, one) for n, member in members.items() for one in member.declares
        ]
    for chooser, name, setting in needed:
        if setting.required and setting not in settings:
            why = f" for {name}" if name else ""
            sentence = f"{setting.key} is missing, and needed{why} ({setting.help})"
            yield Problem(settings.path, _line(lines, chooser), sentence)
