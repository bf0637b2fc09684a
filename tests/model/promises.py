"""What must hold of a simulated world: at each checkpoint, at each announcement, and at its end.

A shard is *exact* as long as every life of it began where a checkpoint was made: its files cover
it without gap or overlap. If one began elsewhere, inside a file or after records that nobody was
given, then files may overlap, of which the ledger lets in one; and the others are dead letters.
"""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from model.simulated_services import FIRST, LAST, Place, Stored, fault_of
from model.simulated_table import GUARD, KEY, POISON, Item, plain
from model.simulation import demand, violations_told
from record_processors.flow.record import Position

if TYPE_CHECKING:
    from simulated_kcl import Given, Made, Shard, World

FOLDER = "s3://bucket/"


class Written(NamedTuple):
    """A file of stage one, which may be deleted since."""

    key: str
    place: Place
    rows: tuple[bytes, ...]

    def is_refused(self, most: int) -> bool:
        """Whether it is kept out as a whole: more than ``most`` bad rows, or COPY names none."""
        faults = [fault for row in self.rows if (fault := fault_of(row))]
        return "nameless" in faults or len(faults) > most or len(faults) == len(self.rows) > 0

    def overlaps(self, other: Written) -> bool:
        """Whether both cover a position of one shard."""
        ours, theirs = self.place, other.place
        return (
            ours.shard == theirs.shard and ours.first <= theirs.last and theirs.first <= ours.last
        )


class Told(NamedTuple):
    """What a message of the manifest stream says; a bare path says nothing of a range."""

    key: str
    range: tuple[str, str] | None

    def is_about(self, key: str, covered: tuple[str, str] | None) -> bool:
        """Whether it means this file."""
        return self.key == key and self.range in {None, covered}


def told_by(data: bytes) -> Told:
    """Read a message of the manifest stream."""
    if not data.startswith(b"{"):
        return Told(data.decode(), None)
    message = json.loads(data)
    return Told(message["key"], (message["first"], message["last"]))


