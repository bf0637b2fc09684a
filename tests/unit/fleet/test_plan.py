"""A plan: what a load takes stands on what was measured, and says what breaks first."""

import json
import re
from random import Random

import pytest

from record_processors import Emitter
from record_processors.commands import main as cli
from record_processors.config.setting import Settings
from record_processors.config.work import Cost, Load, Loads
from record_processors.fleet.lease_table import lease_table
from record_processors.fleet.loads import play
from record_processors.fleet.plan import plan
from record_processors.fleet.planned import Unplannable, of_destination, work_of
from record_processors.fleet.processors import vcpus
from record_processors.flow.buffer import Buffer
from record_processors.flow.rate import batches
from record_processors.flow.record import Record
from support.fakes import STAGE_TWO, properties
from support.paths import REPOSITORY, TESTS

PAGE = (TESTS / "bench/README.md").read_text().partition("## The run that `plan` goes by")[2]
LOAD = Load(2000, 300, 4)


def on_the_page(label, columns):
    """Return the numbers of a row of the recorded run."""
    rows = re.findall(rf"^  {re.escape(label)} {{3,}}([\d. ]+)$", PAGE, re.MULTILINE)
    (numbers,) = [found for row in rows if len(found := row.split()) == columns]
    return [float(number) for number in numbers]


def planned(capsys, *arguments):
    code = cli.main(["plan", *arguments])
    return code, capsys.readouterr()


@pytest.mark.parametrize(
    ("destination", "label", "changes"),
    [
        ("s3-manifest", "s3-manifest", {}),
        ("redshift-basic", "redshift-basic", {}),
        ("kinesis", "kinesis", {}),
        ("opensearch", "opensearch", {}),
        ("dynamodb", "dynamodb", {}),
        ("dynamodb", "dynamodb, no guard", {"dynamoDBPositionAttribute": "none"}),
    ],
)
def test_costs_are_those_that_were_measured(destination, label, changes):
    """What a child takes for a record is what the run of the benchmark says that plans go by."""
    *_, settings = of_destination(destination)
    settings = Settings("", {**settings.texts, **changes})
    micros, _, _, _, most, _, _ = on_the_page(label, 7)
    cost = work_of(settings, LOAD).cost
    assert (cost.micros, cost.most) == pytest.approx((micros, most), rel=0.3)


def test_a_destination_that_says_nothing():
    """One's own class is taken for a child that does nothing with its records."""
    micros, _, _, _, most, _, _ = on_the_page("bare amazon_kclpy", 7)
    assert Emitter.work(None, LOAD).cost == pytest.approx((micros, most), rel=0.3)


def test_a_whole_consumer_is_foretold():
    """Daemon and children take what they took in the run that the constants are not made of."""
    *_, settings = of_destination("s3")
    settings.texts["millisBehindLatestThresholdForReducedTps"] = "0"
    measured, *_ = on_the_page("4 shards: delimited", 5)
    *_, micros, _ = on_the_page("delimited to gzip", 4)
    records = 10_000 * 4 * 4  # four reads a second of each of four shards
    foretold = vcpus(settings, Load(records, 300, 4), Cost(micros)) / records * 1e6
    assert foretold == pytest.approx(measured, rel=0.1)


