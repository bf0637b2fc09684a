"""The picture of an audit: parsed as a browser would, small and large."""

from collections import Counter
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser

from record_processors import Position
from record_processors.ops.chain import Chain
from record_processors.ops.file_listing import Listed
from record_processors.ops.picture import MOST_BLOCKS, draw
from record_processors.ops.report import Report
from record_processors.ops.scratch import LOADED, LOST, Scratch, moment

BEGIN = datetime(2013, 1, 1, tzinfo=timezone.utc)


class Page(HTMLParser):
    """Counts the blocks by their class, and keeps what is said over them."""

    def __init__(self, path):
        super().__init__()
        self.blocks, self.said, self.open = Counter(), [], []
        self.outside = []
        self.feed(path.read_text())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        about = dict(attributes)
        if tag not in {"meta", "br"}:
            self.open.append(tag)
        if tag == "rect":
            self.blocks[about["class"]] += 1
            assert float(about["x"]) >= 0
            assert float(about["width"]) > 0
        self.outside += [value for name, value in attributes if name in {"src", "href"}]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] == ["title"]:
            self.said.append(data)


def page_of(tmp_path, shards, files, lost=()):
    """Draw so many files of each shard, over two days; those of ``lost`` are lost."""
    scratch = Scratch("bucket")
    every = timedelta(hours=48) / files

    def listed():
        for shard in range(shards):
            for number in range(files):
                hour = (BEGIN + number * every).replace(minute=0, second=0, microsecond=0)
                place = Position(number + 1)
                yield Listed(f"shard-{shard}", place, f"{shard}/{number}", 1, 0.0, hour)

    scratch.add_listed(listed())
    scratch.db.execute("UPDATE files SET state = ?", (LOADED,))
    for key in lost:
        scratch.db.execute("UPDATE files SET state = ? WHERE key = ?", (LOST, key))
    scratch.add_gap("shard-0", Position(2), "<a file> is missing")
    report = Report("app", "s3://bucket/app/", "table", files=shards * files)
    report.first_hour = BEGIN
    report.last_hour = moment(scratch.count("SELECT max(hour) FROM files"))
    report.chains = [Chain(f"shard-{shard}", files) for shard in range(shards)]
    draw(str(tmp_path / "audit.html"), [(report, scratch)])
    return Page(tmp_path / "audit.html")


def test_few_files_are_a_block_each(tmp_path):
    """Each says its key; what is missing is red, and says what."""
    page = page_of(tmp_path, 2, 48, lost=["1/3"])

    assert page.blocks == {"s1": 95, "s4": 1, "hole": 1}
    assert {"1/3: lost", "0/7: loaded", "<a file> is missing"} <= set(page.said)
    assert page.outside == []


def test_many_files_share_blocks(tmp_path):
    """A browser draws no more than it can; one bad file among many is seen."""
    page = page_of(tmp_path, 10, 1000, lost=["9/500"])

    assert sum(page.blocks.values()) <= MOST_BLOCKS
    assert page.blocks["s4"] == 1
    assert any(said.endswith("lost, the worst of them") for said in page.said)
