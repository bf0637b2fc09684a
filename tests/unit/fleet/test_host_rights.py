"""What a host of the stack may do is enough for the report that it makes of its pipelines."""

import contextlib
import io
import json
from pathlib import Path

import boto3
import pytest

from record_processors.commands import main as cli
from record_processors.config.resource import Creatable, CreatableBySql
from record_processors.kcl.resources import resources
from record_processors.local.demo.pipelines import write_pipeline
from support.cloud_formation import read, substituted
from support.gate import ACCOUNT
from support.guarded import Guarded, User

SHIPPED = sorted(path.stem for path in Path("properties").glob("*.properties"))
NAMES = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": "us-east-1",
    "AWS::StackName": "fleet",
}


@pytest.fixture(scope="module")
def kind_of_stack():
    return Guarded


def output_of(*words):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        cli.main([*words])
    return printed.getvalue()


def allowed(template):
    """Yield the statements of the hosts' role, with the stack's parameters put in."""
    things = read(template)["Resources"].values()
    for thing in things:
        if thing["Type"] == "AWS::IAM::ManagedPolicy":
            yield from thing["Properties"]["PolicyDocument"]["Statement"]
        if thing["Type"] == "AWS::IAM::Role":
            (host,) = thing["Properties"]["Policies"]
            for statement in host["PolicyDocument"]["Statement"]:
                if statement["Sid"] != "ReadPasswords":
                    yield statement


@pytest.mark.parametrize("name", SHIPPED)
def test_the_report_of_a_host_sees_all(name, stack, tmp_path, monkeypatch):
    """With the rights of the stack's role `status` lists dead letters, whatever the destination."""
    settings = write_pipeline(name, tmp_path, {}, stack.properties)
    path = settings.path
    for thing in resources(settings):
        is_ours = not isinstance(thing, CreatableBySql) and "opensearch" not in str(type(thing))
        if isinstance(thing, Creatable) and is_ours:
            thing.create()
    statements = [substituted(one, NAMES) for one in allowed(output_of("cloudformation", path))]
    user = User(f"host-{name}", {"Version": "2012-10-17", "Statement": statements})
    for variable, value in user.environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    (pipeline,) = json.loads(output_of("status", path, "--json"))["pipelines"]

    assert "letters" in pipeline["facts"]
    assert "notLookedAt" not in {one["kind"] for one in pipeline["attention"]}
    prefixes = [
        one["Condition"]["StringLike"]["s3:prefix"]
        for one in statements
        if one["Sid"].startswith("ListDeadLettersOf")
    ]
    assert prefixes == [f"errors/{settings.texts['applicationName']}/*"]
