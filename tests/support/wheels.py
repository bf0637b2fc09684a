"""Wheels of what is installed here: what a host installs, without an index."""

import hashlib
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from tempfile import TemporaryDirectory

from packaging.requirements import Requirement

from support.paths import REPOSITORY

NOT_OF_A_WHEEL = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


def make(folder):
    """Build ours, pack the libraries that it needs once more, and list them with their hashes."""
    with TemporaryDirectory() as source:  # as a build leaves things behind
        for name in ("setup.cfg", "setup.py", "README.md", "LICENSE"):
            shutil.copy(REPOSITORY / name, source)
        shutil.copytree(REPOSITORY / "record_processors", f"{source}/record_processors")
        build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder]
        subprocess.run([*build, source], check=True, capture_output=True)
    for name in needed("kinesis-connectors") - {"kinesis-connectors"}:
        pack(name, folder)
    lines = []
    for path in sorted(folder.glob("*.whl")):
        name, version = path.name.split("-")[:2]
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        lines.append(f"{name}=={version} --hash=sha256:{digest}\n")
    (folder / "requirements.txt").write_text("".join(lines))


def needed(name):
    """Return the names of a library, and of all that it needs, extras apart."""
    names, left = set(), [name]
    while left:
        if (name := left.pop()) not in names:
            names.add(name)
            for text in distribution(name).requires or ():
                requirement = Requirement(text)
                if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
                    left.append(requirement.name)
    return names


def pack(name, folder):
    """Make a wheel of what is installed: packaging.python.org, "Binary distribution format"."""
    there = distribution(name)
    tags = [
        line.removeprefix("Tag: ").strip().split("-")
        for line in there.read_text("WHEEL").splitlines()
        if line.startswith("Tag: ")
    ]
    stem = f"{there.metadata['Name'].replace('-', '_').replace('.', '_')}-{there.version}"
    tag = "-".join(".".join(dict.fromkeys(part)) for part in zip(*tags, strict=True))
    programs = {each.name for each in there.entry_points}
    info = next(path.parts[0] for path in there.files if path.name == "METADATA")
    with zipfile.ZipFile(folder / f"{stem}-{tag}.whl", "w") as wheel:
        for path in there.files:
            inside = str(path)
            if path.parts[0] == "..":
                inside = f"{stem}.data/scripts/{path.name}"
            if path.suffix == ".pyc" or path.name in {*NOT_OF_A_WHEEL, *programs}:
                continue
            wheel.write(path.locate(), inside)
        names = wheel.namelist()
        wheel.writestr(f"{info}/RECORD", "".join(f"{each},,\n" for each in names))
