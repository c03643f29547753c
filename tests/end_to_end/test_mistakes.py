"""Mistakes a person can make: one clear line that says what to do, exit code 1, nothing half done."""

import pytest
from end_to_end.installation import Installation


@pytest.fixture
def installation(tmp_path):
    with Installation(tmp_path / "home") as one:
        yield one


def message(installation, *arguments):
    said = installation.run(*arguments, code=1, timeout=60)
    assert "Traceback" not in said
    (line,) = [line for line in said.splitlines() if line.startswith("lastmile: ")]
    return line


def test_a_database_that_is_down(installation):
    installation.environment["LASTMILE_DATABASE_URL"] = "postgresql://someone:secret@127.0.0.1:9/nowhere"
    for command in (("up", "--once"), ("status",), ("quarantine", "show")):
        line = message(installation, *command)
        assert "127.0.0.1:9/nowhere" in line
        assert "secret" not in line


def test_a_database_address_that_is_none(installation):
    installation.environment["LASTMILE_DATABASE_URL"] = "mysql://somewhere"
    assert "expected it to begin with postgresql://" in message(installation, "up", "--once")


def test_a_store_address_that_is_none(installation):
    installation.environment["LASTMILE_STORE_URL"] = "ftp://somewhere"
    assert "expected it to begin with s3://" in message(installation, "up", "--once")
    assert not (installation.home / "postgres").exists()


def test_a_bucket_that_cannot_be_reached(installation):
    installation.environment |= {
        "LASTMILE_STORE_URL": "s3://bucket",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_REGION": "us-east-1",
    }
    assert "s3://bucket" in message(installation, "up", "--once")


def test_a_home_that_cannot_be_written(installation, tmp_path):
    (tmp_path / "home").write_text("a file, not a folder")
    said = message(installation, "up", "--once")
    (tmp_path / "home").unlink()
    assert f"cannot make {tmp_path / 'home'}" in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("drop", "missing.csv", "--dataset", "hhinfo", "--partition", "2019"),
        ("drop", "/etc/hosts", "--dataset", "nothing", "--partition", "2019"),
        ("drop", "/etc/hosts", "--dataset", "hhinfo", "--partition", "last year"),
        ("backfill", "--dataset", "hhinfo", "--from", "2020", "--to", "2019"),
        ("sample", "--partitions", "soon"),
    ],
)
def test_a_mistyped_argument(installation, arguments):
    assert message(installation, *arguments)
