"""What the hosts of a stack install, if nobody says where the program comes from."""

import re
from importlib.metadata import version

import pytest

from record_processors.commands import main as cli
from support.fakes import STAGE_TWO, properties


def source(capsys, *paths):
    """Return what the user data hands to pip."""
    assert cli.main(["cloudformation", *paths]) == 0
    return re.search(r"^ +SOURCE='?([^'\n]*)'?$", capsys.readouterr().out, re.MULTILINE)[1]


@pytest.mark.parametrize(
    ("name", "extras"),
    [("s3", ""), ("dynamodb", "[dynamodb]"), ("opensearch", "[opensearch]"), ("kinesis", "")],
)
def test_the_libraries_that_a_destination_needs(name, extras, capsys):
    """The requirement has the extra of each destination, and no other."""
    told = source(capsys, f"properties/{name}.properties")
    assert told == f"kinesis-connectors{extras}=={version('kinesis-connectors')}"


def test_the_library_that_a_compression_needs(tmp_path, capsys):
    """Who writes zstd needs its library, and so does who reads what others have announced."""
    (tmp_path / "two").mkdir()
    path = properties(tmp_path, {"s3Compression": "zstd"})
    two = properties(tmp_path / "two", {"applicationName": "two"}, STAGE_TWO)
    here = version("kinesis-connectors")
    several = {"connectorDestination": "dynamodb, s3", "dynamoDBDataTableName": "items"}
    assert source(capsys, path) == f"kinesis-connectors[zstd]=={here}"
    assert source(capsys, two) == f"kinesis-connectors[zstd]=={here}"
    both = properties(tmp_path, {**several, "dynamoDBKey": "id", "s3Compression": "zstd"})
    assert source(capsys, both) == f"kinesis-connectors[dynamodb,zstd]=={here}"


def test_a_class_of_ones_own(tmp_path, capsys):
    """Without --source no host would have it: it is refused, with the remedy."""
    own = "support.menders:Boxed"
    path = properties(tmp_path, {"transformer": own})
    assert cli.main(["cloudformation", path]) == 2
    told = capsys.readouterr().err
    assert f"{path}: transformer = {own} is a class of your own" in told
    assert "by --source s3://" in told
    assert cli.main(["cloudformation", path, "--source", "s3://wheels/1.0"]) == 0
