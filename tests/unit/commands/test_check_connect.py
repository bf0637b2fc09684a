"""`check --connect` finds each thing that keeps a pipeline from working, and leaves no trace."""

import itertools
import os
import sys
from types import SimpleNamespace

import boto3
import psycopg2
import pytest
from botocore.awsrequest import AWSResponse

from record_processors.aws import clients as aws
from record_processors.commands import main as cli
from record_processors.commands.check import findings
from record_processors.config.properties import load
from record_processors.destinations.redshift import probe
from support import fault_proxy
from support.fakes import STAGE_ONE, STAGE_TWO, properties

NUMBERS = itertools.count()
NAMED = "User: arn:aws:iam::1:user/u is not authorized to perform: {} on resource: r"


class Place:
    """A file of one stage, all that it points to, and what `check --connect` says of it."""

    def __init__(self, folder, capsys, stack, name, base):
        self.folder, self.capsys, self.name, self.base = folder, capsys, name, base
        self.changes = {
            **{
                key: value
                for key, value in stack.properties.items()
                if not key.startswith("openSearch")
                and (base is STAGE_TWO or not key.startswith("redshift"))
            },
            "applicationName": name,
            "streamName": f"{name}-events",
            "s3Bucket": name,
        }
        if base is STAGE_TWO:
            self.changes |= {"redshiftDataTable": f"{name}_rows", "redshiftFileTable": f"{name}_f"}
        else:
            self.changes["kinesisOutputStream"] = f"{name}-manifests"
        self.table, self.ledger = f"{name}_rows", f"{name}_f"
        self.url = stack.properties["redshiftURL"]

    def create(self):
        path = properties(self.folder, self.changes, self.base)
        assert cli.main(["create", path]) == 0
        if self.base is STAGE_TWO:
            self.query(f"CREATE TABLE {self.table} (id BIGINT, text VARCHAR(9))")
        self.capsys.readouterr()

    def check(self, **changes):
        """Return the exit code, and what was fine, noted, and wrong."""
        path = properties(self.folder, {**self.changes, **changes}, self.base)
        code = cli.main(["check", path, "--connect"])
        out, err = self.capsys.readouterr()
        first, *lines = out.splitlines()
        assert first == f"{path}: fine"
        start = f"kinesis-connectors: {path}: "
        assert all(line.startswith(start) for line in err.splitlines()), err
        return (
            code,
            [line[6:] for line in lines if line.startswith("ok ")],
            [line[6:] for line in lines if line.startswith("note ")],
            [line.removeprefix(start) for line in err.splitlines()],
        )

    def check_beside(self, sql):
        """Check while another session does that in a transaction."""
        with self.connection() as other, other.cursor() as cursor:
            cursor.execute(sql)
            found = self.check()
        other.close()
        return found

    def only_problem(self, **changes):
        """Return the one thing that is wrong."""
        code, _, _, problems = self.check(**changes)
        assert code == 2
        assert len(problems) == 1, problems
        return problems[0]

    def objects(self):
        found = boto3.client("s3").list_objects_v2(Bucket=self.name)
        return [item["Key"] for item in found.get("Contents", ())]

    def query(self, sql, **login):
        with self.connection(**login) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            found = cursor.fetchall() if cursor.description else []
        connection.close()
        return found

    def connection(self, user="awsuser"):
        password = os.environ["REDSHIFT_PASSWORD"]
        return psycopg2.connect(f"postgresql://{user}@{self.url}", password=password)


@pytest.fixture
def one(stack, tmp_path, capsys):
    """Stage one, its streams and bucket made."""
    here = Place(tmp_path, capsys, stack, f"check{next(NUMBERS)}", STAGE_ONE)
    here.create()
    return here


@pytest.fixture
def two(stack, tmp_path, capsys):
    """Stage two, its stream, bucket, ledger and table made."""
    here = Place(tmp_path, capsys, stack, f"check{next(NUMBERS)}", STAGE_TWO)
    here.create()
    return here


