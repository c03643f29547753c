"""What one run makes of new drops: all that follows, and nothing that would hold it up."""

import time
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster import AutomationCondition as When
from dagster_private import StepFailureData
from visits import VISITS

from lastmile.contracts import Partition
from lastmile.orchestration.chain import OWN_RUN, PARTITION_TAG, chain
from lastmile.orchestration.drops.requests import _go_on_coming, run_requests
from lastmile.orchestration.partitions import partitions_of

YEARS = partitions_of(Partition("year", start=date(2020, 1, 1)))
DAYS = partitions_of(Partition("day", start=date(2020, 1, 1)))
EVER = When.missing()


def asset(name, deps=(), shape=None, condition: When | None = EVER, **more):
    @dg.asset(name=name, deps=list(deps), partitions_def=shape, automation_condition=condition, **more)
    def made() -> None: ...

    return made


def spec_of_view(name, deps):
    return dg.AssetSpec(name, deps=deps, is_virtual=True, automation_condition=EVER)


@dg.multi_asset(specs=[spec_of_view("view", ["rows"])])
def views(): ...


SEED = asset("seed")
ASSETS = [
    asset("rows", shape=YEARS, condition=None),
    SEED,
    views,
    asset("table", ["view", "seed"], YEARS),
    asset("daily", ["view"], DAYS),
    asset("mart", ["table"]),
    asset("features", ["mart"], YEARS),
    asset("model", ["features"], tags=OWN_RUN),
    asset("predictions", ["features", "model"], YEARS),
    asset("report", ["predictions"]),
    asset("by_hand", ["mart"], condition=None),
    asset("other"),
]


@pytest.fixture
def graph():
    return dg.Definitions(assets=ASSETS).get_repository_def().asset_graph


def make(instance, *names, partition=None):
    for name in names:
        instance.report_runless_asset_event(dg.AssetMaterialization(name, partition=partition))


def names(keys):
    return {key.path[-1] for key in keys}


def test_a_run_makes_all_that_follows_by_itself_but_models_and_what_has_other_partitions(instance, graph):
    make(instance, "view", "seed")
    found = chain(instance, graph, [dg.AssetKey("rows")], YEARS)
    assert names(found.keys) == {"rows", "table", "mart", "features", "predictions", "report"}


def test_views_and_seeds_that_were_never_made_are_made_along(instance, graph):
    found = chain(instance, graph, [dg.AssetKey("rows")], YEARS)
    assert {"view", "seed"} < names(found.keys)
    make(instance, "view")
    assert names(chain(instance, graph, [dg.AssetKey("rows")], YEARS).keys).isdisjoint({"view", "other"})


def test_what_was_never_made_of_what_is_made_along_comes_along(instance):
    graph = (
        dg.Definitions(
            assets=[
                *ASSETS,
                asset("other_rows", shape=YEARS, condition=None),
                asset("other_table", ["other_rows"], YEARS),
                asset("both", ["table", "other_table"]),
                asset("history", ["other_table"]),
                asset("by_day", ["daily"]),
                asset("mixed", ["other_table", "by_day"]),
            ]
        )
        .get_repository_def()
        .asset_graph
    )
    make(instance, "view", "seed")

    def found():
        return names(chain(instance, graph, [dg.AssetKey("rows")], YEARS).keys)

    assert {"both", "other_table", "history"} < found()
    assert found().isdisjoint({"mixed", "by_day"})
    make(instance, "history", "other_table")
    assert "both" in found()
    assert found().isdisjoint({"history", "other_table"})


def test_what_was_never_made_is_made_for_all_years_and_later_for_those_of_the_drops(instance, graph):
    def partitions():
        return chain(instance, graph, [dg.AssetKey("rows")], YEARS).partitions(graph, YEARS, ["2021"])

    assert partitions() == YEARS.get_partition_keys()
    make(instance, "table", "features", "predictions", partition="2021")
    assert partitions() == ["2021"]


def moments(*seconds_ago):
    return tuple(datetime.now(UTC) - timedelta(seconds=ago) for ago in seconds_ago)


