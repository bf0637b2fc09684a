"""How to log in to Redshift: four ways, none of which puts a secret into a file of ours."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from ...aws.clients import client
from ...aws.failures import call
from ...config.setting import Settings
from ...errors import Fatal
from ...flow.retry import Retry
from .settings import (
    PASSWORD_VARIABLE,
    REDSHIFT_CLUSTER,
    REDSHIFT_SECRET,
    REDSHIFT_URL,
    REDSHIFT_USER,
    REDSHIFT_WORKGROUP,
)

Login = tuple[str, str]  # user, password


def login_of(settings: Settings) -> Callable[[], Login]:
    """Return what fetches user and password anew for each connection, as they expire."""
    database = database_of(settings)
    if (user := settings[REDSHIFT_USER]) is not None:
        return lambda: (user, _password())
    retry = Retry.from_settings(settings, "redshift")
    if (secret := settings[REDSHIFT_SECRET]) is not None:
        secrets = client("secretsmanager", settings)
        return lambda: _from_secret(
            call(retry, f"reading {secret}", lambda: secrets.get_secret_value(SecretId=secret))
        )
    if (cluster := settings[REDSHIFT_CLUSTER]) is not None:
        redshift = client("redshift", settings)

        def cluster_login() -> Login:
            found = call(
                retry,
                f"logging in to the cluster {cluster}",
                lambda: redshift.get_cluster_credentials_with_iam(
                    ClusterIdentifier=cluster, DbName=database
                ),
            )
            return found["DbUser"], found["DbPassword"]

        return cluster_login
    serverless = client("redshift-serverless", settings)
    workgroup = settings[REDSHIFT_WORKGROUP]

    def workgroup_login() -> Login:
        found = call(
            retry,
            f"logging in to the workgroup {workgroup}",
            lambda: serverless.get_credentials(workgroupName=workgroup, dbName=database),
        )
        return found["dbUser"], found["dbPassword"]

    return workgroup_login


def database_of(settings: Settings) -> str:
    """Return the name of the database that ``redshiftURL`` leads to."""
    return settings[REDSHIFT_URL].rpartition("/")[2]


def _password() -> str:
    if not (password := os.environ.get(PASSWORD_VARIABLE)):
        raise Fatal(f"redshiftUsername is set, but {PASSWORD_VARIABLE} is not in the environment")
    return password


class Secret(msgspec.Struct):
    """What we need of a secret as Redshift's console makes it."""

    username: str
    password: str


def _from_secret(answer: dict[str, str]) -> Login:
    try:
        secret = msgspec.json.decode(answer["SecretString"], type=Secret)
    except (KeyError, ValueError):
        # Without the cause: it could quote the secret.
        raise Fatal("redshiftSecretArn: not a JSON object with username and password") from None
    return secret.username, secret.password