class Promises:
    """Looks at a world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def files(self) -> Iterator[Written]:
        """Give each file that stage one wrote."""
        s3 = self.world.s3
        for key, stored in (s3.objects | s3.deleted).items():
            if (place := stored.place) is not None and "/repaired/" not in key:
                yield Written(key, place, stored.lines)

    def delivered(self) -> set[str]:
        """Give the keys of the files that stage one has done its part for."""
        if self.world.is_basic:
            return {*self.entered(), *(told.key for told in self.kept_out())}
        shards = self.world.manifests
        return {given.told.key for shard in shards for given in shard.records}

    def letters(self, application: str) -> dict[tuple[str, str], bytes]:
        """Give the dead letters' data by shard and position, each of which counts once."""
        found: dict[tuple[str, str], bytes] = {}
        for key, stored in self.world.s3.objects.items():
            if key.startswith(f"errors/{application}/") and "-file-" not in key:
                found |= letters_in(stored)
        return found

    def kept_out(self) -> list[Told]:
        """Give the announcements that a load refused."""
        if not self.world.is_basic:
            return [told_by(data) for data in self.letters("two").values()]
        objects = self.world.s3.objects.items()
        of_files = [
            stored for key, stored in objects if key.startswith("errors/") and "-file-" in key
        ]
        return [told_by(data) for stored in of_files for data in letters_in(stored).values()]

    def entered(self) -> dict[str, tuple[str, str]]:
        """Give the ranges that the ledger holds, by the keys of their files."""
        entries = self.world.redshift.committed.ledger
        return {entry[0].removeprefix(FOLDER): (entry[FIRST], entry[LAST]) for entry in entries}

    # At a checkpoint.

    def look_at_durable(self, shard: Shard, began: Position, at: Position) -> None:
        """See that a life that began there may make this checkpoint.

        What is before its beginning is the business of whoever made the checkpoint there.
        """
        passed = [given for given in shard.records if began < given.position <= at]
        if shard in self.world.manifests:
            self._look_at_loaded(passed)
            return
        if self.world.has_files:
            self._look_at_written(shard, passed, at)
        self._look_at_what_is_done(shard, passed)

    def _look_at_loaded(self, passed: list[Given]) -> None:
        entered, kept_out = self.entered(), self.kept_out()
        for told in {given.told for given in passed}:
            is_known = (told.key in entered and told.is_about(told.key, entered[told.key])) or any(
                told.is_about(*letter) for letter in kept_out
            )
            demand(is_known, f"{told} is passed, and neither loaded nor a dead letter")

    def _look_at_written(self, shard: Shard, passed: list[Given], at: Position) -> None:
        files = [file for file in self.files() if file.place.shard == shard.name]
        delivered = self.delivered()
        if shard.is_exact:
            for key, (_, first, last), _ in files:
                demand(not first <= at < last, f"a checkpoint inside {key}")
                demand(
                    at < last or key in delivered, f"{key} is passed and not announced, or loaded"
                )
        else:
            files = [file for file in files if file.key in delivered]
        written = Counter(row for file in files for row in file.rows)
        for given in passed:
            for row in given.rows:
                is_well = written[row] == 1 or (written[row] and not shard.is_exact)
                is_well |= not written[row] and given.is_optional
                demand(is_well, f"{row!r} is passed and {written[row]} times in S3")

    def _look_at_what_is_done(self, shard: Shard, passed: list[Given]) -> None:
        """See that of these records, which the next life skips, nothing else is left to do."""
        letters = self.letters("one")
        for given in passed:
            is_letter = (shard.name, str(given.position)) in letters
            is_well = is_letter or not self.world.is_bad(given) or self.is_outdated(given)
            demand(is_well, f"{given} is passed, and no letter")
            for key, made in given.items.items() if self.world.has_table else ():
                item = self.world.table.items.get(key)
                is_well = item is not None and self.age(item) >= made[:2]
                demand(is_well, f"{made} is passed, and the table has {item}")

    def is_outdated(self, given: Given) -> bool:
        """Whether nobody need know that DynamoDB refuses it: the table has what came after it."""
        if not (self.world.has_table and POISON in given.data):
            return False
        items = self.world.table.items
        keys = {json.loads(row)[KEY] for row in given.made}
        return all(key in items and self.age(items[key])[0] > given.position for key in keys)

    # When something is written.

    def look_at_object(self, key: str, stored: Stored) -> None:
        """See that a file covers only what may be skipped: whoever finds it looks no further."""
        if stored.place is None or "/repaired/" in key:
            return
        name, first, last = stored.place
        (shard,) = (shard for shard in self.world.shards if shard.name == name)
        covered = [given for given in shard.records if first <= given.position <= last]
        self._look_at_what_is_done(shard, covered)

    def look_at_write(self, before: Item | None, after: Item) -> None:
        """See that an item does not move back, whatever it says of itself."""
        is_well = before is None or self.age(after) >= self.age(before)
        demand(is_well, f"after {before} comes {after}")

    def age(self, item: Item) -> tuple[Position, int]:
        """Tell of which record an item is, by its position, and of which of its rows.

        An item that is forgotten has nothing of its record but the guard.
        """
        if "of" in item:
            number = item["of"]["M"]["id"]["N"]
            return self.world.given[int(number)].position, int(item["row"]["N"])
        (text,) = item[GUARD].values()
        return Position(*(int(Decimal(number)) for number in text.split("-"))), 0

    # At an announcement.

    def look_at_message(self, message: dict[str, object]) -> None:
        """See that it names an object, and says what is true of it."""
        s3 = self.world.s3
        stored = (s3.objects | s3.deleted).get(str(message["key"]))
        demand(stored is not None, f"{message} is about nothing")
        told = {name: message[name] for name in ("bytes", "rows", "first", "last")}
        demand(told == _true_of(stored), f"{message} is not true")

    # At the end.

    def look_at_the_whole(self) -> None:
        """See that the table is the transformed stream, and the letters what was refused."""
        delivered, letters = self.delivered(), self.letters("one")
        for shard in self.world.shards:
            if self.world.has_files:
                files = [file for file in self.files() if file.place.shard == shard.name]
                _look_at_contents(shard, files, delivered)
            all_bad = [given for given in shard.records if self.world.is_bad(given)]
            bad = {given.position for given in all_bad}
            outdated = {given.position for given in all_bad if self.is_outdated(given)}
            found = {Position.parse(at) for name, at in letters if name == shard.name}
            assert bad - shard.missed - outdated <= found <= bad
        if self.world.has_table:
            self._look_at_the_items()
        if self.world.is_loading:
            self._look_at_what_is_loaded()

    def _look_at_what_is_loaded(self) -> None:
        with violations_told():
            for shard in self.world.manifests:
                self._look_at_loaded(shard.records)
        self._look_at_what_is_kept_out()
        self._look_at_the_table()

    def _look_at_the_items(self) -> None:
        """See that of each key the last record by position is the item, with all that it says."""
        missed = {position for shard in self.world.shards for position in shard.missed}
        of_key: dict[str, list[Made]] = defaultdict(list)
        for given in self.world.given.values():
            for key, made in given.items.items():
                of_key[key].append(made)
        items = self.world.table.items
        assert {*items} <= {*of_key}
        for key, all_made in of_key.items():
            due = [made[:2] for made in all_made if made.position not in missed]
            if key in items:
                age = self.age(items[key])
                content = {made[:2]: made.content for made in all_made}[age]
                told = {name: plain(value) for name, value in items[key].items() if name != GUARD}
                assert told == content
                assert age >= max(due, default=age), f"after {age}, {due}"
            else:
                assert not due, f"of {due} there is no item"

    def _look_at_what_is_kept_out(self) -> None:
        """See that no file is refused without a reason."""
        files = {file.key: file for file in self.files()}
        entered = self.entered()
        loaded = [file for file in files.values() if file.key in entered]
        for told in self.kept_out():
            file = files[told.key]
            others = [other for other in loaded if other.key != file.key]
            assert (
                file.is_refused(self.world.most_bad_rows)
                or file.key in self.world.s3.deleted
                or (file.key in entered and not told.is_about(file.key, entered[file.key]))
                or any(map(file.overlaps, others))
            ), f"{told} is refused for no reason"

    def _look_at_the_table(self) -> None:
        entered = self.entered()
        table = Counter(row for file in self.files() if file.key in entered for row in file.rows)
        committed = self.world.redshift.committed
        left_out = Counter(row for one in committed.left_out for row in one.rows)
        assert Counter(committed.rows) + left_out == table + Counter([b"first"])
        assert len(committed.ledger) == len(entered)
        with violations_told():
            for one in committed.left_out:
                self.world.s3.look_at_letters(one)


