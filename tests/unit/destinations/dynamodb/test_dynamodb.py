"""The last record of a key by position is the item, whatever is replayed, refused, or cut off."""

import json
import random
import sys
import threading

import boto3
import pytest
from botocore.exceptions import CredentialRetrievalError

from record_processors import Fatal, Position, Rejected, Transformer
from record_processors.config.properties import SettingsError
from record_processors.config.resource import Failed
from record_processors.destinations.dynamodb.items import seconds_of
from record_processors.destinations.dynamodb.values import Written
from record_processors.destinations.dynamodb.writes import LANES
from support.fault_proxy import Fault
from support.items import ARRIVAL

NO_GUARD = {"dynamoDBPositionAttribute": "none"}


def refusing(code, body, message="no", **more):
    """Return a fault: a request with ``body`` in it is answered with an error of DynamoDB."""
    error = json.dumps({"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": message})
    return Fault("POST /", "400", body=body, said=(400, [], error.encode()), **more)


# ---- the last one wins


def test_an_older_record_never_replaces_a_newer_one(make):
    """A zombie, or a replay, leaves the newer item; numbers of other lengths are compared alike."""
    here = make()
    here.carry(here.record({"id": "a", "n": 10}, 10))
    assert here.carry(here.record({"id": "a", "n": 9}, 9)) == [Position(9)]
    here.carry(here.record({"id": "a", "n": 10, "again": True}, 10))

    assert here.items()["a"] == {
        "id": {"S": "a"},
        "n": {"N": "10"},
        "_position": {"S": f"{10:060}-{0:020}"},
    }


def test_any_order_of_batches_comes_to_the_last(make):
    """Histories of several owners, replayed and cut anyhow, end with the last by position."""
    here = make()
    chance = random.Random(1)
    records = [here.record({"id": f"k{n % 3}", "n": n}, n) for n in range(95, 106)]
    lives = [here.life(), here.life()]
    for _ in range(6):
        start = chance.randrange(len(records))
        part = records[start : start + chance.randrange(1, 5)]
        here.carry(*part, life=chance.choice(lives))
    here.carry(*records)
    here.carry(*records[:4], life=lives[0])

    assert {key: item["n"]["N"] for key, item in here.items().items()} == {
        "k0": "105",
        "k1": "103",
        "k2": "104",
    }


@pytest.mark.parametrize("guard", [{}, NO_GUARD])
def test_within_a_batch_the_last_of_a_key_alone(make, guard):
    """Of a batch one write for each key, also where its number is written in two ways."""
    here = make(dynamoDBKey="id: N", **guard)
    rows = [b'{"id":1,"n":1}', b'{"id":2,"n":2}', b'{"id":1.0,"n":3}']
    here.carry(*map(here.record, rows))
    requests = here.wire.requests[1:]
    found = {float(key): item["n"]["N"] for key, item in here.items().items()}

    assert found == {1.0: "3", 2.0: "2"}
    assert requests == (["POST /BatchWriteItem"] if guard else ["POST /PutItem"] * 2)


def test_what_the_guard_did_not_write_is_replaced(make):
    """An item without a position, written by somebody else, is older than any record."""
    here = make()
    boto3.client("dynamodb").put_item(
        TableName=here.table.name, Item={"id": {"S": "a"}, "old": {"BOOL": True}}
    )
    here.carry(here.record({"id": "a"}))

    assert "old" not in here.items()["a"]


def test_a_refused_last_one_leaves_the_one_before(make):
    """Where DynamoDB refuses the last of a key, which is a letter, the one before it is written."""
    here = make()
    here.wire.faults.append(refusing("ValidationException", b'"bad"'))
    rows = [{"id": "a", "n": 1}, {"id": "a", "bad": 2}, {"id": "b"}]
    here.carry(*map(here.record, rows))

    assert set(here.items()) == {"a", "b"}
    assert here.items()["a"]["n"] == {"N": "1"}
    assert list(here.letters()) == [2]
    assert "ValidationException" in here.letters()[2]


def test_one_that_is_refused_is_found_among_many(make):
    """Without the guard, the call that holds it goes in halves, until it alone is a letter."""
    here = make(**NO_GUARD)
    here.wire.faults.append(refusing("ValidationException", b'"bad"', always=True))
    here.carry(*[here.record({"id": f"k{n}", "v": "bad" if n == 30 else n}) for n in range(60)])

    assert set(here.items()) == {f"k{n}" for n in range(60) if n != 30}
    assert list(here.letters()) == [31]


