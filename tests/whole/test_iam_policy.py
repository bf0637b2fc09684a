"""The policy is enough for the real pipelines, and nothing can be taken out of it.

A gate before the stand-in for AWS (``gate.py``) lets moto judge every request of the real daemons
and their children by the policy of their user, and keeps a journal. Judged so: Kinesis, DynamoDB,
S3, Secrets Manager, CloudWatch with its namespace, and what S3 asks of KMS. moto lacks fan-out, the
logins by IAM and every condition but StringEquals: of these the policy's text is tested here.
``SELDOM`` says which actions no run of a minute comes to.
"""

import json
import re
import subprocess
from pathlib import Path

import boto3
import botocore.session
import pytest

from record_processors.aws.iam import allow, policy
from record_processors.commands import main as cli
from record_processors.config.properties import load
from record_processors.flow.record import Position
from record_processors.kcl.policy import policy_of
from record_processors.local.demo.pipelines import write_pipeline
from support.child_talk import Talk, environment_of_child, record_message
from support.fakes import STAGE_ONE, STAGE_TWO, properties
from support.gate import ACCOUNT
from support.guarded import Guarded, User, allows, needless, without
from support.two_stages import PROGRAM, TwoStages

pytestmark = pytest.mark.usefixtures("class_archive")

PIPELINES = ["s3", "one", "two"]
KEYS = f"arn:aws:kms:us-east-1:{ACCOUNT}:key"
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
METRICS = {"metricsLevel": "SUMMARY", "metricsBufferTimeMillis": "1000"}
ENCRYPTED = {"s3ServerSideEncryption": "aws:kms", "s3KmsKeyId": f"{KEYS}/{KEY_ID}"}
GOOD, BAD = b'{"id": 1, "text": "a"}', b"not json"
MISSING = b"by/nobody.json"
ONE_OF_TWO = b"by/one-of-two.json"  # has a bad row

# When a shard begins or is done with, a worker is long gone, a leader follows another, or stops.
SELDOM = {
    *(("KeepLeases", f"dynamodb:{action}") for action in ("PutItem", "DeleteItem")),
    ("CompareWorkers", "dynamodb:DeleteItem"),
    ("WriteFilesAndFindThem", "s3:GetObject"),  # of a file that an earlier life wrote
    *(("ChooseALeader", f"dynamodb:{action}") for action in ("Scan", "UpdateItem", "DeleteItem")),
}
# What is refused to a child first, without which statement, and how the child ends.
OF_THE_CHILD = [
    ("one", "WriteFilesAndFindThem", "s3:GetObject", 70),
    ("one", "TellMissingObjectsFromForbiddenOnes", "s3:ListBucket", 0),
    ("one", "KeepDeadLetters", "s3:PutObject", 70),
    ("one", "EncryptWhatIsWritten", "kms:GenerateDataKey", 70),
    ("one", "AnnounceFiles", "kinesis:PutRecord", 70),
    ("two", "LookAtAnnouncedFiles", "s3:GetObject", 70),
    ("two", "TellMissingObjectsFromForbiddenOnes", "s3:ListBucket", 0),
    ("two", "ReadTheLogin", "secretsmanager:GetSecretValue", 70),
    ("two", "WriteManifests", "s3:PutObject", 70),
    ("two", "WriteRepairedFiles", "s3:PutObject", 0),
    ("two", "KeepDeadLetters", "s3:PutObject", 70),
]
# What a daemon does again and again.
OF_THE_DAEMON = {
    "ReadTheStream": "kinesis:GetRecords",
    "CompareWorkers": "dynamodb:UpdateItem",
    "FindTheLeasesOfAWorker": "dynamodb:Query",
    "ReportMetrics": "cloudwatch:PutMetricData",
    "KeepLeases": "dynamodb:UpdateItem",
}


@pytest.fixture(scope="module")
def kind_of_stack():
    return Guarded


def log_in_by_secret(settings, password):
    """Change a file so that the login is in Secrets Manager."""
    user = {"username": settings.texts["redshiftUsername"], "password": password}
    made = boto3.client("secretsmanager").create_secret(
        Name=settings.texts["applicationName"], SecretString=json.dumps(user)
    )
    path = Path(settings.path)
    line = f"redshiftSecretArn = {made['ARN']}"
    path.write_text(re.sub(r"^redshiftUsername = .*$", line, path.read_text(), flags=re.MULTILINE))
    return load(settings.path)


