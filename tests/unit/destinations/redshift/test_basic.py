"""Records into the table in one process: each file is loaded before its checkpoint, and once."""

import base64
import gzip
import json
from pathlib import Path

import pytest

from record_processors import Fatal, Position, Record, Settings, Transformer
from record_processors.commands.main import main
from record_processors.config.keys import APPLICATION_NAME
from record_processors.config.properties import load
from record_processors.kcl.policy import policy_of
from support.stage_two import BUCKET, SHARD, StageTwo

SHIPPED = "properties/redshift_basic.properties"


class Crash(BaseException):
    """The process dies here."""


def crash(*_):
    raise Crash


class Basic(StageTwo):
    """A pipeline in one process; its records keep their places from life to life."""

    shipped = "redshift_basic"

    def carry(self, *records, life=None):
        """Live once, with these records in one batch."""
        life = life or self.life()
        try:
            life.process(records, self.checkpoint)
            life.flush(self.checkpoint)
        finally:
            life.close()

    def checkpoint(self, position):
        """Note how much there is, in the table and in letters, when a checkpoint is made."""
        self.checkpoints.append((position, self.ids(), len(self.dead_letters())))

    def dead_letters(self):
        lines = b"".join(self.objects(f"errors/{self.name}/").values()).splitlines()
        return list(map(json.loads, lines))

    def files(self):
        found = self.objects(f"data/{self.name}/1970/")
        return {key: gzip.decompress(body) for key, body in found.items()}


@pytest.fixture
def basic(stack, redshift, files, tmp_path):
    """Make a pipeline with a table and a ledger of its own."""
    return lambda **changes: Basic(stack, redshift, files, tmp_path, changes)


def record(place, data):
    data = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Record(data, str(place))


def rows(*places):
    return [record(place, {"id": place, "text": f"row {place}"}) for place in places]


def test_a_file_is_loaded_before_the_checkpoint(basic):
    """When the checkpoint comes, the rows are in the table, and the ledger has their file."""
    here = basic()
    here.carry(*rows(1, 2, 3))

    assert here.checkpoints == [(Position(3), [1, 2, 3], 0)]
    (key,) = here.files()
    ledger = f"SELECT file, shard, first_position, last_position, row_count FROM {here.ledger}"
    assert here.query(ledger) == [(f"s3://{BUCKET}/{key}", SHARD, "1-0", "3-0", 3)]


def test_a_file_of_which_the_writer_died_is_loaded_by_the_next_life(basic):
    """Written, and not loaded: the next life finds it, loads it, and goes on behind it."""
    here = basic()
    first = here.life()
    first.emitter.loader.run = crash
    with pytest.raises(Crash):
        here.carry(*rows(1, 2), life=first)
    assert (here.ids(), here.checkpoints) == ([], [])
    here.carry(*rows(1, 2, 3))

    assert here.checkpoints == [(Position(2), [1, 2], 0), (Position(3), [1, 2, 3], 0)]
    assert len(here.files()) == len(here.entered()) == 2


def test_a_checkpoint_never_lies_inside_a_file_that_is_found(basic):
    """A life that is not given the end of a found file loads it, and makes no checkpoint yet."""
    here = basic()
    first = here.life()
    first.emitter.loader.run = crash
    with pytest.raises(Crash):
        here.carry(*rows(1, 2, 3), life=first)
    here.carry(*rows(1, 2))

    assert (here.ids(), here.checkpoints) == ([1, 2, 3], [])


def test_a_crash_after_the_load_doubles_nothing(basic):
    """Loaded, and not checkpointed: the ledger says so to the next life."""
    here = basic()
    life = here.life()
    life.process(rows(1, 2), crash)
    with pytest.raises(Crash):
        life.flush(crash)
    here.carry(*rows(1, 2))

    assert here.checkpoints == [(Position(2), [1, 2], 0)]


@pytest.mark.parametrize("reach", [2, 6])
def test_of_two_owners_both_load_the_file_of_the_one_that_wrote(basic, reach):
    """Who comes second loads what stands there, in case the other dies, and goes on behind it."""
    here = basic()
    first, second = here.life(), here.life()
    first.process(rows(*range(1, reach + 1)), crash)
    second.process(rows(1, 2, 3, 4), here.checkpoint)
    first.emitter.loader.run = crash
    with pytest.raises(Crash):
        first.flush(crash)
    second.flush(here.checkpoint)
    second.process(rows(5, 6, 7), here.checkpoint)
    second.flush(here.checkpoint)
    second.close()

    assert here.ids() == [1, 2, 3, 4, 5, 6, 7]
    assert here.checkpoints[0] == (Position(reach), list(range(1, max(reach, 2) + 1)), 0)
    lines = [json.loads(line)["id"] for body in here.files().values() for line in body.splitlines()]
    assert sorted(lines) == here.ids()


