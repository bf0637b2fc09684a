"""A transformer of one's own, as the rig's pipelines name it: several rows of a record, or none."""

import json

from record_processors import Transformer


class Several(Transformer):
    """Makes as many rows of a JSON record as it says."""

    format = "json"

    def transform(self, record):
        said = json.loads(record.data)
        return [json.dumps(row).encode() for row in rows_of(said)]


def rows_of(said):
    return [{"id": said["id"], "text": f"{said['text']} {n}"} for n in range(said["rows"])]
