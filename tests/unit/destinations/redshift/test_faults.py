"""A file that cannot be loaded is set aside, and no other; what stops all ends the process."""

import contextlib
import gzip
import json
import logging
import os
import socket
import threading

import pytest
from botocore.exceptions import ClientError

from record_processors import Fatal, Transient
from record_processors.aws.bucket import Bucket
from record_processors.aws.failures import classify
from record_processors.config.setting import Settings
from record_processors.destinations.redshift.settings import REDSHIFT_URL
from support.stage_two import BAD_ROW, BUCKET


@pytest.fixture
def stage_two(stage_two):
    """Leave no row out here: a file with a bad row is a bad file."""
    return lambda **changes: stage_two(**{"redshiftMaxBadRows": "0"} | changes)


# --- bad files -----------------------------------------------------------------------------------


def test_a_bad_row_sets_its_file_aside_and_the_others_load(stage_two):
    """One of five files has a row that does not fit: its letter has line and column."""
    here = stage_two()
    messages = [here.file(f"f{n}", n, first=f"{n}-0") for n in range(5)]
    messages[2] = here.file("f2", first="2-0", body=BAD_ROW)
    here.load(*messages)

    assert here.ids() == [0, 1, 3, 4]
    assert here.entered() == ["f0", "f1", "f3", "f4"]
    ((message, reason),) = here.letters().items()
    assert message == messages[2]
    assert here.url("f2") in reason
    assert "line 2, column id: Invalid digit" in reason


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("XX000", "Cannot insert a NULL value into column text. code: 8007"),
        ("XX000", "Assert code: 1000 context: false"),
        ("54000", "a limit of the program"),
    ],
)
def test_a_complaint_that_names_no_file_is_searched_for(stage_two, state, message):
    """Of three files, for one of which COPY says so, that one is set aside and two are loaded."""
    here = stage_two()
    messages = [here.file(f"f{n}", n, first=f"{n}-0") for n in range(3)]
    here.query(f"SELECT stand_in.fail_copy('{here.url('f1')}', '{state}', '{message}', 8007, NULL)")
    here.load(*messages)

    assert here.entered() == ["f0", "f2"]
    ((bad, reason),) = here.letters().items()
    assert bad == messages[1]
    assert message in reason


def test_a_load_of_what_is_loaded_says_so(stage_two, caplog):
    """Files that are announced again are not told as a load of nothing."""
    caplog.set_level(logging.INFO)
    here = stage_two()
    message = here.file("f1", 1, first="1-0")
    here.load(message)
    here.load(message)
    told = [r.message for r in caplog.records if r.name.endswith("redshift.load")]
    assert told == [
        f"loaded 1 row of 1 file into {here.table}",
        f"1 file had been loaded into {here.table} before",
    ]


def test_every_kind_of_bad_file_in_one_batch_is_set_aside(stage_two):
    """Bad row, missing, wrong size, wrong format, other compression: only the good one loads."""
    here = stage_two()
    bad = {
        here.file("row", body=BAD_ROW): "line 2, column id",
        here.message("missing"): "is not there",
        here.file("again", body=b"\n[1]\n", first="5-0"): "line 2",
        here.file("size", 8, bytes=7): "announced were 7",
        here.file("format", 9, format="csv"): "holds csv, redshiftDataFormat is json",
        "s3://no-such-bucket/at/all": "is not there",
        here.message("elsewhere", bucket="no-such-bucket"): "is not there",
    }
    good = here.file("good", 1, first="6-0")
    here.load(*list(bad)[:3], good, *list(bad)[3:])

    assert here.ids() == [1]
    assert here.entered() == ["good"]
    letters = here.letters()
    assert set(letters) == set(bad)
    for message, words in bad.items():
        assert words in letters[message]


def test_a_batch_of_bad_files_only_ends(stage_two):
    """Nothing is loaded, each has its letter, and the checkpoint passes them."""
    here = stage_two()
    messages = [here.file("a", body=BAD_ROW), here.message("b"), here.file("c", body=b"{")]
    here.load(*messages)

    assert here.ids() == here.entered() == []
    assert set(here.letters()) == set(messages)


