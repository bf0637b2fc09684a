"""The commands: help, exit codes, one sentence on stderr."""

import re
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import boto3
import moto
import pytest

from record_processors.commands import main as cli
from support.fakes import STAGE_ONE, properties
from support.paths import REPOSITORY

COMMANDS = [
    *("init", "check", "create", "run", "process", "status", "audit", "letters", "redrive"),
    *("replay", "health", "iam-policy", "systemd", "cloudformation", "put", "local"),
    "completion",
]


def test_console_script():
    """The console script is the same program as `python -m record_processors`."""
    (script,) = entry_points(group="console_scripts", name="kinesis-connectors")
    assert script.value == "record_processors.commands.main:main"
    answer = subprocess.run(
        [sys.executable, "-m", "record_processors", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == version("kinesis-connectors")


@pytest.mark.parametrize("words", [["iam-policy", "{path}"], ["check", "{path}"]])
def test_an_output_that_cannot_be_written(words, tmp_path):
    """A full disk is a sentence and exit code 70, whatever the command."""
    path = properties(tmp_path)
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(
            [
                sys.executable,
                "-m",
                "record_processors",
                *(word.format(path=path) for word in words),
            ],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert answer.returncode == 70
    assert answer.stderr == "kinesis-connectors: the output: No space left on device\n"


def test_init_writes_a_whole_file_or_none(tmp_path, capsys, monkeypatch):
    """What could not be written to its end is not there, and is written by the next `init`."""
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError(28, "No space")))
        assert cli.main(["init", str(tmp_path)]) == 2
    assert f"{tmp_path}/" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert cli.main(["init", str(tmp_path)]) == 0


def test_help_names_every_command(capsys):
    """The help has a line for each command."""
    with pytest.raises(SystemExit) as end:
        cli.main(["--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    for command in COMMANDS:
        assert re.search(rf"^ +{command}\s+\w", text, re.MULTILINE), command


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command, capsys):
    """Each command explains itself."""
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    assert end.value.code == 0
    assert len(capsys.readouterr().out.splitlines()) > 3


def test_help_names_the_exit_codes(capsys):
    """Whoever starts the program from another one finds what its end means."""
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    for code in ("0", "1", "2", "70", "130,143"):
        assert re.search(rf"^  {code} +\w", text, re.MULTILINE), code


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_an_example(command, capsys):
    """The help of a command ends with a line that one may type, names and all on one line."""
    with pytest.raises(SystemExit):
        cli.main([command, "--help"])
    _, example = capsys.readouterr().out.split("\nexample:\n")
    assert f"kinesis-connectors {command}" in example.splitlines()[0]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell, capsys):
    """A shell's script knows the commands and the options."""
    assert cli.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in [*COMMANDS, "connect", "dry-run"]:
        assert word in script, word


def test_completion_by_bash(tmp_path, capsys):
    """Bash itself completes commands, options of a command, and files where they stand."""
    assert cli.main(["completion", "bash"]) == 0
    (tmp_path / "script").write_text(capsys.readouterr().out)
    (tmp_path / "flights.properties").touch()

    def completed(*words):
        array = " ".join(f"'{word}'" for word in ("kinesis-connectors", *words))
        commands = (
            f"source ./script; COMP_WORDS=({array}); COMP_CWORD={len(words)}; "
            "$(complete -p kinesis-connectors | sed 's/.*-F \\([^ ]*\\).*/\\1/') "
            f"kinesis-connectors '{words[-1]}' ''; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        )
        return subprocess.run(
            ["bash", "-c", commands], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.split()

    assert completed("ch") == ["check"]
    assert "--connect" in completed("check", "--")
    assert "flights.properties" in completed("check", "fl")
    assert "flights.properties" in completed("create", "--table", "fl")


def test_completion_without_its_library(monkeypatch, capsys):
    """Where shtab is not installed, one sentence says how to get it."""
    monkeypatch.setitem(sys.modules, "shtab", None)
    monkeypatch.delitem(sys.modules, "record_processors.commands.completion", raising=False)
    assert cli.main(["completion", "bash"]) == 2
    assert capsys.readouterr().err == (
        "kinesis-connectors: shtab is not installed; pip install 'kinesis-connectors[completion]'\n"
    )


def test_the_childs_start_imports_nothing_of_other_commands():
    """`process` starts once per shard: what only other commands need is not imported."""
    program = (
        "import sys; from record_processors.commands.main import main; "
        "main(['process', 'no-such-file']); "
        "print(*sys.modules, sep='\\n', file=sys.__stderr__)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    imported = set(answer.stderr.split())
    assert "record_processors.kcl.child" in imported
    others = {command.replace("-", "_") for command in COMMANDS} - {"process"}
    assert not imported & {"shtab", *(f"record_processors.commands.{name}" for name in others)}


def test_a_reader_that_goes_away(tmp_path):
    """`check … | head -1` leaves no traceback."""
    path = properties(tmp_path, {"kinesisEndpoint": "http://127.0.0.1:9"})
    reader = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from record_processors.commands.main import main; sys.stdin.read();"
            f"sys.exit(main(['check', {path!r}]))",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    reader.stdout.close()
    _, said = reader.communicate()
    assert said == ""
    assert reader.returncode == 70


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["nosuch"],
        ["check"],
        ["check", "a", "b"],
        ["put"],
        ["run", "--fast", "a"],
        ["completion", "tcsh"],
    ],
)
def test_usage(arguments, capsys):
    """A wrong command line is exit code 2 with the usage on stderr."""
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("usage: kinesis-connectors")


def test_interrupt(tmp_path, monkeypatch):
    """Ctrl-C is exit code 130, without a traceback."""

    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("record_processors.config.properties.load", interrupted)
    assert cli.main(["check", properties(tmp_path)]) == 130


# ---- init


@pytest.mark.parametrize("folder", [None, "conf/deep", ".", "/absolute"])
def test_init(folder, tmp_path, monkeypatch, capsys):
    """The shipped files are written, name the folder that they are in, and are fine as they are."""
    monkeypatch.chdir(tmp_path)
    named = folder and folder.replace("/absolute", str(tmp_path / "absolute"))
    assert cli.main(["init", *filter(None, [named])]) == 0
    where = Path(named or "properties")
    files = sorted(path.name for path in where.iterdir())
    assert files == sorted(path.name for path in (REPOSITORY / "properties").iterdir())
    said = capsys.readouterr().out.splitlines()
    assert sorted(said) == sorted(f"{where / name}: written" for name in files)
    for path in where.glob("*.properties"):
        assert cli.main(["check", str(path)]) == 0
        assert f"kinesis-connectors create {path}\n" in path.read_text()


def test_init_leaves_what_is_there(tmp_path, monkeypatch, capsys):
    """A file that is there is never written over, and that is said."""
    monkeypatch.chdir(tmp_path)
    Path("properties").mkdir()
    Path("properties/s3.properties").write_text("mine")
    assert cli.main(["init"]) == 0
    said = capsys.readouterr().out
    assert "properties/s3.properties: was there, and is left as it is\n" in said
    assert "properties/s3_manifest.properties: written\n" in said
    assert Path("properties/s3.properties").read_text() == "mine"


@pytest.mark.parametrize("folder", ["a blank", "back\\slash", "ümlaut"])
def test_init_where_the_daemon_could_not_name_a_file(folder, tmp_path, monkeypatch, capsys):
    """A folder that executableName cannot hold is a sentence, and nothing is made."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(["init", folder]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"kinesis-connectors: {folder}: the daemon cannot pass on a path")
    assert said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_init_in_a_place_that_is_no_folder(tmp_path, monkeypatch, capsys):
    """What cannot be written is named."""
    monkeypatch.chdir(tmp_path)
    Path("taken").touch()
    assert cli.main(["init", "taken"]) == 2
    assert capsys.readouterr().err.startswith("kinesis-connectors: taken: cannot be written: ")


# ---- create


@pytest.fixture
def cloud():
    with moto.mock_aws():
        yield boto3


def create(path, capsys):
    code = cli.main(["create", path])
    return code, *capsys.readouterr()


def test_create(cloud, tmp_path, capsys):
    """Streams with as many shards as asked for, KCL's tables and the bucket have a line each."""
    shards = {"kinesisInputStreamShardCount": "3", "kinesisOutputStreamShardCount": "1"}
    path = properties(tmp_path, shards)
    things = [
        "stream events (3 shards)",
        "lease table flights (leases of 3 shards)",
        "worker metrics table flights-WorkerMetricStats",
        "coordinator state table flights-CoordinatorState",
        "bucket bucket",
        "stream manifests (1 shard)",
    ]
    assert create(path, capsys) == (0, "".join(f"{thing}: made\n" for thing in things), "")
    assert boto3.client("s3").head_bucket(Bucket="bucket")
    streams = boto3.client("kinesis").list_streams()["StreamNames"]
    assert sorted(streams) == ["events", "manifests"]


def test_create_again(cloud, tmp_path, capsys):
    """What is there is left as it is, objects and shard counts included."""
    path = properties(tmp_path, {"kinesisInputStreamShardCount": "3"})
    _, first, _ = create(path, capsys)
    boto3.client("s3").put_object(Bucket="bucket", Key="a", Body=b"x")
    assert create(path, capsys) == (0, first.replace(": made", ": was there"), "")
    again = properties(tmp_path, {"kinesisInputStreamShardCount": "5"})
    assert "stream events (3 shards)" in create(again, capsys)[1]
    assert boto3.client("s3").get_object(Bucket="bucket", Key="a")["Body"].read() == b"x"


def test_create_in_another_region(cloud, tmp_path, capsys):
    """The bucket is made in the region that the file names."""
    assert create(properties(tmp_path, {"regionName": "eu-central-1"}), capsys)[0] == 0
    where = boto3.client("s3").get_bucket_location(Bucket="bucket")["LocationConstraint"]
    assert where == "eu-central-1"


def test_create_of_a_bad_file(tmp_path, capsys):
    """A bad file makes nothing and is exit code 2."""
    code, out, err = create(properties(tmp_path, {"s3Bucket": None}), capsys)
    assert (code, out) == (2, "")
    assert "s3Bucket is missing" in err


def test_create_without_a_region(cloud, tmp_path, capsys, monkeypatch):
    """Without a region, in the file or in the environment, the sentence names both places."""
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    code, out, err = create(properties(tmp_path, {"regionName": None}), capsys)
    assert (code, out) == (70, "")
    assert "regionName" in err
    assert "AWS_REGION" in err


def test_the_region_of_the_environment_counts(cloud, tmp_path, capsys, monkeypatch):
    """AWS_REGION alone is enough, as it is for the daemon."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert create(properties(tmp_path, {"regionName": None}), capsys)[0] == 0
    where = boto3.client("s3", "eu-west-1").get_bucket_location(Bucket="bucket")
    assert where["LocationConstraint"] == "eu-west-1"


def test_create_where_nobody_answers(tmp_path, capsys, waits):
    """An endpoint that does not answer is exit code 70 and a sentence that names it."""
    path = properties(tmp_path, {"kinesisEndpoint": "http://127.0.0.1:9"})
    code, out, err = create(path, capsys)
    assert (code, out) == (70, "")
    assert "http://127.0.0.1:9" in err
    assert "Traceback" not in err


def test_every_key_of_the_contract_so_far_is_known():
    """The keys that the fakes' valid file holds are checked as a real file's are."""
    assert set(STAGE_ONE) >= {"executableName", "applicationName", "s3Bucket"}


def test_documents_name_only_real_commands():
    """Every `kinesis-connectors <command>` in the shipped files exists."""
    top = REPOSITORY
    named = set()
    for path in [top / "README.md", *top.glob("properties/*")]:
        named |= set(re.findall(r"kinesis-connectors (\w+) +properties", path.read_text()))
    assert named
    assert named <= set(COMMANDS)
