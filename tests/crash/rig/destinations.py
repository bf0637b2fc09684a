"""What each destination promises, held against what it holds."""

import base64
import json
import os
from collections import Counter

import boto3
import psycopg2

from crash.rig.each import GONE, Destination, double, lost, pair
from crash.rig.poison import TOLD
from crash.rig.wires import STATEMENTS, Place
from record_processors.aws.layout import files_folder
from record_processors.config.keys import STREAM_NAME
from record_processors.destinations.dynamodb.items import MARK, position_text
from record_processors.destinations.dynamodb.settings import DATA_TABLE as ITEMS
from record_processors.destinations.redshift.row_letters import STAGE as LOAD
from record_processors.destinations.redshift.settings import FILE_TABLE, REDSHIFT_URL
from record_processors.files.message import read_message
from support.fault_proxy import Proxy
from support.opensearch_server import ask, documents, opensearch
from support.redshift_wire import Wire


class Kinesis(Destination):
    """Each row at least once; of each key the first of each in the order of the shard.

    And the last of a key is its last to come, but for a zombie's.
    """

    name = file = "kinesis"
    steps = {"rows": "POST /PutRecords"}  # noqa: RUF012 - never written to
    write = "rows"
    disturbed = 0  # so many records may have been written once more by a zombie

    @property
    def changes(self):
        return {
            "kinesisOutputStream": f"{self.app}-out",
            "kinesisOutputStreamShardCount": "2",
            "kinesisPartitionKey": "id",
        }

    def wrong(self):
        if not self.is_without_zombies:
            self.disturbed = len(self.source.noted)  # what they wrote last may stay the last
        undisturbed = {row for one in self.source.noted[self.disturbed :] for row in one.rows}
        wanted, found = {}, {}
        for one in self.taken():
            for row in one.rows:
                wanted.setdefault(row[0], []).append(row)
        rows = self.rows()
        for row in rows:
            found.setdefault(row[0], []).append(row)
        for key in wanted.keys() | found.keys():
            rows_of_key, wanted_of_key = found.get(key, []), wanted.get(key, [])
            first = list(dict.fromkeys(rows_of_key))
            yield from lost("rows", set(wanted_of_key) - set(first))
            yield from double("rows", set(first) - set(wanted_of_key))
            if first != wanted_of_key:
                yield f"the rows of {key} came in another order: {first}, not {wanted_of_key}"
            is_last = rows_of_key[-1:] == wanted_of_key[-1:]
            if not is_last and undisturbed.intersection(wanted_of_key[-1:]):
                yield f"of {key} the last to come is {rows_of_key[-1:]}, not {wanted_of_key[-1:]}"

    def rows(self):
        """Return all rows, those of a shard in their order."""
        return [pair(json.loads(data)) for data in read(f"{self.app}-out")]


