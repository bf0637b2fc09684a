"""One bad row costs one row: its file is loaded without it, and the row is a letter."""

import base64
import errno
import itertools
import json
import os
import tempfile

import pytest
import zstandard
from botocore.awsrequest import AWSResponse

from record_processors import Fatal
from record_processors.config.setting import Settings
from record_processors.destinations.redshift import repaired_load
from record_processors.destinations.redshift.ledger import Ledger
from record_processors.destinations.redshift.repair import Repair
from support.stage_two import BUCKET

COLUMNS = "id BIGINT NOT NULL, small SMALLINT, day DATE, text VARCHAR(10)"
NAMES = ("id", "small", "day", "text")
DAY = "2026-11-27"
BAD = {
    "overflow": lambda n: [n, "70000", DAY, "x"],
    "wrong type": lambda n: [n, "seven", DAY, "x"],
    "too long": lambda n: [n, 1, DAY, "more than ten"],
    "bad date": lambda n: [n, 1, "2026-02-30", "x"],
    "missing": lambda n: [n, 1] if n is None else [None, 1, DAY, "x"],
}


def encode(data_format, values):
    """Write a row; without its first value if that is None."""
    if data_format == "json":
        said = {
            name: value for name, value in zip(NAMES, values, strict=False) if value is not None
        }
        return json.dumps(said).encode()
    delimiter = "," if data_format == "csv" else "|"
    return delimiter.join(str(value) for value in values if value is not None).encode()


def file_of(data_format, count, bad_lines):
    """Return the rows of a file, whose bad ones have a fault each, one after the other."""
    kinds = itertools.cycle(BAD.values())
    return [
        encode(data_format, next(kinds)(n) if n in bad_lines else [n, 1, DAY, f"row {n}"])
        for n in range(1, count + 1)
    ]


def put(here, key, rows, **said):
    body = b"".join(row + b"\n" for row in rows)
    about = {"rows": len(rows), "first": "100-0", "last": "900-0"}
    return here.file(key, body=body, **about | said)


def row_letters(here):
    """Return the letters of rows; there is no other."""
    lines = b"".join(here.objects(f"errors/{here.name}/").values()).splitlines()
    return sorted(map(json.loads, lines), key=lambda letter: (letter["file"], letter["line"]))


def data(letter):
    return base64.b64decode(letter["data"])


def copies(journal):
    return [statement for statement in journal if statement.startswith("COPY")]


def lines_of(here, what="file, row_count, rows_left_out"):
    return here.query(f"SELECT {what} FROM {here.ledger} ORDER BY file")


# --- what is left out, and what is loaded ---------------------------------------------------------