@pytest.fixture
def answer(monkeypatch):
    """Let one operation of a service be answered by the test, and all others by the stand-in."""
    answers = []

    def wrapped(service, settings, **options):
        found = aws.client(service, settings, **options)
        for wanted, operation, give in answers:
            if wanted == service:
                found.meta.events.register_first(f"before-call.{service}.{operation}", give)
        return found

    monkeypatch.setattr("record_processors.aws.findings.client", wrapped)

    def with_(service, operation, status, parsed, where=""):
        def give(params, **_):
            if where in params["url"]:
                return AWSResponse(params["url"], status, {}, None), {
                    "ResponseMetadata": {"HTTPStatusCode": status},
                    **parsed,
                }
            return None

        answers.append((service, operation, give))

    return with_


@pytest.fixture
def refuse(answer):
    """Let one operation be refused."""

    def refuse(service, operation, code, message="", status=400, where=""):
        parsed = {"Error": {"Code": code, "Message": message}}
        answer(service, operation, status, parsed, where)

    return refuse


# ---- nothing wrong


def test_stage_one_is_fine(one):
    """Each thing that was tried has a line, and nothing is left behind."""
    code, fine, notes, problems = one.check()
    assert (code, problems) == (0, [])
    assert [line.partition(" = ")[0] for line in fine] == [
        *["streamName"] * 2,
        "applicationName",
        "kinesisOutputStream",
        *["s3Bucket"] * 4,
        "deadLetterPrefix",
    ]
    assert fine[0] == f"streamName = {one.name}-events: ACTIVE, open shards: 1"
    assert fine[2].endswith("the lease table is ACTIVE")
    assert notes == [f"kinesisOutputStream = {one.name}-manifests: kinesis:PutRecord was not tried"]
    assert one.objects() == []


def test_a_lease_table_may_be_made_by_the_daemon(one):
    """That it is not there yet is fine."""
    boto3.client("dynamodb").delete_table(TableName=one.name)
    code, fine, *_ = one.check()
    assert code == 0
    assert "the lease table is not there yet: `kinesis-connectors create` makes it, or" in fine[2]


def test_no_message_is_put(one):
    """Neither stream has a record afterwards: stage two would take it for a file."""
    one.check()
    kinesis = boto3.client("kinesis")
    for stream in (f"{one.name}-events", f"{one.name}-manifests"):
        (shard,) = kinesis.list_shards(StreamName=stream)["Shards"]
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        assert not kinesis.get_records(ShardIterator=iterator)["Records"]


def test_stage_two_is_fine(two):
    """The COPY was rehearsed; table, ledger and bucket are as empty as before."""
    code, fine, notes, problems = two.check()
    assert (code, notes, problems) == (0, [], [])
    assert fine[-5:] == [
        f"redshiftURL = {two.url}: logged in as awsuser, without TLS",
        f"redshiftFileTable = {two.ledger}: the ledger is there and can be locked",
        f"redshiftDataTable = {two.table}: the table is there and may be inserted into",
        "redshiftIamRole = default: a COPY of an empty file went through, and was rolled back",
        "deadLetterPrefix = errors/: dead letters can be written",
    ]
    assert two.query(f"SELECT count(*) FROM {two.table}") == [(0,)]
    assert two.query(f"SELECT count(*) FROM {two.ledger}") == [(0,)]
    assert two.objects() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"redshiftDataFormat": "csv"},
        {"redshiftDataFormat": "delimited", "redshiftDataColumns": 'text, "id"'},
        {"redshiftDataFormat": "json", "redshiftCopyOptions": "TIMEFORMAT 'auto'"},
    ],
)
def test_the_copy_of_each_format_is_rehearsed(two, changes):
    """An empty file is one of every format of text."""
    code, fine, notes, problems = two.check(**changes)
    assert (code, notes, problems) == (0, [], [])
    assert "a COPY of an empty file went through" in fine[-2]


def test_without_connect_nothing_is_tried(one, monkeypatch):
    """`check` alone looks at the file, and at nothing else."""
    monkeypatch.setattr("boto3.client", lambda *_, **__: pytest.fail("a client was made"))
    assert cli.main(["check", properties(one.folder, one.changes)]) == 0


