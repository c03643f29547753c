"""A new domain is a new folder: contract, feature set and model of another kind run to predictions, nothing touched."""

import shutil
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import pytest
from checkout import PROJECT

DOMAIN = Path(__file__).with_name("air_quality")
RUN = """
import dagster as dg
from assets.definitions import defs
from lastmile.orchestration.resources import Platform

rows = [dg.AssetKey([room, "air"]) for room in ("raw", "cleaned", "quarantine")]
months = {"dagster/asset_partition_range_start": "2013-03", "dagster/asset_partition_range_end": "2013-05"}
job = defs.resolve_implicit_global_asset_job_def()
with dg.DagsterInstance.ephemeral() as instance:
    for keys, tags in (
        (rows, months),
        ([dg.AssetKey(["features", "air_hour"])], months),
        ([dg.AssetKey(["models", "dusty_air"]), dg.AssetKey(["champion", "dusty_air"])], {}),
        ([dg.AssetKey(["predictions", "dusty_air"])], months),
    ):
        result = job.execute_in_process(asset_selection=keys, tags=tags, instance=instance)
        assert result.success
        failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
        assert not [check for check in failed if check.severity == dg.AssetCheckSeverity.ERROR], failed
"""


@pytest.fixture
def project(project):
    """A copy of the project with one more folder."""
    shutil.copytree(DOMAIN, project / "assets" / "air_quality", ignore=shutil.ignore_patterns("__pycache__"))
    return project


def measured() -> pl.DataFrame:
    """Hours of a station as its files have them: the real ones where they are at hand, else made up."""
    real = PROJECT.parent / "shared" / "data" / "iot_beijing_air"
    if real.is_dir():
        return pl.read_csv(next(real.glob("*Changping*.csv")), infer_schema=False)
    hours = pl.DataFrame(
        {"at": pl.datetime_range(pl.datetime(2013, 3, 1), pl.datetime(2013, 5, 31, 23), "1h", eager=True)}
    )
    random = np.random.default_rng(5)
    wind = random.gamma(2, 1, hours.height)
    dust = np.clip(150 - 40 * wind + random.normal(0, 20, hours.height), 1, 900).round(1)
    return hours.select(
        *(getattr(pl.col("at").dt, part)().cast(pl.String).alias(part) for part in ("year", "month", "day", "hour")),
        pl.Series("PM2.5", [str(value) if place % 40 else "NA" for place, value in enumerate(dust)]),
        pl.Series("TEMP", random.normal(15, 6, hours.height).round(1).astype(str)),
        pl.Series("DEWP", random.normal(2, 6, hours.height).round(1).astype(str)),
        pl.Series("PRES", random.normal(1010, 6, hours.height).round(1).astype(str)),
        pl.Series("WSPM", wind.round(1).astype(str)),
        pl.Series("wd", random.choice(["N", "NE", "SW", "NA"], hours.height)),
        station=pl.lit("Changping"),
    )


def test_a_new_domain_runs_to_predictions_without_a_change_elsewhere(project, run, drop_hours, database_url):
    before = {file: file.read_bytes() for file in (PROJECT / "assets").rglob("*.py")}
    hours = measured()
    drop_hours(hours)
    run(RUN, timeout=400)
    with psycopg.connect(database_url) as connection:
        ((loaded,),) = connection.execute("SELECT count(*) FROM raw.air").fetchall()
        ((predicted, versions, sums),) = connection.execute(
            "SELECT count(*), count(DISTINCT model_version), count(*) FILTER"
            " (WHERE abs(probability_clean + probability_dusty - 1) < 1e-6) FROM predictions.dusty_air"
        ).fetchall()
        ((scores,),) = connection.execute("SELECT scores FROM registry.model_versions").fetchall()
    assert loaded == predicted == sums > 2_000
    assert versions == 1
    assert scores["balanced_accuracy"] > scores["dummy"]["balanced_accuracy"] + 0.1
    copied = {file: (project / file.relative_to(PROJECT)).read_bytes() for file in before}
    assert copied == before
