"""What the tests of items share."""

import pytest

from support.items import Items


@pytest.fixture
def make(stack, tmp_path, waits):
    """Return what makes a pipeline with a table."""
    made = []

    def make(**changes):
        made.append(Items(stack, tmp_path, **changes))
        return made[-1]

    yield make
    for one in made:
        one.wire.close()