def test_the_second_stage_loads_what_the_first_announces(capsys, tmp_path):
    """Two files are one plan: each file of the first is a message for the second, in any order."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    limits = {"bufferRecordCountLimit": "1000", "bufferByteSizeLimit": "4194304"}
    one = properties(folders[0], {**limits, "kinesisOutputStream": "files"})
    two = properties(folders[1], {"applicationName": "loads", "streamName": "files"}, STAGE_TWO)
    load = ["--records-per-second", "2000", "--bytes", "300", "--shards", "4"]

    code, said = planned(capsys, two, one, *load, "--json")
    first, second = json.loads(said.out)["pipelines"]

    assert code == 0
    assert (first["shards"], first["aSecond"]["PUTs of files"]) == (4, 2)
    assert (second["records"], second["shards"]) == (2, 1)
    assert second["loads"]["anHour"] * second["loads"]["filesEach"] == pytest.approx(7200, rel=0.02)


def test_a_destination_by_its_name_brings_the_stage_before_it(capsys):
    """`--destination redshift-manifest` is both stages, and `s3-manifest` the first alone."""
    load = ["--records-per-second", "2000", "--bytes", "300", "--json"]
    both = json.loads(planned(capsys, "--destination", "redshift-manifest", *load)[1].out)
    alone = json.loads(planned(capsys, "--destination", "s3-manifest", *load)[1].out)
    assert [one["destination"] for one in both["pipelines"]] == ["s3-manifest", "redshift-manifest"]
    assert [one["destination"] for one in alone["pipelines"]] == ["s3-manifest"]


@pytest.mark.parametrize(
    ("destination", "records", "shards", "first"),
    [
        ("redshift-basic", "5000", "7", "files a second that one COPY after the other takes"),
        ("redshift-manifest", "8000000", "10000", "files a second that one COPY"),
        ("s3", "5000", "4", "records a second of a shard of events"),
        ("dynamodb", "5000", "50", "writes a second of a new flights"),
    ],
)
def test_what_breaks_first(capsys, destination, records, shards, first):
    """A load that something does not take is found, ends with 1, and fits 80 columns."""
    arguments = ["--destination", destination, "--records-per-second", records]
    code, said = planned(capsys, *arguments, "--bytes", "300", "--shards", shards)
    assert code == 1
    _, _, limits = said.out.partition("what breaks first\n")
    assert re.match(rf" *\d+%  {first}", limits)
    assert max(map(len, said.out.splitlines())) <= 80


def test_several_destinations_do_what_each_does():
    """Their costs add up, what each buys is bought, and the last one's messages go on."""
    *_, items = of_destination("dynamodb")
    *_, files = of_destination("s3-manifest")
    names = {"connectorDestination": "dynamodb, s3-manifest"}
    both = work_of(Settings("", {**files.texts, **items.texts, **names}), LOAD)
    first, last = work_of(items, LOAD), work_of(Settings("", {**files.texts, **names}), LOAD)

    assert both.cost.micros == pytest.approx(161.7 + 7.6)
    assert both.cost.most < first.cost.most
    assert {one.what for one in both.bought} >= {one.what for one in first.bought}
    assert both.onwards.stream == last.onwards.stream


def test_a_limit_of_leases_makes_more_hosts():
    """Where a file lets a host have eight shards, forty take five hosts."""
    (settings,) = of_destination("s3")
    limited = Settings("", {**settings.texts, "maxLeasesForWorker": "8"})
    assert plan([limited], 1000, 300, 40).size.hosts == 5


def test_pollers_share_what_a_shard_gives():
    """Three that poll a stream want more of a full shard than it gives; two do not."""
    (settings,) = of_destination("s3")
    files = [
        Settings(name, {**settings.texts, "applicationName": name})
        for name in ("one", "two", "three")
    ]
    listening = Settings("three", {**files[2].texts, "retrievalMode": "FANOUT"})

    def shares(pipelines):
        return {limit.what: limit.used for limit in plan(pipelines, 1000, 900, 1).limits}

    said = "bytes a second read of a shard of events by {} that poll it"
    assert shares(files)[said.format(3)] == pytest.approx(3 * 900_000 / 2_097_152)
    assert shares([*files[:2], listening])[said.format(2)] < 1
    assert not any("poll it" in what for what in shares(files[:1]))


def test_fan_out_has_its_price():
    """A consumer of its own is paid for by the shard and by the byte."""
    (settings,) = of_destination("s3")
    listening = Settings("", {**settings.texts, "retrievalMode": "FANOUT"})
    polling, fan_out = (dict(plan([one], 1000, 1000, 2).dollars) for one in (settings, listening))
    assert fan_out.keys() - polling.keys() == {"fan-out of events"}
    # 2 shards, 730 hours, $0.015; 2,447 GiB, $0.013
    assert fan_out["fan-out of events"] == pytest.approx(21.9 + 31.8, abs=0.1)