@pytest.mark.parametrize("guard", [{}, NO_GUARD])
@pytest.mark.parametrize("kind", ["503", "503-after", "cut", "cut-after"])
def test_a_call_that_fails_is_made_again_and_no_other(make, guard, kind):
    """One of a batch fails: it alone is sent again, and all is there."""
    here = make(**guard)
    here.wire.faults.append(Fault("POST /", kind, body=b'"id":{"S":"k3"}'))
    here.carry(*[here.record({"id": f"k{n}"}) for n in range(30)])

    assert len(here.items()) == 30
    assert here.wire.faults == []
    assert len(here.wire.requests) - 1 == (2 + 1 if guard else 31)


def test_what_is_unprocessed_goes_again_alone(make, monkeypatch):
    """Without the guard, what BatchWriteItem leaves unprocessed is sent again, nothing else."""
    here = make(dynamoDBKey="id: N", **NO_GUARD)
    life = here.life()
    kind = type(life.emitter.calls)
    each, sent = kind.each, []

    def partial(calls, what, signer, operation, bodies):
        for place, body in enumerate(bodies):
            requests = json.loads(body)["RequestItems"][here.table.name]
            sent.append([one["PutRequest"]["Item"]["id"]["N"] for one in requests])
            keep, left = requests[: len(requests) // 2 + 1], requests[len(requests) // 2 + 1 :]
            kept = json.dumps({"RequestItems": {here.table.name: keep}}).encode()
            [(_, answer)] = each(calls, what, signer, operation, [kept])
            assert not answer["UnprocessedItems"]
            yield place, {"UnprocessedItems": {here.table.name: left}} if left else {}

    monkeypatch.setattr(kind, "each", partial)
    here.carry(*[here.record({"id": n}) for n in range(5)], life=life)

    assert sent == [["0", "1", "2", "3", "4"], ["3", "4"]]
    assert len(here.items()) == 5


def test_nothing_is_written_after_an_emit_has_ended(make):
    """When one request is refused for all, the others have ended before the error is raised."""
    here = make()
    life = here.life()
    slow = Fault("POST /PutItem", "delay", body=b'"slow"')
    denied = refusing("AccessDeniedException", b'"x"', strike=lambda _: slow.arrived.wait())
    here.wire.faults += [slow, denied]
    was_released = []

    def carry():
        with pytest.raises(Fatal, match="AccessDenied"):
            here.carry(*map(here.record, [{"id": "x"}, {"id": "slow"}]), life=life)
        was_released.append(slow.released.is_set())

    thread = threading.Thread(target=carry)
    thread.start()
    slow.arrived.wait()
    thread.join(0.5)
    slow.released.set()
    thread.join()

    assert was_released == [True]
    assert "slow" in here.items()


def test_a_service_that_is_down_is_tried_by_each_lane_once(make):
    """A batch of many is not tried one by one while nothing answers."""
    here = make(retryLimit="2")
    here.wire.faults.append(Fault("POST /PutItem", "503", always=True))
    with pytest.raises(Fatal, match="given up after 2 tries"):
        here.carry(*[here.record({"id": str(n)}) for n in range(100)])

    assert here.wire.requests.count("POST /PutItem") == 2 * LANES


@pytest.mark.parametrize("guard", [{}, NO_GUARD])
@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("ExpiredTokenException", "The security token included in the request is expired"),
        ("InvalidSignatureException", "Signature not yet current: 2 is still later than 1"),
    ],
)
def test_what_only_this_host_has_is_tried_a_few_times(make, guard, code, message):
    """A token that stays expired, or a clock that stays wrong, leaves the shard to another host."""
    here = make(outagePatience="1h", **guard)
    here.wire.faults.append(refusing(code, b'"id":', message, always=True))
    with pytest.raises(Fatal, match=rf"given up after 4 tries \(retryLimit\): .*{code}"):
        here.carry(*[here.record({"id": f"k{n}"}) for n in range(30)])


def test_a_table_that_is_busy_is_waited_for(make):
    """While DynamoDB refuses all, and one change at least as it is busy, that is an outage."""
    here = make(outagePatience="10m")
    busy = refusing("ProvisionedThroughputExceededException", b'"k29"', always=True)
    conflict = refusing("ReplicatedWriteConflictException", b"_position", always=True)
    here.wire.faults += [busy, conflict]
    with pytest.raises(Fatal, match=r"given up after 6\d\d seconds \(outagePatience\): "):
        here.carry(*[here.record({"id": f"k{n}"}) for n in range(28, 30)])


