"""The lines of a bucket's objects."""

import gzip


class Objects:
    """Those of one bucket, each read once, unless it is written again."""

    def __init__(self, s3, bucket):
        self.s3, self.bucket = s3, bucket
        self._lines = {}  # by key and tag

    def named(self, prefix):
        """Yield the key and the tag of each object whose key begins so."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        for page in pages:
            for item in page.get("Contents", ()):
                yield item["Key"], item["ETag"]

    def lines(self, key, tag=""):
        if (key, tag) not in self._lines:
            body = self.s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()
            plain = gzip.decompress(body) if key.endswith(".gz") else body
            self._lines[key, tag] = plain.splitlines()
        return self._lines[key, tag]
