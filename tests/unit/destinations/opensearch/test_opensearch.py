"""Batches to a real OpenSearch: what is there afterwards, and what is refused."""

import itertools
import json
import re
import subprocess
import sys
import uuid

import pytest
import tenacity
from opensearchpy.exceptions import TransportError

from record_processors import Batch, Fatal, Kept, Position, Record, Settings, Transient, Unavailable
from record_processors.destinations.opensearch import bulk
from record_processors.destinations.opensearch.documents import Item
from record_processors.destinations.opensearch.emitter import OpenSearchEmitter
from record_processors.destinations.opensearch.errors import TooLarge, classify
from record_processors.destinations.opensearch.resources import Index
from record_processors.flow.retry import Retry
from support.opensearch_server import MOST_BYTES, ask, documents, opensearch

SHARD = "shardId-000000000001"
NAMES = (f"documents-{uuid.uuid4().hex}" for _ in itertools.count())  # also other processes'


def settings_of(index, **more):
    texts = {"streamName": "events", "openSearchURL": opensearch(), "openSearchIndex": index}
    return Settings(
        "a file",
        {**texts, "retryLimit": "3", "backoffInterval": "1", "outagePatience": "0", **more},
    )


class One:
    """An index with its emitter."""

    def __init__(self, name=None, **more):
        self.name = name or next(NAMES)
        self.settings = settings_of(self.name, **more)
        self.emitter = OpenSearchEmitter.from_settings(self.settings)
        self.emitter.start(SHARD, "json", None)

    def emit(self, *rows_of, first=1):
        """Emit records with these rows; return what was refused, by its sequence number."""
        kept = []
        for sequence, rows in enumerate(rows_of, first):
            each = [rows] if isinstance(rows, (bytes, dict)) else rows
            lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in each]
            kept.append(Kept(Record(data=b"", sequence_number=str(sequence)), lines))
        refused = []
        batch = Batch(kept, Position(first + len(rows_of) - 1), refused.extend)
        self.emitter.emit(batch)
        batch.write_letters()
        return {int(one.record.sequence_number): one.reason for one in refused}

    @property
    def documents(self):
        return documents(self.name)


@pytest.fixture
def index():
    made = One()
    Index(made.settings).create()
    yield made
    made.emitter.close()


@pytest.fixture
def by_id():
    made = One(openSearchIdField="id")
    Index(made.settings).create()
    yield made
    made.emitter.close()


@pytest.fixture
def while_waiting(monkeypatch):
    """Return the list of what is done at the next waits, instead of waiting."""
    todo = []
    monkeypatch.setattr(tenacity.nap.time, "sleep", lambda _: todo.pop(0)())
    return todo


def test_a_document_is_named_by_its_position(index):
    """Each row has the name of its record's position; further rows of a record have a number."""
    assert index.emit({"a": 1}, [{"a": 2}, {"a": 3}], first=7) == {}
    assert index.documents == {
        f"events-{SHARD}-7-0": {"a": 1},
        f"events-{SHARD}-8-0": {"a": 2},
        f"events-{SHARD}-8-0-1": {"a": 3},
    }


def test_documents_of_two_streams_are_two(index):
    """A number that two streams have names two documents."""
    other = One(index.name, streamName="others")
    index.emit({"a": 1})
    other.emit({"a": 2})
    other.emitter.close()
    assert sorted(each["a"] for each in index.documents.values()) == [1, 2]


def test_without_its_extra_a_sentence_says_so():
    """Where the library is not installed, whoever looks is told, and how to install it."""
    program = (
        "import sys; sys.modules['opensearchpy'] = None; from record_processors import Settings; "
        "from record_processors.destinations.opensearch.resources import Index; "
        "texts = {'openSearchURL': 'http://localhost:1', 'openSearchIndex': 'a'}; "
        "list(Index(Settings('', texts)).look())"
    )
    said = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert said.stderr.splitlines()[-1].endswith(
        "opensearchpy is not installed; pip install 'kinesis-connectors[opensearch]'"
    )


def test_a_document_that_is_there_stays(index):
    """A replay changes nothing, whatever it would write."""
    index.emit({"a": 1}, {"a": 2})
    assert index.emit({"a": 9}, {"a": 2}, {"a": 3}) == {}
    assert [each["a"] for _, each in sorted(index.documents.items())] == [1, 2, 3]