OWN = """
from record_processors import Emitter, Finding, Resource


class Own(Emitter):
    def emit(self, batch): ...


class Door(Resource):
    def probe(self):
        yield Finding("ok", "the door opens")


class Told(Own):
    @classmethod
    def resources(cls, settings):
        return [Door()]
"""


@pytest.fixture
def own(one, monkeypatch):
    """Put a module of one's own where the daemon is started."""
    (one.folder / "own.py").write_text(OWN)
    monkeypatch.chdir(one.folder)
    monkeypatch.setattr("sys.path", [str(one.folder), *sys.path])
    yield
    sys.modules.pop("own", None)


def test_a_destination_of_ones_own(one, own):
    """What is ours is tried; of what is not it is said that it was not."""
    code, _, notes, problems = one.check(connectorDestination="own:Own", kinesisOutputStream=None)
    assert (code, problems) == (0, [])
    assert notes == ["connectorDestination = own:Own: what it connects to is its own"]


def test_a_destination_of_ones_own_that_tells_what_it_needs(one, own):
    """It is tried between the daemon's things and the dead letters, as ours are."""
    code, fine, notes, problems = one.check(
        connectorDestination="own:Told", kinesisOutputStream=None
    )
    assert (code, notes, problems) == (0, [], [])
    assert fine[-2:] == [
        "the door opens",
        "deadLetterPrefix = errors/: dead letters can be written",
    ]


# ---- streams


def test_no_such_streams(one):
    """Both are told, and the rest is tried all the same."""
    code, fine, _, problems = one.check(streamName="nobody", kinesisOutputStream="no.one")
    assert code == 2
    there_is = "there is no such stream here; `kinesis-connectors create` makes it"
    assert problems == [
        f"streamName = nobody: {there_is}",
        f"kinesisOutputStream = no.one: {there_is}",
    ]
    assert any("deadLetterPrefix" in line for line in fine)


def test_a_stream_that_is_not_active(one, answer):
    """A stream that is being made or deleted is not one to start on."""
    arn = f"arn:aws:kinesis:us-east-1:123456789012:stream/{one.name}-events"
    summary = {"StreamStatus": "DELETING", "OpenShardCount": 1, "StreamARN": arn}
    answer("kinesis", "DescribeStreamSummary", 200, {"StreamDescriptionSummary": summary})
    assert one.check()[3] == [
        f"streamName = {one.name}-events: the stream is DELETING, not ACTIVE",
        f"kinesisOutputStream = {one.name}-manifests: the stream is DELETING, not ACTIVE",
    ]


@pytest.mark.parametrize("operation", ["ListShards", "GetShardIterator", "GetRecords"])
def test_a_stream_that_may_not_be_read(one, refuse, operation):
    """The permission that is missing is named."""
    refuse("kinesis", operation, "AccessDeniedException", NAMED.format(f"kinesis:{operation}"), 400)
    assert one.only_problem() == (
        f"streamName = {one.name}-events: the permission kinesis:{operation} is missing "
        "(AccessDeniedException)"
    )


def test_streams_that_may_not_be_looked_at(one, refuse):
    """The pipeline need not look at its streams: a note for each, and reading is tried."""
    refuse("kinesis", "DescribeStreamSummary", "AccessDeniedException", "no")
    missing = (
        "the permission kinesis:DescribeStreamSummary is missing (AccessDeniedException); only "
        "this command needs it"
    )
    code, fine, notes, problems = one.check()
    assert (code, problems) == (0, [])
    assert f"streamName = {one.name}-events: {missing}" in notes
    assert f"kinesisOutputStream = {one.name}-manifests: {missing}" in notes
    assert f"streamName = {one.name}-events: its records can be read" in fine


def test_a_key_that_may_not_be_used(one, refuse):
    """A stream that is encrypted by a key needs a right to that: AWS says which."""
    refuse("kinesis", "GetRecords", "KMSAccessDeniedException", NAMED.format("kms:Decrypt"))
    assert "the permission kms:Decrypt is missing" in one.only_problem()