@pytest.mark.parametrize(
    ("said", "body"),
    [
        ("gzip", b"not gzip at all"),
        ("gzip", gzip.compress(b"x" * 99, mtime=0)[:-9]),
        ("zstd", b"not zstd"),
    ],
)
def test_a_file_that_cannot_be_decompressed_is_set_aside(stage_two, said, body):
    """Bytes that are not what the message says are bad for good, and stop no other file."""
    here = stage_two()
    bad = here.file("403/bad", body=body, compression="none")
    bad = json.dumps({**json.loads(bad), "compression": said})
    here.load(here.file("a", 1, compression=said), bad, here.file("b", 2, compression=said))

    assert here.ids() == [1, 2]
    assert set(here.letters()) == {bad}


@contextlib.contextmanager
def unseen(is_unseen):
    """Let S3 answer 403 to looks at some objects, by bucket and key, as it does without rights."""
    real = Bucket.head

    def head(self, key, of=None):
        if is_unseen(of or self.name, key):
            answer = {"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
            raise classify(ClientError(answer, "HeadObject"), f"looking at {key}")
        return real(self, key, of)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bucket, "head", head)
        yield


def denied(bucket):
    """Let the loader look at nothing in a bucket."""
    return unseen(lambda name, _: name == bucket)


def loader_sees_only(prefix):
    """Let the loader look at nothing else; COPY has a role of its own, which may."""
    return unseen(lambda _, key: not key.startswith(prefix))


def test_a_bucket_that_is_not_for_us_is_set_aside(stage_two):
    """A message about somebody else's bucket must not stop the load of all others."""
    here = stage_two()
    with denied("somebody-elses"):
        here.load(foreign := "s3://somebody-elses/file.json", here.file("a", 1))

    assert here.ids() == [1]
    assert "not for us" in here.letters()[foreign]


def test_a_bucket_of_ours_that_is_closed_is_fatal(stage_two):
    """When not even our own objects can be looked at, no message is blamed."""
    here = stage_two()
    here.file("a", 1)
    with denied(BUCKET), pytest.raises(Fatal, match="looking at"):
        here.load(f"{here.name}/a")


def test_a_bucket_of_ours_that_may_not_be_written_is_fatal(stage_two, monkeypatch):
    """Without a look at the file, nor the right to try with one of our own, nobody is blamed."""
    here = stage_two()
    here.file("a", 1)

    def put(self, key, body):
        answer = {"Error": {"Code": "AccessDenied"}, "ResponseMetadata": {"HTTPStatusCode": 403}}
        raise classify(ClientError(answer, "PutObject"), f"writing {key}")

    monkeypatch.setattr(Bucket, "put", put)
    with denied(BUCKET), pytest.raises(Fatal, match="looking at"):
        here.load(f"{here.name}/a")

    assert not here.checkpoints


@pytest.mark.parametrize("name", ["1403", "forbidden/403", "AccessDenied", "7-1023"])
def test_a_name_that_looks_like_an_error_is_only_a_name(stage_two, name):
    """Digits of a sequence number, or words of a key, do not make a missing file a lack of access.

    A table's name neither makes a bad row one.
    """
    here = stage_two(redshiftDataTable=f'"load 403 {name}"')
    messages = [here.message(name), here.file(f"{name}-row", body=BAD_ROW), here.file("a", 1)]
    here.load(*messages)

    assert here.ids() == [1]
    assert set(here.letters()) == set(messages[:2])


def test_what_overlapped_a_bad_file_is_judged_again(stage_two):
    """The file that overlaps one of the same batch is loaded when that one turns out bad."""
    here = stage_two()
    bad = here.file("a", body=BAD_ROW, first="1-0", last="5-0")
    here.load(bad, here.file("b", 2, first="3-0", last="9-0"))

    assert here.ids() == [2]
    assert set(here.letters()) == {bad}