def a_run(began, ended):
    start, end = (moment.timestamp() for moment in moments(began, ended))
    now = datetime.now(UTC)
    run = dg.DagsterRun("job", status=dg.DagsterRunStatus.SUCCESS)
    return dg.RunRecord(1, run, create_timestamp=now, update_timestamp=now, start_time=start, end_time=end)


@pytest.mark.parametrize(
    ("run", "drops", "expected"),
    [
        ((30, 20), (25, 2), True),
        ((30, 20), (25, 12), False),
        ((80, 50), (60, 2), False),
        ((30, 20), (15, 2), False),
        ((30, 20), (40, 2), False),
    ],
    ids=["they came during it", "no more come", "the first waits for long", "they came after it", "it left them"],
)
def test_drops_that_come_during_a_run_gather_for_the_next(run, drops, expected):
    assert _go_on_coming(a_run(*run), moments(*drops)) is expected


def test_what_a_lost_worker_was_at_is_left_to_the_run_that_replaces_it(instance):
    instance.add_run(dg.DagsterRun("job", tags={PARTITION_TAG: "year from 2015/all", "dagster/will_retry": "true"}))
    (run,) = instance.get_runs()
    for event in (dg.DagsterEventType.RUN_START, dg.DagsterEventType.RUN_FAILURE):
        instance.report_dagster_event(dg.DagsterEvent(event.value, "job"), run.run_id)
    waiting = [("visits", "2020", 1, 1), ("visits", "2021", 1, 1)]
    assert list(run_requests(instance, None, {"visits": VISITS}, waiting)) == []
    instance.add_run_tags(run.run_id, {"dagster/will_retry": "false"})
    found = [request.partition_key for request in run_requests(instance, None, {"visits": VISITS}, waiting)]
    assert found == ["2020", "2021"]


def test_nothing_is_held_where_no_drop_waits():
    assert not _go_on_coming(a_run(30, 20), None)


def test_drops_gather_however_many_runs_came_before(instance):
    for _ in range(3):
        run = dg.DagsterRun("job", tags={PARTITION_TAG: "year from 2015/all"})
        instance.add_run(run)
        for event in (dg.DagsterEventType.RUN_START, dg.DagsterEventType.RUN_SUCCESS):
            time.sleep(0.2)
            instance.report_dagster_event(dg.DagsterEvent(event.value, "job"), run.run_id)
    (last,) = instance.get_run_records(limit=1)
    meanwhile = datetime.fromtimestamp((last.start_time + last.end_time) / 2, UTC)
    waiting = [("visits", "2020", 1, 1)]

    def requests(moment):
        return list(run_requests(instance, None, {"visits": VISITS}, waiting, lambda _: (moment, moment)))

    assert requests(meanwhile) == []
    assert len(requests(meanwhile - timedelta(hours=1))) == 1


class TestAfterAFailure:
    @pytest.fixture
    def requests(self, instance):
        def requests():
            waiting = [("visits", year, 1, 1) for year in ("2020", "2021")]
            return [one.tags[PARTITION_TAG] for one in run_requests(instance, None, {"visits": VISITS}, waiting)]

        return requests

    def fail(self, instance, step):
        keys = frozenset([dg.AssetKey(["cleaned", "visits"]), dg.AssetKey("mart")])
        run = dg.DagsterRun("job", tags={PARTITION_TAG: "year from 2015/all"}, asset_selection=keys)
        instance.add_run(run)
        failure = dg.DagsterEvent(
            dg.DagsterEventType.STEP_FAILURE.value,
            "job",
            step_key=step,
            event_specific_data=StepFailureData(error=None, user_failure_data=None),
        )
        instance.report_dagster_event(failure, run.run_id)
        instance.report_run_failed(run)

    def test_of_a_mart_drops_are_ingested_as_before(self, instance, requests):
        for _ in range(4):
            self.fail(instance, "warehouse_tables")
        assert requests() == ["year from 2015/all"]

    def test_of_the_ingestion_each_partition_has_a_run_of_its_own(self, instance, requests):
        self.fail(instance, "ingest_visits")
        assert requests() == ["year from 2015/2020", "year from 2015/2021"]
