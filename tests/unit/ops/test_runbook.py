"""The runbook speaks of what the program says, and of commands that there are."""

import re

import pytest

from record_processors.commands.main import NAMES
from record_processors.config.reference import reference
from support.paths import REPOSITORY

PACKAGE = REPOSITORY / "record_processors"
RUNBOOK = (PACKAGE / "ops/README.md").read_text()
# Words of AWS, of Redshift and of the system, which no code of ours holds.
OF_OTHERS = {"AccessDenied", "not authorized to perform", "NoSuchBucket", "Invalid digit"} | {
    "ResourceNotFoundException",
    "exceeds DDL length",
}


def sentences():
    """Return what the first column of each table quotes, in parts between what varies."""
    for line in RUNBOOK.splitlines():
        if line.startswith(("| `", "| of stage")):
            for said in re.findall(r"`([^`]+)`", line.split(" | ")[0]):
                parts = re.split(r"…|\b\d+\b|SIGTERM|; |: ", said)
                yield from (part.strip() for part in parts if len(part.strip()) > 8)


def sources():
    """Return all code, texts that go on in the next line put together, and what varies left out."""
    text = "".join(path.read_text() for path in sorted(PACKAGE.rglob("*.py")))
    return re.sub(r"\{[^{}]*\}", "", re.sub(r'"\s*\n\s*f?"', "", text)) + reference()


SOURCES = sources()


@pytest.mark.parametrize("said", sorted(set(sentences()) - OF_OTHERS))
def test_what_it_quotes_is_said(said):
    """Each sentence that wakes somebody is one that the program writes."""
    assert re.search(re.escape(said).replace("\\ ", r"\s+"), SOURCES), said


def test_its_commands_are_there():
    """Each command that it names is one of ours, as it is typed."""
    named = set(
        re.findall(r"(?:kinesis-connectors |[`,] ?)([a-z-]+)(?= (?:ONE|TWO|FILE)\b)", RUNBOOK)
    )
    assert {"status", "audit", "letters", "redrive"} <= named
    assert named - {"create"} <= set(NAMES)
