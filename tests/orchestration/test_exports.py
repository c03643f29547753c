"""An export as an asset: what is personal is known from what is published, and nothing goes out before it is."""

import dagster as dg
import psycopg
import pytest

from lastmile.catalogue.describing import catalogue
from lastmile.catalogue.published import publish
from lastmile.contracts import load_contracts
from lastmile.operations.exports import Export, Schedule
from lastmile.orchestration.resources import Platform
from lastmile.orchestration.scheduled.exports import export_asset, export_key, export_schedule

EXPORT = Export(
    "households", "Households.", "team:a", "marts.households", schedule=Schedule("5 4 * * *", "Asia/Manila")
)


@pytest.fixture
def households(environment, database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS marts")
        connection.execute("CREATE TABLE marts.households AS SELECT 'h1' AS hhid, 2020 AS survey_year")
        yield connection


def exported(instance, **options):
    return dg.materialize([export_asset(EXPORT)], instance=instance, resources={"platform": Platform()}, **options)


def test_personal_columns_are_left_out_by_what_is_published(households, instance, store):
    publish(households, catalogue(load_contracts().values(), [], [], None, []))
    assert exported(instance).success
    (made,) = instance.fetch_materializations(export_key("households"), limit=1).records
    metadata = made.asset_materialization.metadata
    assert (metadata["rows sent"].value, metadata["windows replaced"].value) == (1, ["all"])
    assert b"hhid" not in store.read("exports/households/manifest.json")
    assert b"survey_year" in store.read("exports/households/manifest.json")


def test_nothing_goes_out_while_it_is_not_published_what_is_personal(households, instance, store, monkeypatch):
    monkeypatch.setattr("lastmile.orchestration.scheduled.exports.RETRIES", None)
    assert not exported(instance, raise_on_error=False).success
    assert list(store.list("exports/")) == []


def test_the_schedule_is_the_declared_one_and_on_from_the_start():
    schedule = export_schedule(EXPORT)
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("5 4 * * *", "Asia/Manila")
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