def test_a_long_name_is_found_though_redshift_cuts_it(stage_two):
    """The error tables keep 256 characters of a file's name."""
    here = stage_two()
    bad = here.file("a/" * 200 + "bad", body=BAD_ROW)
    here.load(bad, here.file("b/" * 200 + "good", 1))

    assert here.ids() == [1]
    assert set(here.letters()) == {bad}


def test_a_name_as_long_as_the_error_table_keeps_is_not_blamed_for_a_longer_one(stage_two):
    """The table's 256 characters are all of one file's name and the beginning of the other's."""
    here = stage_two()
    name = "a" * (256 - len(here.url("")))
    bad = here.file(f"{name}bad", body=BAD_ROW)
    here.load(here.file(name, 1), bad)

    assert here.ids() == [1]
    ((message, reason),) = here.letters().items()
    assert message == bad
    assert "line 2, column id" in reason


def test_two_long_names_that_begin_alike_are_told_apart(stage_two):
    """Where the error table's 256 characters fit several files, the one at fault is searched."""
    here = stage_two()
    names = ["a/" * 200 + name for name in ("bad 1", "good 1", "bad 2", "good 2")]
    bad = [here.file(names[0], body=BAD_ROW), here.file(names[2], body=BAD_ROW)]
    here.load(bad[0], here.file(names[1], 1), bad[1], here.file(names[3], 2))

    assert here.ids() == [1, 2]
    letters = here.letters()
    assert set(letters) == set(bad)
    assert all("line 2, column id" in reason for reason in letters.values())


def test_a_bad_file_that_is_named_costs_one_more_copy(stage_two, journal):
    """The load error says which file it was: the others are loaded by the next COPY."""
    here = stage_two()
    files = [here.file(f"f{n}", n) for n in range(8)]
    here.load(*files, here.file("bad", body=BAD_ROW))

    assert here.ids() == list(range(8))
    assert sum(statement.startswith("COPY") for statement in journal) == 2


def test_a_bad_file_that_nothing_names_is_found(stage_two, nameless, caplog):
    """What loads is loaded; a file that fails alone is set aside, with the words of COPY."""
    here = stage_two()
    messages = [here.file(f"f{n}", n, first=f"{n}-0") for n in range(9)]
    for n in (2, 7):
        messages[n] = here.file(f"f{n}", first=f"{n}-0", body=BAD_ROW)
    here.load(*messages)

    assert here.ids() == [0, 1, 3, 4, 5, 6, 8]
    assert here.entered() == [f"f{n}" for n in here.ids()]
    letters = here.letters()
    assert set(letters) == {messages[2], messages[7]}
    assert here.url("f2") in letters[messages[2]]
    assert "sys_load_error_detail" in letters[messages[2]]
    assert "not loaded: 9 files together; nothing says whose fault it is: Load into" in caplog.text


def test_a_file_that_only_copy_may_not_read_is_set_aside(stage_two):
    """S3 refuses an archived object to COPY, though it can be looked at; the others are read."""
    here = stage_two()
    archived = here.file("b", 2, tier="GLACIER")
    here.load(here.file("a", 1), archived, here.file("c", 3))

    assert here.ids() == [1, 3]
    assert "Status 403" in here.letters()[archived]


def test_if_copy_may_read_none_of_the_files_no_file_is_blamed(stage_two, waits):
    """Then it is the role that lacks a right: the process ends at once, and says so."""
    here = stage_two()
    with pytest.raises(Fatal, match="redshiftIamRole"):
        here.load(*[here.file(f"f{n}", n, tier="GLACIER") for n in range(3)])

    assert not waits
    assert not here.letters()
    assert here.ids() == here.entered() == here.checkpoints == []


