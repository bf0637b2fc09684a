"""What a load has refused is loaded when the table is mended: files and rows, each once."""

import base64
import json
from pathlib import Path

import pytest

from record_processors import Record
from record_processors.commands import main as cli
from record_processors.destinations.redshift.load import Load
from record_processors.ops.batches import Wanted
from record_processors.ops.carry import Carrier
from record_processors.ops.letter_files import Settled
from record_processors.ops.redrive import Redrive
from record_processors.ops.settle import Settle
from support.stage_two import BUCKET, SHARD, StageTwo

LONG = "x" * 300
LONG_ROW = b'{"id": 2, "text": "%s"}\n' % LONG.encode()
FINE_ROW = b'{"id": 1, "text": "fine"}\n'


class Killed(BaseException):
    """The process dies here."""


def die(*_):
    raise Killed


class Basic(StageTwo):
    """A pipeline in one process."""

    shipped = "redshift_basic"


@pytest.fixture
def basic(stack, redshift, files, tmp_path):
    return Basic(stack, redshift, files, tmp_path, {"redshiftMaxBadRows": "0"})


def letters(here, *, open_ones=True):
    """Return the letters that are not put back, or those that are."""
    found = here.objects(f"errors/{here.name}/")
    return [
        json.loads(line)
        for key, body in found.items()
        if key.endswith(".jsonl") and (f"{key}.redriven" not in found) == open_ones
        for line in body.splitlines()
    ]


def widen(here):
    here.query(f"ALTER TABLE {here.table} ALTER COLUMN text TYPE VARCHAR(400)")


def redrive(here):
    return Redrive(here.settings, Wanted()).run()


def kill_at(here, moment):
    """Let S3 hear nothing of what is to be written at this moment, as whoever writes it dies."""

    def strike(request):
        nonlocal moment
        if request.method == "PUT":
            moment -= 1
            if moment == 0:
                raise Killed

    here.on_s3(strike)


def test_a_file_that_was_kept_out_is_loaded_into_the_mended_table(stage_two):
    """By its message; the ledger has it once, whoever else announces it again."""
    here = stage_two(redshiftMaxBadRows="0")
    message = here.file("long", body=FINE_ROW + LONG_ROW)
    here.load(here.file("fine", 7), message)
    assert here.ids() == [7]
    widen(here)
    assert redrive(here).kept == 1
    here.load(message)

    assert here.ids() == [1, 2, 7]
    assert here.entered() == ["fine", "long"]
    assert letters(here) == []


def test_a_file_stays_a_letter_while_nothing_has_changed(stage_two, capsys):
    """Refused for the same reason it is no new letter and has no mark, however often; then it is.

    A file of letters of which one is loaded goes as a whole, and what is refused of it stays then.
    """
    here = stage_two(redshiftMaxBadRows="0")
    here.load(here.file("fine", 7), here.file("long", body=FINE_ROW + LONG_ROW))
    before = without_batches(here)
    for _ in range(3):
        assert cli.main(["redrive", here.settings.path]) == 1
        said = "1  refused again for the same reason, and left as they are"
        assert said in capsys.readouterr().out
    assert without_batches(here) == before

    here.load(
        here.file("longer", body=b'{"id": 3, "text": "%s"}\n' % (b"x" * 500)),
        here.file("long2", body=b'{"id": 4, "text": "%s"}\n' % (b"x" * 300)),
    )
    together(here, *sorted(without_batches(here))[-2:])
    widen(here)
    summaries = [redrive(here) for _ in range(3)]
    assert [(one.kept, one.refused, one.rest.unchanged.count) for one in summaries] == [
        (2, 1, 0),
        (0, 0, 1),
        (0, 0, 1),
    ]
    assert here.ids() == [1, 2, 4, 7]
    (letter,) = letters(here)
    assert letter["first"]


def together(here, *keys):
    """Put letters of several files into the last of them."""
    bodies = [here.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]
    for key in keys:
        here.s3.delete_object(Bucket=BUCKET, Key=key)
    here.s3.put_object(Bucket=BUCKET, Key=keys[-1], Body=b"".join(bodies))


