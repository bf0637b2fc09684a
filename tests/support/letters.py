"""A pipeline whose letters are put back: its bucket and stream, and a life that refuses records."""

import gzip
import json
from collections import Counter

import boto3

from record_processors.kcl.assembly import assemble
from record_processors.ops.batches import Wanted
from record_processors.ops.redrive import Redrive
from support.fakes import SHARD, record

MENDED, HALF = "support.menders:Mended", "support.menders:Half"


class Killed(BaseException):
    """The process dies here."""


class Cloud:
    """What lies in the bucket and on the manifest stream."""

    def __init__(self):
        self.s3 = boto3.client("s3")

    def objects(self, prefix=""):
        found = self.s3.list_objects_v2(Bucket="bucket", Prefix=prefix).get("Contents", [])
        return {
            one["Key"]: self.s3.get_object(Bucket="bucket", Key=one["Key"])["Body"].read()
            for one in found
        }

    def files(self):
        found = self.objects("flights/")
        return {key: gzip.decompress(body).splitlines() for key, body in found.items()}

    def texts(self):
        """Return what the rows of all files say."""
        return Counter(json.loads(row)["text"] for rows in self.files().values() for row in rows)

    def announced(self):
        kinesis = boto3.client("kinesis")
        (shard,) = kinesis.list_shards(StreamName="manifests")["Shards"]
        iterator = kinesis.get_shard_iterator(
            StreamName="manifests", ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        found = kinesis.get_records(ShardIterator=iterator)["Records"]
        return [json.loads(one["Data"]) for one in found]

    def letters(self):
        """Return the letters that are not put back."""
        found = self.objects("errors/")
        lines = [
            line
            for key, body in found.items()
            if key.endswith(".jsonl") and f"{key}.redriven" not in found
            for line in body.splitlines()
        ]
        return {one["position"]: one for one in map(json.loads, lines)}

    def marks(self):
        return [key for key in self.objects("errors/") if key.endswith(".redriven")]


class Memory(Cloud):
    """The same, of this process."""

    def __init__(self, aws):
        self.aws = aws

    def objects(self, prefix=""):
        return {key: body for key, body in self.aws.bodies.items() if key.startswith(prefix)}

    def announced(self):
        return list(map(json.loads, self.aws.messages))

    def strike_at(self, moment):
        """Kill whoever is about to write, or has just written, at this moment; 0: nobody."""

        def strike():
            nonlocal moment
            moment -= 1
            if moment == 0:
                raise Killed

        self.aws.strike = strike


def live(settings, *words, start=1, shard=SHARD):
    """Let a life of the pipeline refuse these records, and flush after each ``|``."""
    life = assemble(settings)
    life.start(shard)
    number = start
    for word in [*words, "|"]:
        if word == "|":
            life.flush(lambda _: None)
        else:
            life.process([record(word, number, 1)], lambda _: None)
            number += 1


def redrive(settings, **wanted):
    return Redrive(settings, Wanted(**wanted)).run()
