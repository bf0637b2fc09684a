"""Before stage two starts, `run` looks at the login, the ledger and the table."""

import pytest

from record_processors.commands import main as cli
from record_processors.kcl.launch import Host
from support.fakes import STAGE_TWO, properties


class Started(Exception):
    """The start went on, after the look."""


@pytest.fixture
def run(stack, tmp_path, monkeypatch, capsys, request):
    """Run what `create` has made until Java would start; return the code (None if it would)."""
    name = request.node.name.split("[")[0].replace("_", "-")
    own = {
        **stack.properties,
        "applicationName": name,
        "streamName": name,
        "s3Bucket": name,
        "redshiftDataTable": "rows_of_it",
        "redshiftFileTable": "files_of_it",
    }

    def start(*_):
        raise Started

    monkeypatch.setattr(Host, "run", start)
    (tmp_path / "table.sql").write_text("CREATE TABLE rows_of_it (id BIGINT)")
    make = ["create", properties(tmp_path, own, STAGE_TWO), "--table", str(tmp_path / "table.sql")]
    assert cli.main(make) == 0
    capsys.readouterr()

    def run(changes=None):
        try:
            code = cli.main(["run", properties(tmp_path, {**own, **(changes or {})}, STAGE_TWO)])
        except Started:
            code = None
        error = capsys.readouterr().err.splitlines()
        return code, [line for line in error if "first start" not in line]

    return run


def test_all_is_there(run):
    """What `create` has made is all that a start needs."""
    assert run() == (None, [])


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"redshiftFileTable": "gone"}, "redshiftFileTable = gone: the ledger is not there; `kine"),
        ({"redshiftDataTable": "gone"}, "redshiftDataTable = gone: the table is not there; `kine"),
        ({"redshiftDataColumns": "id, gone"}, "redshiftDataColumns: rows_of_it has no column gone"),
    ],
    ids=["ledger", "table", "column"],
)
def test_what_is_not_there_is_a_sentence(run, changes, sentence):
    """Each is one sentence that names the setting, and exit code 2."""
    code, (said,) = run(changes)
    assert code == 2
    assert sentence in said


def test_a_wrong_password_is_a_sentence(run, monkeypatch):
    """A login that is refused keeps being refused: exit code 2."""
    monkeypatch.setenv("REDSHIFT_PASSWORD", "wrong")
    code, (said,) = run()
    assert code == 2
    assert "no login to Redshift" in said
