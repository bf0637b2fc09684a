"""`create` says what it makes; a bucket is furnished; the table comes from the user's SQL."""

import codecs

import boto3
import moto
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber

from record_processors import Fatal
from record_processors.aws.clients import client
from record_processors.commands import main as cli
from record_processors.commands.create import create
from record_processors.config.properties import load
from record_processors.destinations.redshift.connection import Connection
from support.fakes import STAGE_TWO, properties


def said(path, *options):
    """Run the command; return its exit code and the lines that it printed."""
    return cli.main(["create", path, *options])


@pytest.fixture
def cloud():
    with moto.mock_aws():
        yield boto3.client("s3")


def test_a_dry_run_makes_nothing(cloud, tmp_path, capsys):
    """It says what would be made, and nothing is there afterwards."""
    path = properties(tmp_path, {"kinesisInputStreamShardCount": "3"})
    assert said(path, "--dry-run") == 0
    assert capsys.readouterr().out.splitlines() == [
        "stream events (3 shards): would be made",
        "lease table flights: would be made",
        "worker metrics table flights-WorkerMetricStats: would be made",
        "coordinator state table flights-CoordinatorState: would be made",
        "bucket bucket: would be made",
        "stream manifests (1 shard): would be made",
    ]
    assert not boto3.client("kinesis").list_streams()["StreamNames"]
    assert not boto3.client("dynamodb").list_tables()["TableNames"]
    assert not cloud.list_buckets()["Buckets"]


def test_a_dry_run_says_what_is_there(cloud, tmp_path, capsys):
    """What is there is told with the shards that it has."""
    boto3.client("kinesis").create_stream(StreamName="events", ShardCount=2)
    assert said(properties(tmp_path, {"kinesisInputStreamShardCount": "3"}), "--dry-run") == 0
    assert capsys.readouterr().out.splitlines() == [
        "stream events (2 shards): is there",
        "lease table flights: would be made",
        "worker metrics table flights-WorkerMetricStats: would be made",
        "coordinator state table flights-CoordinatorState: would be made",
        "bucket bucket: would be made",
        "stream manifests (1 shard): would be made",
    ]


def test_a_new_bucket_is_furnished(cloud, tmp_path):
    """It encrypts, is closed to the public, ends uploads that were cut off, and deletes nothing."""
    list(create(load(properties(tmp_path))))
    (rule,) = cloud.get_bucket_encryption(Bucket="bucket")["ServerSideEncryptionConfiguration"][
        "Rules"
    ]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    access = cloud.get_public_access_block(Bucket="bucket")["PublicAccessBlockConfiguration"]
    assert set(access.values()) == {True}
    (rule,) = cloud.get_bucket_lifecycle_configuration(Bucket="bucket")["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert set(rule) == {"ID", "Status", "Filter", "AbortIncompleteMultipartUpload"}


def test_a_new_bucket_encrypts_with_the_key_of_the_file(cloud, tmp_path):
    """s3KmsKeyId becomes the bucket's default."""
    changes = {"s3ServerSideEncryption": "aws:kms", "s3KmsKeyId": "alias/mine"}
    list(create(load(properties(tmp_path, changes))))
    (rule,) = cloud.get_bucket_encryption(Bucket="bucket")["ServerSideEncryptionConfiguration"][
        "Rules"
    ]
    assert rule["ApplyServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": "alias/mine",
    }


def test_a_bucket_that_was_there_is_left_alone(cloud, tmp_path):
    """Its owner's own rules stay: none is added."""
    cloud.create_bucket(Bucket="bucket")
    list(create(load(properties(tmp_path))))
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        cloud.get_bucket_lifecycle_configuration(Bucket="bucket")


def test_what_a_bucket_could_not_be_given_is_said(cloud, tmp_path, monkeypatch):
    """Without the permission for one aspect the bucket is made, and its line says what it lacks."""
    settings = load(properties(tmp_path))
    s3 = client("s3", settings)
    stub = Stubber(s3)
    stub.add_client_error("head_bucket", "404", http_status_code=404)
    for answer in ("create_bucket", "put_bucket_encryption", "put_public_access_block"):
        stub.add_response(answer, {})
    stub.add_client_error("put_bucket_lifecycle_configuration", "AccessDenied")
    stub.activate()
    monkeypatch.setattr(
        "record_processors.aws.new_bucket.client",
        lambda service, given: s3 if service == "s3" else client(service, given),
    )
    *_, bucket, _ = create(settings)
    assert str(bucket).startswith("bucket bucket: made, but without an end to incomplete uploads")
    assert "AccessDenied" in str(bucket)


def test_somebody_elses_bucket(cloud, tmp_path, monkeypatch):
    """A name that is taken is a sentence, not a bucket."""
    settings = load(properties(tmp_path))
    s3 = client("s3", settings)
    stub = Stubber(s3)
    stub.add_client_error("head_bucket", "403", http_status_code=403)
    stub.activate()
    monkeypatch.setattr(
        "record_processors.aws.new_bucket.client",
        lambda service, given: s3 if service == "s3" else client(service, given),
    )
    with pytest.raises(Fatal, match="s3Bucket = bucket: the bucket is somebody else's"):
        list(create(settings))


# ---- the data table


@pytest.fixture
def stage_two(stack, tmp_path, request):
    """Return a file of stage two with a ledger and a table of this test's own names."""
    name = request.node.name.replace("[", "_").replace("]", "")
    changes = {
        **stack.properties,
        "streamName": "tables",
        "s3Bucket": "tables",
        "redshiftDataTable": name,
        "redshiftFileTable": f"{name}_files",
    }
    return properties(tmp_path, changes, STAGE_TWO), name


def tables(path):
    """Return the tables that there are."""
    warehouse = Connection.from_settings(load(path))
    with warehouse.transaction() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        found = {name for (name,) in cursor.fetchall()}
    warehouse.close()
    return found


def sql(folder, text):
    (folder / "table.sql").write_text(text)
    return str(folder / "table.sql")


def test_the_table_is_made_once(stage_two, tmp_path, capsys):
    """The SQL runs if the table is not there; the second time it is left alone."""
    path, name = stage_two
    file = sql(tmp_path, f"CREATE TABLE {name} (id BIGINT);\nINSERT INTO {name} VALUES (1);\n")
    assert said(path, "--table", file, "--dry-run") == 0
    assert name not in tables(path)
    assert said(path, "--table", file) == 0
    assert said(path, "--table", file) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("table")]
    assert lines == [f"table {name}: {end}" for end in ("would be made", "made", "was there")]


