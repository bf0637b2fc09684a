"""What users import is there, explained, and costs no more than it must."""

import importlib
import pkgutil
import subprocess
import sys

import pytest

import record_processors


def test_all_is_what_can_be_had():
    """The names that are announced are the names that can be imported, in order."""
    assert record_processors.__all__ == sorted(record_processors._HOME)


@pytest.mark.parametrize("name", record_processors.__all__)
def test_name(name):
    """Each public name can be imported and has a docstring of its own."""
    found = getattr(record_processors, name)
    assert found.__name__ == name
    assert found.__doc__
    assert found.__doc__ is not found.__mro__[1].__doc__


def test_no_other_names():
    """A name that is not there is an ordinary AttributeError."""
    with pytest.raises(AttributeError, match="NoSuchName"):
        _ = record_processors.NoSuchName


def modules_after(statement):
    program = f"import sys; {statement}; print(*sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(answer.stdout.split())


HEAVY = {"boto3", "botocore", "psycopg2", "smart_open", "moto", "amazon_kclpy"}


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("import record_processors", HEAVY),
        ("from record_processors import Position, Record, Rejected, Batch, Buffer", HEAVY),
        ("from record_processors import Transformer, Filter, Emitter", HEAVY),
        ("import record_processors.commands.main", HEAVY),
        ("import record_processors.config.properties", HEAVY),
        ("import record_processors.destinations.s3_manifest", {"psycopg2"}),
        ("from record_processors.kcl import assembly, processor", {"psycopg2"}),
        ("import record_processors.destinations.redshift.emitter", {"zstandard", "moto"}),
    ],
)
def test_what_is_not_used_is_not_imported(statement, absent):
    """An import does not pay for the services that it does not use."""
    assert modules_after(statement) & absent == set()


def modules():
    found = pkgutil.walk_packages(record_processors.__path__, "record_processors.")
    return [m.name for m in found if "__main__" not in m.name and ".local" not in m.name]


@pytest.mark.parametrize("name", modules())
def test_module_says_what_it_is(name):
    """Each module begins with a sentence about itself."""
    documented = importlib.import_module(name).__doc__
    assert documented.strip().splitlines()[0][-1] in ".:"
