"""What a setting is: its key, how its text is read, and one sentence about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

Value = TypeVar("Value")

CLASS_PATH = r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"  # package.module:Class


@dataclass(frozen=True)
class Setting(Generic[Value]):
    """One key of a ``.properties`` file, declared once.

    ``parse`` turns the text into the value, and raises ValueError with the end of the sentence
    ``<key> = <text>: …``. ``default`` is the value when the key is absent; ``needed_by`` names the
    destinations for which it must be there (``"*"``: all).
    """

    key: str
    parse: Callable[[str], Value]
    help: str
    default: Value | None = None
    needed_by: frozenset[str] = frozenset()

    def is_needed_by(self, destination: str) -> bool:
        """Whether a file for ``destination`` must hold this key."""
        return bool(self.needed_by & {"*", destination})


class Settings:
    """The valid settings of one file: ``settings[SETTING]`` is the value, typed."""

    def __init__(self, path: str, texts: Mapping[str, str]) -> None:
        self.path = path
        self.texts = texts

    def __getitem__(self, setting: Setting[Value]) -> Value:
        text = self.texts.get(setting.key)
        # One without a default is Setting[X | None], or needed, which properties.load has seen to.
        return cast("Value", setting.default if text is None else setting.parse(text))

    def __contains__(self, setting: Setting[Value]) -> bool:
        """Whether the file itself holds the key."""
        return setting.key in self.texts


def text(value: str) -> str:
    """Read any text."""
    return value


def whole_number(least: int = 1, most: int = 2**63 - 1) -> Callable[[str], int]:
    """Read a decimal whole number from ``least`` to ``most``."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]+", value):
            raise ValueError("not a whole number")
        if not least <= (number := int(value)) <= most:
            raise ValueError(f"not between {least} and {most}")
        return number

    return parse


def boolean(value: str) -> bool:
    """Read ``true`` or ``false``."""
    if value not in {"true", "false"}:
        raise ValueError("not 'true' or 'false'")
    return value == "true"


def one_of(*choices: str) -> Callable[[str], str]:
    """Read one of a few words."""

    def parse(value: str) -> str:
        if value not in choices:
            raise ValueError(f"not one of {', '.join(choices)}")
        return value

    return parse


def matching(pattern: str, what: str) -> Callable[[str], str]:
    """Read a text that ``pattern`` matches as a whole; ``what`` says it to a person."""

    def parse(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"not {what}")
        return value

    return parse


def names(value: str) -> tuple[str, ...]:
    """Read comma-separated names; blanks around the commas do not count."""
    found = tuple(name.strip() for name in value.split(","))
    if not all(found):
        raise ValueError("an empty name between the commas")
    if len(set(found)) < len(found):
        raise ValueError("a name stands there twice")
    return found


def class_path(*aliases: str) -> Callable[[str], str]:
    """Read one of our names, or ``package.module:Class``."""

    def parse(value: str) -> str:
        if value not in aliases and not re.fullmatch(CLASS_PATH, value):
            raise ValueError(f"not one of {', '.join(aliases)}, nor package.module:Class")
        return value

    return parse
