"""Files and logs that only describe the past: what goes, what stays, and that a log goes on being written."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from lastmile.access import audit
from lastmile.operations.retention import files, logs
from lastmile.settings.retention import RetentionSettings

KEEP = RetentionSettings()
VERSION = (
    "INSERT INTO registry.model_versions (name, version, artifact_key, sha256, feature_set, features, data_versions,"
    " scores, snapshot_key, onnx) VALUES ('m', %s, %s, 's', 'f', '[]', '{}', '{}', %s, %s)"
)


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


def aged(path, days):
    then = time.time() - days * 86_400
    os.utime(path, (then, then))


def test_what_steps_printed_goes_once_no_step_of_the_run_has_printed_for_so_long(connection, settings, store):
    for run, days in (("0000-old-a-b-c", 30), ("0000-new-a-b-c", 1)):
        folder = settings.dagster_home / "storage" / run / "compute_logs"
        folder.mkdir(parents=True)
        (folder / "a.out").write_text("printed")
        for path in (folder / "a.out", folder, folder.parent):
            aged(path, days)
    assert files.survey(connection, settings, store, KEEP)["what steps printed"].objects == 1
    assert files.clean(connection, settings, store, KEEP)["what steps printed"].bytes == len("printed")
    assert [one.name for one in (settings.dagster_home / "storage").iterdir()] == ["0000-new-a-b-c"]


def test_a_long_log_begins_anew_and_its_process_goes_on_writing_it(connection, settings, store):
    folder = settings.home / "logs"
    folder.mkdir(parents=True)
    with (folder / "daemon.log").open("ab", buffering=0) as process:
        process.write(b"x" * 3 * 2**20 + b"the last line\n")
        assert files.clean(connection, settings, store, KEEP)["logs"].objects == 0
        assert files.clean(connection, settings, store, RetentionSettings(log_megabytes=1))["logs"].objects == 1
        process.write(b"goes on\n")
    assert (folder / "daemon.log").read_bytes() == b"goes on\n"
    assert (folder / "daemon.log.1").read_bytes().endswith(b"the last line\n")


def test_files_of_model_versions_go_unless_they_are_new_or_were_in_use_or_are_shared(connection, settings, store):
    for number in range(1, 8):
        keys = [f"models/m/{number}/model.skops", f"snapshots/f/{number // 2}.parquet", f"models/m/{number}/model.onnx"]
        for key in keys:
            store.put(key, b"x")
        onnx = f'{{"key": "{keys[2]}"}}'
        connection.execute(VERSION, [str(number), keys[0], keys[1], onnx])
    connection.execute(
        "INSERT INTO registry.events (name, version, event, reason, actor) VALUES ('m', '2', 'promoted', 'a', 'b')"
    )
    files.clean(connection, settings, store, RetentionSettings(model_versions=3))
    left = {one.key for prefix in ("models/", "snapshots/") for one in store.list(prefix)}
    kept = [f"models/m/{number}/model.{kind}" for number in (2, 5, 6, 7) for kind in ("skops", "onnx")]
    assert left == {*kept, "snapshots/f/1.parquet", "snapshots/f/2.parquet", "snapshots/f/3.parquet"}
    assert connection.execute("SELECT count(*) FROM registry.model_versions").fetchall() == [(7,)]


def test_the_latest_report_stays_however_old_it_is(connection, settings, store):
    for key in ("reports/r/2020-01-01/a.html", "reports/r/latest.html", "reports/r/2026-01-01/b.html"):
        store.put(key, b"x")
    for listed in list(store.list("reports/")):
        if "2026" not in listed.key:
            aged(settings.home / "store" / listed.key, 400)
    files.clean(connection, settings, store, KEEP)
    assert {one.key for one in store.list("reports/")} == {"reports/r/latest.html", "reports/r/2026-01-01/b.html"}


def test_old_answers_and_jobs_go_and_jobs_with_records_stay(connection):
    old, new = datetime.now(UTC) - timedelta(days=400), datetime.now(UTC)
    for at in (old, new):
        connection.execute(
            "INSERT INTO registry.answers (at, model, version, output, milliseconds, principal, request)"
            " VALUES (%s, 'm', '1', '{}', 1, 'a', 'r')",
            [at],
        )
    for kind in ("file", "records", "records"):
        connection.execute(
            "INSERT INTO submissions.jobs (id, kind, dataset, partition, principal, fingerprint, created_at, version)"
            " VALUES (gen_random_uuid(), %s, 'd', '2020', 'a', '', %s, '1')",
            [kind, old],
        )
    connection.execute(
        "INSERT INTO submissions.records (job, dataset, partition, record, digest, body)"
        " SELECT id, 'd', '2020', 'r', '', '{}' FROM submissions.jobs ORDER BY place DESC LIMIT 1"
    )
    connection.execute(
        "INSERT INTO sources.runs (source, state, started_at)"
        " SELECT 'a', 'nothing new', now() - interval '91 days' FROM generate_series(1, 30)"
    )
    old = {"answered predictions": 1, "jobs of submissions": 2, "runs of sources": 9}
    assert {what: rows for what, rows in logs.survey(connection, KEEP).items() if rows} == old
    assert {what: rows for what, rows in logs.clean(connection, KEEP).items() if rows} == old
    assert set(logs.survey(connection, KEEP).values()) == {0}


def test_the_audit_stays_unless_it_is_said_how_long_and_still_refuses_to_be_changed(connection):
    audit.record(connection, audit.Entry("ann", "upload", "hhinfo"))
    connection.execute("ALTER TABLE access.audit DISABLE TRIGGER append_only")
    connection.execute("UPDATE access.audit SET at = now() - interval '900 days'")
    connection.execute("ALTER TABLE access.audit ENABLE TRIGGER append_only")
    assert "audit" not in logs.clean(connection, KEEP)
    assert logs.clean(connection, RetentionSettings(audit=365))["audit"] == 1
    (entry,) = audit.entries(connection, 10)
    assert (entry["actor"], entry["action"], entry["rows"]) == ("lastmile", "clean up", 1)
    with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        connection.execute("DELETE FROM access.audit")
