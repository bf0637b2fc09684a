"""S3 and a stream in this process: for tests that ask them some ten thousand times."""

import io
from contextlib import contextmanager
from datetime import datetime, timezone
from types import SimpleNamespace

import botocore.exceptions

MOMENT = datetime(2024, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
PAGE = 5  # keys, so that there are several


def refused(code, status):
    answer = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return botocore.exceptions.ClientError(answer, "Call")


class MemoryAws:
    """One bucket and one stream, by the methods of boto3's clients that a pipeline calls.

    ``strike`` is called before and after each write.
    """

    def __init__(self):
        self.bodies = {}
        self.about = {}
        self.messages = []
        self.strike = lambda: None

    @contextmanager
    def _write(self):
        self.strike()
        yield
        self.strike()

    def put_object(self, *, Bucket, Key, Body, IfNoneMatch="", Metadata=None, **_):
        body = Body.read()
        with self._write():
            if IfNoneMatch and Key in self.bodies:
                raise refused("PreconditionFailed", 412)
            self.bodies[Key], self.about[Key] = body, Metadata or {}
        return {}

    def put_record(self, *, StreamName, PartitionKey, Data):
        with self._write():
            self.messages.append(Data)

    def head_object(self, *, Bucket, Key):
        if Key not in self.bodies:
            raise refused("404", 404)
        return {"ContentLength": len(self.bodies[Key]), "Metadata": self.about[Key]}

    def get_object(self, *, Bucket, Key, **_):
        if Key not in self.bodies:
            raise refused("NoSuchKey", 404)
        body = io.BytesIO(self.bodies[Key])
        length = len(self.bodies[Key])
        return {
            "Body": body,
            "ContentLength": length,
            "ContentRange": f"bytes 0-{length - 1}/{length}",
            "ResponseMetadata": {"RetryAttempts": 0, "HTTPStatusCode": 200, "HTTPHeaders": {}},
        }

    def list_objects_v2(self, *, Bucket, Prefix, ContinuationToken="", StartAfter="", **_):
        keys = [key for key in sorted(self.bodies) if key.startswith(Prefix)]
        keys = [key for key in keys if key > max(ContinuationToken, StartAfter)]
        found = [
            {"Key": key, "LastModified": MOMENT, "Size": len(self.bodies[key])}
            for key in keys[:PAGE]
        ]
        more = {"IsTruncated": True, "NextContinuationToken": keys[PAGE - 1]} if keys[PAGE:] else {}
        return {"Contents": found, **more}

    @property
    def meta(self):
        return SimpleNamespace(endpoint_url="memory://")