def without_batches(here):
    """Return what is under the letters, but for the log of redrive itself."""
    found = here.objects(f"errors/{here.name}/")
    return {key: body for key, body in found.items() if not key.endswith((".batch", ".done"))}


def test_a_row_that_was_left_out_is_loaded_into_the_mended_table(stage_two):
    """Rows of a file of letters are one file again, without positions; they are loaded once."""
    here = stage_two()
    here.load(here.file("long", body=FINE_ROW + LONG_ROW, first="1-0", last="2-0"))
    assert here.ids() == [1]
    widen(here)
    assert (redrive(here).kept, redrive(here).kept) == (1, 0)

    assert here.query(f"SELECT id, text FROM {here.table} ORDER BY id") == [(1, "fine"), (2, LONG)]
    (entered,) = (file for file in here.entered() if file != "long")
    assert entered.startswith(f"s3://{BUCKET}/data/{here.name}/redriven/0000001/rows/")
    assert here.query(f"SELECT first_position FROM {here.ledger} WHERE file = '{entered}'") == [
        (None,)
    ]
    assert letters(here) == []


def test_what_stands_for_null_is_known_of_a_row_again(stage_two):
    """A row of csv is loaded with the null string of the file that it was left out of."""
    columns = "id BIGINT, note VARCHAR(9), text VARCHAR(200)"
    here = stage_two(redshiftDataFormat="csv", columns=columns, redshiftCopyOptions="EMPTYASNULL")
    body = f"1,nil,fine\n2,nil,{LONG}\n".encode()
    here.load(here.file("long.csv", body=body, format="csv", null="nil"))
    assert here.ids() == [1]
    widen(here)
    assert redrive(here).kept == 1

    assert here.query(f"SELECT id, note FROM {here.table} ORDER BY id") == [(1, None), (2, None)]


def test_a_row_that_is_refused_again_is_a_letter_again(stage_two, tmp_path, capsys):
    """Alone it keeps its file out, with others it is left out of it; then it is loaded at last."""
    here = stage_two()
    here.load(here.file("long", body=FINE_ROW + LONG_ROW), here.file("other", 5))
    assert cli.main(["redrive", here.settings.path]) == 1
    assert "1  refused again, and letters again" in capsys.readouterr().out
    (letter,) = letters(here)
    (first,) = letters(here, open_ones=False)
    assert letter["first"].startswith(f"s3://{BUCKET}/errors/{here.name}/")
    assert letter["reason"] != first["reason"]
    widen(here)

    assert redrive(here).kept == 1
    assert here.ids() == [1, 2, 5]
    assert letters(here) == []


def test_of_several_rows_one_may_be_refused_again(stage_two):
    """What the table takes now is loaded, the other row is a letter of the file of them all."""
    here = stage_two()
    seven = b'{"id": "seven", "text": "a word"}\n'
    here.load(here.file("long", body=FINE_ROW + LONG_ROW + seven), here.file("other", 5))
    widen(here)
    summary = redrive(here)

    assert (summary.kept, summary.all_refused) == (1, 1)
    assert here.ids() == [1, 2, 5]
    (letter,) = letters(here)
    assert base64.b64decode(letter["data"]) == seven.rstrip()
    assert "/redriven/0000001/rows/" in letter["file"]


def test_a_row_whose_letter_does_not_count_is_passed_over(stage_two, capsys):
    """The load of its letter came to nothing: the next one has loaded the row, which is no more."""
    here = stage_two()
    message = here.file("long", body=FINE_ROW + LONG_ROW)
    life = here.life()
    life.emitter.loader.load.ledger.enter = die  # the letter is written, the load not committed
    with pytest.raises(Killed):
        here.load(message, life=life)
    assert len(letters(here)) == 1
    assert cli.main(["redrive", here.settings.path]) == 1
    out = " ".join(capsys.readouterr().out.split())
    assert "0 put back 1 passed over" in out
    assert "/long is not in the ledger" in out
    assert len(letters(here)) == 1
    widen(here)
    here.load(message)
    assert here.ids() == [1, 2]
    assert cli.main(["redrive", here.settings.path]) == 0
    assert "was loaded otherwise than without this row" in capsys.readouterr().out
    assert here.ids() == [1, 2]
    assert letters(here) == []