@pytest.mark.parametrize(
    ("data_format", "compression", "count"),
    [
        ("json", "gzip", 100),
        ("json", "zstd", 5),
        ("json", "none", 1),
        ("csv", "gzip", 5),
        ("csv", "zstd", 1),
        ("csv", "none", 100),
        ("delimited", "gzip", 1),
        ("delimited", "zstd", 100),
        ("delimited", "none", 5),
    ],
)
def test_all_good_rows_are_loaded_and_each_bad_one_is_a_letter(
    stage_two, journal, data_format, compression, count
):
    """Of ten thousand rows some are bad, in five ways: each costs itself, and nothing else."""
    here = stage_two(columns=COLUMNS, redshiftDataFormat=data_format)
    bad = {1 + n * 9_999 // count for n in range(count)}
    rows = file_of(data_format, 10_000, bad)
    message = put(here, "a", rows, compression=compression, format=data_format)
    here.load(message)

    assert here.ids() == [n for n in range(1, 10_001) if n not in bad]
    letters = row_letters(here)
    assert [letter["line"] for letter in letters] == sorted(bad)
    assert [data(letter) for letter in letters] == [rows[line - 1] for line in sorted(bad)]
    assert lines_of(here) == [(here.url("a"), 10_000 - count, count)]
    assert len(copies(journal)) == 3


@pytest.mark.parametrize("count", [1, 100])
def test_a_table_that_is_in_use_is_tried_before_rows_are_left_out(stage_two, journal, count):
    """Of a hundred files one or all have a bad row: four COPYs, of which one rehearses another."""
    here = stage_two()
    here.load(here.file("before.json.gz", 1000))
    journal.clear()
    rows = {n: [b'{"id": %d}' % n, *[b'{"id": "x"}'] * (n <= count)] for n in range(1, 101)}
    here.load(
        *[put(here, f"f{n}", of, first=f"{n}00-0", last=f"{n}99-0") for n, of in rows.items()]
    )

    assert here.ids() == [*range(1, 101), 1000]
    assert len(row_letters(here)) == count
    assert len(copies(journal)) == 4


def test_a_letter_of_a_row_says_where_it_was_and_what_brings_it_back(stage_two):
    """File, line, column and reason; the stream that the row came from; the file without it."""
    here = stage_two()
    rows = [b'{"id": "one"}', b'{"id": 2}', b'{"id": 3, "text": "x"}', b'{"id": "four"}']
    here.load(put(here, "a.json.gz", rows))

    first, last = row_letters(here)
    (repaired,) = here.objects(f"data/{here.name}/repaired/")
    reason = first["reason"]
    assert reason.startswith(
        f"{here.url('a.json.gz')}, line 1, column id: Invalid digit, Value 'o'"
    )
    assert first == {
        "version": 1,
        "stream": "events",
        "shard": "shardId-000000000007",
        "position": "100-0",
        "arrival": 0,
        "partitionKey": "",
        "data": base64.b64encode(rows[0]).decode(),
        "stage": "load",
        "reason": reason,
        "file": here.url("a.json.gz"),
        "line": 1,
        "column": "id",
        "repaired": f"s3://{BUCKET}/{repaired}",
        "remedy": "mend the row and put it on the stream events, as a record of its own: once; or "
        "mend the table, and `kinesis-connectors redrive` loads the row",
    }
    assert (last["line"], last["position"], data(last)) == (4, None, rows[3])
    assert repaired.endswith("-a.json.gz")


def test_what_is_loaded_is_the_file_without_its_bad_rows(stage_two):
    """Same format and compression, the other rows byte for byte; COPY's manifest lists it."""
    here = stage_two()
    rows = [b'{"id": 1}', b'{"id": "two"}', b'{"id":  3}']
    here.load(put(here, "a", rows, compression="zstd"), here.file("b", 4, compression="zstd"))

    assert here.ids() == [1, 3, 4]
    ((key, body),) = here.objects(f"data/{here.name}/repaired/").items()
    assert zstandard.decompress(body) == b'{"id": 1}\n{"id":  3}\n'
    about = here.s3.head_object(Bucket=BUCKET, Key=key)["Metadata"]
    assert (about["first-position"], about["last-position"], about["rows"]) == (
        "100-0",
        "900-0",
        "2",
    )
    (manifest,) = {url for (url,) in lines_of(here, "manifest")}
    entries = here.manifests()[manifest.removeprefix(f"s3://{BUCKET}/")]["entries"]
    urls = {entry["url"]: entry["meta"]["content_length"] for entry in entries}
    assert urls[f"s3://{BUCKET}/{key}"] == len(body)
    assert urls.keys() == {f"s3://{BUCKET}/{key}", here.url("b")}


def test_a_bare_path_is_repaired_too(stage_two):
    """What a message does not say is not needed to leave rows out; the ledger counts the others."""
    here = stage_two()
    put(here, "a.json", [b'{"id": "one"}', b'{"id": 2}'], compression="none")
    here.load(here.url("a.json"))

    assert here.ids() == [2]
    (letter,) = row_letters(here)
    assert (letter["stream"], letter["shard"], letter["position"]) == (None, None, None)
    assert "the stream that it came from" in letter["remedy"]
    assert lines_of(here) == [(here.url("a.json"), 1, 1)]


def test_a_strangers_names_are_no_hindrance(stage_two):
    """A message may name an application as S3's metadata cannot; rows are left out all the same."""
    here = stage_two()
    rows = [b'{"id": 1}', b'{"id": "x"}']
    here.load(put(here, "a", rows, application="Flüge", shard="one\ntwo"))

    assert here.ids() == [1]
    assert [letter["shard"] for letter in row_letters(here)] == ["one\ntwo"]


def test_a_row_of_csv_comes_back_as_the_record_that_it_was_made_of(stage_two):
    """The row is what a transformer made: on the stream belongs what it was made of."""
    here = stage_two(redshiftDataFormat="csv")
    here.load(put(here, "a", [b"1,x", b"two,x"], format="csv"))

    (letter,) = row_letters(here)
    assert letter["remedy"].startswith("mend the record that it was made of and put it on")


def test_many_files_with_bad_rows_cost_two_copies_more(stage_two, journal):
    """All bad rows of all files are found by one COPY that loads nothing."""
    here = stage_two()
    messages = [
        put(
            here, f"f{n:02}", [b'{"id": %d}' % n, b'{"id": "x"}'], first=f"{n}00-0", last=f"{n}99-0"
        )
        for n in range(1, 31)
    ]
    messages += [here.file(f"g{n}", 100 + n) for n in range(70)]
    here.load(*messages)

    assert len(here.ids()) == 100
    assert len(row_letters(here)) == 30
    first, dry, last = copies(journal)
    assert "NOLOAD" not in first + last
    assert dry.endswith(f"NOLOAD MAXERROR {100 * 100 + 1}")


def test_a_load_without_a_bad_row_is_what_it_was(stage_two, journal):
    """Not one statement more, and no other object than the manifest."""
    here = stage_two()
    puts = []
    here.on_s3(lambda request: puts.append(request.url) if request.method != "HEAD" else None)
    here.load(here.file("a", 1, first="1-0"))

    words = [statement.split()[0] for statement in journal]
    assert words == ["SET", "SET", "LOCK", "SELECT", "COPY", "SELECT", "INSERT"]
    assert len(puts) == 1


# --- what is kept out as a whole ------------------------------------------------------------------


def the_reason(here):
    """Return why a file was kept out: the one letter, which is of a message."""
    (reason,) = here.letters().values()
    assert not here.objects(f"data/{here.name}/repaired/")
    assert lines_of(here) == []
    return reason


def test_a_file_with_more_bad_rows_than_are_allowed_is_kept_out(stage_two):
    """Its letter has the first complaints, and how many there were."""
    here = stage_two(redshiftMaxBadRows="6")
    here.load(put(here, "a", [b'{"id": 0}', *[b'{"id": "x"}'] * 7]))

    reason = the_reason(here)
    assert reason.startswith(f"{here.url('a')}, line 2, column id: Invalid digit")
    assert "; line 6, column id" in reason
    assert "line 7" not in reason
    assert reason.endswith("; and 2 more (more than 6 rows (redshiftMaxBadRows))")
    assert here.ids() == []


def test_a_file_with_other_rows_than_were_announced_is_kept_out(stage_two):
    """Where one row ends and the next begins is not what who wrote it says: nothing is cut."""
    here = stage_two()
    here.load(here.file("a", body=b'{"id": 1}\n{"id": "x"}\n', rows=3))

    assert "2 rows are found, announced were 3" in the_reason(here)


def test_a_host_without_room_keeps_the_file_out(stage_two, monkeypatch):
    """A full disk of this host is no failure of S3, and stops no other file."""
    here = stage_two()
    full = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: FullDisk(full()))
    here.load(put(here, "a", [b'{"id": 1}', b'{"id": "x"}']), here.file("b", 2))

    assert here.ids() == [2]
    (reason,) = here.letters().values()
    assert "it cannot be written anew on this host: [Errno 28]" in reason