MESSY = [
    (
        b'{"n": 9223372036854775807, "f": 1.1, "t": "\\u0000 \\" \xc3\xa9", "o": {"x": [1, null]}}',
        "",
    ),
    (b'{"n": 9223372036854775808}', "out of range of long"),
    (b'{"n": "no number"}', "failed to parse field [n] of type [long]"),
    (b'{"x": 1, "x": 2}', "Duplicate field 'x'"),
    (b'{"": 1}', "field name cannot be an empty string"),
    (b'{"t": {"x": 1}}', "failed to parse field [t] of type [text]"),
    (b"[1]", "mapper_parsing_exception"),
    (b"not json", "mapper_parsing_exception"),
    (b'{"a":\n1}', "a line break in a row"),
    (b"{}", ""),
    (b'{"n": null}', ""),
]


def test_messy_rows(index):
    """What the index takes is there as it came; the rest is refused, each row with its reason."""
    refused = index.emit(*[row for row, _ in MESSY])
    for number, (row, reason) in enumerate(MESSY, 1):
        assert (number in refused) == bool(reason), (row, refused.get(number))
        assert reason in refused.get(number, ""), row
    assert len(index.documents) + len(refused) == len(MESSY)
    assert index.documents[f"events-{SHARD}-1-0"] == json.loads(MESSY[0][0])


def test_the_last_of_a_key_wins(by_id):
    """Of the records of a value, within a batch and over batches, the last one is there."""
    assert by_id.emit({"id": "a", "n": 1}, {"id": "b", "n": 2}, {"id": "a", "n": 3}) == {}
    assert by_id.emit([{"id": "b", "n": 4}, {"id": "b", "n": 5}], first=4) == {}
    assert by_id.documents == {"a": {"id": "a", "n": 3}, "b": {"id": "b", "n": 5}}


def test_a_late_zombie_moves_nothing_back(by_id):
    """A batch that comes again, from whomever, after newer ones leaves these as they are."""
    by_id.emit({"id": 1, "n": 1}, {"id": 2, "n": 1})
    by_id.emit({"id": 1, "n": 2}, first=3)
    zombie = One(by_id.name, openSearchIdField="id")
    assert zombie.emit({"id": 1, "n": 1}, {"id": 2, "n": 1}) == {}
    assert by_id.documents == {"1": {"id": 1, "n": 2}, "2": {"id": 2, "n": 1}}


def test_a_key_that_cannot_be(by_id):
    """A record whose field cannot be a name is refused; all others are there."""
    none = [{}, {"id": None}, {"id": ""}, {"id": {}}, {"id": []}, {"id": "é" * 257}, b"x"]
    refused = by_id.emit(*none, {"id": "null"}, {"id": 1.50}, {"id": True}, {"id": "é" * 256})
    assert list(refused) == list(range(1, len(none) + 1))
    assert all("(openSearchIdField)" in reason for reason in refused.values())
    assert set(by_id.documents) == {"null", "1.5", "true", "é" * 256}


def data_stream():
    """Make a template as a user does; return a name that it is for."""
    name = f"of-{next(NAMES)}"
    ask("PUT", f"/_index_template/{name}", {"index_patterns": [name], "data_stream": {}})
    return name


def test_a_data_stream():
    """`create` makes what a template says; each document is there once; without time, refused."""
    stream = One(data_stream())
    Index(stream.settings).create()
    for _ in range(2):
        assert stream.emit({"@timestamp": 5, "n": 1}, {"n": 2}).keys() == {2}
    assert list(stream.documents) == [f"events-{SHARD}-1-0"]
    said = [finding.sentence for finding in Index(stream.settings).probe()]
    assert any("documents without @timestamp are dead letters" in one for one in said)


def test_what_no_document_can_pass():
    """A data stream with a field as name, an alias that is not written to: the end, no letters."""
    stream = One(data_stream(), openSearchIdField="id")
    Index(stream.settings).create()
    with pytest.raises(Fatal, match="op_type of create"):
        stream.emit({"@timestamp": 5, "id": 1})
    with pytest.raises(Exception, match="is a data stream, whose documents are never overwritten"):
        list(Index(stream.settings).look())
    one, other, alias = (next(NAMES) for _ in range(3))
    for name in (one, other):
        ask("PUT", f"/{name}", {"aliases": {alias: {}}})
    with pytest.raises(Fatal, match="no write index is defined for alias"):
        One(alias).emit({"a": 1})


