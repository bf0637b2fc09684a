"""The bucket of a pipeline, as something that it needs: looked at, made, configured."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property

from botocore.exceptions import ClientError

from ..config.keys import KMS_KEY, S3_BUCKET
from ..config.resource import Creatable, Failed, Finding, Statement
from ..config.setting import Settings
from ..errors import Fatal
from .arns import Arns
from .clients import Client, client
from .findings import ERRORS, about, quick_client, status_of, why
from .iam import allow
from .stream import naming

HOME_REGION = "us-east-1"  # the one where CreateBucket takes no LocationConstraint
ABORT_DAYS = 7  # after which what remains of an upload that was cut off is no longer paid for
PUBLIC = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


class PipelineBucket(Creatable):
    """The bucket that ``s3Bucket`` names: every pipeline has its dead letters there."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.name = settings[S3_BUCKET]

    def __str__(self) -> str:
        return f"bucket {self.name}"

    def exists(self) -> bool:
        """Look at it."""
        with naming(S3_BUCKET, self.name):
            try:
                self.s3.head_bucket(Bucket=self.name)
            except ClientError as error:
                if status_of(error) == 403:
                    raise Fatal(
                        f"{about(S3_BUCKET, self.name)}: the bucket is somebody else's, or "
                        "s3:ListBucket is missing"
                    ) from error
                if status_of(error) == 404:
                    return False
                raise
        return True

    def look(self) -> Iterable[Finding]:
        """Look at it. Raises Failed, but not when it may not be looked at: files go without."""
        try:
            quick_client("s3", self.settings).head_bucket(Bucket=self.name)
        except ERRORS as error:
            place = about(S3_BUCKET, self.name)
            status = status_of(error) if isinstance(error, ClientError) else 0
            if status == 404:
                reason = "there is no such bucket; `kinesis-connectors create` makes it"
            elif status in {400, 403}:  # HEAD's answers do not say what is refused
                return ()
            else:
                reason = why(error)
            raise Failed(f"{place}: {reason}") from error
        return ()

    def make(self) -> Sequence[str]:
        """Make it, encrypted and private; return what of that was refused."""
        with naming(S3_BUCKET, self.name):
            make_bucket(self.s3, self.name)
            refused = list(configure_bucket(self.s3, self.name, self.settings[KMS_KEY]))
        return [f"{aspect} ({said})" for aspect, said in refused]

    @cached_property
    def s3(self) -> Client:
        """The client, made once: making one takes longer than a call."""
        return client("s3", self.settings)

    def permissions_to_create(self, account: str) -> Iterator[Statement]:
        """Allow to look at it (ListBucket: API_HeadBucket.html), to make and to configure it."""
        bucket = Arns(self.settings, account).bucket
        yield allow("MakeTheBucket", "s3: CreateBucket ListBucket", bucket)
        # API_PutBucketEncryption.html and so on, "Permissions".
        actions = (
            "s3: PutEncryptionConfiguration PutBucketPublicAccessBlock PutLifecycleConfiguration"
        )
        yield allow("ConfigureTheBucket", actions, bucket)


def make_bucket(s3: Client, name: str) -> None:
    """Make it in the client's region. Raises ClientError."""
    region = s3.meta.region_name
    where = {"LocationConstraint": region}
    place = {} if region == HOME_REGION else {"CreateBucketConfiguration": where}
    s3.create_bucket(Bucket=name, **place)


def configure_bucket(s3: Client, name: str, key: str | None) -> Iterator[tuple[str, str]]:
    """Set encryption (SSE-S3, or by the KMS ``key``), privacy and lifecycle.

    Yields what could not be set, and why: records flow without it.
    """
    by_key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rule = {
        "ApplyServerSideEncryptionByDefault": by_key if key else {"SSEAlgorithm": "AES256"},
        "BucketKeyEnabled": key is not None,  # KMS is asked now and then, not for each object
    }
    # Deletes no object: files must stay while a checkpoint may lie before them.
    lifecycle = {
        "ID": "abort-incomplete-uploads",
        "Status": "Enabled",
        "Filter": {"Prefix": ""},
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_DAYS},
    }
    aspects: dict[str, Callable[[], object]] = {
        "default encryption": lambda: s3.put_bucket_encryption(
            Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]}
        ),
        "a block of public access": lambda: s3.put_public_access_block(
            Bucket=name, PublicAccessBlockConfiguration=dict.fromkeys(PUBLIC, True)
        ),
        "an end to incomplete uploads": lambda: s3.put_bucket_lifecycle_configuration(
            Bucket=name, LifecycleConfiguration={"Rules": [lifecycle]}
        ),
    }
    for aspect, put in aspects.items():
        try:
            put()
        except ClientError as error:
            yield aspect, str(error)
