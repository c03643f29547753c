"""Adding a dataset is adding one file: nothing else of the project is touched, and its drops are taken and queried."""

import shutil
from pathlib import Path

import polars as pl
import psycopg
import pytest

from lastmile.warehouse.dbt.sources import SOURCES

AIR = Path(__file__).with_name("air.py")
TAKE = """
import dagster as dg
from assets.definitions import defs
from lastmile.warehouse.connections import dagster_url

keys = [dg.AssetKey([room, "air"]) for room in ("raw", "cleaned", "quarantine")]
span = {"dagster/asset_partition_range_start": "2013-03", "dagster/asset_partition_range_end": "2013-05"}
job = defs.resolve_implicit_global_asset_job_def()
result = job.execute_in_process(asset_selection=keys, tags=span, instance=dg.DagsterInstance.ephemeral())
assert result.success
assert all(check.passed for check in result.get_asset_check_evaluations() if check.check_name == "rows_add_up")
"""


@pytest.fixture
def project(project):
    """A copy of the project with one more file."""
    shutil.copy(AIR, project / "assets" / "household_survey" / "contracts" / "air.py")
    return project


def test_a_dataset_of_another_kind_needs_one_file_and_no_other_change(
    project, run, drop_hours, database_url, shared_data
):
    measured = pl.read_csv(next((shared_data / "iot_beijing_air").glob("*Changping*.csv")), infer_schema=False)
    drop_hours(measured)
    run(TAKE)
    with psycopg.connect(database_url) as connection:
        books = connection.execute(
            "SELECT partition, rows_read, rows_loaded + rows_quarantined, rows_duplicate"
            " FROM ledger.drops ORDER BY partition"
        ).fetchall()
        (loaded, mean) = connection.execute("SELECT count(*), avg(fine_dust) FROM raw.air").fetchone()
    assert books == [("2013-03", 744, 744, 0), ("2013-04", 720, 720, 0), ("2013-05", 744, 744, 0)]
    spring = measured.head(loaded)["PM2.5"].cast(float, strict=False)
    assert (loaded, mean) == (2208, pytest.approx(spring.mean()))


def test_the_code_location_loads_with_the_new_dataset_and_dbt_knows_its_source(project, run, settings):
    committed = project / "dbt_project" / SOURCES
    before = committed.read_text()
    run("from assets.definitions import defs; defs.get_repository_def().load_all_definitions()")
    (prepared,) = settings.home.glob(f"dbt/*/{SOURCES}")
    assert "name: air" in prepared.read_text()
    assert committed.read_text() == before