def test_a_closed_index(index):
    """A closed index takes no document, which is no record's fault: the end, no letters."""
    ask("POST", f"/{index.name}/_close")
    with pytest.raises(Fatal, match="index_closed_exception"):
        index.emit({"a": 1})


def test_no_index():
    """Where it is not there and not made by writing, the sentence says what makes it."""
    name = next(NAMES)
    ask("PUT", "/_cluster/settings", {"transient": {"action.auto_create_index": "false"}})
    try:
        with pytest.raises(Fatal, match=f"{name}.*404.*`kinesis-connectors create` makes it"):
            One(name).emit({"a": 1})
    finally:
        ask("PUT", "/_cluster/settings", {"transient": {"action.auto_create_index": None}})
    with pytest.raises(Exception, match="it is not there; `kinesis-connectors create` makes it"):
        list(Index(settings_of(name)).look())


def test_a_request_that_is_too_large_goes_in_halves(index):
    """What OpenSearch refuses at once is sent in parts; a row that it never takes is refused."""
    size = MOST_BYTES // 3
    rows = [{"text": "x" * size, "n": number} for number in range(5)]
    rows.insert(2, {"text": "x" * MOST_BYTES})
    refused = index.emit(*rows)
    assert list(refused) == [3]
    assert re.fullmatch(r"OpenSearch takes no request of [\d,]+ bytes \(413\)", refused[3])
    assert [each["n"] for _, each in sorted(index.documents.items())] == [0, 1, 2, 3, 4]


def test_a_full_disk_passes(index, while_waiting):
    """An index that is blocked until there is room takes all once a person has made some."""
    block = "index.blocks.read_only_allow_delete"
    ask("PUT", f"/{index.name}/_settings", {block: True})
    while_waiting += [lambda: None, lambda: ask("PUT", f"/{index.name}/_settings", {block: None})]
    assert index.emit({"a": 1}, {"a": 2}) == {}
    assert len(index.documents) == 2
    ask("PUT", f"/{index.name}/_settings", {block: True})
    while_waiting += [lambda: None, lambda: None]
    with pytest.raises(
        Fatal, match=r"given up after 3 tries.*passes when there is room on the disk"
    ):
        index.emit({"a": 3}, first=3)


def test_a_write_block_passes(index, while_waiting):
    """What Amazon's service blocks until there is memory again is no lacking right: it is tried."""
    block = "index.blocks.write"
    ask("PUT", f"/{index.name}/_settings", {block: True})
    client = index.emitter.bulk.client
    with pytest.raises(Unavailable, match=r"^403 .*FORBIDDEN/8/.*passes when that is lifted"):
        client.request("writing", "POST", f"/{index.name}/_doc", body=b'{"a": 1}')
    while_waiting += [lambda: None, lambda: ask("PUT", f"/{index.name}/_settings", {block: None})]
    assert index.emit({"a": 1}, {"a": 2}) == {}
    assert len(index.documents) == 2
    ask("PUT", f"/{index.name}/_settings", {block: True})
    while_waiting += [lambda: None, lambda: None]
    with pytest.raises(Fatal, match=r"given up after 3 tries.*FORBIDDEN/8/index write.*is lifted"):
        index.emit({"a": 3}, first=3)


class Answers:
    """A client that answers as it is told, and keeps what it was sent."""

    url = "http://127.0.0.1"

    def __init__(self, *answers):
        self.answers = list(answers)
        self.sent = []

    def request(self, what, method, path, params, body):
        self.sent.append(body.split())
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return (
            {"items": [{"create": one} for one in answer]} if isinstance(answer, list) else answer
        )


BUSY = {"status": 429, "error": {"type": "rejected_execution_exception", "reason": "queue"}}
DONE = {"status": 201}


def sent(*answers, items=3):
    client = Answers(*answers)
    records = [Record(data=b"", sequence_number=str(number)) for number in range(items)]
    each = [Item(record, b"%d\n" % number) for number, record in enumerate(records)]
    batch = Batch([], Position(0), [].extend)
    bulk.Bulk(client, "index", Retry(3, 1)).send(each, batch)
    return client.sent, batch.rejected


