"""A late drop: its partition of everything made from it shows as stale until made anew, and no other does."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.data_version import DATA_VERSION_TAG, CachingStaleStatusResolver
from dagster._core.loader import LoadingContextForTest
from household_learning import FEATURES_KEY, MARTS, SURVEY_YEARS, learning_assets, learning_resources
from visits import HEADER, VISITS

from lastmile.orchestration.drops.assets import cleaned_assets, cleaned_key, quarantine_key, raw_asset, raw_key
from lastmile.orchestration.partitions import partitions_of
from lastmile.orchestration.resources import Platform

YEARS = ("2019", "2020", "2021")
TOTALS = dg.AssetKey(["totals"])
SURVEYED = cleaned_key("hhinfo")

pytestmark = pytest.mark.behaviour(number=20)


@dg.asset(key=TOTALS, deps=[cleaned_key("visits")], partitions_def=partitions_of(VISITS.partition))
def totals() -> None:
    """What somebody makes from the visits of a year."""


@dg.asset(key=SURVEYED, partitions_def=partitions_of(SURVEY_YEARS))
def cleaned_households() -> None:
    """Stands for the households as taken from surveys."""


def status(instance, assets):
    """Dagster's own word, by asset and partition, as its web UI shows it."""
    graph = dg.Definitions(assets=assets, resources=learning_resources(Platform())).resolve_asset_graph()

    def status(key, *years):
        resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
        return [resolver.get_status(key, year).value for year in years]

    return status


@pytest.fixture
def intake(visits_platform, instance, store):
    """Puts drops, takes them and makes the totals, year by year, and asks how things stand."""
    assets = [raw_asset(VISITS), cleaned_assets(VISITS), totals]

    class Intake:
        standing = staticmethod(status(instance, assets))

        def put(self, name, row, year):
            store.put(f"landing/visits/{year}/{name}", f"{HEADER}\n{row}\n".encode())

        def make(self, *keys, year):
            selection = dg.AssetSelection.assets(*keys)
            resources = {"platform": visits_platform}
            run = dg.materialize(
                assets, selection=selection, partition_key=year, instance=instance, resources=resources
            )
            assert run.success

        def take(self, year):
            self.make(raw_key("visits"), cleaned_key("visits"), quarantine_key("visits"), year=year)

        def partitions_of_visits(self):
            with visits_platform.connect() as connection:
                rows = connection.execute("SELECT visit, _partition_start FROM raw.visits ORDER BY visit")
                return {visit: str(start.year) for visit, start in rows.fetchall()}

    return Intake()


def test_what_depends_on_the_partition_of_a_late_drop_is_stale_until_made_anew_and_nothing_else(intake):
    for year in YEARS:
        intake.put("a.csv", f"v{year},3,2,1,done", year)
        intake.take(year)
        intake.make(TOTALS, year=year)
    assert intake.standing(TOTALS, *YEARS) == ["FRESH", "FRESH", "FRESH"]
    intake.put("late.csv", "v_late,3,2,1,done", "2019")
    intake.take("2019")
    assert intake.partitions_of_visits()["v_late"] == "2019"
    assert intake.standing(TOTALS, *YEARS) == ["STALE", "FRESH", "FRESH"]
    assert intake.standing(cleaned_key("visits"), *YEARS) == ["FRESH", "FRESH", "FRESH"]
    intake.make(TOTALS, year="2019")
    assert intake.standing(TOTALS, *YEARS) == ["FRESH", "FRESH", "FRESH"]


def test_how_late_the_drops_of_a_partition_came_stands_with_its_inventory(intake, instance, visits_platform):
    intake.put("first.csv", "v0,3,2,1,done", "2020")
    intake.take("2020")
    with visits_platform.connect() as connection:
        connection.execute("UPDATE ledger.drops SET modified_at = '2020-06-01', discovered_at = '2020-06-01'")
    intake.put("a.csv", "v1,3,2,1,done", "2020")
    intake.take("2020")
    filters = dg.AssetRecordsFilter(raw_key("visits"), asset_partitions=["2020"])
    shown = instance.fetch_materializations(filters, limit=1).records[0].asset_materialization.metadata
    since = datetime.now(UTC) - datetime(2021, 1, 1, tzinfo=UTC)
    assert shown["late drops"].value == 1
    assert shown["latest by (days)"].value == pytest.approx(since / timedelta(days=1), abs=0.1)


def test_a_run_that_took_nothing_makes_nothing_stale(intake):
    intake.put("a.csv", "v1,3,2,1,done", "2020")
    intake.take("2020")
    intake.make(TOTALS, year="2020")
    intake.take("2020")
    assert intake.standing(TOTALS, "2020") == ["FRESH"]


def test_features_of_the_year_of_a_late_survey_are_stale_until_made_anew(make, instance):
    def households(year, version):
        tags = {DATA_VERSION_TAG: version}
        instance.report_runless_asset_event(dg.AssetMaterialization(SURVEYED, partition=year, tags=tags))

    standing = status(instance, [*map(dg.AssetSpec, MARTS), cleaned_households, learning_assets()[0]])
    for year in ("2018", "2019"):
        households(year, "first")
    make("features", "2018", "2019")
    assert standing(FEATURES_KEY, "2018", "2019") == ["FRESH", "FRESH"]
    households("2018", "with the late survey")
    assert standing(FEATURES_KEY, "2018", "2019") == ["STALE", "FRESH"]
    make("features", "2018")
    assert standing(FEATURES_KEY, "2018", "2019") == ["FRESH", "FRESH"]
