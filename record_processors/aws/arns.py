"""The names that AWS has for what a pipeline's file names."""

from __future__ import annotations

import os
import re
from functools import cache

import botocore.exceptions
import botocore.session

from ..config.keys import S3_BUCKET, region_of
from ..config.setting import Settings

ANY = "*"


class Arns:
    """The ARNs of what a pipeline's file names, as a policy names them.

    The region is that of the file, or of the environment; what is not known is any.
    """

    def __init__(self, settings: Settings, account: str) -> None:
        region = region_of(settings) or os.environ.get("AWS_DEFAULT_REGION") or ANY
        self.partition = partition_of(region)
        self.place = f"{region}:{account}"
        self.bucket = f"arn:{self.partition}:s3:::{settings[S3_BUCKET]}"

    def arn(self, service: str, resource: str) -> str:
        """Name a resource of the account in the region."""
        return f"arn:{self.partition}:{service}:{self.place}:{resource}"

    def stream(self, name: str) -> str:
        """Name a stream of Kinesis."""
        return self.arn("kinesis", f"stream/{name}")

    def objects(self, prefix: str) -> str:
        """Name all objects of the bucket whose keys begin so."""
        return f"{self.bucket}/{no_pattern(prefix)}*"

    def table(self, name: str) -> str:
        """Name a table of DynamoDB."""
        return self.arn("dynamodb", f"table/{no_pattern(name)}")


def account_in(arn: str) -> str:
    """Return the account that an ARN names."""
    return arn.split(":")[4]


@cache
def partition_of(region: str) -> str:
    """Return the partition of a region, as botocore knows it; the ordinary one of any."""
    try:
        return str(botocore.session.Session().get_partition_for_region(region))
    except botocore.exceptions.UnknownRegionError:
        return "aws"


def no_pattern(text: str) -> str:
    """Write text so that it is no pattern in a policy.

    docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    return re.sub(r"[*?$]", lambda found: f"${{{found[0]}}}", text)
