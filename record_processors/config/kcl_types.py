"""How the values of KCL's keys are written. What KCL would read as something else is refused."""

from __future__ import annotations

import re

from .types import TABLE, ValueType, boolean, did_you_mean, matching, one_of, whole_number

MOST_INT = 2**31 - 1  # above it, KCL reads an int as 0
MOST_RECORDS = 10_000  # docs.aws.amazon.com/kinesis/latest/APIReference/API_GetRecords.html

# software.amazon.awssdk.auth.credentials of the SDK 2.33, and KCL's own.
PROVIDERS = (
    "AnonymousCredentialsProvider",
    "ContainerCredentialsProvider",
    "DefaultCredentialsProvider",
    "EnvironmentVariableCredentialsProvider",
    "InstanceProfileCredentialsProvider",
    "KclStsAssumeRoleCredentialsProvider",
    "ProcessCredentialsProvider",
    "ProfileCredentialsProvider",
    "StsAssumeRoleCredentialsProvider",
    "SystemPropertyCredentialsProvider",
    "WebIdentityTokenFileCredentialsProvider",
)
# Of the SDK 1, which KCL 1.x and 2.x of the MultiLangDaemon took; here none of them is found.
OLD_PROVIDERS = {
    "DefaultAWSCredentialsProviderChain": "DefaultCredentialsProvider",
    "EC2ContainerCredentialsProviderWrapper": "ContainerCredentialsProvider",
    "ContainerCredentialsProvider2": "ContainerCredentialsProvider",
    "STSAssumeRoleSessionCredentialsProvider": "StsAssumeRoleCredentialsProvider",
    "SystemPropertiesCredentialsProvider": "SystemPropertyCredentialsProvider",
    "WebIdentityTokenCredentialsProvider": "WebIdentityTokenFileCredentialsProvider",
}
# What AwsCredentialsProviderPropertyValueDecoder of the jar takes for KCL's own class.
ASSUMING = frozenset(
    {
        "StsAssumeRoleCredentialsProvider",
        "software.amazon.awssdk.services.sts.auth.StsAssumeRoleCredentialsProvider",
        "KclStsAssumeRoleCredentialsProvider",
        "software.amazon.kinesis.multilang.auth.KclStsAssumeRoleCredentialsProvider",
    }
)
ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=.@/-]+", re.ASCII)


def roles(value: str) -> list[str | None]:
    """Return the ARN of the role that each provider of a chain assumes, None for one without."""
    each = [one.strip().split("|") for one in value.split(",")]
    return [words[1] if words[0] in ASSUMING else None for words in each]


def _read_providers(value: str) -> str:
    for each in value.split(","):
        name, *words = each.strip().split("|")
        simple = name.rpartition(".")[2]
        if name.startswith("com.amazonaws.") or simple in OLD_PROVIDERS:
            now = OLD_PROVIDERS.get(simple, "one of the SDK 2")
            raise ValueError(f"{simple} is a class of the AWS SDK 1; write {now}")
        if "." not in name and name not in PROVIDERS:
            raise ValueError(f"{name} is no class that is known{did_you_mean(name, PROVIDERS)}")
        if name in ASSUMING and not (len(words) > 1 and ROLE.fullmatch(words[0]) and words[1]):
            raise ValueError(
                f"{name} takes the ARN of a role, and a name for its sessions: "
                f"{name}|arn:aws:iam::123456789012:role/NAME|SESSION"
            )
    return value


def _read_decimal(value: str) -> float:
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) or not float(value):
        raise ValueError("not a number above 0")
    return float(value)


def _read_fraction(value: str) -> float:
    if not 0 < (number := _read_decimal(value)) <= 1:
        raise ValueError("not between 0 and 1")
    return number


def _read_always_true(value: str) -> bool:
    if not boolean(value):
        raise ValueError("false has no effect: KCL applies only true")
    return True


def _read_seconds(value: str) -> int:
    if (number := whole_number(1)(value)) > 10**11:
        raise ValueError("not in seconds, but in milliseconds")
    return number


CREDENTIALS = ValueType("names of credentials providers with commas between them", _read_providers)
DECIMAL = ValueType("a number above 0", _read_decimal)
FRACTION = ValueType("a number above 0, at most 1", _read_fraction)
ALWAYS_TRUE = ValueType("true", _read_always_true)
SECONDS_SINCE_1970 = ValueType("a whole number of seconds since 1970", _read_seconds)
DURATION = matching(
    r"P(?=[0-9T])([0-9]+D)?(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+(\.[0-9]+)?S)?)?",
    "a duration of ISO 8601, like P1D or PT5S",
)
TAGS = matching(r"[^=,]+=[^=,]*(,[^=,]+=[^=,]*)*", "name=value, several with commas")
TABLE_NAME = matching(TABLE, "3 to 255 of A-Z a-z 0-9 _ . -")
BILLING = one_of("PAY_PER_REQUEST", "PROVISIONED")
# What is never applied is refused: KCL keeps its default when a number is 0.
NUMBER = whole_number(1, MOST_INT)
LONG = whole_number(1)
