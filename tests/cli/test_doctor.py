"""`lastmile doctor` tries every part for real: each fault is found, named, and comes with what to do."""

import json
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from lastmile.cli.doctor import doctor
from lastmile.settings import Settings
from lastmile.warehouse.connections import connect


def diagnosis(capsys: pytest.CaptureFixture[str]) -> tuple[bool, dict[str, tuple[bool, str]]]:
    """Whether it exited with 0, and each check's verdict and words."""
    try:
        doctor(as_json=True)
        healthy = True
    except typer.Exit as end:
        healthy = end.exit_code == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert said["ok"] == healthy == all(check["ok"] for check in said["checks"])
    return healthy, {check["check"]: (check["ok"], check["found"]) for check in said["checks"]}


def wrong(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    healthy, checks = diagnosis(capsys)
    assert not healthy
    return {name: found for name, (ok, found) in checks.items() if not ok}


def test_an_installation_in_order_passes_and_keeps_no_trace(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    healthy, checks = diagnosis(capsys)
    assert healthy
    assert "hhinfo" in checks["contracts"][1]
    assert re.fullmatch(r"Postgres 18\.\d+ at 127\.0\.0\.1:\d+/tests", checks["database"][1])
    assert [file for file in settings.home.rglob("*") if file.is_file()] == []


def test_a_fresh_home_is_in_order_and_learns_that_up_sets_it_up(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    healthy, checks = diagnosis(capsys)
    assert healthy
    assert checks["migrations"][1] == "a new database: `lastmile up` sets it up"


def test_a_database_that_is_down_is_reported_next_to_all_else(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LASTMILE_DATABASE_URL", "postgresql://lastmile:secret@127.0.0.1:9/db")
    found = wrong(capsys)
    assert "connection refused; is the server up" in found["database"]
    assert "secret" not in str(found)
    assert set(found) == {"database", "migrations"}


def test_a_kafka_that_does_not_answer_is_reported(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LASTMILE_KAFKA_URL", "127.0.0.1:9")
    found = wrong(capsys)
    assert set(found) == {"Kafka"}
    assert "Connection refused" in found["Kafka"]


def test_missing_migrations_are_named(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with connect(settings.given_database_url or "") as connection:
        connection.execute("UPDATE ledger.alembic_version SET version_num = '0007'")
    assert wrong(capsys)["migrations"].startswith("0008")
    assert "`lastmile up` applies them" in wrong(capsys)["migrations"]


def test_a_store_that_is_not_there_is_reported(
    settings: Settings, s3_store_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LASTMILE_STORE_URL", "s3://nowhere")
    assert "there is no such bucket; create it" in wrong(capsys)["store"]
    monkeypatch.setenv("LASTMILE_STORE_URL", s3_store_url)
    assert diagnosis(capsys)[0]


def test_a_contract_that_does_not_load_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LASTMILE_ASSETS", "no_such_assets")
    assert "no_such_assets: ModuleNotFoundError" in wrong(capsys)["contracts"]


def test_a_home_below_a_file_is_reported(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LASTMILE_HOME", str(tmp_path / "file" / "home"))
    assert "set LASTMILE_HOME to a folder you can write to" in wrong(capsys)["home"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_home_we_may_not_write_is_reported(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings.home.mkdir(mode=0o500, exist_ok=True)
    settings.home.chmod(0o500)
    assert "Permission denied" in wrong(capsys)["home"]


def test_a_full_disk_is_reported(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=100_000_000))
    assert "0.1 GB free" in wrong(capsys)["disk space"]


def test_the_table_shows_every_check_to_a_person(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    doctor()
    said = capsys.readouterr().out
    for name in ("home", "disk space", "contracts", "store", "database", "migrations", "dagster", "web UI"):
        assert name in said


def test_channels_that_routes_name_and_that_are_not_there_are_named(
    settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "no channel is configured" in diagnosis(capsys)[1]["alerts"][1]
    monkeypatch.setenv("LASTMILE_ALERTS_CHANNELS", "on-call=json://127.0.0.1:9/x")
    assert "field-data" in diagnosis(capsys)[1]["alerts"][1]
    monkeypatch.setenv("LASTMILE_ALERTS_CHANNELS", "on-call=pigeon://loft")
    assert "no service that apprise knows fits the address of on-call" in diagnosis(capsys)[1]["alerts"][1]
