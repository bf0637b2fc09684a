"""The names that AWS has for what a pipeline's file names."""

from __future__ import annotations

import os
import re

import botocore.exceptions
import botocore.session

from .settings import APPLICATION_NAME, S3_BUCKET, STREAM_NAME, Setting, Settings, region_of

ANY = "*"


class Arns:
    """The ARNs of a pipeline's stream, bucket and tables, as a policy names them.

    The region is that of the file, or of the environment; what is not known is any.
    """

    def __init__(self, settings: Settings, account: str) -> None:
        region = region_of(settings) or os.environ.get("AWS_DEFAULT_REGION") or ANY
        self.partition = partition_of(region)
        self.place = f"{region}:{account}"
        self.settings = settings
        self.texts = settings.texts
        self.application = settings[APPLICATION_NAME]
        self.stream = self.stream_of(STREAM_NAME)
        self.bucket = f"arn:{self.partition}:s3:::{settings[S3_BUCKET]}"
        # KCL's tables: the leases with the checkpoints, how busy each worker is, and who leads.
        self.leases = self._table("tableName", "")
        self.workers = self._table("workerMetricsTableName", "-WorkerMetricStats")
        self.leader = self._table("coordinatorStateTableName", "-CoordinatorState")

    def arn(self, service: str, resource: str) -> str:
        """Name a resource of the account in the region."""
        return f"arn:{self.partition}:{service}:{self.place}:{resource}"

    def stream_of(self, setting: Setting[str]) -> str:
        """Name the stream that a setting names."""
        return self.arn("kinesis", f"stream/{self.settings[setting]}")

    def objects(self, prefix: str) -> str:
        """Name all objects of the bucket whose keys begin so."""
        return f"{self.bucket}/{literal(prefix)}*"

    def _table(self, key: str, ending: str) -> str:
        """Name the table that ``key`` names, or that is named after the application."""
        name = literal(self.texts.get(key, f"{self.application}{ending}"))
        return self.arn("dynamodb", f"table/{name}")


def partition_of(region: str) -> str:
    """Return the partition of a region, as botocore knows it; the ordinary one of any."""
    try:
        return str(botocore.session.Session().get_partition_for_region(region))
    except botocore.exceptions.UnknownRegionError:
        return "aws"


def literal(text: str) -> str:
    """Write text so that it is no pattern in a policy.

    docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    return re.sub(r"[*?$]", lambda found: f"${{{found[0]}}}", text)