def test_a_busy_item_alone_goes_again(while_waiting):
    """What OpenSearch had no room for is sent again, in its order, and nothing else."""
    while_waiting += [lambda: None] * 2
    requests, refused = sent([BUSY, DONE, {"status": 503}], [DONE, BUSY], [{"status": 409}])
    assert requests == [[b"0", b"1", b"2"], [b"0", b"2"], [b"2"]]
    assert refused == []


def test_halves_keep_their_places(while_waiting):
    """Of a request that went in halves, the busy items alone go again."""
    while_waiting += [lambda: None]
    requests, refused = sent(TooLarge(), [DONE], TooLarge(), [DONE], [BUSY], [DONE])
    assert requests[-2:] == [[b"2"], [b"2"]]
    assert refused == []


@pytest.mark.parametrize(
    ("kind", "reason", "passes"),
    [
        ("cluster_block_exception", "FORBIDDEN/6/cluster read-only (api)", "that is lifted"),
        (
            "index_create_block_exception",
            "FORBIDDEN/10/cluster create-index blocked (api)",
            "that is lifted",
        ),
        (
            "cluster_block_exception",
            "FORBIDDEN/12/index read-only / allow delete (api)",
            "there is room on the disks",
        ),
    ],
)
def test_a_block_is_no_lacking_right(kind, reason, passes, while_waiting):
    """A block is waited for, of an item and of a whole request; the log says how it passes."""
    error = {"type": kind, "reason": f"blocked by: [{reason}];"}
    while_waiting += [lambda: None] * 2
    with pytest.raises(Fatal, match=rf"given up .*{kind}.*passes when {passes}") as found:
        sent(*[[{"status": 403, "error": error}]] * 3, items=1)
    assert type(found.value.__cause__) is Unavailable
    whole = classify(TransportError(403, kind, {"error": error, "status": 403}), "writing")
    assert type(whole) is Unavailable
    assert re.search(f"^403 {kind}.*passes when {passes}", str(whole))


@pytest.mark.parametrize("answer", [{}, [], [DONE], [{}] * 3, "<html>", None])
def test_an_answer_of_somebody_else(answer, while_waiting):
    """What does not say what became of each item is no success."""
    while_waiting += [lambda: None] * 2
    with pytest.raises(Fatal, match="given up after 3 tries"):
        sent(answer, answer, answer)


def test_requests_have_a_size():
    """Items are cut into requests of at most 5 MiB; one that is larger goes alone."""
    sizes = [1, bulk.BYTES_A_CALL - 1, 1, bulk.BYTES_A_CALL + 1, 2, 3]
    items = [Item(None, b"x" * size) for size in sizes]
    parts = [[len(item.lines) for item in part] for part in bulk.parts(items)]
    assert parts == [sizes[:2], sizes[2:3], sizes[3:4], sizes[4:]]
    assert list(bulk.parts([])) == []


def test_a_refusal_is_no_letter():
    """A refused login, a lacking right and a status that nobody knows end the process."""
    for status in (401, 403, 405):
        with pytest.raises(Fatal, match=str(status)):
            sent([{"status": status, "error": {"type": "x"}}] * 3)


@pytest.mark.parametrize(
    "reason",
    [
        "pipeline with id [geo] does not exist",
        "number of documents in the index cannot exceed 2147483519",
        "Number of documents in shard [a][0] exceeds the limit of [2147483519] documents per shard",
        "this action would add [2] total shards, but this cluster currently has [9]/[9] maximum "
        "shards open",
        "this action would add [2] shards, but this cluster currently has [9]/[9] maximum normal "
        "shards open",
    ],
)
def test_what_is_said_of_one_and_true_of_all(reason):
    """A pipeline that is gone, or a shard or a cluster that is full, makes no letters."""
    refused = {"status": 400, "error": {"type": "illegal_argument_exception", "reason": reason}}
    with pytest.raises(Fatal, match="takes nothing for index"):
        sent([DONE, refused, DONE])


def test_the_errors_of_a_request():
    """A whole request that fails is tried again if that may pass, and ends the process if not."""

    def sorted_as(status, info=None):
        return type(classify(TransportError(status, "", info or {}), "x"))

    assert {sorted_as(status) for status in (429, 500, 502, 503, 504)} == {Unavailable}
    assert {sorted_as(status) for status in (400, 401, 403, 404)} == {Fatal}
    assert sorted_as(413) is TooLarge
    expired = {"message": "The security token included in the request is expired"}
    assert sorted_as(403, expired) is Transient
