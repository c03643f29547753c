"""What the exporter serves, whether the database is there or not."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace

import httpx
import psutil
import psycopg

from lastmile.embedded import postgres as embedded_postgres
from lastmile.embedded.processes import free_port
from lastmile.operations.metrics.exporter import serve
from lastmile.operations.metrics.state import OPTIONS, PATIENCE_SECONDS
from lastmile.telemetry.metrics_files import folder


def test_a_scrape_over_http_says_how_the_database_and_the_disks_are(settings):
    settings.home.mkdir()
    port = free_port()
    server = serve(settings, port)
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30)
        paths = [httpx.get(f"http://127.0.0.1:{port}/{path}", timeout=30) for path in ("health/live", "elsewhere")]
    finally:
        server.shutdown()
    assert [one.status_code for one in paths] == [200, 404]
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "\nlastmile_database_up 1.0\n" in answer.text
    assert '\nlastmile_disk_free_bytes{place="home"}' in answer.text


def test_no_series_is_there_twice(scrape, instance):
    series = Counter((one.name, *sorted(one.labels.items())) for one in scrape().samples)
    assert series.most_common(1)[0][1] == 1


def test_without_dagsters_tables_the_rest_is_there_and_nothing_counts_as_an_error(scrape):
    found = scrape()
    assert found.of("runs", state="queued") is None
    assert found.of("database_connections_most") > 0
    errors = [one.value for one in found.samples if one.name == "lastmile_scrape_errors_total"]
    assert errors
    assert sum(errors) == 0


def test_a_database_that_is_not_there_is_down_at_once_and_the_machine_is_shown(scraping, settings):
    settings.home.mkdir()
    scrape = scraping(replace(settings, given_database_url="postgresql://x:y@127.0.0.1:1/z"))
    began = time.monotonic()
    found = scrape()
    assert time.monotonic() - began < PATIENCE_SECONDS
    assert found.of("database_up") == 0
    assert found.of("disk_free_bytes", place="home") > 0
    assert found.of("database_connections_most") is None


def test_a_database_that_hangs_is_down_within_seconds_and_up_again_once_it_goes_on(tmp_path, scraping, settings):
    with embedded_postgres.started(tmp_path / "postgres") as url:
        scrape = scraping(replace(settings, given_database_url=url))
        assert scrape().of("database_up") == 1
        (pid,) = (file.read_text().split()[0] for file in tmp_path.rglob("postmaster.pid"))
        server = psutil.Process(int(pid))
        stopped = [server, *server.children()]
        for process in stopped:
            process.send_signal(signal.SIGSTOP)
        try:
            began = time.monotonic()
            down = scrape()
            assert time.monotonic() - began < PATIENCE_SECONDS + 3
            assert (down.of("database_up"), down.of("database_connections_most")) == (0, None)
        finally:
            for process in stopped:
                process.send_signal(signal.SIGCONT)
        assert scrape().of("database_up") == 1


def test_a_connection_that_is_cut_costs_one_scrape_at_most(scrape, connection):
    assert scrape().of("database_up") == 1
    ours = "application_name = 'lastmile metrics'"
    connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}")
    scrape()
    assert scrape().of("database_up") == 1


def test_the_exporter_reads_on_one_connection_that_cannot_write(scrape, connection):
    for _ in range(3):
        scrape()
    ours = "application_name = 'lastmile metrics' AND datname = current_database()"
    assert connection.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {ours}").fetchall() == [(1,)]
    with psycopg.connect(connection.info.dsn, password=connection.info.password, options=OPTIONS) as reading:
        assert reading.execute("SHOW default_transaction_read_only").fetchall() == [("on",)]


def test_what_processes_counted_is_shown_after_they_have_ended(scrape, settings):
    source = (
        "from lastmile.telemetry import metrics_files; from lastmile.telemetry.spans import span\n"
        "metrics_files.start('worker')\n"
        "with span('ingest.drop', dataset='crop', drop=1) as done: done(rows=12)"
    )
    environment = {**os.environ, "LASTMILE_HOME": str(settings.home)}
    subprocess.run([sys.executable, "-c", source], env=environment, check=True, timeout=120)
    assert folder(settings.home).is_dir()
    assert scrape().of("work_rows_total", work="ingest.drop", dataset="crop", model="") == 12


def test_the_exporter_imports_neither_dagster_nor_pandas(settings):
    heavy = ("dagster", "numpy", "pandas", "pandera", "polars", "pyarrow", "sklearn")
    source = (
        "import sys; from lastmile.settings import Settings\n"
        "from lastmile.operations.metrics.exporter import registry\n"
        "from prometheus_client import generate_latest; generate_latest(registry(Settings.from_environment()))\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