class FullDisk:
    def __init__(self, file):
        self.file = file

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def __getattr__(self, name):
        return getattr(self.file, name)

    def write(self, _):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    ("data_format", "body", "changes", "words"),
    [
        ("json", b'{"id": "x"}\n', {}, "there is no other row"),
        ("json", b'{"id": 1}{"id": "x"}\n{"id": 2}\n', {}, "line 1 is not certain"),
        ("csv", b'1,"a\nb"\nx,c\n', {}, "is not certain"),
        ("delimited", b"1|a\\\nb\nx|c\n", {}, "is not certain"),
        ("json", b'{"id": 1}\n{"id": "x"}\n', {"redshiftMaxBadRows": "0"}, "Invalid digit"),
    ],
)
def test_where_it_is_not_certain_which_row_is_meant_the_file_is_kept_out(
    stage_two, data_format, body, changes, words
):
    """Nothing is cut at a guess, nor what would leave nothing."""
    here = stage_two(redshiftDataFormat=data_format)
    settings = Settings(here.settings.path, {**here.settings.texts, **changes})
    here.load(here.file("a", body=body, format=data_format), settings=settings)

    assert words in the_reason(here)
    assert here.ids() == []


@pytest.mark.parametrize(
    ("changes", "is_possible"),
    [
        ({}, True),
        ({"redshiftMaxBadRows": "0"}, False),
        ({"redshiftDataFormat": "parquet"}, False),
        ({"redshiftDataFormat": "csv"}, True),
        ({"redshiftDataFormat": "csv", "redshiftCopyOptions": "QUOTE '%'"}, False),
        ({"redshiftDataFormat": "csv", "redshiftCopyOptions": "DATEFORMAT 'QUOTE'"}, True),
        ({"redshiftDataFormat": "delimited", "redshiftCopyOptions": "removequotes"}, False),
    ],
)
def test_rows_are_left_out_only_where_it_is_known_what_a_row_is(stage_two, changes, is_possible):
    """Not of columnar files, nor where quotes mean what the documentation does not say."""
    settings = stage_two().settings
    settings = Settings(settings.path, {**settings.texts, **changes})
    assert Repair(settings, None).is_possible == is_possible