def test_two_owners_at_once_load_each_row_once(basic):
    """A zombie that goes on beside its successor adds nothing to the table."""
    here = basic()
    lives = [here.life(), here.life()]
    for places in ([1, 2], [3], [4, 5, 6]):
        for life in lives:
            life.process(rows(*places), here.checkpoint)
            life.flush(here.checkpoint)
    for life in lives:
        life.close()

    assert here.ids() == [1, 2, 3, 4, 5, 6]


def test_a_row_that_copy_refuses_costs_itself(basic):
    """A row is a letter of its own, with its bytes; the others of its file are loaded."""
    here = basic()
    here.carry(*rows(1), record(2, {"id": "two"}), *rows(3))

    (letter,) = here.dead_letters()
    assert here.checkpoints == [(Position(3), [1, 3], 1)]
    assert base64.b64decode(letter["data"]) == b'{"id": "two"}'
    assert letter["stage"] == "load"


def test_a_file_that_is_kept_out_is_a_letter_before_the_checkpoint(basic):
    """It has the message of the file, its place in the shard, and the reason."""
    here = basic(redshiftMaxBadRows="0")
    here.carry(*rows(1))
    here.carry(record(2, {"id": "two"}), *rows(3))

    (letter,) = here.dead_letters()
    message = json.loads(base64.b64decode(letter["data"]))
    key = max(here.files())
    assert here.checkpoints[1:] == [(Position(3), [1], 1)]
    assert (message["key"], message["first"], message["last"]) == (key, "2-0", "3-0")
    assert message["rows"] == 2
    assert "file" not in letter  # as of a message that stage two refuses
    assert [letter[name] for name in ("stage", "shard", "position")] == ["load", SHARD, "2-0"]
    assert "line 1, column id" in letter["reason"]


def test_the_letter_of_a_file_is_written_again_and_takes_no_others_place(basic):
    """A life after a crash repeats it; a record of the same place has a letter beside it."""
    here = basic(redshiftMaxBadRows="0")
    here.carry(*rows(1))
    bad = record(2, {"id": "two"})
    with pytest.raises(Crash):
        here.carry(bad, life=dying_at_the_checkpoint(here))
    once = here.objects(f"errors/{here.name}/")
    life = here.life()
    life.dead_letters.add(bad, "transform", "another reason")
    here.carry(bad, life=life)

    assert len(once) == 1
    letters = here.objects(f"errors/{here.name}/")
    assert set(once) < set(letters)
    assert sorted(letter["stage"] for letter in here.dead_letters()) == ["load", "transform"]


def dying_at_the_checkpoint(here):
    life = here.life()
    flush = life.flush
    life.flush = lambda _: flush(crash)
    return life


def test_no_checkpoint_passes_a_file_whose_letter_cannot_be_written(basic, waits):
    """When S3 takes no letter, the life ends, and the next one judges the file again."""
    here = basic(redshiftMaxBadRows="0")
    here.carry(*rows(1))
    life = here.life()
    write = life.emitter.letters.bucket.put
    life.emitter.letters.bucket.put = lambda *_: (_ for _ in ()).throw(Fatal("S3 is away"))
    with pytest.raises(Fatal, match="S3 is away"):
        here.carry(record(2, {"id": "two"}), life=life)
    assert len(here.checkpoints) == 1
    life.emitter.letters.bucket.put = write
    here.carry(record(2, {"id": "two"}))

    assert here.checkpoints[1:] == [(Position(2), [1], 1)]


def test_a_file_that_was_kept_out_is_loaded_when_it_can_be(basic):
    """Kept out, then a crash before the checkpoint: the next life asks the table as it is then."""
    here = basic(redshiftMaxBadRows="0")
    here.carry(*rows(1))
    with pytest.raises(Crash):
        here.carry(record(2, {"id": 2, "text": "x" * 300}), life=dying_at_the_checkpoint(here))
    assert here.ids() == [1]
    here.query(f"ALTER TABLE {here.table} ALTER COLUMN text TYPE VARCHAR(400)")
    here.carry(record(2, {"id": 2, "text": "x" * 300}))

    assert here.ids() == [1, 2]
    assert len(here.entered()) == 2