def take_the_index_away(table):
    """Leave a lease table as KCL 2 made it."""
    delete = [{"Delete": {"IndexName": "LeaseOwnerToLeaseKeyIndex"}}]
    boto3.client("dynamodb").update_table(TableName=table, GlobalSecondaryIndexUpdates=delete)


def take_tables_away(application):
    """Leave to the daemon what it makes itself, with its own rights."""
    for suffix in ("WorkerMetricStats", "CoordinatorState"):
        boto3.client("dynamodb").delete_table(TableName=f"{application}-{suffix}")


@pytest.fixture(scope="module")
def users(stack, tmp_path_factory):
    """Run all three destinations, each as a user of its own; ``calls`` are what each made."""
    here = TwoStages(stack, tmp_path_factory.mktemp("iam"), "iam", one={**METRICS, **ENCRYPTED})
    other = TwoStages(
        stack, tmp_path_factory.mktemp("s3"), "s3", one={"connectorDestination": "s3"}
    )
    here.two = log_in_by_secret(here.two, stack.environment["REDSHIFT_PASSWORD"])
    take_the_index_away("s3-one")
    users = {}
    for name, both, stage in (
        ("one", here, "one"),
        ("two", here, "two"),
        ("s3", other, "one"),
    ):
        settings = getattr(both, stage)
        take_tables_away(settings.texts["applicationName"])
        user = users[name] = User(name, policy_of(settings, ACCOUNT))
        user.both, user.path = both, settings.path
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in user.environment.items():
                patch.setenv(variable, value)
            both.start(stage)
    for both in (here, other):
        both.put([GOOD, BAD])
    put_file(ONE_OF_TWO, GOOD + b'\n{"id": "x"}')
    here.put([MISSING, ONE_OF_TWO], "iam-manifests")
    here.until(lambda: len(here.rows()) == 2, "a row of each file is in the table")
    for both, application in ((here, "iam-one"), (here, "iam-two"), (other, "s3-one")):
        both.until(lambda h=both, a=application: h.dead_letters(a), "a dead letter is there")
    other.until(lambda: other.file_lines("s3-one/"), "a file is there")
    here.until(lambda: "cloudwatch" in stack.journal.read_text(), "metrics are reported")
    for name, user in users.items():
        user.calls = stack.judged(name, allowed=True)
    yield users
    here.close()
    other.close()


# ---- with real daemons


@pytest.mark.parametrize("name", PIPELINES)
def test_it_is_enough(users, stack, name):
    """With its policy alone a pipeline carries, and keeps dead letters, and nothing is refused."""
    assert stack.refused(name) == []


@pytest.mark.parametrize("name", PIPELINES)
def test_each_statement_is_needed(users, name):
    """Whichever statement is taken out, a call that the pipeline made is not allowed any more."""
    # Where the table has its index, nobody makes it.
    expected = [] if name == "s3" else ["MakeTheIndex"]
    assert needless(users[name].document, users[name].calls) == expected


@pytest.mark.parametrize("name", PIPELINES)
def test_each_action_is_called(users, name):
    """A statement has no action that the pipeline does not call, but for those that are seldom."""
    for statement in users[name].document["Statement"]:
        for action in statement["Action"]:
            alone = {"Version": "2012-10-17", "Statement": [{**statement, "Action": action}]}
            is_called = any(allows(alone, call) for call in users[name].calls)
            is_index = statement["Sid"] == "MakeTheIndex" and name != "s3"
            is_seldom = is_index or (statement["Sid"], action) in SELDOM
            assert is_called or is_seldom, f"{action} of {statement['Sid']}"


@pytest.mark.parametrize(("stage", "sid", "action", "code"), OF_THE_CHILD)
def test_a_child_is_refused_what_is_taken_out(users, stack, tmp_path, stage, sid, action, code):
    """Without a statement a real child is refused its action, and ends, if it cannot do without."""
    user = User(f"{stage}-{sid}", without(users[stage].document, sid))
    environment = {**environment_of_child(), **stack.environment, **user.environment}
    child = Talk(users[stage].path, tmp_path / "log", environment)
    file = f"by/{sid}.json".encode()
    put_file(file, GOOD + b'\n{"id": "x"}')
    data = [GOOD, BAD] if stage == "one" else [file, MISSING]
    child.largest = Position(len(data))
    child.call("initialize", shardId=sid, sequenceNumber="TRIM_HORIZON", subSequenceNumber=0)
    child.call("processRecords", records=messages(data), millisBehindLatest=0)
    child.call("shutdownRequested")

    assert child.end() == code, child.told()
    assert stack.refused(user.name)[0] == action
    assert "AccessDenied" in child.told() or "(403)" in child.told()  # HEAD's answer has no code


