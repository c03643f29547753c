"""The entry point of the image: what a command finds in its environment, and that it takes the place of the process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lastmile.embedded.container import surroundings
from lastmile.settings import Settings

URL = "postgresql://me:secret@db.example.org:5432/lastmile"
SHOW = "import json, os; print(json.dumps({**os.environ, 'pid': os.getpid()}))"


def become(home: Path, *command: str, **variables: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "lastmile.embedded.container", *command],
        env=os.environ | {"LASTMILE_HOME": str(home)} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_command_finds_its_database_for_dagster_dbt_and_psql(home: Path) -> None:
    process = become(home, "python", "-c", SHOW, LASTMILE_DATABASE_URL=URL, LASTMILE_PROFILE="cluster")
    said, _ = process.communicate(timeout=60)
    found = json.loads(said)
    assert found["LASTMILE_DAGSTER_URL"].startswith("postgresql+psycopg2://me:secret@db.example.org:5432/lastmile")
    assert (found["PGHOST"], found["PGPASSWORD"]) == ("db.example.org", "secret")
    assert "NoOpComputeLogManager" in Path(found["DAGSTER_HOME"], "dagster.yaml").read_text(), "the profile's settings"
    assert found["pid"] == process.pid, "signals reach the command"


def test_the_address_may_be_a_file_that_is_mounted(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "url").write_text(f"{URL}\n")
    monkeypatch.setenv("LASTMILE_DATABASE_URL_FILE", str(tmp_path / "url"))
    assert surroundings(Settings.from_environment())["LASTMILE_DATABASE_URL"] == URL


def test_a_dagster_home_that_a_cluster_mounts_is_left_as_it_is(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("LASTMILE_DATABASE_URL", URL)
    assert surroundings(Settings.from_environment())["DAGSTER_HOME"] == str(tmp_path)
    assert (tmp_path / "dagster.yaml").read_text() == "telemetry: {enabled: false}\n"
    assert not (home / "dagster").exists()


@pytest.mark.parametrize(
    ("command", "variables", "said"),
    [
        ((), {}, "expected a command"),
        (("no-such-program",), {}, "cannot start no-such-program: No such file"),
        (("true",), {"LASTMILE_DATABASE_URL": "mysql://db"}, "expected it to begin with postgresql://"),
        (("true",), {"LASTMILE_DATABASE_URL": URL, "LASTMILE_PROFILE": "clusters"}, "expected cluster or single"),
    ],
)
def test_what_cannot_start_says_why_in_one_line(
    home: Path, command: tuple[str, ...], variables: dict[str, str], said: str
) -> None:
    process = become(home, *command, **variables)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said in error
    assert len(error.splitlines()) == 1
    assert "secret" not in error