def test_a_stream_that_others_read(one, refuse):
    """That it is read at its limit just now is no problem."""
    refuse("kinesis", "GetRecords", "ProvisionedThroughputExceededException", "Rate exceeded")
    code, _, notes, problems = one.check()
    assert (code, problems) == (0, [])
    assert notes[0] == f"streamName = {one.name}-events: others read it as fast as it may be read"


FAN_OUT = {"retrievalMode": "FANOUT"}


def consumer(one, name=None):
    """Register a consumer of the stream; return its ARN."""
    kinesis = boto3.client("kinesis")
    stream = kinesis.describe_stream_summary(StreamName=f"{one.name}-events")
    arn = stream["StreamDescriptionSummary"]["StreamARN"]
    made = kinesis.register_stream_consumer(StreamARN=arn, ConsumerName=name or one.name)
    return made["Consumer"]["ConsumerARN"]


def test_fan_out_before_there_is_a_consumer(one, refuse):
    """Who makes it is said, with the right that was not tried; GetRecords is none that it needs."""
    refuse("kinesis", "GetRecords", "AccessDeniedException")
    code, fine, _, problems = one.check(**FAN_OUT)
    assert (code, problems) == (0, [])
    (found,) = (line for line in fine if "fan-out" in line)
    assert found.startswith(f"applicationName = {one.name}: the fan-out consumer of stream ")
    assert "is not there yet: `kinesis-connectors create` makes it, or the daemon" in found
    assert "kinesis:RegisterStreamConsumer, which was not tried" in found


def test_fan_out_with_its_consumer(one):
    """That it is there is seen; to listen by it would disturb a daemon that does."""
    consumer(one, "mine")
    code, fine, notes, problems = one.check(**FAN_OUT, **{"fanoutConfig.consumerName": "mine"})
    assert (code, problems) == (0, [])
    place = f"fanoutConfig.consumerName = mine: the fan-out consumer of stream {one.name}-events"
    assert f"{place} is ACTIVE" in fine
    assert f"{place}: kinesis:SubscribeToShard was not tried" in notes[0]


@pytest.mark.parametrize("action", ["DescribeStreamSummary", "DescribeStreamConsumer"])
def test_fan_out_without_a_right(one, refuse, action):
    """The daemon needs both, so that each that is missing is a problem, named once."""
    refuse("kinesis", action, "AccessDeniedException", NAMED.format(f"kinesis:{action}"))
    assert f"the permission kinesis:{action} is missing" in one.only_problem(**FAN_OUT)


def test_a_consumer_that_is_given(one, refuse):
    """It must be there; whoever may not look at it may listen by it all the same."""
    arn = consumer(one)
    given = {**FAN_OUT, "fanoutConfig.consumerArn": f"{arn}:1"}
    assert "there is no such consumer" in one.only_problem(**given)
    refuse("kinesis", "DescribeStreamConsumer", "AccessDeniedException")
    code, _, notes, problems = one.check(**given)
    assert (code, problems) == (0, [])
    assert "kinesis:DescribeStreamConsumer is missing" in notes[0]
    assert notes[0].endswith("only this command needs it")


def test_a_consumer_that_polling_leaves_behind(one, refuse):
    """It is told with what it costs and how it goes; who lacks the right hears nothing of it."""
    assert not any("fan-out" in line for line in one.check()[2])
    consumer(one)
    code, _, notes, problems = one.check()
    assert (code, problems) == (0, [])
    (found,) = (line for line in notes if "fan-out" in line)
    assert "retrievalMode = POLLING does not use, and costs $11 a month" in found
    assert found.endswith("pipeline.properties --remove-consumer`")
    refuse("kinesis", "DescribeStreamConsumer", "AccessDeniedException")
    code, _, notes, problems = one.check()
    assert (code, problems) == (0, [])
    assert not any("DescribeStreamConsumer" in line for line in notes)