class RedshiftBasic(Destination):
    """Each row in the table exactly once, or a letter."""

    name, file = "redshift-basic", "redshift_basic"
    going_on = 2  # the zombie may hold the ledger
    write = "commit"
    steps = {  # noqa: RUF012
        "look": "GET /{bucket}",
        "file": "PUT /{bucket}/{app}/20",  # and the year's other digits
        "manifest": "PUT /{bucket}/{app}/manifests/",
        "repair": "PUT /{bucket}/{app}/repaired/",
        **{name: "" for name in STATEMENTS if name != "blame"},
    }
    refusals = (
        ("told", lambda said: {**said, "text": f"{TOLD} {said['text']}"}),
        ("nul", lambda said: {**said, "text": f"\0 {said['text']}"}),
    )

    def __init__(self, stack, name, wire):
        super().__init__(stack, name, wire)
        address, _, self.database = stack.properties[REDSHIFT_URL.key].partition("/")
        host, _, port = address.partition(":")
        self.redshift = Wire((host, int(port)))

    @property
    def wired(self):
        return {REDSHIFT_URL.key: f"{self.redshift.url}/{self.database}"}

    @property
    def changes(self):
        return {
            "redshiftDataTable": f"{self.app}_rows",
            "redshiftFileTable": f"{self.app}_files",
            "redshiftIamRole": "default",
        }

    def begin(self, settings, source):
        super().begin(settings, source)
        self.connection = psycopg2.connect(
            "postgresql://{redshiftUsername}@{redshiftURL}".format(**self.stack.properties),
            password=os.environ["REDSHIFT_PASSWORD"],
        )
        self.connection.autocommit = True
        self.query(f"CREATE TABLE {self.app}_rows (id VARCHAR(100), text VARCHAR(200))")

    def place(self, stage, step):
        if step in STATEMENTS:
            return Place(self.redshift, STATEMENTS[step])
        return super().place(stage, step)

    def settle(self):
        self.redshift.deliver_all()

    def close(self):
        super().close()
        self.redshift.close()
        self.connection.close()

    def query(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []

    def never_wrong(self):
        return double("rows", self.rows() - self.wanted())

    def wrong(self):
        rows, wanted = self.rows(), self.wanted()
        yield from lost("rows", wanted - rows)
        yield from double("rows", rows - wanted)
        refused, letters = self.told(), Counter(self.letters_of_rows())
        yield from lost("letters of rows", refused - letters)
        yield from double("letters of rows", letters - refused)

    def rows(self):
        found = self.query(f"SELECT id, text FROM {self.app}_rows")
        return Counter(pair({"id": key, "text": text}) for key, text in found)

    def wanted(self):
        return Counter(row for one in self.taken() for row in one.rows)

    def told(self):
        """Return the rows that COPY refuses, and tells of."""
        return Counter(row for one in self.source.noted if one.fate == "told" for row in one.rows)

    def letters(self):
        """Return those of records; those of files and their rows are told by ``load``."""
        return (one for one in super().letters() if one["stage"] != LOAD)

    def stage_of(self, fate):
        return "transform" if fate in {"malformed", "nul"} else ""

    def letters_of_rows(self):
        """Yield each row that a letter is of: by itself, or as one of a file that is kept out.

        As a reader should: a row left out counts if the load that left it out was committed, a file
        if the ledger does not have it; and each of them once.
        """
        ledger = self.settings[FILE_TABLE]
        loaded = dict(self.query(f"SELECT file, manifest FROM {ledger}"))
        copied = {url for manifest in set(loaded.values()) for url in self.entries(manifest)}
        rows, files = {}, set()
        for letter in super().letters():
            if letter.get("repaired") in copied:
                rows[letter["file"], letter["line"]] = base64.b64decode(letter["data"])
            elif letter["stage"] == LOAD and "file" not in letter:
                file = read_message(base64.b64decode(letter["data"]), "")
                if file.url not in loaded:
                    files.add(file.key)
        lines = [*rows.values(), *(line for key in files for line in self.objects.lines(key))]
        return map(pair, map(json.loads, lines))

    def entries(self, manifest):
        (line,) = self.objects.lines(manifest.removeprefix(f"s3://{self.objects.bucket}/"))
        return [entry["url"] for entry in json.loads(line)["entries"]]


class DynamoDB(Destination):
    """Of all records of a key, the one with the highest position is the item."""

    name = file = "dynamodb"
    steps = {"item": "POST /PutItem"}  # noqa: RUF012
    write = "item"

    @property
    def changes(self):
        return {
            "dynamoDBDataTableName": f"{self.app}-items",
            "dynamoDBKey": "id",
            "dynamoDBDeleteExpression": f"starts_with(text, '{GONE}')",
        }

    def wrong(self):
        items = self.items()
        wanted = {key: _item(one) for key, one in self.last_of_each().items()}
        yield from lost("items", wanted.keys() - items.keys())
        yield from double("items", items.keys() - wanted.keys())
        there = [(items[key], wanted[key]) for key in wanted.keys() & items.keys()]
        yield from lost("last versions", [both for both in there if both[0] != both[1]])

    def items(self):
        client, items = boto3.client("dynamodb"), {}
        for page in client.get_paginator("scan").paginate(TableName=self.settings[ITEMS]):
            for typed in page["Items"]:
                item = {name: value for name, kind in typed.items() for value in kind.values()}
                items[item["id"]] = item
        return items


class OpenSearch(Destination):
    """Each row a document, once, by its record's position."""

    name = file = "opensearch"
    steps = {"documents": "POST /{app}/_bulk"}  # noqa: RUF012
    write = "documents"

    def __init__(self, stack, name, wire):
        super().__init__(stack, name, wire)
        self.search = Proxy(opensearch(), [])

    @property
    def wired(self):
        return {"openSearchURL": self.search.endpoint}

    @property
    def changes(self):
        return {"openSearchIndex": self.app}

    def begin(self, settings, source):
        super().begin(settings, source)
        ask("PUT", f"/{self.app}/_mapping", {"properties": {"id": {"type": "keyword"}}})

    def place(self, stage, step):
        found = super().place(stage, step)
        return found._replace(wire=self.search) if step == self.write else found

    def close(self):
        super().close()
        self.search.close()

    def wrong(self):
        found, wanted = self.documents(), self.wanted()
        yield from lost("documents", wanted.items() - found.items())
        yield from double("documents", found.items() - wanted.items())

    def documents(self):
        """Return each document as its row, by its name."""
        return {name: pair(row) for name, row in documents(self.app).items()}

    def wanted(self):
        stream = self.settings[STREAM_NAME]
        return {
            f"{stream}-{one.put.shard}-{one.put.position}{f'-{number}' if number else ''}": row
            for one in self.taken()
            for number, row in enumerate(one.rows)
        }


class OpenSearchById(OpenSearch):
    """Of all records of an id, the last is the document."""

    name, destination = "opensearch-by-id", "opensearch"

    @property
    def changes(self):
        return {**super().changes, "openSearchIdField": "id"}

    def wanted(self):
        return {key: one.rows[-1] for key, one in self.last_of_each().items()}


class Several(DynamoDB):
    """Each member's own promise; and no file of the chain whose records the other lacks."""

    name, destination, file = "several", "dynamodb, s3-manifest", "s3_manifest"
    steps = {  # noqa: RUF012
        **DynamoDB.steps,
        "look": "GET /{bucket}",
        "file": "PUT /{bucket}/{app}/",
        "announcement": "POST /PutRecord",
    }
    refusals = (
        *(("by dynamodb", change) for _, change in Destination.refusals),
        ("by s3-manifest", lambda said: {**said, "text": f"\0 {said['text']}"}),
    )

    @property
    def changes(self):
        return {**super().changes, "kinesisOutputStream": f"{self.app}-manifests"}

    def taken(self):
        """Return what dynamodb takes."""
        return [one for one in self._all() if one.fate != "by dynamodb"]

    def _all(self):
        return super().taken()

    def takes(self, fate):
        return super().takes(fate) or fate.startswith("by ")

    def never_wrong(self):
        files = self.files()  # first: what comes meanwhile does no harm
        items = self.items()
        inside = [one for one in self.taken() if files.keys() & set(one.rows)]
        ahead = [one.put for one in inside if not _has(items, one)]
        yield from lost("records of files in the table", ahead)

    def wrong(self):
        yield from super().wrong()
        yield from self.never_wrong()
        files = self.files()
        wanted = Counter(
            row for one in self._all() if one.fate != "by s3-manifest" for row in one.rows
        )
        yield from lost("rows of files", wanted - files)
        yield from double("rows of files", files - wanted)
        keys, announced = set(self.keys()), set(self.announced())
        yield from lost("announcements", keys - announced)
        yield from double("announcements", announced - keys)

    def keys(self):
        return (key for key, _ in self.objects.named(files_folder(self.settings)))

    def files(self):
        """Count the rows in the files."""
        return Counter(
            pair(json.loads(line)) for key in self.keys() for line in self.objects.lines(key)
        )

    def announced(self):
        return (json.loads(data)["key"] for data in read(f"{self.app}-manifests"))

    def letters(self):
        """Let each say the refusal that its reason tells."""
        for one in super().letters():
            member, _, _ = one["reason"].partition(": ")
            yield {**one, "stage": f"by {member}"} if one["stage"] == "emit" else one

    def stage_of(self, fate):
        return fate if fate.startswith("by ") else super().stage_of(fate)


def read(stream):
    """Yield the data of each record of a stream, those of a shard in their order."""
    kinesis = boto3.client("kinesis")
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        while records := (answer := kinesis.get_records(ShardIterator=iterator))["Records"]:
            yield from (record["Data"] for record in records)
            iterator = answer["NextShardIterator"]


def _item(one):
    """Return what the table holds of a record that is the last of its id."""
    *_, (_, text) = one.rows
    place = {"id": one.said["id"], "_position": position_text(one.position)}
    return {**place, MARK: True} if one.fate == GONE else {**place, "text": text}


def _has(items, one):
    """Whether the table holds a record, or a later one of its id."""
    item = items.get(one.said["id"])
    return item is not None and item["_position"] >= position_text(one.position)


EACH = (Kinesis, RedshiftBasic, DynamoDB, OpenSearch, OpenSearchById, Several)
