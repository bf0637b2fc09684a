"""What a setting is: its key, how its text is read, and one sentence about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

from .types import ValueType, boolean, decimal, integer

Value = TypeVar("Value")

# ``bool("false")`` would be true.
PLAIN_TYPES: dict[object, ValueType[Any]] = {int: integer, float: decimal, bool: boolean}


@dataclass(frozen=True)
class Setting(Generic[Value]):
    """One key of a ``.properties`` file, declared once.

    What reads it, what `check` says of it, the reference and the shipped files come from here.
    ``parse`` (a ``ValueType``, or any function: ``int``, say) turns the text into the value; it
    raises ValueError with the end of the sentence ``<key> = <text>: …``. ``default`` is the value
    when the key is absent, unless it is ``required``. ``help`` is one sentence, ``note`` what the
    shipped files say beyond it, ``example`` a text that is valid. ``section`` is the heading under
    which a person finds it, ``meant_by`` what people write instead, ``default_in_words`` what the
    reference says where the default is no constant. A value that looks like a password or a key of
    AWS is refused, unless it ``may_resemble_a_secret``.
    """

    key: str
    parse: Callable[[str], Value]
    help: str
    default: Value | None = None
    required: bool = False
    unit: str = ""
    example: str = ""
    note: str = ""
    section: str = "settings of its own"
    meant_by: tuple[str, ...] = ()
    default_in_words: str = ""
    may_resemble_a_secret: bool = False

    def __post_init__(self) -> None:
        """Read Python's own types as a person means them, and complain in words for a person."""
        object.__setattr__(self, "parse", PLAIN_TYPES.get(self.parse, self.parse))

    @property
    def says(self) -> str:
        """What a value looks like, in words."""
        return self.parse.says if isinstance(self.parse, ValueType) else "text"


class Settings:
    """The valid settings of one file: ``settings[SETTING]`` is the value, typed and read once."""

    def __init__(self, path: str, texts: Mapping[str, str]) -> None:
        self.path = path
        self.texts = texts
        self._values: dict[str, Any] = {}

    def __getitem__(self, setting: Setting[Value]) -> Value:
        key = setting.key
        if key not in self._values:
            text = self.texts.get(key)
            self._values[key] = setting.default if text is None else setting.parse(text)
        # Without a default it is Setting[X | None], or required, which properties.load has seen to.
        return cast("Value", self._values[key])

    def replacing(self, values: Mapping[Setting[Any], Any]) -> Settings:
        """Return the same settings but for some values, which no file need be able to say."""
        others = Settings(self.path, self.texts)
        others._values = {**self._values, **{one.key: value for one, value in values.items()}}
        return others

    def __contains__(self, setting: Setting[Value]) -> bool:
        """Whether the file itself holds the key."""
        return setting.key in self.texts
