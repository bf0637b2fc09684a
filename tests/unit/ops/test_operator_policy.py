"""The policy of ``iam-policy --operator`` is enough for an operator's commands, and is needed.

The gate before the stand-in of AWS judges each request by the policy of its user: see ``gate.py``.
"""

import itertools
import json
import re
from pathlib import Path

import boto3
import pytest

from record_processors.aws import bucket
from record_processors.aws.iam import policy
from record_processors.commands.main import main
from record_processors.config.properties import load
from record_processors.kcl.policy import policy_of
from support.fakes import STAGE_TWO, properties
from support.gate import ACCOUNT
from support.guarded import Guarded, User, needless
from support.lives import Lives

LONG = "x" * 300


@pytest.fixture(scope="module")
def kind_of_stack():
    return Guarded


def as_user(user, *words):
    """Run a command with a user's rights; return the exit code."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in user.environment.items():
            patch.setenv(variable, value)
        boto3.DEFAULT_SESSION = None
        bucket._cached_client.cache_clear()
        code = main(list(words))
    boto3.DEFAULT_SESSION = None
    bucket._cached_client.cache_clear()
    return code


def printed(capsys, path):
    capsys.readouterr()
    assert main(["iam-policy", path, "--operator", "--account", ACCOUNT]) == 0
    return json.loads(capsys.readouterr().out)


def mend(settings):
    path = Path(settings.path)
    boxed = "transformer = support.menders:Boxed"
    path.write_text(re.sub("^transformer = json$", boxed, path.read_text(), flags=re.MULTILINE))
    return load(str(path))


def test_an_operator_may_do_what_is_printed_and_no_more(stack, tmp_path, capsys):
    """With both stages' policies each command works, nothing is refused, and all is used."""
    apart = {"s3Prefix": "data/"}  # from the letters, so that each has rights of its own
    here = Lives(
        stack,
        tmp_path,
        "operated",
        {**apart, "bufferRecordCountLimit": "3", "kinesisInputStreamShardCount": "1"},
        {**apart, "redshiftMaxBadRows": "1"},
    )
    try:
        long_row = b'{"id": 1, "text": "%s"}' % LONG.encode()
        here.put([b"[7]", long_row, b'{"id": 2}', b'{"id": 3}'])
        here.live("one")
        here.put([long_row, long_row, b'{"id": 4}', b"[8]"])
        here.work([5, 6, 9])
        one, two = here.one.path, here.two.path
        both = (printed(capsys, path)["Statement"] for path in (one, two))
        user = User("operator", policy(itertools.chain(*both)))

        assert as_user(user, "status", one, two) == 1
        assert as_user(user, "audit", one, two) == 1
        assert as_user(user, "letters", one) == 0
        assert as_user(user, "letters", two) == 0
        gone = here.files()[0]
        here.s3.delete_object(Bucket=here.bucket, Key=gone)
        (finding,) = [each for each in here.found(capsys) if each["kind"] == "missing"]
        (command,) = finding["commands"]
        assert as_user(user, *command.split()[1:]) == 0
        assert gone in here.files()
        assert as_user(user, "replay", one, "--from", "2013-01-01") == 0
        here.one = mend(here.one)
        assert as_user(user, "redrive", one) == 0
        here.query(f"ALTER TABLE {here.table} ALTER COLUMN text TYPE VARCHAR(400)")
        assert as_user(user, "redrive", two) == 0
        here.live("two")
        assert here.ids() == [1, 1, 1, *range(2, 10)]

        here.put([b"not json"])
        here.live("one")
        assert as_user(user, "letters", one, "--settle", "--all", "--why", "not needed") == 0

        assert stack.refused("operator") == []
        assert needless(user.document, stack.judged("operator", allowed=True)) == []
    finally:
        here.close()


def test_it_holds_no_right_of_the_daemon(tmp_path):
    """No lease can be taken, nothing deleted, and no metrics reported."""
    for base in (STAGE_TWO, {**STAGE_TWO, "connectorDestination": "redshift-basic"}):
        found = policy_of(load(properties(tmp_path, {}, base)), operator=True)["Statement"]
        actions = {action for each in found for action in each["Action"]}
        assert {action for action in actions if action.startswith("dynamodb")} == {"dynamodb:Scan"}
        assert not any("Delete" in action or "cloudwatch" in action for action in actions)
