"""Transformers that take more or less of what the one of a pipeline has refused."""

import json
from typing import ClassVar

from record_processors import Emitter, Rejected, Transformer


class Mended(Transformer[bytes]):
    """Takes all but what says that it is hopeless."""

    format = "json"

    def transform(self, record):
        if record.data.startswith(b"hopeless"):
            raise Rejected("hopeless")
        if record.data.startswith(b"nothing"):
            return []
        return [json.dumps({"text": record.data.decode()}).encode()]


class Half(Mended):
    """Takes only those of even numbers, and refuses the others for another reason than before."""

    def transform(self, record):
        if int(record.sequence_number) % 2:
            raise Rejected("an odd one")
        return super().transform(record)


class Picky(Emitter[bytes]):
    """Keeps rows in a list, but for those with a word in them."""

    has: ClassVar[list[bytes]] = []
    refuses: ClassVar[bytes] = b"picky"

    def emit(self, batch):
        for kept in batch.kept:
            if any(self.refuses in row for row in kept.rows):
                batch.reject(kept.record, "I am")
            else:
                self.has.extend(kept.rows)


class Boxed(Mended):
    """Takes a number in brackets for an id."""

    def transform(self, record):
        (number,) = json.loads(record.data)
        return [json.dumps({"id": number, "text": "boxed"}).encode()]
