"""One real OpenSearch for all tests of a session, started by the first that asks for it."""

import atexit
import os
import tempfile
from functools import cache
from pathlib import Path

import pytest

from record_processors.local.host import HostError
from record_processors.local.opensearch.server import address, start


@cache
def _server():
    """Return its address, or why there is none here."""
    folder = tempfile.TemporaryDirectory(prefix="opensearch-")
    try:
        child = start(Path(folder.name) / "node", os.environ)
    except HostError as error:
        folder.cleanup()
        return error
    atexit.register(folder.cleanup)
    atexit.register(child.stop)
    return address(child)


def opensearch():
    """Return the address of the one of this session; skip where its jars cannot be had."""
    found = _server()
    if isinstance(found, HostError):
        if os.environ.get("CI"):
            raise found
        pytest.skip(str(found))
    return found
