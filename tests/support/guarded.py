"""The stand-ins with AWS behind its gate, and users who may do what a policy says."""

import json
import sys
from pathlib import Path

import boto3

from record_processors.local.children import Child
from record_processors.local.stack import Stack
from support.gate import Call

GATE = Path(__file__).with_name("gate.py")


class Guarded(Stack):
    """The stand-ins, that of AWS behind its gate."""

    @property
    def journal(self):
        return self.directory / "journal"

    def _child(self, module, arguments, *hand_down):
        if module != "aws":
            return super()._child(module, arguments, *hand_down)
        return Child.start(
            "the gate",
            [sys.executable, str(GATE), *arguments],
            {**self.process_environment(), "GATE_JOURNAL": str(self.journal)},
            self.directory / "logs" / "gate.log",
            hand_down=hand_down,
        )

    def judged(self, user, *, allowed):
        """Return the calls that a user was allowed to make, or those that were refused."""
        lines = map(json.loads, self.journal.read_text().splitlines())
        return [Call(*call) for name, was, *call in lines if (name, was) == (user, allowed)]

    def refused(self, user):
        return [call.action for call in self.judged(user, allowed=False)]


class User:
    """A user of AWS who may do what a policy says, and no more."""

    def __init__(self, name, document):
        self.name, self.document = name, document
        self.iam = boto3.client("iam")
        self.iam.create_user(UserName=name)
        self.may(document)
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        self.environment = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }

    def may(self, document):
        text = json.dumps(document)
        self.iam.put_user_policy(UserName=self.name, PolicyName="its", PolicyDocument=text)


def without(document, sid):
    kept = [statement for statement in document["Statement"] if statement["Sid"] != sid]
    assert len(kept) == len(document["Statement"]) - 1
    return {**document, "Statement": kept}


def allows(document, call):
    return call.is_allowed_by([{"policy_document": json.dumps(document)}])


def needless(document, calls):
    """Return the statements without which each of these calls is still allowed."""
    sids = [statement["Sid"] for statement in document["Statement"]]
    return [sid for sid in sids if all(allows(without(document, sid), call) for call in calls)]
