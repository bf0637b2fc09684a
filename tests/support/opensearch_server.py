"""One real OpenSearch for all tests of a session, started by the first that asks for it."""

import atexit
import os
import tempfile
from functools import cache
from pathlib import Path

import pytest
import urllib3

ADDRESS = "OPENSEARCH_OF_THE_TESTS"  # of one that runs already
MOST_BYTES = 2 << 20  # of a request, as its setting has it

SECONDS = 60  # for an answer, on a machine with much else to do


@cache
def _server():
    """Return its address, or why there is none here."""
    if address := os.environ.get(ADDRESS):
        return address
    from record_processors.local.host import HostError
    from record_processors.local.opensearch import server

    folder = tempfile.TemporaryDirectory(prefix="opensearch-")
    try:
        child = server.start(
            Path(folder.name) / "node", os.environ, http__max_content_length=f"{MOST_BYTES}b"
        )
    except HostError as error:
        folder.cleanup()
        return error
    atexit.register(folder.cleanup)
    atexit.register(child.stop)
    return server.address(child)


def opensearch():
    """Return the address of the one of this session; skip where its jars cannot be had."""
    found = _server()
    if isinstance(found, Exception):
        if os.environ.get("CI"):
            raise found
        pytest.skip(str(found))
    return found


def ask(method, path, body=None):
    """Ask it something; return what it answers."""
    url = f"{opensearch()}{path}"
    answer = urllib3.request(method, url, json=body, timeout=SECONDS, retries=False)
    assert answer.status == 200, answer.data
    return answer.json()


def documents(index):
    """Return all documents of an index, by their names."""
    ask("POST", f"/{index}/_refresh")
    found = ask("POST", f"/{index}/_search", {"size": 10_000})["hits"]["hits"]
    return {each["_id"]: each["_source"] for each in found}
