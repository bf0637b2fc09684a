"""What every destination promises, ours and one's own: one suite for all."""

import json
import subprocess
import sys

import boto3
import pytest
from harness import HARNESSES, IMPATIENT

from record_processors import Fatal, Position, Settings
from record_processors.commands.main import main
from record_processors.config.known_settings import COMMON, known_settings
from record_processors.config.metric import Metric
from record_processors.config.properties import load
from record_processors.config.registry import DESTINATIONS, chosen, load_class, names_in
from record_processors.filters.expression import EXPRESSION
from record_processors.flow.metrics import OF_EVERY_PIPELINE
from record_processors.kcl.assembly import assemble
from record_processors.kcl.policy import policy_of
from support.fault_proxy import Fault
from support.guarded import Guarded, User, needless

ACCOUNT = "123456789012"


def ours_in(destination):
    """Return the names of ours in one that may be several."""
    return [name for name in names_in(destination) if name in DESTINATIONS]


def every_destination(**only):
    """Parametrize by the name of each destination that is like that."""
    names = [n for n, h in HARNESSES.items() if all(getattr(h, k) == v for k, v in only.items())]
    return pytest.mark.parametrize("destination", names)


@pytest.fixture(scope="module")
def kind_of_stack():
    return Guarded


@pytest.fixture
def make(stack, tmp_path):
    """Return what makes a pipeline with a destination, and ends it."""
    made = []

    def make(destination, **changes):
        made.append(HARNESSES[destination](stack, tmp_path, **changes))
        return made[-1]

    yield make
    for harness in made:
        harness.close()


def test_each_of_ours_runs_this_suite():
    """Whatever the registry names has a harness."""
    assert set(DESTINATIONS) <= set(HARNESSES)


# ---- what it says of itself


@pytest.mark.parametrize("destination", DESTINATIONS)
def test_its_shipped_file_is_valid(destination):
    """The file that is shipped for it names it, loads, and has every key that it needs."""
    shipped = load_class("connectorDestination", destination).shipped
    settings = load(f"properties/{shipped.name}.properties")

    assert settings.texts["connectorDestination"] == destination


def test_each_shipped_file_has_an_application_of_its_own():
    """No two shipped files share a name, by which they would share leases."""
    classes = [load_class("connectorDestination", name) for name in DESTINATIONS]
    files = [load(f"properties/{each.shipped.name}.properties") for each in classes]
    names = [file.texts["applicationName"] for file in files]

    assert len(set(names)) == len(names)


@pytest.fixture
def asked(monkeypatch):
    """Return the keys that are asked for, of whatever settings."""
    keys = set()

    def noting(method):
        def noted(self, setting):
            keys.add(setting.key)
            return method(self, setting)

        return noted

    for name in ("__getitem__", "__contains__"):
        monkeypatch.setattr(Settings, name, noting(getattr(Settings, name)))
    return keys


@every_destination()
def test_it_reads_what_it_declares(make, destination, asked):
    """No setting is read that neither it nor every pipeline has; none is declared in vain."""
    harness = make(destination)
    policy_of(harness.settings, ACCOUNT)
    harness.carry(harness.records(1))
    harness.read_the_rest()
    each = chosen(harness.settings.texts).destination

    refused_by_all = {EXPRESSION.key}  # the filter that needs none
    assert asked <= known_settings(chosen(harness.settings.texts)).keys() | refused_by_all
    assert {setting.key for setting in each.declares} - COMMON.keys() <= asked


def counted():
    """Return the metrics of which something has come since this was called last."""
    return {metric for metric in Metric.declared.values() if list(metric.take())}


@every_destination()
def test_it_counts_what_it_says(make, destination):
    """Nothing counts that the reference does not name; each of ours counts what it delivers."""
    harness = make(destination)
    counted()
    harness.carry(harness.records(3))
    harness.read_the_rest()
    found = counted()
    measures = set(chosen(harness.settings.texts).destination.measures)

    assert found <= measures
    own = measures - set(OF_EVERY_PIPELINE)
    assert bool(own & found) is bool(ours_in(destination))


