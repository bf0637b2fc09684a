"""Who this host is: a program that systemd runs at each start of it, ahead of the pipelines.

On EC2 it is the instance id, asked of the metadata service (IMDSv2:
docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html). What it finds goes to
``host.env`` in the folder that systemd made for it (``RuntimeDirectory``), which is gone with the
next start: an image that is made of this host does not carry it away. No pipeline starts without
that file.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

from ..config.keys import HOST_VARIABLE
from ..errors import EXIT_FAILED

ADDRESS_VARIABLE = "AWS_EC2_METADATA_SERVICE_ENDPOINT"  # as AWS's SDKs have it
ADDRESS = "http://169.254.169.254"
ANSWER_SECONDS = 2
TRIES, SECONDS_BETWEEN = 5, 1
LIFETIME = "60"  # of a token, in seconds
# On EC2 it holds the instance id, and there alone is of this form:
# docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html
ASSET_TAG = Path("/sys/devices/virtual/dmi/id/board_asset_tag")
INSTANCE = re.compile(r"i-[0-9a-f]+")

log = logging.getLogger(__name__)


def main() -> int:
    """Write the file, empty where there is no metadata service; return the exit code.

    On EC2 there is one, and what does not answer now is asked again: a host's name, which may be
    another's later, does not serve there.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    address = os.environ.get(ADDRESS_VARIABLE, ADDRESS).rstrip("/")
    found = asked(address)
    if not found and is_of_ec2():
        log.error(
            "%s does not answer, and without its instance id no pipeline starts on a host of EC2: "
            "enable the metadata service (HttpEndpoint) of the instance",
            address,
        )
        return EXIT_FAILED
    lines = "".join(f"{name}={value}\n" for name, value in found.items())
    Path(os.environ["RUNTIME_DIRECTORY"], "host.env").write_text(lines, encoding="ascii")
    if found:
        log.info("this host is %s", found[HOST_VARIABLE])
    else:
        log.info("%s is not there: this host's name tells who it is", address)
    return 0


def asked(address: str) -> dict[str, str]:
    """Return what the metadata service says, as variables; nothing if there is none."""
    opener = build_opener(ProxyHandler({}))  # it is this host's own: no proxy knows it

    def ask(path: str, method: str = "GET", **headers: str) -> str:
        told = {f"X-aws-ec2-metadata-{name.replace('_', '-')}": v for name, v in headers.items()}
        request = Request(f"{address}/latest/{path}", headers=told, method=method)  # noqa: S310
        with opener.open(request, timeout=ANSWER_SECONDS) as answer:
            return str(answer.read().decode("ascii"))

    for tries in range(TRIES):
        if tries:
            time.sleep(SECONDS_BETWEEN)
        try:
            token = ask("api/token", "PUT", token_ttl_seconds=LIFETIME)
            return {
                HOST_VARIABLE: ask("meta-data/instance-id", token=token),
                "AWS_REGION": ask("meta-data/placement/region", token=token),
            }
        except HTTPError as error:
            log.info("%s: %s", error.url, error)
        except OSError as error:
            log.info("%s: %s", address, error)
    return {}


def is_of_ec2() -> bool:
    """Whether this host is an instance, as its firmware says."""
    try:
        return bool(INSTANCE.match(ASSET_TAG.read_text(encoding="ascii")))
    except (OSError, ValueError):
        return False


if __name__ == "__main__":
    sys.exit(main())