def put_file(key, body):
    boto3.client("s3").put_object(Bucket="iam-bucket", Key=key.decode(), Body=body)


def messages(data):
    """Write records as the daemon does, numbered from 1."""
    return [record_message(one, number) for number, one in enumerate(data, 1)]


def test_a_daemon_is_refused_what_is_taken_out(users, stack):
    """Whichever statement a real daemon loses while it runs, it is refused the action."""
    user = users["one"]
    for sid, action in OF_THE_DAEMON.items():
        before = len(stack.refused("one"))
        user.may(without(user.document, sid))
        user.both.until(
            lambda before=before, action=action: action in stack.refused("one")[before:],
            f"{action} is refused",
        )
        user.may(user.document)


@pytest.mark.parametrize(
    ("stage", "mode"),
    [("s3_manifest", "POLLING"), ("s3_manifest", "FANOUT"), ("redshift_manifest", "POLLING")],
)
def test_what_create_needs(stack, tmp_path, stage, mode):
    """With the policy for it alone `create` makes all, and needs each of its statements."""
    name = f"made-{mode.lower()}-{stage.partition('_')[0]}"
    names = {"applicationName": name, "streamName": name, "s3Bucket": name}
    more = {"kinesisOutputStream": f"{name}-out"} if stage == "s3_manifest" else {}
    changes = {**names, **more, "retrievalMode": mode}
    settings = write_pipeline(stage, tmp_path, changes, stack.properties)
    if stage == "redshift_manifest":
        settings = log_in_by_secret(settings, stack.environment["REDSHIFT_PASSWORD"])
    user = User(name, policy_of(settings, ACCOUNT, create=True))
    environment = {**stack.process_environment(), **user.environment}
    command = [PROGRAM, "create", settings.path]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (made.returncode, made.stderr) == (0, "")
    assert stack.refused(name) == []
    assert needless(user.document, stack.judged(name, allowed=True)) == []


# ---- what the file says


def of(folder, changes=None, base=STAGE_ONE, **arguments):
    """Return the statements for a file, by their names."""
    document = policy_of(load(properties(folder, changes, base)), **arguments)
    return {statement["Sid"]: statement for statement in document["Statement"]}


def resources(statement):
    return [resource.removeprefix("arn:aws:") for resource in statement["Resource"]]


