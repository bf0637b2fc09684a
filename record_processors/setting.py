"""What a setting is: its key, how its text is read, and one sentence about it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

Value = TypeVar("Value")

CLASS_PATH = r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"  # package.module:Class


EVERYWHERE = frozenset({"*"})


@dataclass(frozen=True)
class Kind(Generic[Value]):
    """How values are written: in words for a person, and as what reads them."""

    says: str
    read: Callable[[str], Value]

    def __call__(self, text: str) -> Value:
        """Return the value; raise ValueError with the end of the sentence ``<key> = <text>: …``."""
        return self.read(text)


@dataclass(frozen=True)
class Setting(Generic[Value]):
    """One key of a ``.properties`` file, declared once.

    What reads it, what `check` says of it, the reference and the shipped files come from here.
    ``parse`` (a ``Kind``, or any function) turns the text into the value; it raises ValueError with
    the end of the sentence ``<key> = <text>: …``. ``default`` is the value when the key is absent;
    ``needed_by`` names the destinations for which it must be there (``"*"``: all), ``used_by``
    those on which it has an effect. ``help`` is one sentence, ``note`` what the shipped files say
    beyond it, ``example`` a text that is valid.
    """

    key: str
    parse: Callable[[str], Value]
    help: str
    default: Value | None = None
    needed_by: frozenset[str] = frozenset()
    used_by: frozenset[str] = EVERYWHERE
    unit: str = ""
    example: str = ""
    note: str = ""

    def is_needed_by(self, destination: str) -> bool:
        """Whether a file for ``destination`` must hold this key."""
        return bool(self.needed_by & {"*", destination})

    def is_used_by(self, destination: str) -> bool:
        """Whether the key has an effect on ``destination``; on one of the user's own it may."""
        return ":" in destination or bool(self.used_by & {"*", destination})

    @property
    def says(self) -> str:
        """What a value looks like, in words."""
        return self.parse.says if isinstance(self.parse, Kind) else "text"


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


text = Kind("text", str)


def whole_number(least: int = 1, most: int = 2**63 - 1) -> Kind[int]:
    """Read a decimal whole number from ``least`` to ``most``."""

    def read(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]+", value):
            raise ValueError("not a whole number")
        if len(value) > len(str(most)) or not least <= (number := int(value)) <= most:
            raise ValueError(f"not between {least} and {most}")
        return number

    says = f"{least} or more" if most == 2**63 - 1 else f"{least} to {most}"
    return Kind(f"a whole number, {says}", read)


def _boolean(value: str) -> bool:
    if value not in {"true", "false"}:
        raise ValueError("not 'true' or 'false'")
    return value == "true"


boolean = Kind("true or false", _boolean)


def one_of(*choices: str) -> Kind[str]:
    """Read one of a few words."""

    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"not one of {', '.join(choices)}{did_you_mean(value, choices)}")
        return value

    return Kind(" or ".join([", ".join(choices[:-1]), choices[-1]]), read)


def matching(pattern: str, what: str) -> Kind[str]:
    """Read a text that ``pattern`` matches as a whole; ``what`` says it to a person."""

    def read(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"not {what}")
        return value

    return Kind(what, read)


def _names(value: str) -> tuple[str, ...]:
    found = tuple(name.strip() for name in value.split(","))
    if not all(found):
        raise ValueError("an empty name between the commas")
    if len(set(found)) < len(found):
        raise ValueError("a name stands there twice")
    return found


names = Kind[Sequence[str]]("names with commas between them", _names)


def class_path(*aliases: str) -> Kind[str]:
    """Read one of our names, or ``package.module:Class``."""

    def read(value: str) -> str:
        if value not in aliases and not re.fullmatch(CLASS_PATH, value):
            near = did_you_mean(value, aliases)
            raise ValueError(f"not one of {', '.join(aliases)}, nor package.module:Class{near}")
        return value

    return Kind(f"{', '.join(aliases)} or package.module:Class", read)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question that names what ``word`` resembles; "" if that is nothing."""
    import difflib  # noqa: PLC0415 - not at every start

    lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower(), lower, 1)
    return f"; did you mean {lower[near[0]]}?" if near else ""