def test_rows_that_go_round():
    """Pipelines that feed each other have no plan."""
    (settings,) = of_destination("kinesis")
    back = {"streamName": "flights", "kinesisOutputStream": "events", "applicationName": "back"}
    with pytest.raises(Unplannable, match="reads what comes of its own rows"):
        plan([settings, Settings("back", {**settings.texts, **back})], 1000, 300, 0)


@pytest.mark.parametrize("records", [0.001, 1, 1e6])
def test_any_load_has_a_plan(records):
    """Of a record in a quarter of an hour, or a million a second, shards and hosts are planned."""
    found = plan(of_destination("redshift-manifest"), records, 300, 0)
    assert found.streams["events"].shards == max(1, records / 800)
    assert found.size.hosts >= 1
    assert all(dollars >= 0 for _, dollars in found.dollars)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "name a --destination, or the pipelines' files: one of both"),
        (["--destination", "s4"], "--destination s4: none of s3, s3-manifest, "),
        (["no-such-file"], "no-such-file"),
    ],
)
def test_usage(capsys, arguments, sentence):
    """What cannot be planned is said in a sentence."""
    code, said = planned(capsys, *arguments, "--records-per-second", "1", "--bytes", "1")
    assert code == 2
    assert sentence in said.err


def test_a_lease_is_renewed_three_times_in_the_failover_time(tmp_path):
    """Renewals are most of the writes; the scans are the leader's alone, whatever the hosts."""
    settings = of_destination("s3")[0]
    one, many = (lease_table(settings, 1000, 16, hosts) for hosts in (1, 100))
    assert one.renewals == pytest.approx(1000 * 3 / 10, rel=0.01)
    assert one.writes == pytest.approx(one.renewals + 16, abs=0.2)
    assert many.reads < 3 * one.reads


def test_loads_that_wait_for_each_other():
    """One child alone loads when it has enough; of many, all together no more than one at a time.

    The first has 100 files in 20 s, and 10 s more while it loads.
    """
    alone = play(Loads("COPY", 5, 1, 100, 60, 10))
    assert alone.an_hour == pytest.approx(5 * 3600 / 100, rel=0.02)
    assert alone.files == pytest.approx(100)

    slow = play(Loads("COPY", 0.5, 1, 100, 60, 10))
    assert slow.an_hour == pytest.approx(3600 / (60 + 10), rel=0.05)
    assert slow.longest == pytest.approx(10 + 60 + 10, abs=3)

    many = play(Loads("COPY", 5, 20, 100, 60, 10))
    assert many.an_hour == pytest.approx(360, rel=0.02)
    assert many.longest > 200
    assert play(Loads("COPY", 11, 20, 100, 60, 10)).longest is None


@pytest.mark.parametrize(("records", "size"), [(0.01, 300), (1, 300), (500, 300), (2000, 5000)])
def test_batches_are_as_the_buffer_makes_them(records, size):
    """By time, by count and by bytes: records come by chance to the buffer of one shard."""
    settings = of_destination("s3")[0]
    chance, now, made = Random(1), 0.0, 0
    buffer = Buffer.from_settings(settings)
    buffer.clock = lambda: now
    for number in range(50_001 if records > 1 else 3000):
        now += chance.expovariate(records)
        if buffer.due:
            made += 1
            buffer.release(buffer.last)
        if buffer.keep(Record(b"x" * size, str(number)), [b"x"]):
            made += 1
            buffer.release(buffer.last)
    assert made / now == pytest.approx(batches(settings, Load(records, size, 1)), rel=0.1)


def test_the_sample_of_the_readme(capsys):
    """What the README shows of a plan is what is printed."""
    readme = (REPOSITORY / "README.md").read_text()
    (command, sample) = re.search(
        r"^\$ kinesis-connectors (plan .*)\n((?:.*\n)*?)```", readme, re.MULTILINE
    ).groups()
    assert cli.main(command.split()) == 0
    assert capsys.readouterr().out.startswith(sample)
