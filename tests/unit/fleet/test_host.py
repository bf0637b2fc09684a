"""Who a host is: its instance id, by the metadata service that EC2 has."""

import pytest

from record_processors.fleet import host
from support.host import Metadata, metadata_service


@pytest.fixture
def metadata(tmp_path, monkeypatch):
    """Serve it, and run what asks for it as systemd would."""
    monkeypatch.setattr(host, "SECONDS_BETWEEN", 0)
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path))
    with metadata_service() as address:
        monkeypatch.setenv(host.ADDRESS_VARIABLE, f"{address}/")
        yield


def test_an_instance_is_who_the_metadata_service_says(metadata, tmp_path, monkeypatch):
    """The id and the region are there for the units, by tokens, as soon as the service is up."""
    monkeypatch.setattr(Metadata, "busy", 2)
    monkeypatch.setattr(Metadata, "region", "eu-central-1")
    assert host.main() == 0
    told = (tmp_path / "host.env").read_text()
    assert told == f"KINESIS_CONNECTORS_HOST={Metadata.instance}\nAWS_REGION=eu-central-1\n"


def test_a_host_without_such_a_service(metadata, tmp_path, monkeypatch):
    """Elsewhere nothing is said, and what an earlier start said does not stay."""
    (tmp_path / "host.env").write_text("KINESIS_CONNECTORS_HOST=another\n")
    monkeypatch.setenv(host.ADDRESS_VARIABLE, "http://127.0.0.1:9")
    assert host.main() == 0
    assert (tmp_path / "host.env").read_text() == ""


def test_an_instance_whose_metadata_service_is_silent(metadata, tmp_path, monkeypatch, caplog):
    """On EC2 the host's name does not serve: it fails, so that systemd asks again."""
    tag = tmp_path / "board_asset_tag"
    tag.write_text("i-0123456789abcdef0\n")
    monkeypatch.setattr(host, "ASSET_TAG", tag)
    monkeypatch.setenv(host.ADDRESS_VARIABLE, "http://127.0.0.1:9")
    assert host.main() != 0
    assert not (tmp_path / "host.env").exists()
    assert "http://127.0.0.1:9 does not answer" in caplog.text
    tag.write_text("Default string\n")
    assert host.main() == 0