def test_a_byte_order_mark_is_none_of_the_sql(stage_two, tmp_path):
    """What some editors put before a text, and nobody sees, does not reach Redshift."""
    path, name = stage_two
    file = tmp_path / "table.sql"
    file.write_bytes(codecs.BOM_UTF8 + f"CREATE TABLE {name} (id BIGINT)".encode())
    assert said(path, "--table", str(file)) == 0
    assert name in tables(path)


def test_a_dry_run_makes_no_ledger(stage_two, capsys):
    """Nothing is made in Redshift either."""
    path, name = stage_two
    assert said(path, "--dry-run") == 0
    assert f'ledger "{name}_files": would be made' in capsys.readouterr().out
    assert not tables(path) & {name, f"{name}_files"}


def test_another_table_is_undone(stage_two, tmp_path, capsys):
    """SQL that does not make the table of redshiftDataTable has made nothing in the end."""
    path, name = stage_two
    assert said(path, "--table", sql(tmp_path, f"CREATE TABLE {name}_x (id BIGINT)")) == 70
    assert f"makes another table than {name} (redshiftDataTable)" in capsys.readouterr().err
    assert f"{name}_x" not in tables(path)


def test_bad_sql(stage_two, tmp_path, capsys):
    """What Redshift says of it is passed on."""
    path, name = stage_two
    assert said(path, "--table", sql(tmp_path, "CREATE TABEL x")) == 70
    error = capsys.readouterr().err
    assert f"the table {name} cannot be made" in error
    assert 'syntax error at or near "TABEL"' in error


@pytest.mark.parametrize(
    ("text", "sentence"),
    [(None, "cannot be read: No such file"), (" \n", "no SQL in it"), ("\xff", "not UTF-8")],
)
def test_a_file_of_no_use(tmp_path, capsys, text, sentence):
    """It is exit code 2 before anything is made."""
    file = tmp_path / "table.sql"
    if text is not None:
        file.write_bytes(text.encode("latin-1"))
    path = properties(tmp_path, base=STAGE_TWO)
    assert said(path, "--table", str(file)) == 2
    assert sentence in capsys.readouterr().err


def test_a_stage_without_a_table(tmp_path, capsys):
    """Stage one refuses a table in a sentence that says where it belongs."""
    file = sql(tmp_path, "CREATE TABLE t (id BIGINT)")
    assert said(properties(tmp_path), "--table", file) == 2
    assert "connectorDestination = s3-manifest has no table" in capsys.readouterr().err
