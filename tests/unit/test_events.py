"""The events of the log: each has one name, which stays, and is in the reference."""

import importlib
import pkgutil

import pytest

import record_processors
from record_processors.config.reference import reference
from record_processors.events import Event

# What machines may look for by now: a name goes only with a note in the changelog.
NAMES = """
all-filtered-out count-differs daemon-ended dead-letters durable-already ended file-found
file-written flushed lease-lost loaded loaded-before made-otherwise not-loaded outage outage-over
paused records-read rows-left-out shard-begins shard-ended table-at-fault tried-again
unmatched-fields
""".split()


def declared():
    found = {}
    for module in pkgutil.walk_packages(record_processors.__path__, "record_processors."):
        if not module.name.endswith("__main__"):
            for each in vars(importlib.import_module(module.name)).values():
                if isinstance(each, Event):
                    found.setdefault(each.name, set()).add(each)
    return found


def test_each_event_has_one_name():
    """No two events share a name, and no name has gone."""
    assert sorted(declared()) == NAMES
    assert [name for name, events in declared().items() if len(events) > 1] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_event_is_in_the_reference(name):
    """The reference says of each what it means."""
    (event,) = declared()[name]
    assert f"| `{name}` | {event.means} | {event.remedy} |" in reference()
