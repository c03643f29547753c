"""What is made by itself, and when: as little as possible, and nothing forgotten."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.events import DagsterEvent, DagsterEventType

from lastmile.orchestration.dbt.assets import DOCUMENTATION_KEY, documentation_asset, warehouse_assets
from lastmile.orchestration.dbt.project import dbt_resource
from lastmile.orchestration.dbt.translator import code_version
from lastmile.orchestration.drops.assets import cleaned_assets, cleaned_key, quarantine_key, raw_asset, raw_key
from lastmile.orchestration.resources import Platform

DATASETS = ("hhinfo", "crop", "lstk", "lstk_prod")
SHOP = "retail_lines"


class Daemon:
    """Evaluates the conditions every ten seconds, on a history of runs that the test makes up."""

    def __init__(self, definitions, instance):
        self.definitions = definitions
        self.instance = instance
        self.cursor = None
        self.time = datetime(2021, 6, 1, 12, 1, tzinfo=UTC)

    def tick(self):
        """What is requested: the asset's name, and its partitions."""
        self.time += timedelta(seconds=10)
        result = dg.evaluate_automation_conditions(
            self.definitions, self.instance, cursor=self.cursor, evaluation_time=self.time
        )
        self.cursor = result.cursor
        keys = [key for key in self.definitions.resolve_all_asset_keys() if result.get_num_requested(key)]
        return {key.path[-1]: {part for part in result.get_requested_partitions(key) if part} for key in keys}

    def start(self, keys, partition=None):
        job = self.definitions.resolve_implicit_global_asset_job_def()
        return self.instance.create_run_for_job(
            job.get_subset(asset_selection=set(keys)),
            status=dg.DagsterRunStatus.STARTED,
            tags={"dagster/partition": partition} if partition else {},
            asset_selection=frozenset(keys),
        )

    def end(self, run):
        event = DagsterEvent(DagsterEventType.RUN_SUCCESS.value, run.job_name)
        self.instance.report_dagster_event(event, run_id=run.run_id)

    def make(self, keys, *partitions):
        for key in keys:
            for partition in partitions or (None,):
                self.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition))


def definitions_of(sets, contracts):
    intake = [make(contracts[dataset]) for dataset in (*DATASETS, SHOP) for make in (raw_asset, cleaned_assets)]
    return dg.Definitions(assets=[*intake, *sets], resources={"platform": Platform(), "dbt": dbt_resource(contracts)})


@pytest.fixture(scope="module")
def sets(installation, contracts):
    return {assets.node_def.name: assets for assets in warehouse_assets(contracts)}


@pytest.fixture
def daemon(sets, contracts):
    with dg.DagsterInstance.ephemeral() as instance:
        yield Daemon(definitions_of(sets.values(), contracts), instance)


@pytest.fixture
def views(sets):
    """And seeds, which are made along with them."""
    return [*sets["warehouse_seeds"].keys, *sets["warehouse_views"].keys]


@pytest.fixture
def by_partition(sets):
    return list(sets["warehouse_by_year_from_2010"].keys)


@pytest.fixture
def by_day(sets):
    return list(sets["warehouse_by_day_from_2010_12_01"].keys)


@pytest.fixture
def tables(sets):
    """Those of households, the snapshot among them."""
    others = ("retail", "community")
    return [key for key in sets["warehouse_tables"].keys if not any(domain in key.path[-1] for domain in others)]


@pytest.fixture
def shop_tables(sets, tables):
    return [key for key in sets["warehouse_tables"].keys if "retail" in key.path[-1]]


CLEANED = [cleaned_key(dataset) for dataset in DATASETS]
INTAKE = [key(dataset) for dataset in DATASETS for key in (raw_key, cleaned_key, quarantine_key)]


def names(keys, *partitions):
    return {key.path[-1]: set(partitions) for key in keys}


@pytest.fixture
def with_views(daemon, views):
    daemon.tick()
    daemon.make(views)
    daemon.tick()
    return daemon


def test_views_are_made_at_the_first_tick_and_not_again(daemon, views):
    assert daemon.tick() == names(views)
    daemon.make(views)
    assert daemon.tick() == {}
    daemon.make(CLEANED, "2016")
    assert not daemon.tick().keys() & names(views).keys()


