"""Records as the Kinesis Producer Library packs them."""

from aws_kinesis_agg.aggregator import RecordAggregator


def aggregated(*texts):
    """Pack several into one; return its data."""
    packer = RecordAggregator()
    for text in texts:
        packer.add_user_record("k", text)
    return packer.clear_and_get().get_contents()[2]