@pytest.mark.parametrize(("count", "tries"), [(1, 2), (3, 16), (40, 16)])
def test_what_fails_for_all_files_sets_none_aside(
    stage_two, nameless, journal, waits, count, tries
):
    """If nothing can be loaded, it is not the files' fault: the process ends, and loses nothing."""
    here = stage_two()
    with pytest.raises(Fatal, match=r"given up after 3 tries \(retryLimit\): Redshift: Load into"):
        here.load(*[here.file(f"f{n}", body=BAD_ROW) for n in range(count)])

    assert sum(statement.startswith("COPY") for statement in journal) == 3 * tries
    assert not here.letters()
    assert here.ids() == here.entered() == here.checkpoints == []


def test_a_file_that_is_loaded_already_is_not_blamed(stage_two, nameless):
    """In the search for the file at fault only those are looked at that COPY was told to read."""
    here = stage_two()
    loaded, bad = here.file("a", 1), here.file("bad", body=BAD_ROW)
    here.load(loaded)
    here.s3.delete_object(Bucket=BUCKET, Key=f"{here.name}/a")
    here.load(loaded, bad, here.file("b", 2))

    assert here.ids() == [1, 2]
    assert set(here.letters()) == {bad}


def test_a_loaded_file_may_be_gone_when_it_is_announced_again(stage_two):
    """A path that leads nowhere any more is no fault of a file whose rows are in the table."""
    here = stage_two()
    bare = f"{here.name}/a"
    here.load(here.file("a", 1, compression="none"))
    here.s3.delete_object(Bucket=BUCKET, Key=bare)
    here.load(bare, here.file("bad", body=BAD_ROW), never := f"{here.name}/never")

    assert here.ids() == [1]
    letters = here.letters()
    assert set(letters) == {never, here.file("bad", body=BAD_ROW)}
    assert "is not there" in letters[never]


def test_files_that_are_not_there_cost_no_transaction_each(stage_two, journal):
    """However many paths lead nowhere, the ledger is locked for them once."""
    here = stage_two()
    missing = [f"{here.name}/{n}" for n in range(9)]
    here.load(*missing, here.file("a", 1))

    assert here.ids() == [1]
    assert set(here.letters()) == set(missing)
    assert sum(statement.startswith("LOCK") for statement in journal) == 2  # by compression


def test_a_missing_file_that_copy_names_is_found_at_once(stage_two):
    """One look at S3 tells that the file is gone which COPY names, however many there are."""
    here = stage_two()
    gone = here.message("gone")
    looks = []
    here.on_s3(lambda request: looks.append(request.url) if request.method == "HEAD" else None)
    here.load(*[here.file(f"f{n}", n) for n in range(9)], gone)

    assert here.ids() == list(range(9))
    assert set(here.letters()) == {gone}
    assert len(looks) == 1


@pytest.mark.parametrize("bytes_said", [None, 10])
def test_a_missing_file_is_reported_though_copy_would_pass_it_over(stage_two, bytes_said):
    """With redshiftCopyMandatory = false too, a file that is not there is not in the ledger."""
    here = stage_two(redshiftCopyMandatory="false")
    missing = here.message("missing", bytes=bytes_said)
    here.load(missing, here.file("a", 1))

    assert here.ids() == [1]
    assert here.entered() == ["a"]
    assert "is not there" in here.letters()[missing]
    (manifest,) = here.manifests().values()
    assert [entry["mandatory"] for entry in manifest["entries"]] == [False]


def test_a_file_that_vanishes_before_copy_reads_it_is_not_in_the_ledger(stage_two):
    """With redshiftCopyMandatory = false, COPY passes it over: the number of rows tells."""
    here = stage_two(redshiftCopyMandatory="false")
    vanishing = here.file("a", 1)

    def vanish(request):
        if request.url.endswith(".manifest"):
            here.s3.delete_object(Bucket=BUCKET, Key=f"{here.name}/a")

    here.on_s3(vanish)
    here.load(vanishing, here.file("b", 2, 3))

    assert here.ids() == [2, 3]
    assert here.entered() == ["b"]
    assert "is not there" in here.letters()[vanishing]