def test_partitions_are_made_together_once_all_their_drops_are_ingested(with_views, by_partition):
    runs = [with_views.start(INTAKE, year) for year in ("2015", "2016")]
    assert with_views.tick() == {}
    with_views.make(CLEANED, "2015")
    with_views.end(runs[0])
    assert with_views.tick() == {}
    with_views.make(CLEANED, "2016")
    with_views.end(runs[1])
    assert with_views.tick() == names(by_partition, "2015", "2016")
    assert with_views.tick() == {}


def test_partitions_wait_for_the_views(daemon, by_partition, views):
    daemon.make(CLEANED, "2015")
    assert daemon.tick() == names(views)
    assert daemon.tick() == {}
    daemon.make(views)
    assert daemon.tick() == names(by_partition, "2015")


def test_drops_that_never_stop_coming_do_not_hold_up_the_tables_for_ever(with_views, by_partition):
    with_views.start(INTAKE, "2016")
    with_views.make(CLEANED, "2015")
    assert with_views.tick() == {}
    with_views.time = with_views.time.replace(minute=9, second=55)
    assert with_views.tick() == names(by_partition, "2015")


def test_a_table_made_in_several_runs_is_followed_once_when_the_last_has_ended(with_views, by_day, shop_tables):
    days = ("2021-02-26", "2021-02-27", "2021-02-28")
    with_views.make([cleaned_key(SHOP)], *days)
    with_views.tick()
    with_views.make(by_day, *days)
    with_views.tick()
    with_views.make(shop_tables)
    assert with_views.tick() == {}
    lines, followers = [key for key in by_day if key.path[-1] == "int_retail_lines"], set(by_day)
    runs = [with_views.start(lines, day) for day in days]
    for run, day in zip(runs, days, strict=True):
        assert with_views.tick() == {}
        with_views.make(lines, day)
        with_views.end(run)
    assert with_views.tick() == names(followers - set(lines), *days)


def test_all_marts_are_made_in_one_run_after_the_partitions(with_views, by_partition, tables):
    with_views.make(CLEANED, "2015", "2016")
    with_views.tick()
    run = with_views.start(by_partition, "2015")
    with_views.make(by_partition, "2016")
    assert with_views.tick() == {}
    with_views.make(by_partition, "2015")
    with_views.end(run)
    assert with_views.tick() == names(tables)
    assert with_views.tick() == {}


def test_a_mart_is_not_made_while_a_table_that_it_reads_has_no_partition(with_views, by_partition, tables):
    there = [key for key in by_partition if key.path[-1] != "int_household"]
    with_views.make([cleaned_key("lstk")], "2020")
    with_views.make(there, "2020")
    early = [with_views.tick() for _ in range(2)]
    with_views.time = with_views.time.replace(minute=9, second=55)  # when what is busy is waited for no longer
    assert not any("dim_household" in requested for requested in [*early, with_views.tick()])
    with_views.make([key for key in by_partition if key not in there], "2020")
    assert any("dim_household" in with_views.tick() for _ in range(3))


def test_marts_wait_while_more_drops_are_being_ingested(with_views, by_partition, tables):
    with_views.make(CLEANED, "2015")
    with_views.tick()
    run = with_views.start(INTAKE, "2016")
    with_views.make(by_partition, "2015")
    assert with_views.tick() == {}
    with_views.make(CLEANED, "2016")
    with_views.end(run)
    assert with_views.tick() == names(by_partition, "2016")
    with_views.make(by_partition, "2016")
    assert with_views.tick() == names(tables)


@pytest.mark.behaviour(number=20)
def test_a_late_drop_remakes_its_own_partition_only(with_views, by_partition, tables):
    with_views.make(CLEANED, "2015", "2016")
    with_views.tick()
    with_views.make(by_partition, "2015", "2016")
    with_views.tick()
    with_views.make(tables)
    assert with_views.tick() == {}
    with_views.make(CLEANED, "2015")
    assert with_views.tick() == names(by_partition, "2015")