@every_destination()
def test_it_imports_no_other(make, destination):
    """What makes it imports no other destination, nor the stand-ins."""
    harness = make(destination)
    program = (
        "import sys; from record_processors.config.properties import load; "
        "from record_processors.kcl.assembly import assemble; "
        f"assemble(load({harness.path!r})); print(*sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        env={**harness.stack.process_environment(), "PYTHONPATH": "tests/contracts:."},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = answer.stdout.split()
    modules = [DESTINATIONS[name].partition(":")[0] for name in ours_in(destination)]
    own = tuple(".".join(module.split(".")[:3]) for module in modules)
    theirs = [name for name in loaded if name.startswith("record_processors.destinations.")]

    assert [name for name in theirs if not name.startswith(own)] == []
    assert not {"record_processors.local", "moto"} & set(loaded)
    assert ("psycopg2" in loaded) == ("redshift" in "".join(own))


# ---- what it needs outside


@every_destination()
def test_it_may_end_before_it_has_a_shard(make, destination):
    """A process whose input ends before its first call ends in order."""
    assemble(make(destination).settings).close()


@every_destination()
def test_what_it_needs_is_made_and_tried(make, destination, capsys):
    """`create` makes all that it needs, again nothing, and `check --connect` has no problem."""
    harness = make(destination)
    first = capsys.readouterr().out.splitlines()
    assert main(["create", harness.path]) == 0
    again = capsys.readouterr().out.splitlines()
    assert main(["check", harness.path, "--connect"]) == 0

    assert {line.rpartition(": ")[2] for line in first} == {"made"}
    assert {line.rpartition(": ")[2] for line in again} == {"was there"}


@every_destination()
def test_it_calls_what_it_says(make, destination, stack, monkeypatch):
    """Its policy is enough to carry and to keep what it refuses, and holds nothing else."""
    harness = make(destination)
    user = User(harness.name, policy_of(harness.settings, ACCOUNT))
    records = [*harness.records(1, 2), *map(harness.record, harness.rejected())]
    for name, value in user.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # which keeps its credentials
    harness.carry(records)
    harness.carry(records)
    calls = stack.judged(harness.name, allowed=True)
    daemons = {"ReadTheStream", "KeepLeases", "FindTheLeasesOfAWorker", "CompareWorkers"}
    daemons |= {"ChooseALeader", "MakeTables", "MakeTheIndex", "ReportMetrics"}

    assert stack.refused(harness.name) == []
    assert set(needless(user.document, calls)) <= daemons


# ---- what it does with records


@every_destination(at_least_once=True)
def test_a_batch_that_comes_twice_is_there_once_or_twice(make, destination):
    """After a life that dies before the checkpoint all is there, though some of it again."""
    harness = make(destination)
    records = harness.records(*range(1, 6))
    harness.carry(records)
    assert harness.delivered() == [1, 2, 3, 4, 5]
    harness.carry(records)

    assert set(harness.delivered()) == {1, 2, 3, 4, 5}


@every_destination(at_least_once=False)
def test_a_batch_that_comes_twice_is_there_once(make, destination):
    """A life that dies after the emit and before the checkpoint leaves nothing double behind."""
    harness = make(destination)
    records = harness.records(*range(1, 6))
    harness.carry(records)
    assert harness.delivered() == [1, 2, 3, 4, 5]
    harness.carry(records)

    assert harness.delivered() == [1, 2, 3, 4, 5]


@every_destination()
def test_nothing_is_adopted_where_nothing_is(make, destination):
    """Before anything was written there is nothing to adopt."""
    harness = make(destination)
    (record,) = harness.records(1)

    assert harness.life().emitter.adopt(record) is None
    assert harness.delivered() == []


@every_destination(refuses=True)
def test_what_it_refuses_is_a_letter(make, destination):
    """A record that is refused for good is durable before the checkpoint; all others go on."""
    harness = make(destination)
    records = harness.records(1, 2)
    records.insert(1, harness.record(harness.refused(3)))
    seen = []
    harness.carry(records, lambda position: seen.append((position, harness.letters())))

    assert harness.delivered() == [1, 2]
    refused = str(records[1].position)
    assert seen == [(Position(int(records[-1].sequence_number)), [refused])]


@every_destination()
@pytest.mark.parametrize("kind", ["503", "503-after", "cut", "cut-after"])
def test_a_call_that_fails_is_tried_again(make, destination, kind):
    """Throttled, failed, cut off, or its answer lost: all arrives, once where that is promised."""
    harness = make(destination)
    harness.wire.faults.append(Fault(harness.request, kind))
    harness.carry(harness.records(1, 2, 3))

    assert harness.wire.faults == [], "the call did not come"
    delivered = harness.delivered()
    if harness.at_least_once and kind.endswith("-after"):
        delivered = sorted(set(delivered))
    assert delivered == [1, 2, 3]


@every_destination()
def test_a_service_that_stays_down_ends_the_life(make, destination):
    """When a call does not get through in retryLimit tries, the checkpoint does not pass it."""
    harness = make(destination)
    harness.wire.faults.append(Fault(harness.request, "503", always=True))
    checkpoints = []
    with pytest.raises(Fatal, match=f"given up after {IMPATIENT['retryLimit']} tries"):
        harness.carry(harness.records(1), checkpoints.append)

    assert checkpoints == []
    assert harness.wire.requests.count(harness.wire.requests[-1]) == int(IMPATIENT["retryLimit"])


# ---- one's own


def test_ones_own_is_a_destination_like_ours(make, capsys):
    """A file of its own, and it is checked, made, tried, allowed, and suggested."""
    harness = make("local_folder:LocalFolder")
    created = capsys.readouterr().out
    assert f"folder {harness.own()['localFolder']}: made" in created
    assert main(["check", harness.path, "--connect"]) == 0
    assert f"localFolder = {harness.own()['localFolder']}: there" in capsys.readouterr().out
    assert main(["iam-policy", harness.path]) == 0
    policy = json.loads(capsys.readouterr().out)
    assert "WriteReceipts" in [statement["Sid"] for statement in policy["Statement"]]

    wrong = harness.folder / "wrong.properties"
    text = (harness.folder / "s3.properties").read_text()
    wrong.write_text(text.replace("localFolder =", "localFoldr ="))
    assert main(["check", str(wrong)]) == 2
    said = capsys.readouterr().err
    assert "localFoldr is not a setting; did you mean localFolder?" in said
    assert "localFolder is missing, and needed for local_folder:LocalFolder" in said
    wrong.write_text(text.replace("LocalFolder", "LocalFoldr"))
    assert main(["check", str(wrong)]) == 2
    assert "has no LocalFoldr; did you mean LocalFolder?" in capsys.readouterr().err
