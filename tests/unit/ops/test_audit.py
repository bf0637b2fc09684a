"""What `audit` finds on the stand-ins, and that the commands which it names mend it."""

import itertools
import os
import shlex
from pathlib import Path
from threading import Barrier

import boto3
import psycopg2
import pytest

from record_processors.aws.bucket import Bucket
from record_processors.aws.failures import Missing
from record_processors.commands.main import main
from record_processors.config.setting import Settings
from record_processors.destinations.redshift import ledger_questions
from record_processors.destinations.redshift.settings import FILE_KEY_COLUMN
from record_processors.files.earlier import EarlierFiles
from record_processors.flow.record import Position
from record_processors.kcl.leases import LATEST, SHARD_END, TRIM_HORIZON
from record_processors.ops import records_again
from record_processors.ops.announced import begins
from record_processors.ops.letter_files import LetterFiles
from support.lives import Lives

names = itertools.count(1)


@pytest.fixture
def lives(stack, tmp_path):
    """Make two stages of their own, a shard each."""
    world = Lives(
        stack,
        tmp_path,
        f"audit{next(names)}",
        {
            "kinesisInputStreamShardCount": "1",
            "filter": "jmespath",
            "filterExpression": "id != `0`",
            "bufferRecordCountLimit": "2",
        },
    )
    yield world
    world.close()


def kinds(found):
    return [one["kind"] for one in found]


def test_nothing_is_missing(lives, capsys):
    """Of files that are all there and loaded, the audit says so in figures, and exits with 0."""
    lives.work([0, 1, 2], [3], [0], [0, 4])
    code, report = lives.audit(capsys)

    assert (code, report["found"]) == (0, [])
    assert (report["kept"], report["filtered"], report["refused"]) == (4, 2, 0)
    assert report["livesBehindTheFileBefore"] == 1  # the life that saw a filtered record alone
    assert report["states"] == {"loaded": 3, "waiting": 0, "kept out": 0, "lost": 0}
    assert (report["rowsInTable"], report["rowsInLedger"]) == (4, 4)
    assert report["shardsAtCheckpoint"] == 1


def test_files_deleted_that_were_loaded(lives, capsys):
    """The ledger names each, be it first, last or between; each is made again as it was."""
    lives.work([1, 2], [3], [4, 5], [6])
    gone = lives.objects(f"{lives.one.texts['applicationName']}/")
    gone = {key: gone[key] for key in (lives.files()[at] for at in (0, 1, 3))}
    for key in gone:
        lives.s3.delete_object(Bucket=lives.bucket, Key=key)

    found = lives.found(capsys)
    assert kinds(found) == ["missing"] * 3
    assert {one["object"] for one in found} == {f"s3://{lives.bucket}/{key}" for key in gone}
    for finding in found:
        lives.mend(finding)
    assert {key: lives.objects(key)[key] for key in gone} == gone
    lives.live("two")
    assert lives.ids() == [1, 2, 3, 4, 5, 6]
    assert lives.found(capsys) == []


def test_files_deleted_before_they_were_loaded(lives, capsys):
    """The numbers of the files show how many are gone between which; the records are in time."""
    lives.put_ids(*range(1, 9))
    lives.live("one")
    before, *gone, after = lives.files()
    for key in gone:
        lives.s3.delete_object(Bucket=lives.bucket, Key=key)
    drain(lives)

    found = lives.found(capsys)
    assert kinds(found) == ["missing", "lost", "lost"]
    assert found[0]["sentence"] == (
        f"2 files are missing between s3://{lives.bucket}/{before} and s3://{lives.bucket}/{after}"
    )
    for finding in found:
        lives.mend(finding)
    lives.live("two")
    assert lives.ids() == list(range(1, 9))
    assert lives.found(capsys) == []


def delete(lives, *keys):
    for key in keys:
        lives.s3.delete_object(Bucket=lives.bucket, Key=key)


def mend_all(lives, capsys):
    """Do what each finding says, load, and audit again, until nothing is found."""
    for _ in range(4):
        if not (found := lives.found(capsys)):
            return
        for finding in found:
            lives.mend(finding)
        lives.live("two")
    raise AssertionError(found)