def test_where_nobody_answers(one, monkeypatch):
    """The sentence has the address; two tries are enough, and the rest is tried all the same."""
    waits = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=waits.append))
    code, fine, _, problems = one.check(kinesisEndpoint="http://127.0.0.1:9")
    assert code == 2
    assert [problem.partition(" = ")[0] for problem in problems] == [
        "streamName",
        "kinesisOutputStream",
    ]
    assert all("http://127.0.0.1:9" in problem for problem in problems)
    assert len(waits) == 3  # one for each stream, and for a consumer of the first
    assert any("files can be written" in line for line in fine)


@pytest.mark.parametrize("code", ["UnrecognizedClientException", "ExpiredTokenException"])
def test_credentials_that_are_refused(one, refuse, code):
    """That is another thing than a missing permission."""
    refuse("kinesis", "DescribeStreamSummary", code, "The security token is invalid.")
    problem = one.check()[3][0]
    assert problem.endswith(
        f"AWS does not take the credentials ({code}): The security token is invalid."
    )


def test_no_credentials(one, monkeypatch):
    """It is one problem of all checks, in words that say where they may be."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    assert one.only_problem().startswith("no AWS credentials are found: in the environment")
    monkeypatch.undo()
    boto3.setup_default_session()


def test_no_region(one, monkeypatch):
    """It is one problem of all checks, in words that say where a region may stand."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)
    problem = one.only_problem(regionName=None)
    assert problem == "no region: set regionName, or AWS_REGION in the environment"
    monkeypatch.undo()
    boto3.setup_default_session()


# ---- the lease table


def test_a_lease_table_that_is_there(one):
    """It is looked at under the name of the application, or the one that the file names."""
    made(f"{one.name}-leases", "leaseKey")
    for changes, key, name in (
        ({}, "applicationName", one.name),
        ({"tableName": f"{one.name}-leases"}, "tableName", f"{one.name}-leases"),
    ):
        code, fine, _, _ = one.check(**changes)
        assert code == 0
        assert f"{key} = {name}: the lease table is ACTIVE" in fine


def test_a_table_of_something_else(one):
    """A table of that name that is none of KCL's is found."""
    boto3.client("dynamodb").delete_table(TableName=one.name)
    made(one.name, "id")
    assert one.only_problem() == (
        f"applicationName = {one.name}: the lease table in DynamoDB is a table of something else: "
        "its key is not leaseKey"
    )


def test_a_lease_table_that_may_not_be_looked_at(one, refuse):
    """AccessDenied is a problem, though absence is none."""
    refuse("dynamodb", "DescribeTable", "AccessDeniedException", "no")
    assert "the permission dynamodb:DescribeTable is missing" in one.only_problem()


def made(name, key):
    boto3.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"}],
        KeySchema=[{"AttributeName": key, "KeyType": "HASH"}],
    )


# ---- the bucket


def test_no_such_bucket(one):
    """The sentence says what makes it."""
    assert one.only_problem(s3Bucket="nobodys-bucket") == (
        "s3Bucket = nobodys-bucket: there is no such bucket; `kinesis-connectors create` makes it"
    )


def test_the_bucket_of_another(one, refuse):
    """S3 does not name the action then; we do."""
    refuse("s3", "PutObject", "AccessDenied", "Access Denied", 403)
    problems = one.check()[3]
    assert len(problems) == 2
    for problem in problems:
        assert f"s3Bucket = {one.name}: no file can be written to s3://{one.name}/" in problem
        assert problem.endswith("/: the permission s3:PutObject is missing (AccessDenied)")


def test_a_key_of_kms_that_may_not_be_used(one, refuse):
    """The action in S3's answer is the one that is missing, not the one that was called."""
    refuse("s3", "PutObject", "AccessDenied", NAMED.format("kms:GenerateDataKey"), 403)
    assert "the permission kms:GenerateDataKey is missing" in one.check()[3][0]


