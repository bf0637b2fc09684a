"""The settings of OpenSearch, each declared once, and what its address says."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import urlsplit

from ...config.setting import Setting
from ...config.types import ValueType, matching, text

OPENSEARCH = "OpenSearch"  # the section

USERNAME_VARIABLE = "OPENSEARCH_USERNAME"
PASSWORD_VARIABLE = "OPENSEARCH_PASSWORD"  # noqa: S105 - the environment variable's name

# docs.aws.amazon.com/opensearch-service/latest/developerguide/createupdatedomains.html, of domains,
# and …/serverless-manage.html, of collections; the first label has name and id.
REGION = r"(?P<region>[a-z]{2,}(?:-[a-z]+)+-[0-9]+)"
NAME_AND_ID = r"(?:(?:search|vpc)-(?P<name>[a-z0-9-]+)-[a-z0-9]+|[a-z0-9-]+)"
AWS_HOSTS = (
    ("es", re.compile(rf"{NAME_AND_ID}\.{REGION}\.es\.amazonaws\.com(?:\.cn)?")),
    ("es", re.compile(rf"{NAME_AND_ID}\.aos\.{REGION}\.on\.(?:aws|amazonwebservices\.com\.cn)")),
    ("aoss", re.compile(rf"(?P<name>[a-z0-9]+)\.{REGION}\.aoss\.amazonaws\.com(?:\.cn)?")),
)


class Aws(NamedTuple):
    """A domain (``es``) or a collection (``aoss``) of AWS, as far as its host's name tells."""

    service: str
    region: str
    name: str  # "" if it is not known


def aws_of(url: str) -> Aws | None:
    """Return which service of AWS an address leads to; None: to none that we know."""
    host = urlsplit(url).hostname or ""
    for service, pattern in AWS_HOSTS:
        if found := pattern.fullmatch(host):
            return Aws(service, found["region"], found["name"] or "")
    return None


def is_loopback(url: str) -> bool:
    """Whether an address is of this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _read_url(value: str) -> str:
    if not re.fullmatch(r"https?://[^/@?#\s]+/?", value):
        raise ValueError("not https://host or https://host:port")
    try:
        urlsplit(value).port  # noqa: B018 - raises for one that is none
    except ValueError as error:
        raise ValueError("not a port, 0 to 65535") from error
    if value.startswith("http:") and not is_loopback(value):
        raise ValueError("http is for this machine alone, as nothing is encrypted: write https")
    return value.rstrip("/")


OPEN_SEARCH_URL = Setting(
    "openSearchURL",
    ValueType("https://host or https://host:port", _read_url),
    "The cluster, domain or collection; AWS's are logged in to by IAM.",
    required=True,
    example="https://search-flights-abc123xyz789.us-east-1.es.amazonaws.com",
    note="With OPENSEARCH_USERNAME and OPENSEARCH_PASSWORD in the environment, by these. http is "
    "for this machine alone.",
    section=OPENSEARCH,
)
OPEN_SEARCH_INDEX = Setting(
    "openSearchIndex",
    # docs.opensearch.org/latest/api-reference/index-apis/create-index, of names
    matching(
        r"(?!\.{1,2}$)[a-z0-9.][a-z0-9._-]{0,254}",
        "1 to 255 of a-z 0-9 . _ -, a letter, digit or dot first",
    ),
    "The index that the documents go to, or an alias, or a data stream.",
    required=True,
    example="flights",
    section=OPENSEARCH,
)
OPEN_SEARCH_ID_FIELD = Setting[str | None](
    "openSearchIdField",
    text,
    "The field whose value is a document's _id: the last record of each value is kept.",
    default_in_words="each row is a document of its own, whose _id is its record's position",
    note="Not for data streams.",
    example="id",
    section=OPENSEARCH,
)
SSL_ROOT_CERT = Setting[str | None](
    "openSearchSSLRootCert",
    text,
    "The file of root certificates; without it, those that browsers trust.",
    section=OPENSEARCH,
    example="/etc/ssl/opensearch.pem",
)

DECLARED = [each for each in list(vars().values()) if isinstance(each, Setting)]
