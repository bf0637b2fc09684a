"""A new bucket, and what it is given before the first file."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from botocore.exceptions import ClientError

from .aws import Client

HOME_REGION = "us-east-1"  # the one where CreateBucket takes no LocationConstraint
ABORT_DAYS = 7  # after which what remains of an upload that was cut off is no longer paid for
PUBLIC = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def make_bucket(s3: Client, name: str) -> None:
    """Make it in the client's region. Raises ClientError."""
    region = s3.meta.region_name
    where = {"LocationConstraint": region}
    place = {} if region == HOME_REGION else {"CreateBucketConfiguration": where}
    s3.create_bucket(Bucket=name, **place)


def furnish(s3: Client, name: str, key: str | None) -> Iterator[tuple[str, str]]:
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
