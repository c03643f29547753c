"""A feature set by month on tables of days: what came of a month's customers is filled in once it is known."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.events import StepMaterializationData
from household_learning import learning_resources

from lastmile.learning.declarations.loading import load_features
from lastmile.orchestration.chain import PARTITION_TAG, SHAPE_TAG, shape_name
from lastmile.orchestration.drops.assets import cleaned_key
from lastmile.orchestration.learning.features import feature_asset
from lastmile.orchestration.learning.shared import features_key, relation_key
from lastmile.orchestration.partitions import partitions_of
from lastmile.orchestration.resources import Platform

CUSTOMERS = load_features("assets")["customer_repurchase"]
MARTS = [relation_key(source) for source in CUSTOMERS.value.sources]


class Daemon:
    """The automation sensor, tick by tick, while runs for drops make the marts of the shop."""

    def __init__(self, instance, shop):
        self.instance, self.shop = instance, shop
        days = dg.AssetSpec(cleaned_key("retail_lines"), partitions_def=partitions_of(shop.partition))
        self.definitions = dg.Definitions(
            assets=[days, *map(dg.AssetSpec, MARTS), feature_asset(CUSTOMERS)],
            resources=learning_resources(Platform()),
        )
        self.cursor, self.time = None, datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC)

    def ingest(self, *days):
        """A run for the drops of these days: it makes the tables, of days and whole, and nothing by month."""
        tags = {PARTITION_TAG: "all", SHAPE_TAG: shape_name(self.shop.partition)}
        run = dg.DagsterRun("job", tags=tags, status=dg.DagsterRunStatus.SUCCESS)
        self.instance.add_run(run)
        for key, partition in [
            *((cleaned_key("retail_lines"), day) for day in days),
            *((mart, None) for mart in MARTS),
        ]:
            made = StepMaterializationData(dg.AssetMaterialization(key, partition=partition))
            event = dg.DagsterEvent("ASSET_MATERIALIZATION", run.job_name, event_specific_data=made)
            self.instance.report_dagster_event(event, run.run_id)

    def follow(self):
        """Months requested until nothing more is, each of them made."""
        requested = []
        for _ in range(8):
            self.time += timedelta(minutes=1)
            result = dg.evaluate_automation_conditions(
                self.definitions, self.instance, cursor=self.cursor, evaluation_time=self.time
            )
            self.cursor = result.cursor
            months = sorted(result.get_requested_partitions(features_key(CUSTOMERS.value.name)))
            for month in months:
                key = features_key(CUSTOMERS.value.name)
                self.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=month))
            requested += [months] if months else []
        return requested


@pytest.fixture
def daemon(instance, environment):
    from lastmile.contracts import load_contracts

    daemon = Daemon(instance, load_contracts()["retail_lines"])
    assert daemon.follow() == []
    return daemon


def test_a_month_is_made_with_its_first_day_and_again_with_those_that_tell_what_came_of_it(daemon):
    daemon.ingest("2011-01-31", "2011-02-01")
    assert daemon.follow() == [["2011-01", "2011-02"]]
    daemon.ingest("2011-03-03")
    assert daemon.follow() == [["2011-01", "2011-02", "2011-03"]]
    assert daemon.follow() == []


def test_a_month_of_which_no_day_was_loaded_is_not_made(daemon):
    daemon.ingest("2010-12-23", "2011-02-01")
    assert daemon.follow() == [["2010-12", "2011-02"]]