@pytest.mark.parametrize("guard", [{}, NO_GUARD])
def test_credentials_that_cannot_be_renewed_for_a_moment(make, guard, monkeypatch):
    """While what renews the credentials is silent, the write waits for it."""
    here = make(**guard)
    life = here.life()
    signer = life.emitter.calls.signer
    found = iter([CredentialRetrievalError(provider="x", error_msg="silent")])

    def renewed():
        for error in found:
            raise error
        return signer()

    monkeypatch.setattr(life.emitter.calls, "signer", renewed)
    here.carry(here.record({"id": "a"}), life=life)

    assert "a" in here.items()


# ---- deletes and TTL

DELETES = {"dynamoDBDeleteExpression": "op == 'delete'"}


def test_a_delete_stays_behind_as_a_tombstone(make):
    """With the guard a deleted item keeps its key, position, mark, TTL: no older one comes back."""
    here = make(**DELETES, dynamoDBTTLAttribute="expires: arrival + 30d")
    here.carry(here.record({"id": "a", "n": 1.5}, 1))
    here.carry(here.record({"id": "a", "op": "delete", "n": 2}, 3))
    here.carry(here.record({"id": "a", "n": 2}, 2))

    assert here.items()["a"] == {
        "id": {"S": "a"},
        "_deleted": {"BOOL": True},
        "_position": {"S": f"{3:060}-{0:020}"},
        "expires": {"N": str(ARRIVAL // 1000 + 30 * 86400)},
    }
    here.carry(here.record({"id": "a", "n": 4}, 4))
    assert "_deleted" not in here.items()["a"]


def test_without_the_guard_a_delete_deletes(make):
    """Without the guard the item is gone."""
    here = make(**DELETES, **NO_GUARD)
    here.carry(here.record({"id": "a"}), here.record({"id": "b"}))
    here.carry(here.record({"id": "a", "op": "delete"}), here.record({"id": "c"}))

    assert set(here.items()) == {"b", "c"}


def test_ttl_from_a_field(make):
    """A field gives seconds or a time with its zone; none where it is null; else it is a letter."""
    here = make(dynamoDBTTLAttribute="expires: field until")
    until = [1900000000.9, "2030-03-17T17:46:40Z", None, 1900000000000, "tomorrow", True]
    here.carry(*[here.record({"id": str(n), "until": one}) for n, one in enumerate(until)])
    found = here.items()

    assert [found[n].get("expires") for n in "012"] == [{"N": "1900000000"}] * 2 + [None]
    assert list(here.letters()) == [4, 5, 6]
    assert "milliseconds" in here.letters()[4]


@pytest.mark.parametrize("text", ["1e999999", "-1e999999"])
def test_a_time_of_very_many_digits_is_no_time(text):
    """A number that is short to write and endless to hold is refused at once."""
    with pytest.raises(Rejected, match="not seconds"):
        seconds_of("until", Written(text))


def test_create_turns_the_ttl_on(make):
    """`create` turns the TTL on, also of a table that was there, and never another's off."""
    here = make(dynamoDBTTLAttribute="expires: arrival + 1h")
    found = boto3.client("dynamodb").describe_time_to_live(TableName=here.table.name)
    assert found["TimeToLiveDescription"] == {
        "TimeToLiveStatus": "ENABLED",
        "AttributeName": "expires",
    }
    here.settings.texts["dynamoDBTTLAttribute"] = "other: arrival + 1h"
    with pytest.raises(Fatal, match="its TTL is by expires, not other"):
        type(here.table)(type(here.settings)("", here.settings.texts)).create()


# ---- what is refused for good


def test_a_messy_file(make):
    """What can be is there, the rest is a letter with its reason, and all are accounted for."""
    here = make(
        dynamoDBKey="id, created: N",
        dynamoDBAttributeTypes="tags: SS, amount: N",
        filter="jmespath",
        filterExpression="id != 'filtered'",
        bufferByteSizeLimit="4000000",
    )
    good = {
        "nulls": {"a": None},
        "ünïcödé ☃ 💧": {"text": "\u0000 \u2028 ☃"},
        'quo"te\\s': {"q": "'\"\\\n"},
        "nested": {"m": {"l": [1, {"x": [None, True]}]}},
        "empty text": {"s": ""},
        "tags": {"tags": ["b", "a"], "amount": "1.50"},
        "large": {"x": "x" * 400_001},
    }
    bad = {
        b'{"id":"","created":1}': "the key id is empty",
        b'{"created":1}': "the key id is missing",
        b'{"id":null,"created":1}': "the key id is of type NULL",
        b'{"id":"a","created":"1"}': "the key created is of type S; the table's is N",
        b'{"id":7,"created":1}': "the key id is of type N; the table's is S",
        json.dumps({"id": "k" * 2049, "created": 1}).encode(): "2,049 bytes",
        b'{"id":"a","created":1,"n":1%s}' % (b"1" * 38): "39 significant digits",
        b'{"id":"a","created":1,"n":1e126}': "beyond",
        b'{"id":"a","created":1,"x":%s}' % (b"[" * 33 + b"]" * 33): "nested deeper",
        b'{"id":"a","created":1,"_position":"x"}': "which is the position's",
        b'{"id":"a","created":1,"tags":"x"}': "tags: not an array",
        b'{"id":"a","created":1,"amount":"x"}': "amount: not a number",
        b'{"id":"a","created":1,"":1}': "without a name",
        json.dumps(
            {"id": "a", "created": 1, "x": "x" * 409_600}
        ).encode(): "DynamoDB takes 409,600",
    }
    rows = [{"id": key, "created": 1, **more} for key, more in good.items()]
    rows += [{"id": "filtered", "created": 1}] * 2
    rows += [{"id": f"row {n}", "created": n, "v": "x" if n == 50 else n} for n in range(100)]
    records = [here.record(row) for row in rows] + [here.record(row) for row in bad]
    life = here.life()
    here.carry(*records, life=life)
    items, letters = here.items(), here.letters()

    assert set(items) == set(good) | {f"row {n}" for n in range(100)}
    assert items["ünïcödé ☃ 💧"]["text"] == {"S": "\u0000 \u2028 ☃"}
    assert items["tags"]["amount"] == {"N": "1.50"}
    assert sorted(items["tags"]["tags"]["SS"]) == ["a", "b"]
    assert items["nested"]["m"] == {
        "M": {"l": {"L": [{"N": "1"}, {"M": {"x": {"L": [{"NULL": True}, {"BOOL": True}]}}}]}}
    }
    reasons = [letters[int(one.sequence_number)] for one in records[-len(bad) :]]
    assert [why for why, said in zip(bad.values(), reasons, strict=True) if why not in said] == []
    tally = life.tally
    assert (tally.read, tally.filtered, tally.rejected) == (len(records), 2, len(bad))
    assert tally.read == len(items) + tally.filtered + len(letters)


def test_keys_of_indexes_are_checked(make):
    """What an index of the table could not hold is a letter; an item that lacks it is not."""
    here = make()
    boto3.client("dynamodb").update_table(
        TableName=here.table.name,
        AttributeDefinitions=[
            {"AttributeName": "id", "AttributeType": "S"},
            {"AttributeName": "city", "AttributeType": "S"},
        ],
        GlobalSecondaryIndexUpdates=[
            {
                "Create": {
                    "IndexName": "by-city",
                    "KeySchema": [{"AttributeName": "city", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            }
        ],
    )
    rows = [{"id": "a"}, {"id": "b", "city": "x"}, {"id": "c", "city": ""}, {"id": "d", "city": 1}]
    here.carry(*map(here.record, rows))

    assert set(here.items()) == {"a", "b"}
    assert list(here.letters()) == [3, 4]


class Pairs(Transformer):
    """Two rows of one record, as dicts."""

    format = "dict"

    def transform(self, record):
        found = json.loads(record.data)
        if found == "bad":
            raise Rejected("bad")
        return [{"id": one} for one in found]


def test_rows_of_ones_own(make):
    """A transformer of one's own gives dicts; if one of a record's is refused, none is written."""
    here = make(transformer=f"{__name__}:Pairs")
    here.carry(*map(here.record, [["a", "b"], ["c", 1]]))

    assert set(here.items()) == {"a", "b"}
    assert list(here.letters()) == [2]


# ---- the table


def test_a_table_that_is_not_there(make):
    """One sentence at the look and at the start, which names the setting."""
    here = make()
    boto3.client("dynamodb").delete_table(TableName=here.table.name)
    with pytest.raises(
        Failed, match=r"dynamoDBDataTableName = .*`kinesis-connectors create` makes"
    ):
        list(type(here.table)(here.settings).look())
    with pytest.raises(Fatal, match="dynamoDBDataTableName"):
        here.life()


def test_a_table_that_is_being_made(make, monkeypatch):
    """Another `create` may be at it: it is there, and waited for; nothing is written to it yet."""
    here = make()
    described = boto3.client("dynamodb").describe_table(TableName=here.table.name)
    described["Table"]["TableStatus"] = "CREATING"
    monkeypatch.setattr(here.table.dynamodb, "describe_table", lambda **_: described)

    assert here.table.exists()
    with pytest.raises(Failed, match="the table is CREATING, not ACTIVE"):
        here.table.described(here.table.dynamodb)


def test_a_table_that_is_another_by_now(make):
    """Where the table has another key than at the start, no record is to blame: all wait."""
    here = make()
    texts = {key: text for key, text in here.settings.texts.items() if key != "dynamoDBKey"}
    here.settings = type(here.settings)("", texts)
    life = here.life()
    dynamodb = boto3.client("dynamodb")
    dynamodb.delete_table(TableName=here.table.name)
    dynamodb.create_table(
        TableName=here.table.name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "number", "AttributeType": "N"}],
        KeySchema=[{"AttributeName": "number", "KeyType": "HASH"}],
    )
    with pytest.raises(Fatal, match="its key or an index has changed: start again"):
        here.carry(here.record({"id": "a"}), life=life)

    assert here.letters() == {}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"dynamoDBKey": "id, created"}, "its key is id, not id, created"),
        ({"dynamoDBKey": "id: N"}, "its key is id, not id: N"),
        ({"dynamoDBAttributeTypes": "id: N", "dynamoDBKey": "id: N"}, "its key is id"),
        ({"dynamoDBPositionAttribute": "id", "dynamoDBKey": None}, "is a key of it"),
    ],
)
def test_a_table_of_another_key(make, change, why):
    """One sentence at the look, at `create`, and at the start."""
    here = make()
    for key, text in change.items():
        here.settings.texts.pop(key, None)
        if text:
            here.settings.texts[key] = text
    settings = type(here.settings)("", here.settings.texts)
    with pytest.raises(Failed, match=why):
        list(type(here.table)(settings).look())
    with pytest.raises(Fatal, match=why):
        type(here.table)(settings).create()
    here.settings = settings
    with pytest.raises(Fatal, match=why):
        here.life()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"dynamoDBKey": "a, b, c"}, "at most one sort key"),
        ({"dynamoDBKey": "a: X"}, "S or N or B"),
        ({"dynamoDBAttributeTypes": "a"}, "'a' is not a name"),
        ({"dynamoDBTTLAttribute": "expires"}, "arrival \\+ 30d"),
        ({"dynamoDBTTLAttribute": "_position: arrival + 1d"}, "name of another attribute"),
        ({"dynamoDBDeleteExpression": "op =="}, "not jmespath"),
        ({**DELETES, "dynamoDBPositionAttribute": "_deleted"}, "mark of deleted items"),
        ({**DELETES, "dynamoDBTTLAttribute": "_deleted: arrival + 1d"}, "mark of deleted items"),
        ({"dynamoDBKey": "id: N", "dynamoDBAttributeTypes": "id: S"}, "id is N in dynamoDBKey"),
        ({"transformer": "text"}, "dynamodb takes dict, json"),
    ],
)
def test_settings_that_cannot_be(make, change, why):
    """What cannot be meant is one sentence at the check."""
    with pytest.raises(SettingsError, match=why):
        make(**change)


def test_without_its_extra(make, monkeypatch):
    """Where the library is not installed, one sentence says how to get it, whoever needs it."""
    here = make()
    monkeypatch.setitem(sys.modules, "pycurl", None)
    monkeypatch.delitem(sys.modules, "record_processors.aws.json_calls", raising=False)
    sentence = r"^pycurl is not installed; pip install 'kinesis-connectors\[dynamodb\]'$"
    for needs in (here.life, lambda: list(here.table.look()), lambda: list(here.table.probe())):
        with pytest.raises(Fatal, match=sentence):
            needs()


@pytest.mark.parametrize("guard", [{}, NO_GUARD])
def test_the_check_tries_to_write_and_leaves_nothing(make, guard):
    """`check --connect` tries the right to write, and no item is left."""
    here = make(**guard)
    said = [finding.sentence for finding in here.table.probe()]

    assert said[-1].endswith("items can be written")
    assert here.items() == {}