@pytest.mark.parametrize("moment", range(2, 8))
def test_loads_are_put_back_once_whenever_it_is_killed(stage_two, moment):
    """Before any write after its batch is begun: rows and files are in the table once."""
    here = stage_two()
    bad = b"".join(b'{"id": %d, "text": "%s"}\n' % (n, LONG.encode()) for n in range(101, 205))
    here.load(here.file("whole", body=bad), here.file("rows", body=FINE_ROW + LONG_ROW))
    widen(here)
    kill_at(here, moment)
    with pytest.raises(Killed):
        redrive(here)
    redrive(here)

    assert here.ids() == [1, 2, *range(101, 205)]
    assert letters(here) == []


def test_what_was_settled_meanwhile_is_not_loaded(stage_two, monkeypatch):
    """A redrive is paused, another does its batch in vain, and the letter is settled: so it is."""
    here = stage_two(redshiftMaxBadRows="0")
    here.load(here.file("fine", 7), here.file("long", body=LONG_ROW))
    carry = Carrier.carry

    def paused(self, number, batch):
        monkeypatch.setattr(Carrier, "carry", carry)
        assert redrive(here).rest.unchanged.count
        decision = Settled(why="mended by hand, and put again")
        assert Settle(here.settings, Wanted(), "", decision, dry=False).run().settled == 1
        widen(here)
        return carry(self, number, batch)

    monkeypatch.setattr(Carrier, "carry", paused)
    redrive(here)
    assert here.ids() == [7]
    assert letters(here) == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_loads_are_put_back_once_if_it_is_killed_at_the_commit(stage_two, monkeypatch, when):
    """Whether the load was committed, says the ledger."""
    here = stage_two()
    here.load(here.file("long", body=FINE_ROW + LONG_ROW))
    widen(here)
    run = Load.run

    def killed(*arguments):
        if when == "after":
            run(*arguments)
        raise Killed

    monkeypatch.setattr(Load, "run", killed)
    with pytest.raises(Killed):
        redrive(here)
    monkeypatch.setattr(Load, "run", run)
    redrive(here)

    assert here.ids() == [1, 2]
    assert letters(here) == []


def test_a_file_is_loaded_by_the_one_process_that_wrote_it(basic):
    """Where nobody reads messages: redrive loads the file, and the ledger has it once."""
    life = basic.life()
    life.process([Record(FINE_ROW, "1"), Record(LONG_ROW, "2")], lambda _: None)
    life.flush(lambda _: None)
    life.close()
    # Before a first load, only an error table tells that it is the file's own fault.
    assert basic.ids() == []
    (letter,) = letters(basic)
    assert (letter["position"], letter["shard"]) == ("1-0", SHARD)
    widen(basic)

    assert (redrive(basic).kept, redrive(basic).kept) == (1, 0)
    assert basic.ids() == [1, 2]
    assert letters(basic) == []


def test_a_record_is_put_back_into_the_table_by_one_process(basic):
    """Its file is of a chain of its own, and loaded before its letter is marked."""
    life = basic.life()
    life.process([Record(b'{"id": 1, "text": "a"}', "1"), Record(b"[2]", "2")], lambda _: None)
    life.flush(lambda _: None)
    life.close()
    mended = Path(basic.settings.path)
    boxed = "transformer = support.menders:Boxed"
    mended.write_text(mended.read_text().replace("transformer = json", boxed))
    assert cli.main(["redrive", str(mended)]) == 0

    assert basic.ids() == [1, 2]
    chains = f"SELECT application, first_position FROM {basic.ledger} ORDER BY application"
    assert basic.query(chains) == [
        (basic.name, "1-0"),
        (f"{basic.name}/redriven/0000001", "2-0"),
    ]
