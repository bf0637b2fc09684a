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
    """Yield the statements of the hosts' role, but for those of what the stack has or is told."""
    things = read(template)["Resources"].values()
    for thing in things:
        if thing["Type"] == "AWS::IAM::ManagedPolicy":
            yield from thing["Properties"]["PolicyDocument"]["Statement"]
        if thing["Type"] == "AWS::IAM::Role":
            (host,) = thing["Properties"]["Policies"]
            for statement in host["PolicyDocument"]["Statement"]:
                if statement["Sid"] not in {"SendLogsAndMetrics", "ReadPasswords"}:
                    yield statement


def make(settings):
    for thing in resources(settings):
        is_ours = not isinstance(thing, CreatableBySql) and "opensearch" not in str(type(thing))
        if isinstance(thing, Creatable) and is_ours:
            thing.create()


def seen_by_a_host(name, path, monkeypatch):
    """Return what the stack's role is allowed, and what `status` finds with that."""
    statements = [substituted(one, NAMES) for one in allowed(output_of("cloudformation", path))]
    user = User(name, {"Version": "2012-10-17", "Statement": statements})
    for variable, value in user.environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    (pipeline,) = json.loads(output_of("status", path, "--json"))["pipelines"]
    return statements, pipeline


@pytest.mark.parametrize("name", SHIPPED)
def test_the_report_of_a_host_sees_all(name, stack, tmp_path, monkeypatch):
    """With the rights of the stack's role `status` lists dead letters, whatever the destination."""
    settings = write_pipeline(name, tmp_path, {}, stack.properties)
    make(settings)
    statements, pipeline = seen_by_a_host(f"host-{name}", settings.path, monkeypatch)

    assert "letters" in pipeline["facts"]
    assert "notLookedAt" not in {one["kind"] for one in pipeline["attention"]}
    prefixes = [
        one["Condition"]["StringLike"]["s3:prefix"]
        for one in statements
        if one["Sid"].startswith("ListDeadLettersOf")
    ]
    assert prefixes == [f"errors/{settings.texts['applicationName']}/*"]


def test_the_report_where_the_daemon_is_a_role(stack, tmp_path, monkeypatch, capsys):
    """The host may assume the role, look at the shards as itself, and do no more with them."""
    mine = {"applicationName": "by-a-role"}
    make(write_pipeline("s3", tmp_path, mine, stack.properties))
    role = f"arn:aws:iam::{ACCOUNT}:role/reader"
    mine["AwsCredentialsProvider"] = f"StsAssumeRoleCredentialsProvider|{role}|kcl"
    path = write_pipeline("s3", tmp_path, mine, stack.properties).path
    statements, pipeline = seen_by_a_host("host-by-a-role", path, monkeypatch)

    assert f"the daemon assumes {role}" in capsys.readouterr().err
    (assume,) = [one for one in statements if one["Sid"] == "AssumeRoles"]
    assert (assume["Action"], assume["Resource"]) == (["sts:AssumeRole"], [role])
    assert not {"KeepLeases", "ReportMetrics"} & {one["Sid"] for one in statements}
    assert pipeline["shards"]
    assert {one["kind"] for one in pipeline["attention"]} == {"noOwner"}