def test_keys_without_a_column_are_told_of(basic, caplog):
    """The keys of the file's first row are compared with the table, as stage two does."""
    here = basic(redshiftUnmatchedFields="refuse")
    here.carry(*rows(1))
    here.carry(record(2, {"id": 2, "year": 2013}))

    (letter,) = here.dead_letters()
    assert "has rows with year, which COPY leaves out" in letter["reason"]
    assert here.ids() == [1]


@pytest.mark.parametrize("form", ["delimited", "csv"])
def test_every_format_is_loaded(basic, form):
    """Rows of text are loaded with their null string."""
    here = basic()
    columns = {"transformerColumns": "id, text", "transformerNull": "nil"}
    texts = {**here.settings.texts, "transformer": form, "redshiftDataFormat": form, **columns}
    here.settings = Settings(here.settings.path, texts)
    here.carry(record(1, {"id": 1, "text": None}), record(2, {"id": 2, "text": "a|b,c"}))

    assert here.query(f"SELECT id, text FROM {here.table} ORDER BY id") == [(1, None), (2, "a|b,c")]


# --- what contradicts itself ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"redshiftDataFormat": "csv"},
            "redshiftDataFormat is csv, and the transformer makes rows of json: it must be json",
        ),
        (
            {"transformer": "text", "redshiftDataFormat": "parquet"},
            "redshiftDataFormat is parquet, and the transformer makes rows of text: take another",
        ),
        (
            {
                "transformer": "delimited",
                "transformerColumns": "id",
                "transformerDelimiter": ";",
                "redshiftDataFormat": "delimited",
            },
            "redshiftDataDelimiter is |, and transformerDelimiter ;: COPY must read what",
        ),
        ({"redshiftSecretArn": "a-secret"}, "one way to log in is needed"),
        ({"redshiftDataFormat": "json", "transformer": "text"}, ""),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_the_transformer_makes_is_what_copy_reads(tmp_path, capsys, changes, said):
    """`check` says of a file in one sentence where both differ."""
    path = tmp_path / "redshift_basic.properties"
    text = Path(SHIPPED).read_text().replace(SHIPPED, str(path))
    for key, value in changes.items():
        text = "\n".join(line for line in text.splitlines() if not line.startswith(f"{key} ="))
        text += f"\n{key} = {value}\n"
    path.write_text(text)

    assert main(["check", str(path)]) == (2 if said else 0)
    assert said in capsys.readouterr().err


class Changing(Transformer):
    """Says its format only when it is made."""

    def __init__(self):
        self.format = "csv"

    def transform(self, record):
        return [record.data]


def test_another_format_than_copys_is_no_start(basic, monkeypatch):
    """A transformer of one's own that makes something else is refused before the first record."""
    here = basic(transformer=f"{__name__}:Changing")

    with pytest.raises(
        Fatal, match="redshiftDataFormat is json, and the transformer makes rows of csv"
    ):
        here.life()


@pytest.mark.parametrize(("most", "reads"), [("0", []), ("1", ["kms:Decrypt"])])
def test_its_policy_is_of_its_own_folder(most, reads):
    """In S3 it may use the folder of its files, where manifests are too, and letters; no other."""
    key = {"s3ServerSideEncryption": "aws:kms", "s3KmsKeyId": "1234abcd"}
    settings = load(SHIPPED)
    texts = {**settings.texts, **key, "redshiftMaxBadRows": most}
    policy = policy_of(Settings(settings.path, texts), "123456789012")
    used = {
        (action, resource.rpartition(":")[2])
        for statement in policy["Statement"]
        for action in statement["Action"]
        for resource in statement["Resource"]
        if action.startswith(("s3:", "kms:"))
    }

    folder = f"kinesis-connectors/{settings[APPLICATION_NAME]}/*"
    assert used == {
        ("s3:PutObject", folder),
        ("s3:GetObject", folder),
        ("s3:ListBucket", "kinesis-connectors"),
        ("s3:PutObject", f"kinesis-connectors/errors/{settings[APPLICATION_NAME]}/*"),
        ("kms:GenerateDataKey", "key/1234abcd"),
        *((action, "key/1234abcd") for action in reads),
    }