def test_a_set_aside_file_can_be_announced_again_when_it_is_mended(stage_two):
    """A file that was set aside is not in the ledger: mended and announced anew, it is loaded."""
    here = stage_two()
    here.load(here.file("a", body=BAD_ROW, first="1-0"))
    here.load(here.file("a", 1, first="1-0"))

    assert here.ids() == [1]


# --- whose fault it is, in one life and the next --------------------------------------------------


def test_a_life_that_ends_before_its_checkpoint_is_followed_by_one_like_it(stage_two, nameless):
    """What is loaded already shows the next life, too, that the file that fails is at fault."""
    here = stage_two()
    messages = [here.file("a", 1), here.file("b", body=BAD_ROW)]
    here.load(*messages)
    here.load(*messages)

    assert here.ids() == [1]
    assert set(here.letters()) == {messages[1]}


def test_one_file_alone_is_refused_if_others_were_loaded_before(stage_two, nameless):
    """A file of the table is loaded once more, and rolled back: so the fault is not everybody's."""
    here = stage_two()
    here.load(here.file("a", 1, 2, first="1-0"))
    bad = here.file("b", body=BAD_ROW, compression="zstd")
    here.load(bad)

    assert here.ids() == [1, 2]
    assert here.entered() == ["a"]
    assert set(here.letters()) == {bad}


def test_a_file_to_compare_with_is_looked_for(stage_two, nameless):
    """Of the files loaded last, the newest that is still in S3 is taken."""
    here = stage_two()
    here.load(here.file("a", 1))
    here.load(here.file("b", 2))
    here.s3.delete_object(Bucket=BUCKET, Key=f"{here.name}/b")
    bad = here.file("c", body=BAD_ROW)
    here.load(bad)

    assert here.ids() == [1, 2]
    assert set(here.letters()) == {bad}


def test_a_column_made_too_short_is_no_files_fault(stage_two, waits, caplog):
    """Each is named by the error table, and so would be those that are loaded: none is kept out."""
    here = stage_two()
    here.load(here.file("a", 1))
    table, column = here.table, "text"
    here.query(f"ALTER TABLE {table} ALTER {column} TYPE VARCHAR(2) USING left({column}, 2)")
    with pytest.raises(Fatal, match=r"retryLimit.*line 1, column text"):
        here.load(*[here.file(f"f{n}", n) for n in range(2, 8)])

    assert not here.letters()
    assert here.ids() == [1]
    assert f"{here.url('a')} is in {here.table}, and could not be loaded there" in caplog.text


def test_a_ledger_that_takes_no_row_is_no_files_fault(stage_two):
    """What the INSERT of the ledger says is not said of files: the process ends at once."""
    here = stage_two()
    here.load(here.file("a", 1))
    here.query(f"ALTER TABLE {here.ledger} ADD CHECK (loaded_at < '2000-01-01') NOT VALID")
    with pytest.raises(Fatal, match=here.ledger):
        here.load(here.file("b", 2), here.file("c", 3))

    assert not here.letters()
    assert here.ids() == [1]


def test_a_file_of_another_format_is_none_to_compare_with(stage_two, nameless):
    """A table may have been loaded with CSV before: the newest file of our format is rehearsed."""
    here = stage_two()
    here.load(here.file("a", 1))
    data = gzip.compress(b"2,text\n")
    here.s3.put_object(Bucket=BUCKET, Key=f"{here.name}/b", Body=data, Metadata={"format": "csv"})
    texts = {**here.settings.texts, "redshiftDataFormat": "csv"}
    texts.pop("redshiftJsonPaths", None)
    here.query(f"UPDATE {here.ledger} SET loaded_at = loaded_at - interval '1 hour'")
    csv = here.message("b", bytes=len(data), format="csv")
    here.load(csv, settings=Settings(here.settings.path, texts))
    bad = here.file("bad", body=BAD_ROW)
    here.load(bad)

    assert here.ids() == [1, 2]
    assert set(here.letters()) == {bad}