def _look_at_contents(shard: Shard, files: list[Written], delivered: set[str]) -> None:
    """See that files hold the rows of the records that they cover, and together all of them."""
    for key, (_, first, last), rows in files:
        covered = [given for given in shard.records if first <= given.position <= last]
        there = [given for given in covered if not (given.is_optional and {*given.rows} - {*rows})]
        assert list(rows) == [row for given in there for row in given.rows], f"order in {key}"
    in_files = Counter(row for file in files if file.key in delivered for row in file.rows)
    optional = {row for given in shard.records if given.is_optional for row in given.rows}
    rows_due = [row for given in shard.records for row in given.rows]
    if shard.is_exact:
        assert in_files == Counter(
            row for row in rows_due if row in in_files or row not in optional
        )
    for given in shard.records:
        is_there = given.is_optional or all(in_files[row] for row in given.rows)
        assert given.position in shard.missed or is_there, "lost"


def letters_in(stored: Stored) -> dict[tuple[str, str], bytes]:
    """Read an object of dead letters, those of records."""
    lines = [line for line in map(json.loads, stored.lines) if "file" not in line]
    return {(line["shard"], line["position"]): base64.b64decode(line["data"]) for line in lines}


def _true_of(stored: Stored) -> dict[str, object]:
    return {
        "bytes": len(stored.body),
        "rows": len(stored.lines),
        "first": stored.metadata["first-position"],
        "last": stored.metadata["last-position"],
    }
