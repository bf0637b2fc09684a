"""The four ways to log in to Redshift; no secret shows in what is said of a failure."""

import json
import logging
import os
import traceback

import boto3
import psycopg2
import pytest
from botocore.stub import Stubber

from record_processors import Fatal
from record_processors.aws.clients import client
from record_processors.config.setting import Settings
from record_processors.destinations.redshift.connection import Connection
from record_processors.destinations.redshift.login import login_of

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module")
def secret(stack):
    """Keep a text in Secrets Manager; return its ARN."""
    manager = boto3.client("secretsmanager")

    def keep(name, **what):
        return manager.create_secret(Name=name, **what)["ARN"]

    return keep


def settings(**texts):
    url = {"redshiftURL": "host:5439/dev", "regionName": "us-east-1"}
    tries = {"retryLimit": "3", "backoffInterval": "1", "outagePatience": "0"}
    return Settings("a.properties", url | tries | texts)


@pytest.fixture
def stubbed(monkeypatch):
    """Make the client of a service answer what the test says, by the service's own model."""
    stubs = []

    def stub(service):
        found = client(service, settings())
        stubs.append(Stubber(found))
        stubs[-1].activate()
        monkeypatch.setattr(
            "record_processors.destinations.redshift.login.client", lambda *_: found
        )
        return stubs[-1]

    yield stub
    for one in stubs:
        one.assert_no_pending_responses()


def said_of(error):
    """Return all that a log could hold of an error."""
    return "".join(traceback.format_exception(error)) + repr(error)


def test_the_users_password_comes_from_the_environment(monkeypatch):
    """It is looked up for each connection, so that a new one counts."""
    login = login_of(settings(redshiftUsername="connectors"))
    monkeypatch.setenv("REDSHIFT_PASSWORD", PASSWORD)
    assert login() == ("connectors", PASSWORD)
    monkeypatch.setenv("REDSHIFT_PASSWORD", "another")
    assert login() == ("connectors", "another")


@pytest.mark.parametrize("value", [None, ""])
def test_no_password_in_the_environment_is_fatal(monkeypatch, value):
    """The sentence names the setting and the variable."""
    monkeypatch.delenv("REDSHIFT_PASSWORD", raising=False)
    if value is not None:
        monkeypatch.setenv("REDSHIFT_PASSWORD", value)

    with pytest.raises(Fatal, match="redshiftUsername is set, but REDSHIFT_PASSWORD"):
        login_of(settings(redshiftUsername="connectors"))()


def test_a_secret_holds_user_and_password(secret):
    """A secret as Redshift's console makes it; a rotated one counts for the next connection."""
    text = {"username": "connectors", "password": PASSWORD, "engine": "redshift", "port": 5439}
    arn = secret("good", SecretString=json.dumps(text))
    login = login_of(settings(redshiftSecretArn=arn))
    assert login() == ("connectors", PASSWORD)

    rotated = json.dumps({**text, "password": "another"})
    boto3.client("secretsmanager").put_secret_value(SecretId=arn, SecretString=rotated)
    assert login() == ("connectors", "another")


def test_a_secret_opens_the_warehouse(stack, secret):
    """Redshift takes what the secret holds."""
    user, url = stack.properties["redshiftUsername"], stack.properties["redshiftURL"]
    text = json.dumps({"username": user, "password": os.environ["REDSHIFT_PASSWORD"]})
    arn = secret("opens", SecretString=text)
    warehouse = Connection.from_settings(
        settings(redshiftURL=url, redshiftSecretArn=arn, redshiftSSLMode="disable")
    )
    with warehouse.transaction() as cursor:
        cursor.execute("SELECT current_user")
        assert cursor.fetchone() == (user,)
    warehouse.close()


@pytest.mark.parametrize(
    "text",
    [
        f"{PASSWORD}",
        f'{{"username": "connectors", "password": "{PASSWORD}"',
        f'{{"username": "connectors", "secret": "{PASSWORD}"}}',
        f'{{"password": "{PASSWORD}"}}',
        f'["connectors", "{PASSWORD}"]',
        f'"{PASSWORD}"',
        f'{{"username": "connectors", "password": ["{PASSWORD}"]}}',
        f'{{"username": null, "password": "{PASSWORD}"}}',
    ],
)
def test_a_malformed_secret_is_fatal_and_stays_secret(secret, caplog, text):
    """What is wrong with it is said without a word of it."""
    caplog.set_level(logging.INFO)
    arn = secret(f"bad-{abs(hash(text))}", SecretString=text)
    with pytest.raises(Fatal, match="redshiftSecretArn: not a JSON object with") as raised:
        login_of(settings(redshiftSecretArn=arn))()

    assert PASSWORD not in said_of(raised.value) + caplog.text


def test_a_binary_secret_is_fatal_and_stays_secret(secret):
    """A secret without a text is not taken for one."""
    arn = secret("binary", SecretBinary=PASSWORD.encode())
    with pytest.raises(Fatal, match="redshiftSecretArn: not a JSON object with") as raised:
        login_of(settings(redshiftSecretArn=arn))()

    assert PASSWORD not in said_of(raised.value)


