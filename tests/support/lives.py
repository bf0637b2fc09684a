"""Two stages on the stand-ins whose children live in this process, and leave checkpoints."""

import json
import shlex

import boto3

from record_processors.commands.create import create
from record_processors.commands.main import main
from record_processors.config.keys import STREAM_NAME
from record_processors.config.setting import Settings
from record_processors.flow.record import Position
from record_processors.flow.retry import Retry
from record_processors.kcl.assembly import assemble
from record_processors.kcl.leases import TRIM_HORIZON
from record_processors.kcl.tables import LEASES, table_name
from record_processors.ops.checkpoints import checkpoints
from record_processors.ops.records_again import unpacked
from record_processors.ops.shard_reading import list_shards, records
from support.two_stages import TwoStages


class Lives(TwoStages):
    """What is put, one life after the other carries on, from checkpoint to checkpoint."""

    def put_ids(self, *ids):
        self.put([json.dumps({"id": one, "text": f"row {one}"}).encode() for one in ids])

    def live(self, stage, settings=None):
        """Let one life of each shard read on from its checkpoint to the end, and flush."""
        settings = settings or {"one": self.one, "two": self.two}[stage]
        stream, retry = settings[STREAM_NAME], Retry(3, 10)
        for shard in (one["ShardId"] for one in list_shards(self.kinesis, stream, retry)):
            where = checkpoints(settings).get(shard, TRIM_HORIZON)
            pipeline = assemble(settings)
            pipeline.since = str(where)
            pipeline.start(shard)
            for page in records(self.kinesis, stream, shard, where, retry):
                found = [one for raw in page for one in unpacked(raw)]
                if isinstance(where, Position):
                    found = [one for one in found if one.position > where]
                pipeline.process(found, lambda at, shard=shard: self.lease(settings, shard, at))
            pipeline.flush(lambda at, shard=shard: self.lease(settings, shard, at))
            pipeline.close()

    def lease(self, settings, shard, where):
        """Write a checkpoint: a position, or a word of KCL's."""
        sequence, sub_sequence = where if isinstance(where, Position) else (where, 0)
        boto3.client("dynamodb").put_item(
            TableName=table_name(settings, LEASES),
            Item={
                "leaseKey": {"S": shard},
                "checkpoint": {"S": str(sequence)},
                "checkpointSubSequenceNumber": {"N": str(sub_sequence)},
            },
        )

    def work(self, *batches):
        """Put each batch of ids, and let a life of both stages carry it into the table."""
        for ids in batches:
            self.put_ids(*ids)
            self.live("one")
        self.live("two")

    def files(self):
        """Return the keys of the files of stage one, in the order of their positions."""
        keys = self.objects(
            f"{self.one.texts.get('s3Prefix', '')}{self.one.texts['applicationName']}/"
        )
        return sorted(keys, key=lambda key: int(key.rpartition("/")[2].split("-")[2]))

    def audit(self, capsys, *more):
        """Audit both; return the exit code and the one report."""
        capsys.readouterr()
        code = main(["audit", self.one.path, self.two.path, "--json", "--grace", "0s", *more])
        told = capsys.readouterr()
        assert not told.err
        (report,) = json.loads(told.out)["pipelines"]
        return code, report

    def found(self, capsys, *more):
        """Return what an audit finds wrong, and see that the exit code says so."""
        code, report = self.audit(capsys, *more)
        assert code == bool(report["found"])
        return report["found"]

    def another(self, name):
        """Make a second stage two, with a stream and a table of its own."""
        texts = {
            **self.two.texts,
            **{
                key: f"{self.two.texts[key]}_{name}"
                for key in ("applicationName", "streamName", "redshiftDataTable")
            },
        }
        settings = Settings(self.two.path, texts)
        list(create(settings))
        self.query(f"CREATE TABLE {texts['redshiftDataTable']} (id BIGINT, text VARCHAR(200))")
        return settings

    def mend(self, finding, **words):
        """Do what a finding says, as a person would type it, who puts in some words."""
        for command in finding["commands"]:
            program, *typed = (words.get(word, word) for word in shlex.split(command))
            if program == "aws":
                self._move(*typed)
            else:
                assert program == "kinesis-connectors"
                assert main(typed) == 0

    def _move(self, service, verb, source, target, *endpoint):
        assert (service, verb) == ("s3", "mv")
        assert endpoint == ("--endpoint-url", self.one.texts["s3Endpoint"])
        (bucket, key), (_, aside) = (
            url.removeprefix("s3://").split("/", 1) for url in (source, target)
        )
        self.s3.copy_object(Bucket=bucket, Key=aside, CopySource={"Bucket": bucket, "Key": key})
        self.s3.delete_object(Bucket=bucket, Key=key)

    def ids(self, table=None):
        return sorted(one for (one,) in self.query(f"SELECT id FROM {table or self.table}"))