@pytest.mark.parametrize("is_one_life", [False, True])
def test_a_gap_of_which_one_file_was_loaded(lives, capsys, is_one_life):
    """The file that was loaded is made again as it was, and what nobody knows of in its pieces."""
    for number in range(1, 9, 2):
        lives.put_ids(number, number + 1)
        if not is_one_life:
            lives.live("one")
    lives.live("one")
    drain(lives)
    files = lives.files()
    for at in (0, 2, 3):
        url = f"s3://{lives.bucket}/{files[at]}"
        assert main(["replay", lives.one.path, "--file", url]) == 0
    lives.live("two")
    assert lives.ids() == [1, 2, 5, 6, 7, 8]
    delete(lives, *files[1:3])
    mend_all(lives, capsys)
    assert lives.ids() == list(range(1, 9))
    assert lives.files() == files


def test_gaps_beside_files_that_were_made_again(lives, capsys):
    """What follows a file that was made again, and ends between records, can be mended too."""
    lives.put_ids(*range(1, 13))
    lives.live("one")
    drain(lives)
    files = lives.files()
    delete(lives, *files[1:3])
    mend_all(lives, capsys)
    assert lives.ids() == list(range(1, 13))
    assert len(lives.files()) == 5

    for at in (2, 1):  # the one after that which was made in the place of two, and that one
        delete(lives, lives.files()[at])
        assert kinds(lives.found(capsys)) == ["missing"]
        mend_all(lives, capsys)
        assert len(lives.files()) == 5
    lives.put_ids(*range(13, 19))
    lives.live("one")
    drain(lives)
    for at in (5, 6):  # neither is loaded
        delete(lives, lives.files()[at])
        (finding,) = lives.found(capsys, "--grace", "1h")
        lives.mend(finding)
    mend_all(lives, capsys)
    assert lives.ids() == list(range(1, 19))


def test_the_only_file_of_a_life_deleted(lives, capsys):
    """Where nothing is ever filtered, a checkpoint behind the file before shows the gap."""
    for number in (1, 2, 3):
        lives.put_ids(number)
        lives.live("one")
    for at in (1, 2):
        key = lives.files()[at]
        lives.s3.delete_object(Bucket=lives.bucket, Key=key)

        (finding,) = lives.found(capsys, "--grace", "1h")
        assert finding["kind"] == "missing"
        lives.mend(finding)
        assert key in lives.files()


def test_a_file_deleted_that_was_announced(lives, capsys):
    """Its message names it while it waits, and then its letter, though a filter hides the gap."""
    lives.work([0, 1])
    lives.put_ids(0, 2)
    lives.live("one")
    lives.put_ids(3)
    lives.live("one")
    gone = lives.files()[1]
    lives.s3.delete_object(Bucket=lives.bucket, Key=gone)
    for how in ("is announced, and not in S3", "could not be loaded, says a letter"):
        (finding,) = lives.found(capsys)
        assert (finding["kind"], finding["object"]) == ("missing", f"s3://{lives.bucket}/{gone}")
        assert finding["sentence"].startswith(how)
        lives.live("two")
    lives.mend(finding)
    assert gone in lives.files()
    lives.live("two")
    assert lives.ids() == [1, 2, 3]
    assert lives.found(capsys) == []