def test_a_line_break_in_a_later_row_does_no_harm(stage_two):
    """Up to there, lines are rows, however COPY counts."""
    here = stage_two(redshiftDataFormat="csv")
    here.load(here.file("a", body=b'1,a\nx,b\n3,"c\nd"\n4,e\n', format="csv"))

    assert here.ids() == [1, 3, 4]
    assert [data(letter) for letter in row_letters(here)] == [b"x,b"]


def test_an_object_over_several_lines_is_left_out_whole(stage_two):
    """COPY tells the line that it ends on."""
    here = stage_two()
    here.load(here.file("a", body=b'{"id": 1}\n{\n"id": "x",\n"text": "}"}\n{"id": 2}\n'))

    assert here.ids() == [1, 2]
    (letter,) = row_letters(here)
    assert (letter["line"], data(letter)) == (4, b'{\n"id": "x",\n"text": "}"}')


def test_rows_that_are_too_large_for_letters_keep_their_file_out(stage_two, monkeypatch):
    """What is held in memory is bounded, over all files of a batch."""
    here = stage_two()
    monkeypatch.setattr(repaired_load, "LEFT_OUT_BYTES", 50)
    rows = [b'{"id": 1}', b'{"id": "%s"}' % (b"x" * 20)]
    here.load(*[put(here, key, rows, first=f"{key}00-0", last=f"{key}99-0") for key in "123"])

    assert here.entered() == ["1"]
    lines = b"".join(here.objects(f"errors/{here.name}/").values()).splitlines()
    letters = [json.loads(line) for line in lines]
    assert sorted("file" in letter for letter in letters) == [False, False, True]
    assert sum("too large to be letters" in letter["reason"] for letter in letters) == 2


def test_a_file_that_we_may_not_read_is_kept_out(stage_two):
    """COPY reads by another role: without a right of our own, one bad row is a bad file."""
    here = stage_two()

    def refuse(request):
        if request.method == "GET":
            body = b"<Error><Code>AccessDenied</Code><Message>kms:Decrypt</Message></Error>"
            return AWSResponse(request.url, 403, {}, Raw(body))
        return None

    message = put(here, "a", [b'{"id": 1}', b'{"id": "x"}'])
    here.on_s3(refuse)
    here.load(message, here.file("b", 2))

    assert here.ids() == [2]
    (reason,) = here.letters().values()
    assert "line 2, column id" in reason
    assert "as we may not" in reason


class Raw:
    def __init__(self, body):
        self.body = body

    def stream(self, *_, **__):
        yield self.body


def test_what_only_a_load_shows_is_left_out_too(stage_two):
    """A constraint that COPY's look at the files passes over is told by the load itself: once."""
    here = stage_two()
    here.query(f"ALTER TABLE {here.table} ADD CHECK (id <> 2)")
    here.load(here.file("a", 1, 2, 3), here.file("b", 4))

    assert here.ids() == [1, 3, 4]
    assert [data(letter) for letter in row_letters(here)] == [b'{"id": 2, "text": "row 2"}']


def test_what_a_load_shows_again_keeps_the_file_out(stage_two, journal):
    """The loads come to an end, whatever COPY complains of next."""
    here = stage_two()
    here.query(f"ALTER TABLE {here.table} ADD CHECK (id > 2)")
    here.load(here.file("a", 1, 2, 3), here.file("b", 4))

    assert here.ids() == [4]
    (reason,) = here.letters().values()
    assert "when others had been left out" in reason
    assert len(copies(journal)) == 4