def test_s3_that_ignores_the_condition(one, stack, monkeypatch):
    """An S3 that overwrites what is there cannot keep the promise, and nothing is left in it."""
    monkeypatch.setattr(fault_proxy, "OF_THE_HOP", fault_proxy.OF_THE_HOP | {"if-none-match"})
    proxy = fault_proxy.Proxy(stack.properties["s3Endpoint"], [])
    try:
        problem = one.only_problem(s3Endpoint=proxy.endpoint)
    finally:
        proxy.close()
    assert problem == (
        f"s3Bucket = {one.name}: this S3 does not honour conditional writes (If-None-Match), so "
        "that files could be overwritten and records be in the table twice"
    )
    assert one.objects() == []


def test_s3_that_does_not_know_the_condition(one, refuse):
    """An S3 that refuses the header says so with 501."""
    refuse("s3", "PutObject", "NotImplemented", "A header you provided", 501)
    assert "does not honour conditional writes" in one.check()[3][0]


def test_an_answer_that_was_lost(one, stack, monkeypatch):
    """A first write that finds its own earlier try there is a write that succeeded."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    proxy = fault_proxy.Proxy(stack.properties["s3Endpoint"], [])
    lost = fault_proxy.Fault(f"PUT /{one.name}/", "503-after")
    proxy.faults.append(lost)
    try:
        code, _, _, problems = one.check(s3Endpoint=proxy.endpoint)
    finally:
        proxy.close()
    assert lost.arrived.is_set()
    assert (code, problems) == (0, [])
    assert one.objects() == []


def test_files_that_may_not_be_looked_at(one, refuse):
    """HEAD's answer has no body: the permission is named all the same."""
    refuse("s3", "HeadObject", "403", "Forbidden", 403)
    problem = one.only_problem()
    assert problem.startswith(f"s3Bucket = {one.name}: s3://")
    assert "cannot be looked at: the permission s3:GetObject is missing (403)" in problem
    assert one.objects() == []


def test_without_the_right_to_list(one, refuse):
    """S3 says 403 of a missing file then, which the pipeline lives with: a note."""
    refuse("s3", "HeadObject", "403", "Forbidden", 403, where="-missing")
    code, _, notes, problems = one.check()
    assert (code, problems) == (0, [])
    assert f"s3Bucket = {one.name}: without the permission s3:ListBucket" in notes[1]


def test_without_the_right_to_delete(one, refuse):
    """The pipeline deletes nothing: a note, with the name of what is left behind."""
    refuse("s3", "DeleteObject", "AccessDenied", "Access Denied", 403)
    code, _, notes, problems = one.check()
    assert (code, problems) == (0, [])
    left = [
        note.removesuffix(
            " is left behind: the permission s3:DeleteObject is missing (AccessDenied)"
        )
        for note in notes[1:]
    ]
    assert sorted(left) == sorted(f"s3://{one.name}/{key}" for key in one.objects())
    assert len(left) == 2


def test_dead_letters_that_may_not_be_written(one, refuse):
    """Where they go is a place of its own, and may be closed when the rest is open."""
    refuse("s3", "PutObject", "AccessDenied", "Access Denied", 403, where="/errors/")
    problem = one.only_problem()
    assert problem.startswith("deadLetterPrefix = errors/: ")
    assert "the permission s3:PutObject is missing" in problem


def test_what_is_written_is_encrypted_as_files_are(one, refuse):
    """A bucket that refuses other writes than encrypted ones is met as the pipeline meets it."""
    refuse("s3", "DeleteObject", "AccessDenied", "Access Denied", 403)
    assert one.check(s3ServerSideEncryption="aws:kms")[0] == 0
    heads = [boto3.client("s3").head_object(Bucket=one.name, Key=key) for key in one.objects()]
    assert [head["ServerSideEncryption"] for head in heads] == ["aws:kms"] * 2


def test_an_interrupt_leaves_nothing_behind(one):
    """Whoever stops in the middle leaves no object in the bucket."""
    tries = findings(load(properties(one.folder, one.changes)))
    next(found for found in tries if "files can be written" in found.sentence)
    assert len(one.objects()) == 1
    tries.close()
    assert one.objects() == []


# ---- Redshift


