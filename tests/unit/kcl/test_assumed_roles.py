"""What `iam-policy` prints of a daemon that asks as a role which the file names."""

import json

import pytest

from record_processors.commands.main import main
from record_processors.config.kcl_types import ASSUMING
from support.fakes import properties

READER = "arn:aws:iam::210987654321:role/reader"
OTHER = "arn:aws:iam::333333333333:role/teams/other"
BY_READER = f"StsAssumeRoleCredentialsProvider|{READER}|kcl"
BY_OTHER = f"StsAssumeRoleCredentialsProvider|{OTHER}|kcl"
STREAM = {"ReadTheStream"}
LEASES = {"KeepLeases", "FindTheLeasesOfAWorker", "CompareWorkers", "ChooseALeader"}
TABLES = {"MakeTables", "MakeTheIndex"}
METRICS = {"ReportMetrics"}
ALL = STREAM | LEASES | TABLES | METRICS


@pytest.fixture
def printed(tmp_path, capsys):
    """Return what is printed for a file with changes: statements by their names, and stderr."""

    def with_(*options, **changes):
        path = properties(tmp_path, {"metricsLevel": "SUMMARY", **changes})
        assert main(["iam-policy", path, "--account", "123456789012", *options]) == 0
        out, err = capsys.readouterr()
        return {one["Sid"]: one for one in json.loads(out)["Statement"]}, err

    return with_


@pytest.mark.parametrize("name", sorted(ASSUMING))
@pytest.mark.parametrize("more", ["", "|endpointRegion=eu-west-1|externalId=spartacus"])
def test_each_spelling_of_the_provider(name, more, printed):
    """However KCL lets the class be called, the role may be assumed, and does what is left out."""
    found, err = printed(AwsCredentialsProvider=f" {name}|{READER}|kcl{more}")
    assert found["AssumeRoles"]["Action"] == ["sts:AssumeRole"]
    assert found["AssumeRoles"]["Resource"] == [READER]
    assert not ALL & found.keys()
    assert "KeepDeadLetters" in found
    assert f"the daemon assumes {READER}, which must trust the role of the hosts" in err
    for place in ("kinesis:us-east-1:210987654321:stream/events",
                  "dynamodb:us-east-1:210987654321:table/flights"):  # fmt: skip
        assert f"on arn:aws:{place}" in err
    assert "123456789012" not in err


def test_a_daemon_that_is_the_host(printed):
    """Without a role nothing is assumed, and nothing left out."""
    found, err = printed()
    assert "AssumeRoles" not in found
    assert found.keys() >= ALL
    assert err == ""


def test_a_chain_that_may_end_at_the_host(printed):
    """Where other credentials may be taken, the hosts are allowed both."""
    found, err = printed(AwsCredentialsProvider=f"{BY_READER}, DefaultCredentialsProvider")
    assert found["AssumeRoles"]["Resource"] == [READER]
    assert found.keys() >= ALL
    assert err == f"the daemon assumes {READER}, which must trust the role of the hosts\n"


@pytest.mark.parametrize(
    ("key", "left_out"),
    [
        ("AwsCredentialsProviderDynamoDB", LEASES | TABLES),
        ("AwsCredentialsProviderCloudWatch", METRICS),
    ],
)
def test_a_role_for_one_service(key, left_out, printed):
    """What the daemon asks of other services it asks as the host."""
    found, err = printed(**{key: BY_READER})
    assert found["AssumeRoles"]["Resource"] == [READER]
    assert found.keys() & ALL == ALL - left_out
    assert ("kinesis" in err, "dynamodb:Scan" in err) == (False, left_out != METRICS)


def test_two_roles(printed):
    """Each may be assumed, and each is said to need what the daemon does as it."""
    found, err = printed(
        AwsCredentialsProvider=BY_READER,
        AwsCredentialsProviderDynamoDB=BY_OTHER,
        AwsCredentialsProviderCloudWatch="DefaultCredentialsProvider",
    )
    assert found["AssumeRoles"]["Resource"] == [READER, OTHER]
    assert found.keys() & ALL == METRICS
    first, second = err.split("the daemon assumes ")[1:]
    assert first.startswith(READER)
    assert "kinesis:GetRecords" in first
    assert "dynamodb" not in first
    assert second.startswith(OTHER)
    assert "dynamodb:us-east-1:333333333333:table/flights" in second


def test_a_consumer_that_a_role_listens_by(printed):
    """With fan-out too, what Kinesis is asked is asked as the role."""
    found, err = printed(AwsCredentialsProvider=BY_READER, retrievalMode="FANOUT")
    assert not {"RegisterTheConsumer", "ListenAsTheConsumer"} & found.keys()
    assert "kinesis:SubscribeToShard" in err


@pytest.mark.parametrize("option", ["--create", "--operator"])
def test_who_is_no_daemon(option, printed):
    """Whoever types a command asks as himself, and assumes nothing."""
    found, err = printed(option, AwsCredentialsProvider=BY_READER)
    assert "AssumeRoles" not in found
    assert err == ""