def test_files_of_every_kind_in_one_load(stage_two, journal):
    """Bad rows, too many of them, a missing file, one that nothing names: the others are loaded."""
    here = stage_two(redshiftMaxBadRows="2")
    bad = b'{"id": "x"}'
    here.load(
        put(here, "one", [b'{"id": 1}', bad], first="1-0", last="2-0"),
        put(here, "three", [b'{"id": 3}', bad, bad, bad], first="3-0", last="4-0"),
        here.message("gone"),
        put(here, "two", [bad, b'{"id": 2}', bad], first="5-0", last="6-0"),
        here.file("good", 4),
    )

    assert here.ids() == [1, 2, 4]
    assert here.entered() == ["good", "one", "two"]
    lines = b"".join(here.objects(f"errors/{here.name}/").values()).splitlines()
    letters = [json.loads(line) for line in lines]
    assert sorted(letter["file"] for letter in letters if "file" in letter) == [
        here.url("one"),
        here.url("two"),
        here.url("two"),
    ]
    whole = [letter["reason"] for letter in letters if "file" not in letter]
    assert len(whole) == 2
    assert len(copies(journal)) <= 2 * 3 + 2


@pytest.mark.parametrize("count", [1, 8])
def test_files_of_nothing_but_bad_rows_come_to_an_end(stage_two, journal, count):
    """COPY gives up before it has seen them all: a file is set aside each time, none is cut."""
    here = stage_two(redshiftMaxBadRows="2")
    here.load(here.file("good", 1))
    journal.clear()
    here.load(
        *[
            put(
                here,
                f"f{n}",
                [b'{"id": 2}', *[b'{"id": "x"}'] * 20],
                first=f"{n}00-0",
                last=f"{n}99-0",
            )
            for n in range(1, count + 1)
        ],
    )

    assert here.ids() == [1]
    assert len(here.letters()) == count
    assert len(copies(journal)) <= 2 * count + 2


# --- lives that end in between --------------------------------------------------------------------


class Crash(BaseException):
    """What no except of ours catches."""


def crash(*_):
    raise Crash


def test_a_life_that_ends_before_its_commit_leaves_letters_that_the_next_one_writes_again(
    stage_two, monkeypatch
):
    """The same letters under the same key, the same file in the place of the original."""
    here = stage_two()
    message = put(here, "a", [b'{"id": 1}', b'{"id": "x"}', b'{"id": 3}'])
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "enter", crash)
        with pytest.raises(Crash):
            here.load(message)
    before = here.objects(f"errors/{here.name}/"), here.objects(f"data/{here.name}/repaired/")
    assert here.ids() == here.entered() == []
    assert len(row_letters(here)) == 1
    here.load(message)

    assert before == (
        here.objects(f"errors/{here.name}/"),
        here.objects(f"data/{here.name}/repaired/"),
    )
    assert here.ids() == [1, 3]


def test_a_letter_that_does_not_count_can_be_told_by_the_ledger(stage_two, monkeypatch):
    """The column is made wider after a try whose COMMIT never came: no row was left out then."""
    here = stage_two(columns="id BIGINT, text VARCHAR(3)")
    message = put(here, "a", [b'{"id": 1, "text": "long"}', b'{"id": 2}', b'{"id": "x"}'])
    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "enter", crash)
        with pytest.raises(Crash):
            here.load(message)
    here.query(f"ALTER TABLE {here.table} ALTER text TYPE VARCHAR(9)")
    here.load(message)

    assert here.ids() == [1, 2]
    assert lines_of(here, "row_count, rows_left_out") == [(2, 1)]
    ((manifest,),) = lines_of(here, "manifest")
    entries = here.manifests()[manifest.removeprefix(f"s3://{BUCKET}/")]["entries"]
    loaded = {entry["url"] for entry in entries}
    counting = [letter for letter in row_letters(here) if letter["repaired"] in loaded]
    assert len(row_letters(here)) == 3
    assert [letter["line"] for letter in counting] == [3]


def test_letters_are_durable_before_the_commit(stage_two, journal):
    """Written under the lock, after COPY has taken the others, before the ledger's row."""
    here = stage_two()
    here.on_s3(
        lambda request: (
            journal.append("LETTERS")
            if request.method == "PUT" and f"/errors/{here.name}/" in request.url
            else None
        )
    )
    here.load(put(here, "a", [b'{"id": 1}', b'{"id": "x"}']))

    words = [statement.split()[0] for statement in journal]
    last = len(words) - 1 - words[::-1].index("LOCK")
    assert words[last:] == ["LOCK", "SELECT", "COPY", "SELECT", "LETTERS", "INSERT"]