@pytest.mark.parametrize(
    ("region", "partition"),
    [("eu-central-1", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_arns(tmp_path, region, partition):
    """ARNs have the region's partition, the region, and the account that was said."""
    found = of(tmp_path, {"regionName": region}, account="123456789012")
    arn = f"arn:{partition}:kinesis:{region}:123456789012:stream/events"
    assert found["ReadTheStream"]["Resource"] == [arn]
    assert found["WriteFilesAndFindThem"]["Resource"] == [f"arn:{partition}:s3:::bucket/flights/*"]


def test_region_of_the_environment(tmp_path, monkeypatch):
    """Without a region in the file it is the environment's, or any."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    unsaid = {"regionName": None}
    assert resources(of(tmp_path, unsaid)["ReadTheStream"]) == ["kinesis:eu-west-1:*:stream/events"]
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert resources(of(tmp_path, unsaid)["ReadTheStream"]) == ["kinesis:*:*:stream/events"]


def test_fan_out(tmp_path):
    """Fan-out adds the making of the consumer and its use; a given consumer is only used."""
    stream = "kinesis:us-east-1:*:stream/events"
    found = of(tmp_path, {"retrievalMode": "FANOUT"})
    assert resources(found["RegisterTheConsumer"]) == [stream]
    consumers = [f"{stream}/consumer/flights", f"{stream}/consumer/flights:*"]
    assert resources(found["ListenAsTheConsumer"]) == consumers
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/events/consumer/mine:1"
    given = of(tmp_path, {"retrievalMode": "FANOUT", "fanoutConfig.consumerArn": arn})
    assert given["ListenAsTheConsumer"]["Action"] == ["kinesis:SubscribeToShard"]
    assert given["ListenAsTheConsumer"]["Resource"] == [arn]
    assert "RegisterTheConsumer" not in given


def test_who_makes_a_consumer_and_who_looks_at_it(tmp_path):
    """`create` registers it, or looks at one that is given; an operator looks at either."""
    arn = "arn:aws:kinesis:us-east-1:123456789012:stream/events/consumer/mine:1"
    fan_out = {"retrievalMode": "FANOUT"}
    stream = "kinesis:us-east-1:*:stream/events"
    named = [f"{stream}/consumer/flights", f"{stream}/consumer/flights:*"]
    look = ["kinesis:DescribeStreamConsumer"]
    create = of(tmp_path, fan_out, create=True)
    assert resources(create["RegisterTheConsumer"]) == [stream]
    assert create["WaitForTheConsumer"]["Action"] == look
    assert resources(create["WaitForTheConsumer"]) == named
    operate = of(tmp_path, fan_out, operator=True)
    assert operate["LookAtTheConsumer"]["Action"] == look
    assert resources(operate["LookAtTheConsumer"]) == named
    assert not operate.keys() & {"RegisterTheConsumer", "ListenAsTheConsumer"}
    given = of(tmp_path, {**fan_out, "fanoutConfig.consumerArn": arn}, create=True)
    assert given["LookAtTheConsumer"]["Resource"] == [arn]
    assert "RegisterTheConsumer" not in given
    for whose in ({}, {"create": True}, {"operator": True}):
        polling = of(tmp_path, **whose)
        assert not [sid for sid in polling if "Consumer" in sid]


def test_metrics(tmp_path):
    """Metrics are allowed in the application's namespace alone, and not without metrics."""
    only = {"StringEquals": {"cloudwatch:namespace": "flights"}}
    assert of(tmp_path)["ReportMetrics"]["Condition"] == only
    assert "ReportMetrics" not in of(tmp_path, {"metricsLevel": "NONE"})


def test_tables_of_other_names(tmp_path):
    """KCL's tables have the names that the file gives them, or come from the application's."""
    tables = {"tableName": "leases", "coordinatorStateTableName": "state"}
    found = of(tmp_path, {**tables, "leaseTablePitrEnabled": "true", "workerMetricsTags": "a=b"})
    table = "dynamodb:us-east-1:*:table"
    expected = [f"{table}/leases", f"{table}/flights-WorkerMetricStats", f"{table}/state"]
    assert resources(found["MakeTables"]) == expected
    index = f"{table}/leases/index/LeaseOwnerToLeaseKeyIndex"
    assert resources(found["FindTheLeasesOfAWorker"]) == [index]
    assert resources(found["BackTablesUp"]) == [f"{table}/leases"]
    assert resources(found["TagTables"]) == [f"{table}/flights-WorkerMetricStats"]


@pytest.mark.parametrize(
    ("key", "resource"),
    [
        (KEY_ID, f"kms:us-east-1:*:key/{KEY_ID}"),
        (
            f"{KEYS}/{KEY_ID}".replace("us-east-1", "eu-west-1"),
            f"kms:eu-west-1:{ACCOUNT}:key/{KEY_ID}",
        ),
        ("alias/mine", "kms:us-east-1:*:key/*"),
        (f"arn:aws:kms:eu-west-1:{ACCOUNT}:alias/mine", f"kms:eu-west-1:{ACCOUNT}:key/*"),
    ],
)
def test_keys(tmp_path, key, resource):
    """A key is meant by its ARN, by its id, or, on a condition, by its alias."""
    found = of(tmp_path, {**ENCRYPTED, "s3KmsKeyId": key})["EncryptWhatIsWritten"]
    assert resources(found) == [resource]
    by_alias = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/mine"}}
    assert found.get("Condition") == (by_alias if "alias" in key else None)


@pytest.mark.parametrize(("most", "is_read"), [("0", False), ("1", True)])
def test_files_are_read_and_written_to_leave_rows_out(tmp_path, most, is_read):
    """Only where a row may be left out, and in a folder of their own; with a key, to decrypt."""
    found = of(tmp_path, {**ENCRYPTED, "redshiftMaxBadRows": most}, STAGE_TWO)
    assert ("WriteRepairedFiles" in found) == ("ReadFilesWithBadRows" in found) == is_read
    if is_read:
        assert resources(found["WriteRepairedFiles"]) == ["s3:::bucket/flights/repaired/*"]
        assert found["ReadFilesWithBadRows"]["Action"] == ["kms:Decrypt"]


def test_no_key_of_ones_own(tmp_path):
    """AWS's own key needs no statement."""
    assert "EncryptWhatIsWritten" not in of(tmp_path, {"s3ServerSideEncryption": "aws:kms"})


@pytest.mark.parametrize(
    ("login", "action", "resource"),
    [
        (
            {"redshiftClusterIdentifier": "mine"},
            "redshift:GetClusterCredentialsWithIAM",
            "redshift:us-east-1:*:dbname:mine/dev",
        ),
        (
            {"redshiftWorkgroup": "mine"},
            "redshift-serverless:GetCredentials",
            "redshift-serverless:us-east-1:*:workgroup/*",
        ),
    ],
)
@pytest.mark.parametrize("create", [False, True])
def test_logins_by_iam(tmp_path, login, action, resource, create):
    """Stage two may log in as its file says, and `create` as well."""
    found = of(tmp_path, {"redshiftUsername": None, **login}, STAGE_TWO, create=create)
    (statement,) = [one for one in found.values() if one["Action"] == [action]]
    assert resources(statement) == [resource]


def test_a_password_needs_nothing_of_aws(tmp_path):
    """With a password of the environment no login is in the policy."""
    services = {one["Action"][0].partition(":")[0] for one in of(tmp_path, base=STAGE_TWO).values()}
    assert services == {"kinesis", "dynamodb", "cloudwatch", "s3"}


def test_a_prefix_is_no_pattern(tmp_path):
    """What would be a pattern in a policy is escaped."""
    found = of(tmp_path, {"s3Prefix": "a*/b?$/", "deadLetterPrefix": "letters/"})
    assert resources(found["WriteFilesAndFindThem"]) == ["s3:::bucket/a${*}/b${?}${$}/flights/*"]
    assert resources(found["KeepDeadLetters"]) == ["s3:::bucket/letters/flights/*"]


def test_one_s_own_destination(tmp_path, monkeypatch):
    """Of a destination of one's own the daemon's part and the dead letters are known."""
    (tmp_path / "mine.py").write_text(
        "from record_processors import Emitter\nclass Mine(Emitter):\n    emit = None\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    changes = {"connectorDestination": "mine:Mine", "kinesisOutputStream": None}
    s3 = [sid for sid, one in of(tmp_path, changes).items() if one["Action"][0].startswith("s3:")]
    assert s3 == ["KeepDeadLetters"]


def test_every_action_is_one_of_aws(tmp_path):
    """The service has a call of each action's name; S3 calls some of its rights otherwise."""
    everything = {
        **of(tmp_path, {**ENCRYPTED, "retrievalMode": "FANOUT"}),
        **of(tmp_path, {"redshiftUsername": None, "redshiftWorkgroup": "mine"}, STAGE_TWO),
        **of(tmp_path, create=True),
    }
    session = botocore.session.get_session()
    for service, action in (
        action.split(":") for one in everything.values() for action in one["Action"]
    ):
        if service != "s3":
            assert action in session.get_service_model(service).operation_names


# ---- statements


def test_what_is_said_of_several_things_is_said_once():
    """Statements of one name become one, of all their resources, each once, in their order."""
    one, two, three = (
        allow("Read", "s3: GetObject", "a", "b"),
        allow("Write", "s3: PutObject", "a"),
        allow("Read", "s3: GetObject", "b", "c"),
    )
    assert policy([one, two, three])["Statement"] == [
        allow("Read", "s3: GetObject", "a", "b", "c"),
        two,
    ]
    assert one["Resource"] == ["a", "b"]


@pytest.mark.parametrize(
    "other",
    [
        allow("Read", "s3: GetObject ListBucket", "b"),
        allow("Read", "s3: GetObject", "b", when={"StringEquals": {"s3:prefix": "p"}}),
        {**allow("Read", "s3: GetObject", "b"), "Effect": "Deny"},
    ],
)
def test_two_different_statements_of_one_name(other):
    """They are refused: neither may be lost in the other."""
    with pytest.raises(ValueError, match="two statements are called Read"):
        policy([allow("Read", "s3: GetObject", "a"), other])


# ---- the command


def test_command(tmp_path, capsys):
    """It prints the policy as JSON, that of `create` when asked."""
    path = properties(tmp_path)
    assert cli.main(["iam-policy", path, "--account", ACCOUNT]) == 0
    assert json.loads(capsys.readouterr().out) == policy_of(load(path), ACCOUNT)
    assert cli.main(["iam-policy", path, "--create"]) == 0
    assert json.loads(capsys.readouterr().out) == policy_of(load(path), create=True)


def test_command_with_a_bad_file(tmp_path, capsys):
    """What `check` refuses has no policy: exit code 2, and the same sentences."""
    assert cli.main(["iam-policy", properties(tmp_path, {"s3Bucket": None})]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "s3Bucket is missing" in output.err


def test_command_with_a_bad_account(tmp_path, capsys):
    """An account has twelve digits."""
    with pytest.raises(SystemExit) as end:
        cli.main(["iam-policy", properties(tmp_path), "--account", "1234"])
    assert end.value.code == 2
    assert "not the 12 digits of an account" in capsys.readouterr().err