def test_a_wrong_password(two, monkeypatch):
    """The setting by which one logs in is named, the password is not; the rest is not tried."""
    monkeypatch.setenv("REDSHIFT_PASSWORD", "correct horse battery staple")
    code, fine, _, problems = two.check()
    assert code == 2
    (problem,) = problems
    assert problem.startswith(
        "redshiftUsername = awsuser: no login to Redshift, and nothing in it was tried: "
    )
    assert "password authentication failed" in problem
    assert "horse" not in problem
    assert not any("redshift" in line for line in fine)


def test_no_password(two, monkeypatch):
    """The variable that it is looked for in is named."""
    monkeypatch.delenv("REDSHIFT_PASSWORD")
    assert "REDSHIFT_PASSWORD is not in the environment" in two.only_problem()


def test_a_login_by_iam_that_is_refused(two, monkeypatch):
    """The permission is named as for any other service."""
    from botocore.stub import Stubber

    service = aws.client("redshift", load(properties(two.folder, two.changes, STAGE_TWO)))
    stub = Stubber(service)
    stub.add_client_error(
        "get_cluster_credentials_with_iam",
        "AccessDenied",
        NAMED.format("redshift:GetClusterCredentialsWithIAM"),
        403,
    )
    stub.activate()
    monkeypatch.setattr("record_processors.destinations.redshift.login.client", lambda *_: service)
    problem = two.only_problem(redshiftUsername=None, redshiftClusterIdentifier="my-cluster")
    assert problem == (
        "redshiftClusterIdentifier = my-cluster: no login to Redshift, and nothing in it was "
        "tried: the permission redshift:GetClusterCredentialsWithIAM is missing (AccessDenied)"
    )


def test_tls_that_the_server_does_not_speak(two):
    """TLS is used as the file says, or not at all."""
    problem = two.only_problem(redshiftSSLMode="require")
    assert problem.startswith("redshiftSSLMode = require: no login to Redshift")
    assert "server does not support SSL" in problem


def test_a_warehouse_that_is_not_there(two):
    """The address is in the sentence."""
    problem = two.only_problem(redshiftURL="127.0.0.1:9/dev")
    assert problem.startswith("redshiftURL = 127.0.0.1:9/dev: no login to Redshift")
    assert "Connection refused" in problem


def test_no_ledger(two):
    """The sentence says what makes it."""
    two.query(f"DROP TABLE {two.ledger}")
    assert two.only_problem() == (
        f"redshiftFileTable = {two.ledger}: the ledger is not there; `kinesis-connectors create` "
        "makes it"
    )


def test_a_schema_that_is_not_there(two):
    """A table in it is not there either."""
    problem = two.only_problem(redshiftFileTable="nowhere.files")
    assert problem.startswith("redshiftFileTable = nowhere.files: the ledger is not there;")


def test_a_ledger_of_an_older_version(two):
    """What `create` mends is told so."""
    two.query(f"ALTER TABLE {two.ledger} DROP COLUMN digits")
    assert two.only_problem() == (
        f"redshiftFileTable = {two.ledger}: the ledger has no column digits: "
        "`kinesis-connectors create` brings it up to date"
    )


def test_a_ledger_that_is_none(two):
    """A table of something else is not taken for the ledger, nor one with another key column."""
    problem = two.only_problem(redshiftFileTable=two.table)
    assert "has no column file, data_table, " in problem
    assert problem.endswith("it is a table of something else")
    assert "has no column path: " in two.only_problem(redshiftFileKeyColumn="path")


def test_a_ledger_that_is_locked(two, monkeypatch):
    """A loader at work is no problem; we do not wait for it long."""
    monkeypatch.setattr(probe, "PROBE_LOCK_MILLISECONDS", 500)
    code, _, notes, problems = two.check_beside(f"LOCK {two.ledger}")
    assert (code, problems) == (0, [])
    assert notes == [
        f"redshiftFileTable = {two.ledger}: the ledger is locked by another session just now; "
        "try again"
    ]