def drain(lives):
    """Let the messages that are there be lost to stage two."""
    shard = "shardId-000000000000"
    iterator = lives.kinesis.get_shard_iterator(
        StreamName=lives.two.texts["streamName"], ShardId=shard, ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    last = lives.kinesis.get_records(ShardIterator=iterator)["Records"][-1]["SequenceNumber"]
    lives.lease(lives.two, shard, Position(int(last)))


def test_a_message_that_was_lost(lives, capsys):
    """A file that is in S3, and that no message announces any more, is announced again."""
    lives.work([1], [2])
    lives.put_ids(3)
    lives.live("one")
    assert lives.found(capsys) == []  # as it is announced, and waits
    drain(lives)

    (finding,) = lives.found(capsys)
    assert (finding["kind"], finding["object"]) == (
        "lost",
        f"s3://{lives.bucket}/{lives.files()[-1]}",
    )
    code, report = lives.audit(capsys, "--grace", "1h")
    assert (code, report["states"]["waiting"]) == (0, 1)
    lives.mend(finding)
    lives.live("two")
    assert lives.found(capsys) == []
    assert lives.ids() == [1, 2, 3]


def begin_at(lives, key, value):
    """Let stage two begin elsewhere, as if no lease of it had ever been."""
    forget(lives, lives.two)
    path = Path(lives.two.path)
    lines = path.read_text().splitlines()
    kept = [one for one in lines if not one.startswith("initialPositionInStream")]
    path.write_text("\n".join([*kept, f"{key} = {value}", ""]))


def test_a_stage_two_that_has_not_begun(lives, capsys):
    """What it will never read is not said to wait; where that is not known, nothing is said."""
    lives.put_ids(1)
    lives.live("one")
    begin_at(lives, "initialPositionInStream", "TRIM_HORIZON")
    assert lives.audit(capsys)[1]["states"]["waiting"] == 1
    begin_at(lives, "initialPositionInStreamExtended", "4000000000")
    (finding,) = lives.found(capsys)
    assert finding["kind"] == "lost"
    begin_at(lives, "initialPositionInStream", "LATEST")
    code, report = lives.audit(capsys)
    assert (code, kinds(report["found"]), report["states"]) == (1, ["not known"], None)
    assert "initialPositionInStream is LATEST" in report["found"][0]["sentence"]


def test_where_messages_are_read_from_without_a_lease():
    """A shard whose lease was cleaned away is done with; one that came of another is read whole."""
    came_from = {"a": "", "b": "a", "c": "b", "d": "", "e": "c"}
    shards = [{"ShardId": one, "ParentShardId": parent} for one, parent in came_from.items()]
    leases = {"b": SHARD_END, "c": Position(7)}
    assert dict(begins(shards, leases, LATEST)) == {
        "c": Position(7),
        "d": LATEST,
        "e": TRIM_HORIZON,
    }
    assert set(dict(begins(shards, {}, LATEST)).values()) == {LATEST}


def test_rows_that_the_ledger_does_not_say(lives, capsys):
    """Rows that are there twice, or gone, are counted; a new table has all of them once."""
    lives.work([1, 2], [3])
    loaded_by_hand = "INSERT INTO {0} SELECT * FROM {0} WHERE id < 3"
    for sql, how in ((loaded_by_hand, "2 more"), ("DELETE FROM {0} WHERE id < 3", "2 fewer")):
        lives.query(sql.format(lives.table))

        (finding,) = lives.found(capsys)
        assert finding["kind"] == "rows"
        assert how in finding["sentence"]
        assert finding["sentence"].endswith("and compare, or swap")
        assert lives.found(capsys, "--from", "2013-01-01") == []  # nobody can say it of some hours
    assert lives.ids() == [3]
    another = lives.another("new")
    lives.mend(finding, NAME=another.texts["streamName"])
    lives.live("two", another)
    assert lives.ids(another.texts["redshiftDataTable"]) == [1, 2, 3]
    assert lives.ids() == [3]


def test_rows_that_nothing_brings_back(lives, capsys):
    """Of files that expired, and of others in the ledger, it says that a new table lacks them."""
    lives.work([1])
    ledger = lives.two.texts["redshiftFileTable"]
    columns = f"{lives.two[FILE_KEY_COLUMN]}, data_table, application, row_count, loaded_at"
    values = f"'s3://b/k', '{lives.table}', 'another', 7, now()"
    lives.query(f"INSERT INTO {ledger} ({columns}) VALUES ({values})")
    (finding,) = lives.found(capsys)
    assert finding["sentence"].endswith(
        "It will lack the rows of 1 file of the ledger that are of others, or redriven"
    )
    assert "DELETE" not in str(finding)


def test_a_file_that_the_ledger_has_twice(lives, capsys):
    """It is told, and nothing is to be deleted for it."""
    lives.work([1])
    ledger = lives.two.texts["redshiftFileTable"]
    lives.query(f"INSERT INTO {ledger} SELECT * FROM {ledger}")
    found = lives.found(capsys)
    assert kinds(found) == ["twice", "rows"]
    assert all("--stream NAME" in one["commands"][0] for one in found)


def test_no_file_is_left(lives, capsys):
    """Where a pipeline has worked, an empty folder is a finding, and not a pipeline in order."""
    assert lives.found(capsys) == []  # as nothing has begun
    lives.work([1], [2])
    for key in lives.files():
        lives.s3.delete_object(Bucket=lives.bucket, Key=key)
    (finding,) = lives.found(capsys)
    assert (finding["kind"], finding["object"].rpartition("/")[0]) == (
        "missing",
        f"s3://{lives.bucket}/{lives.one.texts['applicationName']}",
    )
    assert "leases have checkpoints and 2 files in the ledger: s3Prefix or" in finding["sentence"]


def test_a_shard_that_has_no_file(lives, capsys):
    """Another shard that was read and has no file is a fact if all may have been filtered out."""
    other = "shardId-000000000001"
    lives.work([1])
    lives.lease(lives.one, other, Position(7))
    (finding,) = lives.found(capsys)  # as nothing is filtered out, or refused
    assert (finding["kind"], finding["object"]) == ("missing", other)
    assert "though it was read to 7-0" in finding["sentence"]
    lives.work([0, 2])
    code, report = lives.audit(capsys)
    assert (code, report["shardsWithoutFiles"], report["shardsAtCheckpoint"]) == (0, 1, 1)

    ledger, name = lives.two.texts["redshiftFileTable"], lives.one.texts["applicationName"]
    url = f"s3://{lives.bucket}/{name}/2001/01/01/00/{other}-5-0.json.gz"
    columns = "data_table, application, stream, loaded_at, row_count"
    more = f"{lives.two[FILE_KEY_COLUMN]}, shard, first_position, last_position"
    lives.query(
        f"INSERT INTO {ledger} ({columns}, {more}) "
        f"SELECT {columns.replace('row_count', '0')}, '{url}', '{other}', '5-0', '7-0' "
        f"FROM {ledger} LIMIT 1"
    )
    (finding,) = lives.found(capsys)
    assert (finding["kind"], finding["object"]) == ("missing", other)
    assert "though the ledger has 1 file of it" in finding["sentence"]


def test_the_end_of_a_shard(lives, capsys):
    """A shard that is read to its end is counted by itself, as no checkpoint says where that is."""
    lives.work([1])
    lives.lease(lives.one, "shardId-000000000000", SHARD_END)
    code, report = lives.audit(capsys)
    assert (code, report["shardsEnded"], report["shardsAtCheckpoint"]) == (0, 1, 0)


def test_ranges_that_overlap(lives, capsys, monkeypatch):
    """A file that covers what is loaded is set aside; what it alone had comes from the stream."""
    lives.work([1, 2])
    lives.put_ids(3, 4)
    forget(lives, lives.one)
    settings = Settings(lives.one.path, {**lives.one.texts, "filterExpression": "id != `1`"})
    with monkeypatch.context() as patch:  # without s3:ListBucket
        patch.setattr(EarlierFiles, "look", lambda *_: None)
        lives.live("one", settings)  # with another filter, after the checkpoint was lost
    lives.live("two")
    assert lives.ids() == [1, 2, 4]

    (finding,) = lives.found(capsys)
    assert finding["kind"] == "overlap"
    assert finding["object"] == f"s3://{lives.bucket}/{lives.files()[1]}"
    lives.mend(finding)
    lives.live("two")
    assert lives.ids() == [1, 2, 3, 4]
    assert lives.found(capsys) == []


def forget(lives, settings):
    """Lose the leases of a stage."""
    table = boto3.resource("dynamodb").Table(settings.texts["applicationName"])
    for lease in table.scan()["Items"]:
        table.delete_item(Key={"leaseKey": lease["leaseKey"]})


def test_letters_that_were_not_put_back(lives, capsys):
    """Letters of records, of rows and of files are found until a mark says that they were."""
    lives.put([b"no JSON", b'{"id": 1, "text": "fine"}', b'{"id": "seven", "text": "a word"}'])
    lives.live("one")
    lives.live("two")
    lives.put([b'{"id": "eight"}'])  # a file with no good row is kept out as a whole
    lives.live("one")
    lives.live("two")

    code, report = lives.audit(capsys)
    found = report["found"]
    assert (code, kinds(found)) == (1, ["letter", "letter", "letter"])
    paths = (lives.one.path, lives.two.path, lives.two.path)
    assert [one["commands"] for one in found] == [
        [
            f"kinesis-connectors redrive {path}",
            f"kinesis-connectors letters {path} --settle {one['object']} --why ''",
        ]
        for path, one in zip(paths, found, strict=True)
    ]
    assert main(shlex.split(found[0]["commands"][1])[1:]) == 2  # until it says why
    assert report["states"]["kept out"] == 1
    assert (report["refused"], report["lettersOfRecords"]) == (1, 1)
    assert (report["rowsLeftOut"], report["lettersOfRows"]) == (1, 1)
    for one in found:
        mark(lives, one["object"])
    # The file's letter is put back, by its message, and that is not read yet.
    assert kinds(lives.found(capsys)) == ["lost"]
    lives.mend(lives.found(capsys)[0])
    assert lives.found(capsys) == []


def test_letters_are_read_ahead(lives, capsys, monkeypatch):
    """Several at once; and none that was written before the hours which are asked about."""
    lives.put([b"no JSON", b'{"id": 1}', b'{"id": 2}', b"nor this"])
    lives.live("one")
    both, read = Barrier(2), LetterFiles.read

    def read_at_once(files, file):
        both.wait(timeout=30)
        return read(files, file)

    with monkeypatch.context() as patch:
        patch.setattr(LetterFiles, "read", read_at_once)
        assert kinds(lives.found(capsys, "--grace", "1h")) == ["letter", "letter"]
    monkeypatch.setattr(LetterFiles, "read", None)
    assert lives.found(capsys, "--from", "2999-01-01") == []


def test_marks_are_read_ahead(lives, capsys, monkeypatch):
    """Of letters of loads that are put back or settled, several at once, with their letters."""
    lives.work([1])
    for word in (b"two", b"three"):  # no good row: the file is kept out
        lives.put([b'{"id": "%s"}' % word])
        lives.live("one")
        lives.live("two")
    assert main(["letters", lives.two.path, "--settle", "--all", "--why", "not needed"]) == 0
    both, mark_of = Barrier(2), LetterFiles.mark_of

    def mark_at_once(files, key):
        both.wait(timeout=30)
        return mark_of(files, key)

    monkeypatch.setattr(LetterFiles, "mark_of", mark_at_once)
    code, report = lives.audit(capsys)
    assert (code, report["states"]["loaded"], report["states"]["kept out"]) == (0, 1, 2)


def test_records_that_are_too_many_for_a_file(lives, capsys, monkeypatch):
    """What is made again is several files, if one would be more than memory should hold."""
    lives.work([*range(1, 9)])
    lives.query(f"DELETE FROM {lives.two.texts['redshiftFileTable']}")
    lives.query(f"DELETE FROM {lives.table}")
    files = lives.files()
    delete(lives, *files[1:3])
    monkeypatch.setattr(records_again, "MOST_RECORDS", 2)
    mend_all(lives, capsys)
    assert lives.files() == files
    assert lives.ids() == list(range(1, 9))


def mark(lives, url):
    """Say of letters that they were put back."""
    key = url.removeprefix(f"s3://{lives.bucket}/")
    lives.s3.put_object(Bucket=lives.bucket, Key=f"{key}.redriven", Body=b"")


def test_a_locked_ledger_is_not_waited_for(lives, capsys, monkeypatch):
    """While a load holds the ledger, the audit says that it does not know, and takes no lock."""
    monkeypatch.setattr(ledger_questions, "QUESTION_MILLISECONDS", 50)
    lives.work([1])
    ledger = lives.two.texts["redshiftFileTable"]
    with psycopg2.connect(lives.connection.dsn, password=os.environ["REDSHIFT_PASSWORD"]) as other:
        other.cursor().execute(f"LOCK {ledger}")
        (finding,) = lives.found(capsys)
    other.close()
    assert finding["kind"] == "not known"
    assert lives.found(capsys) == []


def test_rows_that_cannot_be_counted_in_time(lives, capsys, monkeypatch):
    """Counting that takes too long is a note; the files are compared nevertheless."""
    monkeypatch.setattr(ledger_questions, "COUNT_MILLISECONDS", 50)
    lives.work([1])
    with psycopg2.connect(lives.connection.dsn, password=os.environ["REDSHIFT_PASSWORD"]) as other:
        other.cursor().execute(f"LOCK {lives.table}")
        code, report = lives.audit(capsys)
    other.close()
    assert (code, report["states"]["loaded"], report["rowsInTable"]) == (0, 1, None)
    (note,) = report["notes"]
    assert note.startswith("rows not counted: ")


def test_a_file_that_is_moved_meanwhile(lives, capsys, monkeypatch):
    """A file that is gone when it is looked at makes its shard not known, and no traceback."""
    lives.work([1], [2])

    def head(self, key, bucket=None):
        raise Missing(f"looking at {key}")

    with monkeypatch.context() as patch:
        patch.setattr(Bucket, "head", head)
        (finding,) = lives.found(capsys)
    assert (finding["kind"], finding["object"]) == ("not known", "shardId-000000000000")
    assert finding["commands"] == [
        f"kinesis-connectors audit {lives.one.path} {lives.two.path}",
    ]


def test_redriven_files_that_are_lost(lives, capsys):
    """What redrive has put back is compared: a file without its message, or that is gone."""
    lives.put([b'{"id": 1}', b"[2]", b"[3]"])
    lives.live("one")
    redrive(lives)
    folder = f"{lives.one.texts['applicationName']}/redriven/"
    (key,) = whole = lives.objects(folder)
    url = f"s3://{lives.bucket}/{key}"
    code, report = lives.audit(capsys)
    assert (code, report["redriven"], report["redrivenStates"]["waiting"]) == (0, 1, 1)
    drain(lives)
    lost = {one["object"]: one for one in lives.found(capsys)}
    assert {one["kind"] for one in lost.values()} == {"lost"}
    lives.mend(lost[url])

    for told in ("is announced", "was put back by redrive"):
        lives.s3.delete_object(Bucket=lives.bucket, Key=key)
        gone = {one["object"]: one for one in lives.found(capsys)}
        assert (gone[url]["kind"], gone[url]["sentence"].split(",")[0]) == ("missing", told)
        drain(lives)
    for one in lives.found(capsys):
        lives.mend(one)
    assert lives.objects(folder) == whole
    lives.live("two")
    assert lives.ids() == [1, 2, 3]
    code, report = lives.audit(capsys)
    assert (code, report["states"]["loaded"], report["redrivenStates"]["loaded"]) == (0, 1, 1)

    lives.s3.delete_object(Bucket=lives.bucket, Key=key)
    (finding,) = lives.found(capsys)
    assert (finding["object"], finding["sentence"].split(",")[0]) == (url, "is loaded")
    lives.mend(finding)
    lives.live("two")
    assert (lives.ids(), lives.found(capsys)) == ([1, 2, 3], [])
    query = f"SELECT DISTINCT application FROM {lives.two.texts['redshiftFileTable']}"
    name = lives.one.texts["applicationName"]
    assert set(lives.query(query)) == {(name,), (f"{name}/redriven/0000001",)}


def redrive(lives):
    """Mend the transformer, and put the letters of stage one back."""
    path = Path(lives.one.path)
    mended = "transformer = support.menders:Boxed"
    path.write_text(path.read_text().replace("transformer = json", mended))
    assert main(["redrive", lives.one.path]) == 0


def test_a_redrive_that_is_not_done(lives, capsys):
    """A batch that is begun, and not done, is found by its object; redrive ends it."""
    folder = f"errors/{lives.one.texts['applicationName']}/redriven/"
    lives.put([b'{"id": 1}', b"[2]"])
    lives.live("one")
    redrive(lives)
    lives.live("two")
    assert lives.found(capsys) == []
    lives.s3.delete_object(Bucket=lives.bucket, Key=f"{folder}0000001.done")
    (finding,) = lives.found(capsys)
    assert (finding["kind"], finding["object"]) == (
        "letter",
        f"s3://{lives.bucket}/{folder}0000001.batch",
    )
    lives.mend(finding)
    assert lives.found(capsys) == []
