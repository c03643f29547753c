"""Adding a feature set and a model is adding two files: the assets follow, and are made, trained and predicted."""

import shutil
from pathlib import Path

import psycopg
import pytest
from households import put_marts

FILES = Path(__file__).with_name("land")
ADDED = {
    FILES / "features_household_land.py": "assets/household_survey/features/household_land.py",
    FILES / "models_reaches_line.py": "assets/household_survey/models/reaches_line.py",
}
RUN = """
import dagster as dg
from assets.definitions import defs

keys = [dg.AssetKey(path) for path in (
    ["features", "household_land"], ["models", "reaches_line"], ["champion", "reaches_line"],
    ["predictions", "reaches_line"])]
assert {*keys} <= {*defs.resolve_all_asset_keys()}
years = {"dagster/asset_partition_range_start": "2018", "dagster/asset_partition_range_end": "2019"}
job = defs.resolve_implicit_global_asset_job_def()
with dg.DagsterInstance.ephemeral() as instance:
    for key, tags in zip(keys, (years, {}, {}, years)):
        result = job.execute_in_process(asset_selection=[key], tags=tags, instance=instance)
        failed = [check for check in result.get_asset_check_evaluations() if not check.passed]
        assert result.success and not failed, failed
"""


@pytest.fixture
def project(project):
    """A copy of the project with two more files."""
    for file, place in ADDED.items():
        shutil.copy(file, project / place)
    return project


def test_two_files_are_a_feature_set_a_model_and_its_predictions(project, run, database_url) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        put_marts(connection)
        run(RUN, timeout=400)
        ((rows, labelled),) = connection.execute("SELECT count(*), count(reaches_line) FROM features.household_land")
        ((scores, version),) = connection.execute(
            "SELECT scores, version FROM registry.model_versions WHERE name = 'reaches_line'"
        )
        predicted = connection.execute(
            "SELECT count(*) FROM predictions.reaches_line WHERE model_version = %s", [version]
        )
        assert (rows, labelled, predicted.fetchone()) == (400, 380, (400,))
    assert scores["roc_auc_reached"] > scores["dummy"]["roc_auc_reached"] + 0.2
