"""The scripts: what they are asked and what is in their way is settled before the long set-up."""

import os
import shutil
import subprocess

import pytest

from record_processors.local.demo.to import NAMES
from support.paths import REPOSITORY

TOOLS = ("awk", "bash", "cat", "cksum", "dirname", "env", "sed")


@pytest.fixture
def checkout(tmp_path):
    """Make a checkout without .venv, in a path with a blank."""
    folder = tmp_path / "a checkout"
    shutil.copytree(REPOSITORY / "scripts", folder / "scripts")
    shutil.copy(REPOSITORY / "setup.cfg", folder)
    return folder


@pytest.fixture
def machine(tmp_path, checkout):
    """Return what runs a script on a machine of our making, up to where the set-up would begin."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in TOOLS:
        (programs / name).symlink_to(shutil.which(name))

    def run(script, *arguments, without=None, under=(), **told):
        told = {
            "python3": "exit 0",
            "setpriv": "exit 0",
            "df": "echo 9999999999 9 9 9999999",
            **told,
        }
        for name, body in told.items():
            (programs / name).unlink(missing_ok=True)
            if name != without:
                (programs / name).write_text(f"#!/bin/sh\n{body}\n")
                (programs / name).chmod(0o755)
        had_venv = (checkout / ".venv").exists()
        answer = subprocess.run(
            [*under, checkout / "scripts" / script, *arguments],
            check=False,
            capture_output=True,
            text=True,
            env={"PATH": str(programs)},
        )
        assert (checkout / ".venv").exists() == had_venv
        return answer.returncode, answer.stdout, answer.stderr

    return run


@pytest.mark.parametrize("script", ["setup", "run", "test", "build", "wheels", "bench"])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help(script, option, machine):
    """Each says what it does, on stdout, and does nothing."""
    code, out, err = machine(script, option)
    assert (code, err) == (0, "")
    assert f"scripts/{script}" in out


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("run", ["--kep"]),
        ("run", ["--keep", "--keep"]),
        ("run", ["--keep", "setup.cfg"]),
        ("run", ["--to", "kinesis", "--to", "kinesis"]),
        ("run", ["--to", "kinesis", "setup.cfg"]),
        ("wheels", ["sparc"]),
        ("setup", ["everything"]),
        ("setup", ["local", "test"]),
    ],
)
def test_wrong_options(script, arguments, machine):
    """What it does not know is exit code 2, with the usage on stderr."""
    code, out, err = machine(script, *arguments)
    assert (code, out) == (2, "")
    assert f"scripts/{script}" in err


@pytest.mark.parametrize(
    "arguments",
    [["--to"], ["--to", "kinesi"], ["--keep", "--to", "s3"], ["--to", "", "--keep"], ["--to", ","]],
    ids=str,
)
def test_a_destination_that_is_none(arguments, machine):
    """`scripts/run --to` says which destinations there are, before the set-up."""
    code, out, err = machine("run", *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("scripts/run: --to ")
    assert err.endswith(f": the destinations are {', '.join(NAMES)}\n")


@pytest.mark.parametrize("arguments", [["--keep", "--to", "several"], ["--to", "several"], []])
def test_the_demonstration_gets_what_it_was_asked(arguments, checkout, machine, set_up):
    """`scripts/run` runs the demonstration with the options that it was given."""
    set_up(os.path.realpath(checkout))
    (checkout / ".venv/bin/python").unlink()
    (checkout / ".venv/bin/python").write_text('#!/bin/sh\necho "$*"\n')
    (checkout / ".venv/bin/python").chmod(0o755)
    asked = " ".join(["-m record_processors.local.demo", *arguments])
    assert machine("run", *arguments) == (0, f"{asked}\n", "")


def test_opensearch_is_set_up_for_those_who_ask_for_it(checkout, machine, set_up):
    """What other runs need does not do for `scripts/run --to opensearch`."""
    set_up(os.path.realpath(checkout))
    code, _, err = machine("run", "--to", "opensearch", without="setpriv")
    assert code == 2
    assert err.startswith("scripts/setup: setpriv is needed")


def test_a_file_that_is_not_there(machine):
    """`scripts/run FILE` names the file that it cannot read."""
    code, _, err = machine("run", "no/such.properties")
    assert code == 2
    assert err == "scripts/run: no/such.properties: no such file, or not readable\n"


@pytest.mark.parametrize(
    ("missing", "sentence"),
    [
        ({"without": "setpriv"}, "setpriv is needed, of Linux' util-linux"),
        ({"df": "echo 9 9 9 999999"}, "1 GB is needed in "),
        ({"python3": "exit 1"}, "Python 3.10 or newer is needed; name one in the variable PYTHON"),
        ({"python3": 'case "$2" in *venv*) exit 1 ;; esac'}, "python3 lacks its module venv"),
    ],
)
def test_what_is_missing_is_told_first(missing, sentence, machine):
    """Each thing that the set-up could not do without is one sentence, before it begins."""
    code, out, err = machine("run", **missing)
    assert (code, out) == (2, "")
    assert err.startswith(f"scripts/setup: {sentence}")
    assert err.count("\n") == 1


def test_a_checkout_that_cannot_be_written(checkout, machine):
    """A folder of somebody else's is named before anything is fetched."""
    checkout.chmod(0o555)
    # Root may write anywhere by one of its capabilities, which it can do without.
    plainly = [shutil.which("setpriv"), "--bounding-set=-dac_override"]
    code, _, err = machine("run", under=plainly if os.geteuid() == 0 else [])
    assert code == 2
    assert err.startswith(f"scripts/setup: {checkout} cannot be written")


@pytest.fixture
def set_up(checkout):
    """Return what makes the checkout look as if it had been set up in a folder."""
    npm = sorted((checkout / "scripts/npm").iterdir())
    files = [checkout / "setup.cfg", checkout / "scripts/setup", *npm]
    told = subprocess.run(
        ["cksum"],
        check=True,
        input=b"".join(file.read_bytes() for file in files),
        stdout=subprocess.PIPE,
    ).stdout.decode()
    programs = checkout / ".venv/bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to(shutil.which("true"))
    (programs / "kinesis-connectors").write_text('#!/bin/sh\necho "$PWD: $*"\n')
    (programs / "kinesis-connectors").chmod(0o755)

    def set_up(folder):
        (checkout / ".venv/installed").write_text(f"{told.strip()} {folder} local\n")

    return set_up


def test_a_checkout_that_was_moved_is_set_up_anew(checkout, machine, set_up):
    """Programs in .venv name their folder, so that one from elsewhere does not count as set up."""
    set_up(os.path.realpath(checkout))
    assert machine("setup", "local", without="setpriv") == (0, "", "")
    set_up("/elsewhere")
    assert machine("setup", "local", without="setpriv")[0] == 2


def test_files_run_where_one_is(checkout, machine, set_up, tmp_path, monkeypatch):
    """`scripts/run FILE` starts the daemon in the directory that it is called from."""
    set_up(os.path.realpath(checkout))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "one.properties").touch()
    assert machine("run", "one.properties") == (0, f"{tmp_path}: run one.properties\n", "")