def test_files_that_only_copy_may_see(stage_two):
    """That the loader may not look at files is no fault of theirs: only the bad are kept out."""
    here = stage_two()
    with loader_sees_only("data/"):
        here.load(here.file("a", 1))
        bad = here.file("bad", body=b"no gzip", compression="none").replace('"none"', '"gzip"')
        here.load(*[here.file(f"f{n}", n) for n in range(2, 6)], bad)

    assert here.ids() == [1, 2, 3, 4, 5]
    assert set(here.letters()) == {bad}


def test_a_file_that_only_copy_may_see_is_one_to_compare_with(stage_two, nameless):
    """It is rehearsed by what the ledger knows of it."""
    here = stage_two()
    bad = here.file("bad", body=BAD_ROW)
    with loader_sees_only("data/"):
        here.load(here.file("a", 1))
        here.load(bad)

    assert set(here.letters()) == {bad}
    entries = [entry for manifest in here.manifests().values() for entry in manifest["entries"]]
    assert all(entry["meta"]["content_length"] for entry in entries)


@pytest.mark.parametrize("own", [BUCKET, "another"])
def test_a_right_that_copy_loses_is_no_files_fault(stage_two, own):
    """Be it of our bucket or of another: nothing is kept out, and the process ends at once."""
    here = stage_two(s3Bucket=own)
    here.s3.create_bucket(Bucket=own)
    with loader_sees_only("data/"):
        here.load(here.file("a", 1))
        here.file("a", 1, tier="GLACIER")
        with pytest.raises(Fatal, match="redshiftIamRole"):
            here.load(*[here.file(f"f{n}", n, tier="GLACIER") for n in range(2, 6)])

    assert here.s3.list_objects_v2(Bucket=own, Prefix=f"errors/{here.name}/")["KeyCount"] == 0
    assert here.ids() == [1]


def test_what_no_file_can_pass_refuses_none(stage_two, nameless, waits, caplog):
    """With a table that takes no row any more, no file is refused, and the process ends."""
    here = stage_two()
    here.load(here.file("a", 1))
    here.query(f"ALTER TABLE {here.table} ADD CHECK (id < 0) NOT VALID")
    checkpoints = list(here.checkpoints)
    with pytest.raises(Fatal, match="retryLimit"):
        here.load(here.file("b", 2), here.file("c", 3))

    assert here.checkpoints == checkpoints
    assert not here.letters()
    assert here.ids() == [1]
    said = f"{here.url('a')} is in {here.table}, and could not be loaded there once more"
    assert said in caplog.text


def test_a_look_that_fails_once_blames_no_file(stage_two, monkeypatch):
    """HEAD's answers have no body, so that an expired token looks like a file not for us."""
    here = stage_two()
    here.file("a", 1, compression="none")
    real, looks = Bucket.head, []

    def head(self, key, of=None):
        looks.append(key)
        if len(looks) == 1:
            answer = {"Error": {"Code": "400"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
            raise classify(ClientError(answer, "HeadObject"), f"looking at {key}")
        return real(self, key, of)

    monkeypatch.setattr(Bucket, "head", head)
    here.load(f"{here.name}/a")

    assert here.ids() == [1]
    assert not here.letters()


# --- what stops everything -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"redshiftDataTable": "no_such_table"}, "no_such_table"),
        ({"redshiftDataTable": "nowhere.flights"}, "nowhere"),
        ({"redshiftDataColumns": "id, no_such_column"}, "no_such_column"),
        ({"redshiftFileTable": "no_such_ledger"}, "no_such_ledger"),
        ({"redshiftFileKeyColumn": "no_such_key"}, "no_such_key"),
        ({"redshiftUsername": "no_such_user"}, "no_such_user"),
        ({"redshiftURL": "{address}/no_such_database"}, "no_such_database"),
        ({"redshiftCopyOptions": "NO_SUCH_OPTION"}, "NO_SUCH_OPTION"),
    ],
)
def test_what_no_file_can_pass_is_fatal(stage_two, waits, changes, words):
    """A person must act: one sentence says on what, nothing is retried or dead-lettered."""
    here = stage_two()
    address = here.settings[REDSHIFT_URL].partition("/")[0]
    changed = {key: value.format(address=address) for key, value in changes.items()}
    settings = Settings(here.settings.path, {**here.settings.texts, **changed})
    with pytest.raises(Fatal, match=words) as raised:
        here.load(here.file("a", 1), settings=settings)

    assert "Redshift" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not waits
    assert not here.checkpoints
    assert not here.letters()
    assert here.ids() == here.entered() == []


