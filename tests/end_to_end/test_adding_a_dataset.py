"""Adding a dataset is adding one file: nothing else of the project is touched, and its drops are taken and queried."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from lastmile.settings import PROJECT

SALES = Path(__file__).with_name("retail.py")
DAYS = ("2010-12-01", "2010-12-02", "2010-12-03")
DROP = """
import sys
from pathlib import Path
from lastmile.commands.drop import drop

drop([Path(sys.argv[1])], "sales", sys.argv[2])
"""
TAKE = """
import dagster as dg
from assets.definitions import defs
from lastmile.warehouse.connecting import dagster_url

keys = [dg.AssetKey([room, "sales"]) for room in ("raw", "cleaned", "quarantine")]
span = {"dagster/asset_partition_range_start": "2010-12-01", "dagster/asset_partition_range_end": "2010-12-03"}
job = defs.resolve_implicit_global_asset_job_def()
result = job.execute_in_process(asset_selection=keys, tags=span, instance=dg.DagsterInstance.ephemeral())
assert result.success
assert all(check.passed for check in result.get_asset_check_evaluations() if check.check_name == "rows_add_up")
"""


@pytest.fixture
def project(tmp_path):
    """A copy of the project with one more file."""
    copy = tmp_path / "project"
    for name in ("assets", "platform", "dbt_project"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "target", "logs"))
    shutil.copy(SALES, copy / "assets" / "contracts" / "sales.py")
    return copy


@pytest.fixture
def run(project, settings, database_url):
    def run(code, *arguments):
        paths = os.pathsep.join([str(project), str(project / "platform")])
        variables = {
            **os.environ,
            "PYTHONPATH": paths,
            "LASTMILE_DATABASE_URL": database_url,
            "LASTMILE_HOME": str(settings.home),
        }
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            env=variables,
            cwd=project,
            capture_output=True,
            text=True,
            timeout=200,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def test_the_daily_retail_files_need_one_file_and_no_other_change(project, run, settings, database_url, shared_data):
    for day in DAYS:
        run(DROP, str(shared_data / "events_online_retail" / f"{day}.csv"), day)
    run(TAKE)
    with psycopg.connect(database_url) as connection:
        books = connection.execute(
            "SELECT partition, rows_read, rows_loaded, rows_quarantined, rows_duplicate"
            " FROM ledger.drops ORDER BY partition"
        ).fetchall()
        revenue = connection.execute("SELECT round(sum(quantity * unit_price)::numeric) FROM raw.sales").fetchone()
    assert [day for day, *_ in books] == list(DAYS)
    assert all(read == loaded + quarantined + duplicate for _, read, loaded, quarantined, duplicate in books)
    assert sum(loaded for _, _, loaded, *_ in books) > 0.99 * sum(read for _, read, *_ in books)
    assert revenue is not None
    assert revenue[0] > 100_000


def test_the_dbt_source_of_the_new_dataset_is_written_when_the_code_location_loads(project, run):
    run("import assets.definitions")
    assert "name: sales" in (project / "dbt_project" / "models" / "staging" / "_sources.yml").read_text()
