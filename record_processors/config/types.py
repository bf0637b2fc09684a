"""How values are written: what reads them, and what a person is told of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")

CLASS_PATH = r"[A-Za-z_][\w.]*:[A-Za-z_]\w*"  # package.module:Class
# Limits of the services, each with the page that states it.
KEY_BYTES = 1024  # docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
BUCKET_NAME = r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"  # …/userguide/bucketnamingrules.html
STREAM = (
    r"[A-Za-z0-9_.-]{1,128}"  # docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream
)
CONSUMER = STREAM  # …/APIReference/API_RegisterStreamConsumer
TABLE = r"[A-Za-z0-9_.-]{3,255}"  # …/amazondynamodb/latest/developerguide/HowItWorks.NamingRules

_PREFIX_BYTES = KEY_BYTES // 4  # application, date, shard and position come after it


@dataclass(frozen=True)
class ValueType(Generic[Value]):
    """How values are written: in words for a person, and as what reads them."""

    says: str
    read: Callable[[str], Value]

    def __call__(self, text: str) -> Value:
        """Return the value; raise ValueError with the end of the sentence ``<key> = <text>: …``."""
        return self.read(text)


text = ValueType("text", str)


def whole_number(least: int = 1, most: int = 2**63 - 1) -> ValueType[int]:
    """Read a decimal whole number from ``least`` to ``most``."""

    def read(value: str) -> int:
        if not re.fullmatch(r"-?[0-9]+", value):
            raise ValueError("not a whole number")
        if len(value) > len(str(most)) or not least <= (number := int(value)) <= most:
            raise ValueError(f"not between {least} and {most}")
        return number

    says = f"{least} or more" if most == 2**63 - 1 else f"{least} to {most}"
    return ValueType(f"a whole number, {says}", read)


def _integer(value: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise ValueError("not a whole number")
    return int(value)


def _decimal(value: str) -> float:
    if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        raise ValueError("not a number like 0.5")
    return float(value)


integer = ValueType("a whole number", _integer)
decimal = ValueType("a number", _decimal)


UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Duration(int):
    """Seconds, written in the largest unit in which they are a whole number."""

    def __str__(self) -> str:
        """Return it as it stands in a file: ``5m``."""
        if not self:
            return "0"
        unit = next(name for name in reversed(UNITS) if self % UNITS[name] == 0)
        return f"{self // UNITS[unit]}{unit}"


def _duration(value: str) -> Duration:
    if not (found := re.fullmatch(r"([0-9]{1,9}) *([smhd])|0", value)):
        raise ValueError("not a time like 90s, 5m, 1h or 2d")
    return Duration(int(found[1]) * UNITS[found[2]] if found[1] else 0)


duration = ValueType("a time like 90s, 5m, 1h or 2d", _duration)


def _boolean(value: str) -> bool:
    if value not in {"true", "false"}:
        raise ValueError("not 'true' or 'false'")
    return value == "true"


boolean = ValueType("true or false", _boolean)


def one_of(*choices: str) -> ValueType[str]:
    """Read one of a few words."""

    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"not one of {', '.join(choices)}{did_you_mean(value, choices)}")
        return value

    return ValueType(" or ".join([", ".join(choices[:-1]), choices[-1]]), read)


def matching(pattern: str, what: str) -> ValueType[str]:
    """Read a text that ``pattern`` matches as a whole; ``what`` says it to a person."""

    def read(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(f"not {what}")
        return value

    return ValueType(what, read)


def _names(value: str) -> tuple[str, ...]:
    found = tuple(name.strip() for name in value.split(","))
    if not all(found):
        raise ValueError("an empty name between the commas")
    if len(set(found)) < len(found):
        raise ValueError("a name stands there twice")
    return found


names = ValueType[Sequence[str]]("names with commas between them", _names)


def class_path(*aliases: str) -> ValueType[str]:
    """Read one of our names, or ``package.module:Class``."""

    def read(value: str) -> str:
        if value not in aliases and not re.fullmatch(CLASS_PATH, value):
            near = did_you_mean(value, aliases)
            raise ValueError(f"not one of {', '.join(aliases)}, nor package.module:Class{near}")
        return value

    return ValueType(f"{', '.join(aliases)} or package.module:Class", read)


def class_paths(*aliases: str) -> ValueType[str]:
    """Read one or several of our names, or ``package.module:Class``, with commas between them."""
    one = class_path(*aliases)

    def read(value: str) -> str:
        for name in _names(value):
            try:
                one(name)
            except ValueError as error:
                raise ValueError(error if name == value else f"{name} is {error}") from error
        return value

    return ValueType(f"{one.says}; several with commas between them", read)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a question that names what ``word`` resembles; "" if that is nothing."""
    import difflib  # noqa: PLC0415 - not at every start

    lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(word.lower(), lower, 1)
    return f"; did you mean {lower[near[0]]}?" if near else ""


def _read_prefix(value: str) -> str:
    if not value.isprintable() or len(value.encode()) > _PREFIX_BYTES:
        raise ValueError(f"not at most {_PREFIX_BYTES} bytes of printable characters")
    return value


def _read_endpoint(value: str) -> str:
    if not re.fullmatch(r"https?://[^/\s]+/?", value):
        raise ValueError("not http://host:port or https://host")
    return value


def _read_delimiter(value: str) -> str:
    if len(value) != 1 or not value.isascii() or value in "\\\n\r\0" or value.isalnum():
        raise ValueError("not one ASCII character that is no letter, digit, backslash or line end")
    return value


prefix = ValueType(f"at most {_PREFIX_BYTES} bytes of printable characters", _read_prefix)
endpoint = ValueType("http://host:port or https://host", _read_endpoint)
delimiter = ValueType("one ASCII character that is no letter, digit, or backslash", _read_delimiter)
region = matching(r"[a-z]{2,}(-[a-z]+)+-[0-9]+", "a region's name, like eu-central-1")
