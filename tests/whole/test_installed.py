"""What `scripts/build` makes, installed beside nothing of the checkout, in a path with a blank."""

import os
import re
import signal
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from functools import partial

import pytest

from record_processors.commands import main as cli
from support.paths import REPOSITORY

RUNS = {
    ".py",
    ".typed",
    ".txt",
    ".xml",
    ".service",
    ".timer",
    ".sh",
    ".yaml",
}  # what a program reads
PATIENCE = 60  # seconds that only something that hangs takes


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build both, with what is installed here in the place of what a build would fetch."""
    folder = tmp_path_factory.mktemp("dist")
    command = [REPOSITORY / "scripts/build", "--no-isolation", "--outdir", folder]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def program(built, tmp_path_factory):
    """Install the wheel where of all else only the libraries are."""
    venv = tmp_path_factory.mktemp("with") / "a blank" / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    (wheel,) = built.glob("*.whl")
    pip = [sys.executable, "-m", "pip", "--python", venv / "bin/python", "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", wheel], check=True)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv / "bin/kinesis-connectors"


@pytest.fixture
def run(program, tmp_path):
    """Return what runs the program in an empty folder, without a word of the checkout."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*arguments, start=subprocess.check_output, **told):
        return start([program, *arguments], text=True, cwd=tmp_path, env={**environment, **told})

    return run


def test_what_is_in_them(built):
    """The wheel is the package, data and all; the sdist is what the wheel is built from."""
    (wheel,) = built.glob("*.whl")
    here = [path for path in (REPOSITORY / "record_processors").rglob("*.*") if path.is_file()]
    package = [path.relative_to(REPOSITORY).as_posix() for path in here if path.suffix in RUNS]
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if ".dist-info/" not in name]
    assert sorted(names) == sorted(package)
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert inside >= {*names, "setup.cfg", "setup.py", "README.md", "LICENSE"}


def test_every_command_is_there(run):
    """Installed from the wheel, the program runs, and from the wheel's own modules."""
    helped = run("--help")
    assert all(re.search(rf"^ +{name} +\w", helped, re.MULTILINE) for name in cli.NAMES)
    assert run("--version").strip()


def test_the_files_it_writes_are_fine(run, tmp_path):
    """`init` and `check` need nothing of a checkout."""
    run("init")
    for path in sorted(tmp_path.glob("properties/*.properties")):
        name = f"properties/{path.name}"
        assert run("check", name) == f"{name}: fine\n"


def test_the_stand_ins_and_what_is_made_on_them(run, tmp_path):
    """`local` starts, its files and its environment lead to it, and it ends when it is told."""
    with run("local", start=partial(subprocess.Popen, stdout=subprocess.PIPE)) as stand_ins:
        while "# The shipped files" not in (line := stand_ins.stdout.readline()):
            assert line
        exports = (tmp_path / ".local/environment").read_text()
        leads = dict(re.findall(r"^export (\w+)='(.*)'$", exports, re.MULTILINE))
        made = run("create", ".local/properties/s3_manifest.properties", **leads)
        stand_ins.send_signal(signal.SIGTERM)
        assert stand_ins.wait(PATIENCE) == 0
    assert "stream events (4 shards): made\n" in made
