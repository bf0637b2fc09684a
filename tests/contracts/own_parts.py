"""A transformer and a filter of one's own, each with a setting."""

import json

from record_processors import Filter, Rejected, Setting, Transformer
from record_processors.config.types import text

FIELD = Setting("ownField", text, "The field that is the row.", required=True)
WORD = Setting("ownWord", text, "The word that is kept.", "fine")


class Field(Transformer):
    format = "text"
    declares = (FIELD,)

    def __init__(self, field):
        self.field = field

    @classmethod
    def from_settings(cls, settings):
        return cls(settings[FIELD])

    def transform(self, record):
        found = json.loads(record.data)
        if not isinstance(found, dict):
            raise Rejected("no object")
        return [str(found[self.field]).encode()]


class Word(Filter):
    declares = (WORD,)

    def __init__(self, word):
        self.word = word.encode()

    @classmethod
    def from_settings(cls, settings):
        return cls(settings[WORD])

    def keep(self, record):
        return self.word in record.data
