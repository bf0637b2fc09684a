"""The table compared with the stream, row by row."""

import base64
import json
from collections import Counter

from rig.tally import count

from record_processors.redshift_settings import FILE_TABLE
from record_processors.settings import APPLICATION_NAME

SHOWN = 20


class Comparison:
    """What is in the table, the ledger and the dead letters, against what was put."""

    def __init__(self, house, source):
        self.house, self.source = house, source
        self._letters = {}  # the lines of an object, by its key and tag: read once

    def never_wrong(self):
        """Complain of what may be at no moment: a row twice, or a row of nothing."""
        double = Counter(self.house.rows()) - self.source.rows
        count("duplicates", times=double.total())
        return _told("rows too many", double)

    def in_the_end(self):
        """Complain of any difference, once everything has drained."""
        wrong = [*self.never_wrong(), *_told("files twice in the ledger", self._twice())]
        rows = Counter(self.house.rows())
        lost = self.source.rows - rows
        count("losses", times=lost.total())
        count("rows compared", times=rows.total())
        wrong += _told("rows lost", lost)
        for stage, put in (("one", self.source.rejected), ("two", self.source.junk)):
            letters = self.dead_letters(stage)
            count("losses", times=len(put.keys() - letters.keys()))
            wrong += _told(f"dead letters of stage {stage} lost", put.items() - letters.items())
            wrong += _told(f"dead letters of stage {stage} too many", letters.items() - put.items())
        return wrong

    def _twice(self):
        ledger = self.house.two[FILE_TABLE]
        return self.house.query(
            f"SELECT file, count(*) FROM {ledger} GROUP BY file HAVING count(*) > 1"
        )

    def is_drained(self):
        """Whether nothing is missing."""
        letters = (self.dead_letters("one"), self.dead_letters("two"))
        wanted = (self.source.rejected, self.source.junk)
        got = all(len(have) >= len(want) for have, want in zip(letters, wanted, strict=True))
        return got and len(self.house.rows()) >= self.source.rows.total()

    def dead_letters(self, stage):
        """Read dead letters as a reader should: a position counts once."""
        application = {"one": self.house.one, "two": self.house.two}[stage][APPLICATION_NAME]
        pages = self.house.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.house.bucket, Prefix=f"errors/{application}/"
        )
        found = {}
        for item in (item for page in pages for item in page.get("Contents", ())):
            for line in self._read(item["Key"], item["ETag"]):
                letter = json.loads(line)
                found[letter["shard"], letter["position"]] = base64.b64decode(letter["data"])
        return found

    def _read(self, key, tag):
        if (key, tag) not in self._letters:
            body = self.house.s3.get_object(Bucket=self.house.bucket, Key=key)["Body"].read()
            self._letters[key, tag] = body.splitlines()
        return self._letters[key, tag]


def _told(what, items):
    items = sorted(items.items() if isinstance(items, Counter) else items)
    return [f"{len(items)} {what}: {items[:SHOWN]}"] if items else []