def test_no_letter_of_a_file_that_another_loaded_meanwhile(stage_two):
    """The ledger is asked before a row of a file is a letter."""
    here, other = stage_two(), []
    message = put(here, "a", [b'{"id": 1}', b'{"id": "x"}'])

    def load_it_first(request):
        if f"/data/{here.name}/repaired/" in request.url and not other:
            other.append(here.url("a"))
            here.query(
                f"INSERT INTO {here.ledger} (file, data_table, loaded_at) "
                f"VALUES ('{here.url('a')}', '{here.table}', getdate())"
            )

    here.on_s3(load_it_first)
    here.load(message)

    assert other
    assert here.ids() == []
    assert not here.objects(f"errors/{here.name}/")


def test_a_repaired_file_that_is_there_is_not_written_again(stage_two):
    """Perhaps compressed by another version: what is there has the same rows."""
    here = stage_two()
    here.load(message := put(here, "a", [b'{"id": 1}', b'{"id": "x"}'], compression="zstd"))
    ((key, _),) = here.objects(f"data/{here.name}/repaired/").items()
    other = zstandard.ZstdCompressor(level=19).compress(b'{"id": 1}\n' + b"\n" * 100)
    here.s3.put_object(Bucket=BUCKET, Key=key, Body=other)
    here.query(f"TRUNCATE {here.ledger}")
    here.query(f"TRUNCATE {here.table}")
    here.load(message)

    assert here.ids() == [1]
    assert here.objects(f"data/{here.name}/repaired/") == {key: other}


def test_a_repaired_file_that_somebody_announces_is_not_loaded_twice(stage_two):
    """It covers what its original covers, which the ledger has."""
    here = stage_two()
    here.load(put(here, "a", [b'{"id": 1}', b'{"id": "x"}']))
    (key,) = here.objects(f"data/{here.name}/repaired/")
    here.load(f"s3://{BUCKET}/{key}")

    assert here.ids() == [1]
    assert here.entered() == ["a"]


def test_a_file_with_rows_left_out_is_one_to_compare_with(stage_two, nameless):
    """It can be loaded once more, without these: that a table refuses a row or two is no fault."""
    here = stage_two()
    put(here, "b", [b'{"id": 2}', b'{"id": "x"}'])
    here.query(
        f"INSERT INTO {here.ledger} (file, data_table, rows_left_out, loaded_at) "
        f"VALUES ('{here.url('b')}', '{here.table}', 1, getdate())"
    )
    bad = here.file("c", body=b'{"id": "x"}\n')
    here.load(bad)

    assert set(here.letters()) == {bad}
    assert here.ids() == []


def test_a_column_made_too_short_for_some_rows_costs_no_row(stage_two, waits):
    """What is loaded could not be loaded again: it is the table, and a person must mend it."""
    here = stage_two()
    here.load(here.file("a", 1, 22, 333))
    column = "ALTER text TYPE VARCHAR(6) USING left(text, 6)"
    here.query(f"ALTER TABLE {here.table} {column}")
    with pytest.raises(Fatal, match=r"retryLimit.*line 3, column text"):
        here.load(here.file("b", 1, 22, 333))

    assert not here.objects(f"errors/{here.name}/")
    assert here.ids() == [1, 22, 333]


def test_a_column_made_too_short_for_most_rows_is_no_files_fault(stage_two, waits):
    """More rows of a file than may be left out would be, and so of one that is loaded: none is."""
    here = stage_two(redshiftMaxBadRows="2")
    here.load(here.file("a", 1, 22, 333, 444, 555))
    column = "ALTER text TYPE VARCHAR(6) USING left(text, 6)"
    here.query(f"ALTER TABLE {here.table} {column}")
    with pytest.raises(Fatal, match=r"retryLimit.*line 3, column text"):
        here.load(here.file("b", 1, 22, 333, 444, 555), here.file("c", 666, 777, 888))

    assert not here.letters()
    assert here.ids() == [1, 22, 333, 444, 555]


def test_a_ledger_of_an_older_version_is_said_to_need_create(stage_two):
    """Before anything is loaded into the table for good."""
    here = stage_two()
    here.query(f"ALTER TABLE {here.ledger} DROP COLUMN rows_left_out")
    with pytest.raises(Fatal, match="`kinesis-connectors create` brings it up to date"):
        here.load(here.file("a", 1))

    assert here.ids() == []
    with here.db.cursor() as cursor:
        Ledger.from_settings(here.settings).upgrade(cursor)
    here.load(here.file("a", 1))
    assert here.ids() == [1]
