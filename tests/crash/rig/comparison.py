"""The table compared with the stream, row by row."""

import base64
import json
from collections import Counter
from contextlib import suppress
from pathlib import PurePosixPath
from typing import NamedTuple

from crash.rig.objects import Objects
from crash.rig.poison import TOLD, UNTOLD
from crash.rig.tally import count
from record_processors.aws.layout import dead_letters_folder, files_folder
from record_processors.destinations.redshift.emitter import RedshiftManifestEmitter
from record_processors.destinations.redshift.settings import FILE_TABLE
from record_processors.flow.record import Position

SHOWN = 20
LOAD_STAGE = RedshiftManifestEmitter.stage


class Letters(NamedTuple):
    """Dead letters of one kind: what there must be, and what there is."""

    kind: str
    wanted: set
    found: set

    @property
    def lost(self):
        return self.wanted - self.found


class Comparison:
    """What is in the table, the ledger and the dead letters, against what was put."""

    def __init__(self, both, source):
        self.both, self.source = both, source
        self.objects = Objects(both.s3, both.bucket)
        self._found = {}  # the files of bad rows, by the places of these

    def never_wrong(self):
        """Complain of what may be at no moment: a row twice, or a row of nothing."""
        rows = Counter(self.both.rows())
        return self._told_double(rows, self._poisoned())

    def in_the_end(self):
        """Complain of any difference, once everything has drained."""
        self._found.clear()  # as it was found in haste
        rows, poisoned = Counter(self.both.rows()), self._poisoned()
        wrong = [
            *self._told_double(rows, poisoned),
            *_told("files twice in the ledger", self._twice()),
        ]
        lost = self._wanted_rows(poisoned) - rows
        count("losses", times=lost.total())
        count("rows compared", times=rows.total())
        wrong += _told("rows lost", lost)
        for letters in self._letters(poisoned):
            count("losses", times=len(letters.lost))
            wrong += _told(f"dead letters of {letters.kind} lost", letters.lost)
            surplus = letters.found - letters.wanted
            wrong += _told(f"dead letters of {letters.kind} too many", surplus)
        return wrong

    def is_drained(self):
        """Whether nothing is missing."""
        poisoned = self._poisoned()
        if self._wanted_rows(poisoned) - Counter(self.both.rows()):
            return False
        return not any(letters.lost for letters in self._letters(poisoned))

    def _told_double(self, rows, poisoned):
        double = rows - self._wanted_rows(poisoned)
        count("duplicates", times=double.total())
        return _told("rows too many", double)

    def _twice(self):
        ledger = self.both.two[FILE_TABLE]
        return self.both.query(
            f"SELECT file, count(*) FROM {ledger} GROUP BY file HAVING count(*) > 1"
        )

    def _wanted_rows(self, poisoned):
        """Return what was put, without the files that are kept out, and the rows left out."""
        return self.source.rows - sum(map(_not_loaded, poisoned.values()), Counter())

    def _poisoned(self):
        """Return the rows of each file that holds one that COPY refuses, in order, by its key.

        What shares a file is not ours to say; so each is looked for where its shard's chain must
        have it.
        """
        if missing := self.source.poison.keys() - self._found.keys():
            files = self._files()
            for shard, position in missing:
                at = Position.parse(position)
                first = max((one for one in files.get(shard, ()) if one <= at), default=None)
                if first is not None:
                    key, tag = files[shard][first]
                    rows = list(map(_row, self.objects.lines(key, tag)))
                    if self.source.poison[shard, position] in rows:  # else it is not written yet
                        self._found[shard, position] = key, rows
        return dict(self._found.values())

    def _files(self):
        """Find the files of each shard, by their first positions."""
        files = {}
        for key, tag in self.objects.named(files_folder(self.both.one)):
            name = PurePosixPath(key).name.partition(".")[0]
            shard, sequence, sub = name.rsplit("-", 2)
            files.setdefault(shard, {})[Position(int(sequence), int(sub))] = key, tag
        return files

    def _letters(self, poisoned):
        """Compare as a reader should: a position counts once, and so does a file."""
        one, of_both = (list(self._dead_letters(stage)) for stage in (self.both.one, self.both.two))
        two = set(map(_of_record, (letter for letter in of_both if "file" not in letter)))
        junk = _as_letters(self.source.junk)
        of_files = {_named(data) for _, _, stage, data in two - junk if stage == LOAD_STAGE}
        others = {letter for letter in two - junk if letter[2] != LOAD_STAGE}
        loaded = self._copied()
        of_rows = [letter for letter in of_both if letter.get("repaired") in loaded]
        return [
            Letters("stage one", _as_letters(self.source.rejected), set(map(_of_record, one))),
            Letters("stage two", junk, (two & junk) | others),
            Letters("files", {key for key, rows in poisoned.items() if _is_bad(rows)}, of_files),
            Letters("rows", set(_left_out(poisoned)), set(map(self._of_row, of_rows))),
        ]

    def _copied(self):
        """Return what COPY has read of files of which the ledger says that rows were left out."""
        ledger, beginning = self.both.two[FILE_TABLE], f"s3://{self.both.bucket}/"
        manifests = self.both.query(f"SELECT manifest FROM {ledger} WHERE rows_left_out > 0")
        read = [self.objects.lines(url.removeprefix(beginning), "") for (url,) in set(manifests)]
        return {entry["url"] for (line,) in read for entry in json.loads(line)["entries"]}

    def _of_row(self, letter):
        key = letter["file"].removeprefix(f"s3://{self.both.bucket}/")
        return key, letter["line"], _row(base64.b64decode(letter["data"]))

    def _dead_letters(self, stage):
        for key, tag in self.objects.named(dead_letters_folder(stage)):
            yield from map(json.loads, self.objects.lines(key, tag))


def _is_bad(rows):
    """Whether a file is kept out as a whole: COPY tells of no row, or would have none left."""
    return any(text.startswith(UNTOLD) for _, text in rows) or all(map(_is_told, rows))


def _is_told(row):
    return row[1].startswith(TOLD)


def _not_loaded(rows):
    """Return which rows of a file with a bad one must not be in the table."""
    return Counter(rows if _is_bad(rows) else filter(_is_told, rows))


def _left_out(poisoned):
    """Yield each row that is left out: its file, its line, itself."""
    for key, rows in poisoned.items():
        if not _is_bad(rows):
            yield from ((key, line, row) for line, row in enumerate(rows, 1) if _is_told(row))


def _of_record(letter):
    data = base64.b64decode(letter["data"])
    return letter["shard"], letter["position"], letter["stage"], data


def _row(line):
    said = json.loads(line)
    return said["id"], said["text"]


def _as_letters(noted):
    return {(*place, *letter) for place, letter in noted.items()}


def _named(data):
    """Return the key that a message announces; the message itself if it is none."""
    with suppress(ValueError):
        return json.loads(data)["key"]
    return data


def _told(what, items):
    items = sorted(items.items() if isinstance(items, Counter) else items)
    return [f"{len(items)} {what}: {items[:SHOWN]}"] if items else []