def test_changed_sql_is_followed_from_the_views_up_and_only_where_there_was_data(
    with_views, views, by_partition, tables, contracts, monkeypatch
):
    with_views.make(CLEANED, "2015")
    with_views.tick()
    with_views.make(by_partition, "2015")
    with_views.tick()
    with_views.make(tables)
    assert with_views.tick() == {}

    monkeypatch.setattr("lastmile.orchestration.dbt.translator.code_version", lambda manifest, node: "changed")
    with_views.definitions = definitions_of(warehouse_assets(contracts), contracts)
    assert with_views.tick() == names(views)
    run = with_views.start(views)
    assert with_views.tick() == {}
    with_views.make(views)
    with_views.end(run)
    assert with_views.tick() == names(by_partition, "2015")
    run = with_views.start(by_partition, "2015")
    assert with_views.tick() == {}
    with_views.make(by_partition, "2015")
    with_views.end(run)
    assert with_views.tick() == names(tables)


def test_a_changed_seed_is_made_and_what_is_made_from_it_follows(
    with_views, sets, by_partition, tables, contracts, monkeypatch
):
    with_views.make(CLEANED, "2015")
    with_views.tick()
    with_views.make(by_partition, "2015")
    with_views.tick()
    with_views.make(tables)
    assert with_views.tick() == {}

    def changed(manifest, node):
        return "changed" if node["name"] == "conversion_factors" else code_version(manifest, node)

    monkeypatch.setattr("lastmile.orchestration.dbt.translator.code_version", changed)
    with_views.definitions = definitions_of(warehouse_assets(contracts), contracts)
    assert with_views.tick() == {"conversion_factors": set()}
    with_views.make([dg.AssetKey(["seeds", "conversion_factors"])])
    judged = {"int_survey", "int_survey_comparison", "dim_survey", "fct_household_year", "summary_country_year"}
    assert with_views.tick() == {name: set() for name in judged}


def test_tables_wait_for_their_seeds_and_are_not_made_from_seeds_alone(daemon, sets, by_partition, tables):
    daemon.tick()
    daemon.make(sets["warehouse_views"].keys)
    daemon.tick()
    daemon.make(CLEANED, "2015")
    assert daemon.tick() == names(by_partition, "2015")
    daemon.make(by_partition, "2015")
    seedless = {"dim_household", "dim_household_history", "dim_household_items", "household_history"}
    assert set(daemon.tick()) <= seedless
    daemon.make(sets["warehouse_seeds"].keys)
    assert set(daemon.tick()) >= {key.path[-1] for key in tables} - seedless


def test_tables_of_one_domain_do_not_wait_for_those_of_another(with_views, by_partition, tables, by_day, shop_tables):
    with_views.make(CLEANED, "2015")
    with_views.make([cleaned_key(SHOP)], "2021-02-27", "2021-02-28")
    assert with_views.tick() == names(by_partition, "2015") | names(by_day, "2021-02-27", "2021-02-28")
    with_views.start(by_partition, "2015")
    with_views.make(by_day, "2021-02-27", "2021-02-28")
    with_views.tick()
    assert with_views.tick() == names(shop_tables)
    assert with_views.tick() == {}


def test_the_documentation_is_made_along_with_tables_of_new_code_and_not_with_new_rows(
    sets, contracts, views, by_partition, tables, monkeypatch
):
    def definitions(sets):
        return definitions_of([*sets, documentation_asset(list(sets))], contracts)

    with dg.DagsterInstance.ephemeral() as instance:
        daemon = Daemon(definitions(sets.values()), instance)
        daemon.tick()
        daemon.make(views)
        daemon.make(CLEANED, "2015")
        assert daemon.tick() == names(by_partition, "2015")
        daemon.make(by_partition, "2015")
        assert daemon.tick() == names([*tables, DOCUMENTATION_KEY])
        daemon.make([*tables, DOCUMENTATION_KEY])
        assert daemon.tick() == {}
        daemon.make(by_partition, "2015")
        assert daemon.tick() == names(tables)
        daemon.make(tables)
        assert daemon.tick() == {}

        one = tables[0].path[-1]
        monkeypatch.setattr(
            "lastmile.orchestration.dbt.translator.code_version",
            lambda manifest, node: "changed" if node["name"] == one else code_version(manifest, node),
        )
        daemon.definitions = definitions(warehouse_assets(contracts))
        requested = set(daemon.tick()) | set(daemon.tick())
        assert {one, DOCUMENTATION_KEY.path[-1]} <= requested