@pytest.mark.parametrize("password", ["wrong-secret", None, ""])
def test_a_wrong_or_missing_password_is_fatal(stage_two, monkeypatch, password):
    """No password names the variable that it is looked for in; a wrong one is not repeated."""
    here = stage_two()
    message = here.file("a", 1)
    if password is None:
        monkeypatch.delenv("REDSHIFT_PASSWORD")
    else:
        monkeypatch.setenv("REDSHIFT_PASSWORD", password)
    with pytest.raises(Fatal) as raised:
        here.load(message)

    assert ("authentication" if password else "REDSHIFT_PASSWORD") in str(raised.value)
    assert "wrong-secret" not in str(raised.value)


def unused_address():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return "{}:{}".format(*server.getsockname())


def test_a_server_that_stays_away_ends_the_process_after_the_retries(stage_two, waits):
    """No connection is a passing trouble until the retries are spent; then it names their limit."""
    here = stage_two(redshiftURL=f"{unused_address()}/dev")
    with pytest.raises(Fatal, match=r"given up after 3 tries \(retryLimit\)") as raised:
        here.load(here.file("a", 1))

    assert isinstance(raised.value.__cause__, Transient)
    assert "redshiftURL" in str(raised.value)
    assert len(waits) == 2
    assert not here.letters()


def test_a_connection_cut_during_the_tls_handshake_is_tried_again(stage_two, waits):
    """What a network does to a handshake is no wrong certificate."""
    server = socket.create_server(("127.0.0.1", 0))

    def cut():
        with contextlib.suppress(OSError):
            while True:
                client, _ = server.accept()
                with client:
                    client.recv(8)
                    client.sendall(b"S")

    threading.Thread(target=cut, daemon=True).start()
    url = "{}:{}/dev".format(*server.getsockname())
    here = stage_two(redshiftURL=url, redshiftSSLMode="require")
    with server, pytest.raises(Fatal, match="retryLimit"):
        here.load(here.file("a", 1))

    assert len(waits) == 2


def test_a_server_without_tls_is_refused_at_once(stage_two, waits):
    """The default is verify-full: a password is not sent in the clear, nor tried again."""
    here = stage_two(redshiftSSLMode="verify-full")
    with pytest.raises(Fatal, match="SSL"):
        here.load(here.file("a", 1))

    assert not waits


def test_the_password_is_nowhere_to_be_read(stage_two, caplog, monkeypatch):
    """Neither logs, nor errors with all their causes, nor any part's repr hold the password."""
    caplog.set_level(logging.DEBUG)
    here = stage_two()
    secrets = [os.environ["REDSHIFT_PASSWORD"], "wrong-secret"]
    life = here.load(here.file("a", 1), here.message("b"), here.file("c", body=BAD_ROW))
    monkeypatch.setenv("REDSHIFT_PASSWORD", "wrong-secret")
    with pytest.raises(Fatal) as raised:
        here.load(here.file("d", 1), life=life)
    emitter, loader = life.emitter, life.emitter.loader
    said = [
        caplog.text,
        *[repr(vars(one)) for one in (life, emitter, loader, loader.load, loader.load.connection)],
    ]
    error = raised.value
    while error is not None:
        said += [str(error), repr(error)]
        error = error.__cause__ or error.__context__

    assert caplog.text
    assert not [secret for secret in secrets if secret in "\n".join(said)]
