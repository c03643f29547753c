"""A sensor that fails is told of as Dagster's daemon writes it down, without Dagster being asked."""

import dagster as dg
import pytest
from dagster_private import add_tick

from lastmile.orchestration.ticks import failing_ticks
from lastmile.warehouse.connections import connect, dagster_url


@pytest.fixture
def instance(tmp_path, database_url):
    storage = {"storage": {"postgres": {"postgres_url": dagster_url(database_url)}}}
    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=storage) as instance:
        yield instance


def test_the_error_of_a_sensor_whose_newest_finished_tick_failed_is_told(instance, database_url):
    add_tick(instance, "landing", "SKIPPED")
    add_tick(instance, "landing", "FAILURE", "no such partition\n")
    add_tick(instance, "landing", "STARTED")
    add_tick(instance, "automation", "FAILURE", "gone by now")
    add_tick(instance, "automation", "SUCCESS")
    add_tick(instance, "verdicts", "FAILURE", "of no consequence")
    with connect(database_url) as connection:
        assert failing_ticks(connection) == ["the landing sensor fails: no such partition"]


def test_where_dagster_has_never_run_no_sensor_fails(empty_database_url):
    with connect(empty_database_url) as connection:
        assert failing_ticks(connection) == []