def test_no_table(two):
    """The sentence says what makes it, and that COPY was not tried without it."""
    two.query(f"DROP TABLE {two.table}")
    code, _, notes, problems = two.check()
    assert code == 2
    assert problems == [
        f"redshiftDataTable = {two.table}: the table is not there; `kinesis-connectors create "
        "--table FILE.sql` makes it"
    ]
    assert notes == [
        "redshiftIamRole = default: whether COPY can read the bucket was not tried, as it needs "
        "the table"
    ]


def test_a_missing_column(two):
    """Those that the table lacks are named; those that it has, quoted or not, are not."""
    two.query(f'ALTER TABLE {two.table} ADD COLUMN "Mixed" INT')
    assert two.check(redshiftDataColumns='ID, "Mixed"')[0] == 0
    assert two.only_problem(redshiftDataColumns='ID, carrier, "text", flight') == (
        f"redshiftDataColumns: {two.table} has no column carrier, flight"
    )


def test_a_user_without_rights(two):
    """What the user may not do with ledger and table is named; both are told."""
    two.query(f"CREATE USER {two.name} PASSWORD '{os.environ['REDSHIFT_PASSWORD']}'")
    code, _, _, problems = two.check(redshiftUsername=two.name)
    assert code == 2
    assert [problem.partition(" = ")[0] for problem in problems] == [
        "redshiftFileTable",
        "redshiftDataTable",
    ]
    assert "cannot be locked: Redshift: permission denied" in problems[0]
    assert problems[1].endswith("the table: the user lacks the right to INSERT")


def test_a_user_who_may_not_enter(two):
    """To lock the ledger is not enough."""
    two.query(
        f"CREATE USER {two.name} PASSWORD '{os.environ['REDSHIFT_PASSWORD']}'; "
        f"GRANT DELETE ON {two.ledger} TO {two.name}; GRANT INSERT ON {two.table} TO {two.name}"
    )
    assert two.only_problem(redshiftUsername=two.name) == (
        f"redshiftFileTable = {two.ledger}: the ledger: the user lacks the right to SELECT and "
        "INSERT"
    )


def raising(message):
    """Return a statement that fails as a COPY does."""
    return f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = '{message}'; END $$"


@pytest.mark.parametrize(
    "message",
    [
        "S3ServiceException:Access Denied,Status 403,Error AccessDenied,Rid 1,CanRetry 1",
        "User arn:aws:redshift:u is not authorized to assume IAM Role arn:aws:iam::1:role/r",
    ],
)
def test_a_role_that_may_not_read(two, monkeypatch, message):
    """Redshift's own words follow the setting; nothing is left behind."""
    monkeypatch.setattr(probe, "copy_statement", lambda *_: raising(message))
    problem = two.only_problem()
    assert problem.startswith("redshiftIamRole = default: Redshift may not read the bucket: ")
    assert message in problem
    assert two.objects() == []


def test_copy_options_that_redshift_refuses(two):
    """What only Redshift knows of redshiftCopyOptions shows, as the COPY is the pipeline's own."""
    problem = two.only_problem(redshiftCopyOptions="DATEFORMAT 'no such format'")
    assert "a COPY of an empty file fails: " in problem


def test_a_copy_that_waits(two, monkeypatch):
    """Of a COPY that waits for another session it is said that it was not tried."""
    monkeypatch.setattr(probe, "PROBE_COPY_MILLISECONDS", 500)
    code, _, notes, problems = two.check_beside(f"LOCK {two.table}")
    assert (code, problems) == (0, [])
    assert "whether COPY can read the bucket was not tried, as it took longer" in notes[0]


def test_parquet_is_not_tried(two):
    """There is no file of it without rows and columns, which is said."""
    code, _, notes, problems = two.check(redshiftDataFormat="parquet")
    assert (code, problems) == (0, [])
    assert "was not tried, as there is no Parquet file without columns" in notes[0]


def test_without_a_bucket_copy_is_not_tried(two):
    """What COPY is to read cannot be written then."""
    _, _, notes, problems = two.check(s3Bucket="nobodys-bucket")
    assert len(problems) == 1
    assert "was not tried, as no file can be written for it" in notes[0]
