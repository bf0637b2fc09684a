"""The stand-in for AWS behind a gate that lets pass what the caller's IAM policies allow.

moto keeps the users, their keys and their policies, and its ``IAMPolicy`` judges each request. What
a request needs is read here, off the wire: moto's own enforcement takes ``*`` for the resource of
DynamoDB's and Kinesis' calls, which no ARN matches, calls a look at a bucket s3:HeadBucket, which
is no action, and lets KMS and s3:ListBucket alone. Who comes with the key ``local`` is not asked:
the tests, and Redshift's stand-in.

Run as the stand-in is; each request is a line of the file that ``GATE_JOURNAL`` names.
"""

import json
import os
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from record_processors.local import aws, cbor

# After the stand-in, which makes moto's settings.
from moto.iam.access_control import IAMPolicy, PermissionResult, create_access_key  # isort: skip
from moto.kinesis.utils import decompose_shard_iterator  # isort: skip

ACCOUNT, REGION = "123456789012", "us-east-1"
TRUSTED = "local"
KMS_HEADER = "x-amz-server-side-encryption-aws-kms-key-id"


class Call(NamedTuple):
    """One thing that a request needs: an action, on a resource, under circumstances."""

    action: str
    resource: str
    context: dict = {}  # noqa: RUF012 - never written to

    def is_allowed_by(self, policies):
        """Let moto judge; it ignores operators other than StringEquals."""
        judged = [
            IAMPolicy(policy).is_action_permitted(self.action, self.resource, None, self.context)
            for policy in policies
        ]
        return PermissionResult.PERMITTED in judged and PermissionResult.DENIED not in judged


class Gate(aws.Application):
    """The stand-in's application, with the gate before it."""

    def _answer(self, scope, headers, body):
        key, _, _, service, _ = credential(headers)
        if key == TRUSTED:
            return super()._answer(scope, headers, body)
        user = create_access_key(ACCOUNT, "aws", key, {})
        query = scope["query_string"].decode()
        is_cbor = headers.get("content-type") == cbor.TYPE
        said = cbor.to_json(body) if is_cbor else body
        needed = calls(service, scope["method"], scope["path"], query, headers, said)
        for call in needed:
            if not self.allows(user, call):
                refused = refusal(service, scope["method"], user.arn, call)
                return aws.in_cbor(refused) if is_cbor else refused
        answer = super()._answer(scope, headers, body)
        if service == "s3" and scope["method"] == "HEAD" and answer[0] == 404:
            bucket = scope["path"].split("/")[1]
            tell = Call("s3:ListBucket", f"arn:aws:s3:::{bucket}")
            if not self.allows(user, tell):
                return refusal(service, "HEAD", user.arn, tell)
        return answer

    def allows(self, user, call):
        is_allowed = call.is_allowed_by(user.collect_policies())
        with Path(os.environ["GATE_JOURNAL"]).open("a") as journal:
            journal.write(json.dumps([user.arn.rpartition("/")[2], is_allowed, *call]) + "\n")
        return is_allowed


def credential(headers):
    """Return key, date, region, service and a constant."""
    return headers["authorization"].partition("Credential=")[2].partition(",")[0].split("/")


def calls(service, method, path, query, headers, body):
    """Read off a request what it needs."""
    if service == "s3":
        return s3_calls(method, path, query, headers)
    if service == "monitoring":
        fields = parse_qs(body.decode())
        namespace = {"cloudwatch:namespace": fields["Namespace"][0]}
        return [Call(f"cloudwatch:{fields['Action'][0]}", "*", namespace)]
    action = f"{service}:{headers['x-amz-target'].rpartition('.')[2]}"
    request = json.loads(body)
    if action in OF_A_CONSUMER:
        return [Call(action, consumer(request))]
    return [Call(action, RESOURCES[service](request))]


def s3_calls(method, path, query, headers):
    _, bucket, *key = path.split("/", 2)
    actions = OBJECT_ACTIONS if key and key[0] else BUCKET_ACTIONS
    action = CONFIGURING.get(query.partition("=")[0], actions[method])
    yield Call(action, f"arn:aws:s3:::{'/'.join(filter(None, [bucket, *key]))}")
    if "x-amz-tagging" in headers:
        yield Call("s3:PutObjectTagging", f"arn:aws:s3:::{bucket}/{key[0]}")
    if encrypting_key := headers.get(KMS_HEADER):
        yield Call("kms:GenerateDataKey", encrypting_key)


OBJECT_ACTIONS = {"PUT": "s3:PutObject", "HEAD": "s3:GetObject", "GET": "s3:GetObject"}
CONFIGURING = {
    "encryption": "s3:PutEncryptionConfiguration",
    "publicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "lifecycle": "s3:PutLifecycleConfiguration",
}
BUCKET_ACTIONS = {"PUT": "s3:CreateBucket", "HEAD": "s3:ListBucket", "GET": "s3:ListBucket"}


def arn(service, resource):
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"


def stream(request):
    if iterator := request.get("ShardIterator"):
        name, _, _ = decompose_shard_iterator(iterator)
    else:
        name = request.get("StreamName") or request["StreamARN"].rpartition("/")[2]
    return arn("kinesis", f"stream/{name}")


def consumer(request):
    """Name it as IAM does before it has an ARN: docs.aws.amazon.com/service-authorization."""
    return request.get("ConsumerARN") or f"{stream(request)}/consumer/{request['ConsumerName']}"


def table(request):
    index = f"/index/{request['IndexName']}" if "IndexName" in request else ""
    return arn("dynamodb", f"table/{request['TableName']}{index}")


OF_A_CONSUMER = {"kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"}
RESOURCES = {
    "kinesis": stream,
    "dynamodb": table,
    "secretsmanager": lambda request: request["SecretId"],
}


def refusal(service, method, who, call):
    """Refuse as AWS does; an answer to HEAD has no body."""
    sentence = f"User: {who} is not authorized to perform: {call.action} on: {call.resource}"
    if service != "s3":
        body = json.dumps({"__type": "AccessDeniedException", "message": sentence}).encode()
        return 400, [("Content-Type", "application/x-amz-json-1.1")], body
    xml = f"<Error><Code>AccessDenied</Code><Message>{escape(sentence)}</Message></Error>"
    return 403, [("Content-Type", "application/xml")], b"" if method == "HEAD" else xml.encode()


if __name__ == "__main__":
    aws.Application = Gate
    raise SystemExit(aws.main())
