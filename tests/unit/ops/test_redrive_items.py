"""Records that are put back into a table of items move no newer item back."""

from pathlib import Path

import pytest

from record_processors.config.properties import load
from record_processors.ops.batches import Wanted
from record_processors.ops.redrive import Redrive
from support.items import Items


@pytest.fixture
def here(stack, tmp_path, waits):
    made = Items(stack, tmp_path, dynamoDBKey="id: N")
    yield made
    made.wire.close()


def test_a_redriven_record_does_not_take_the_place_of_a_newer_one(here):
    """It has its old position: a newer item of its key stays, and a new key is written."""
    here.carry(here.record(b"[7]"), here.record({"id": 7, "text": "newer"}), here.record(b"[8]"))
    path = Path(here.settings.path)
    boxed = "transformer = support.menders:Boxed"
    path.write_text(path.read_text().replace("transformer = json", boxed))
    summary = Redrive(load(str(path)), Wanted()).run()

    assert (summary.kept, summary.all_refused) == (2, 0)
    items = here.items()
    assert {key: item["text"]["S"] for key, item in items.items()} == {"7": "newer", "8": "boxed"}