def test_a_secret_that_is_not_there_is_fatal(stack, waits):
    """The sentence names it, and nothing is retried."""
    arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:nobody-AbCdEf"
    with pytest.raises(Fatal, match="nobody-AbCdEf"):
        login_of(settings(redshiftSecretArn=arn))()

    assert not waits


CLUSTER = {"ClusterIdentifier": "my-cluster", "DbName": "dev"}
WORKGROUP = {"workgroupName": "my-workgroup", "dbName": "dev"}


def test_a_cluster_gives_a_login_for_each_connection(stubbed):
    """IAM's login is asked for by cluster and database, and again for the next connection."""
    stub = stubbed("redshift")
    for password in (PASSWORD, "another"):
        answer = {"DbUser": "IAMR:loader", "DbPassword": password}
        stub.add_response("get_cluster_credentials_with_iam", answer, CLUSTER)
    login = login_of(settings(redshiftClusterIdentifier="my-cluster"))

    assert login() == ("IAMR:loader", PASSWORD)
    assert login() == ("IAMR:loader", "another")


def test_a_workgroup_gives_a_login_for_each_connection(stubbed):
    """The same of Redshift Serverless."""
    stub = stubbed("redshift-serverless")
    for password in (PASSWORD, "another"):
        answer = {"dbUser": "IAMR:loader", "dbPassword": password}
        stub.add_response("get_credentials", answer, WORKGROUP)
    login = login_of(settings(redshiftWorkgroup="my-workgroup"))

    assert login() == ("IAMR:loader", PASSWORD)
    assert login() == ("IAMR:loader", "another")


WAYS = [
    ("redshift", "redshiftClusterIdentifier", "my-cluster", "get_cluster_credentials_with_iam"),
    ("redshift-serverless", "redshiftWorkgroup", "my-workgroup", "get_credentials"),
    ("secretsmanager", "redshiftSecretArn", "my-secret", "get_secret_value"),
]
ANSWERS = {
    "redshift": {"DbUser": "user", "DbPassword": PASSWORD},
    "redshift-serverless": {"dbUser": "user", "dbPassword": PASSWORD},
    "secretsmanager": {"SecretString": json.dumps({"username": "user", "password": PASSWORD})},
}


@pytest.mark.parametrize(("service", "key", "name", "method"), WAYS)
def test_throttling_is_tried_again(stubbed, waits, service, key, name, method):
    """A passing trouble of the service costs a wait."""
    stub = stubbed(service)
    stub.add_client_error(method, "ThrottlingException", http_status_code=400)
    stub.add_client_error(method, "InternalFailure", http_status_code=500)
    stub.add_response(method, ANSWERS[service])

    assert login_of(settings(**{key: name}))() == ("user", PASSWORD)
    assert len(waits) == 2


@pytest.mark.parametrize(("service", "key", "name", "method"), WAYS)
@pytest.mark.parametrize(
    ("code", "status"),
    [("AccessDeniedException", 400), ("ClusterNotFound", 404), ("ResourceNotFoundException", 404)],
)
def test_what_iam_or_the_service_refuses_is_fatal(
    stubbed, waits, service, key, name, method, code, status
):
    """No access, no such cluster: one sentence names it, and nothing is retried."""
    stubbed(service).add_client_error(method, code, http_status_code=status)
    with pytest.raises(Fatal, match=name) as raised:
        login_of(settings(**{key: name}))()

    assert code in str(raised.value)
    assert not waits


def test_a_connection_after_an_error_logs_in_anew(stack):
    """A login that expires is fetched again when the warehouse has to connect again."""
    logins = []

    def login():
        logins.append(None)
        return stack.properties["redshiftUsername"], os.environ["REDSHIFT_PASSWORD"]

    warehouse = Connection(stack.properties["redshiftURL"], login, "disable", "")
    with warehouse.transaction() as cursor:
        cursor.execute("SELECT 1")
    with warehouse.transaction() as cursor:
        cursor.execute("SELECT 1")
    assert len(logins) == 1
    with pytest.raises(Fatal), warehouse.transaction() as cursor:
        cursor.execute("SELECT no_such_column")
    with warehouse.transaction() as cursor:
        cursor.execute("SELECT 1")
    warehouse.close()

    assert len(logins) == 2


def test_an_expired_login_is_fatal_without_its_password(stack, monkeypatch, caplog):
    """What Redshift says of a refused login is passed on; the password is not."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("REDSHIFT_PASSWORD", PASSWORD)
    user, url = stack.properties["redshiftUsername"], stack.properties["redshiftURL"]
    warehouse = Connection.from_settings(
        settings(redshiftURL=url, redshiftUsername=user, redshiftSSLMode="disable")
    )
    denied = pytest.raises(Fatal, match="password authentication failed")
    with denied as raised, warehouse.transaction():
        pytest.fail("logged in with a wrong password")

    assert isinstance(raised.value.__cause__, psycopg2.OperationalError)
    assert PASSWORD not in said_of(raised.value) + caplog.text + repr(vars(warehouse))
