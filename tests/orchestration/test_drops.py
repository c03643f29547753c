"""The intake's assets: one run takes what waits in its partitions, says what it did, and is a no-op the second time."""

import dagster as dg
import pytest
from visits import VISITS

from lastmile.orchestration.backfills import REDO_TAG
from lastmile.orchestration.chain import PARTITION_TAG
from lastmile.orchestration.drops.assets import cleaned_assets, cleaned_key, quarantine_key, raw_asset, raw_key
from lastmile.orchestration.sensors import landing_sensor

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


@pytest.fixture
def run(visits_platform, instance):
    def run(first="2020", last=None, **tags):
        span = {"partition_key": first} if last is None else {}
        ranges = {} if last is None else {RANGE_START: first, RANGE_END: last}
        assets = [raw_asset(VISITS), cleaned_assets(VISITS)]
        return dg.materialize(
            assets, instance=instance, resources={"platform": visits_platform}, tags={**ranges, **tags}, **span
        )

    return run


def checks(result):
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def metadata(instance, key, partition):
    filters = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition])
    return instance.fetch_materializations(filters, limit=1).records[0].asset_materialization.metadata


def rows(platform):
    with platform.connect() as connection:
        return [row for (row,) in connection.execute("SELECT visit FROM raw.visits ORDER BY visit").fetchall()]


def test_a_run_finds_and_takes_the_drops_of_its_partition(visits_platform, put, run, instance):
    put("a.csv", "v1,3,2,1,done", "v2,bad,2,1,done")
    put("b.csv", "v3,3,2,1,done", year="2021")
    result = run("2020")
    assert result.success
    assert rows(visits_platform) == ["v1"]
    shown = metadata(instance, cleaned_key("visits"), "2020")
    assert [shown[name].value for name in ("rows_read", "rows_loaded", "rows_quarantined")] == [2, 1, 1]
    broken = metadata(instance, quarantine_key("visits"), "2020")["rules broken"].records
    assert broken[0].data["column"] == "persons"


def test_raw_shows_only_what_is_known_before_the_rows_are_read_and_cleaned_the_rest(put, run, instance):
    put("a.csv", "v1,3,2,1,done", "v2,bad,2,1,done")
    assert run("2020").success
    raw = metadata(instance, raw_key("visits"), "2020")
    assert not [name for name in raw if "row_count" in name or name.startswith("rows_")]
    assert (raw["drops"].value, raw["rows of these drops"].asset_key) == (1, cleaned_key("visits"))
    (record,) = raw["latest drops"].records
    assert {*record.data} == {"drop", "file", "bytes", "appeared", "version"}
    cleaned = metadata(instance, cleaned_key("visits"), "2020")
    assert (cleaned["states"].value, cleaned["dagster/row_count"].value) == ("1 loaded", 1)


def test_a_partition_for_which_nothing_came_says_so(run, instance):
    assert run("2020").success
    for key in (raw_key("visits"), cleaned_key("visits"), quarantine_key("visits")):
        assert metadata(instance, key, "2020")["state"].value == "no drop"


def test_the_table_of_drops_is_bounded_and_their_number_is_not(put, run, instance):
    for number in range(25):
        put(f"{number:02}.csv", f"v{number},3,2,1,done")
    assert run("2020").success
    for key in (raw_key("visits"), cleaned_key("visits")):
        shown = metadata(instance, key, "2020")
        assert (shown["drops"].value, len(shown["latest drops"].records)) == (25, 20)


def test_a_range_of_partitions_is_one_run_with_metadata_for_each(visits_platform, put, run, instance):
    for year in ("2019", "2020", "2021"):
        put("a.csv", f"v{year},3,2,1,done", year=year)
    assert run("2019", "2021").success
    assert rows(visits_platform) == ["v2019", "v2020", "v2021"]
    assert [metadata(instance, cleaned_key("visits"), year)["rows_loaded"].value for year in ("2019", "2021")] == [1, 1]


def test_running_again_changes_nothing_and_keeps_the_data_version(visits_platform, put, run):
    put("a.csv", "v1,3,2,1,done")

    def version(result):
        (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key == cleaned_key("visits")]
        return event.materialization.tags["dagster/data_version"]

    assert version(run()) == version(run())
    assert rows(visits_platform) == ["v1"]


def test_redo_takes_every_drop_of_the_partition_again(visits_platform, put, run):
    put("a.csv", "v1,3,2,1,done")
    run()
    again = run(**{REDO_TAG: "true"})
    with visits_platform.connect() as connection:
        assert connection.execute("SELECT run_id FROM ledger.drops").fetchall() == [(again.run_id,)]
    assert rows(visits_platform) == ["v1"]


def test_checks_tell_what_is_wrong_and_stop_nothing(visits_platform, put, run):
    put("good.csv", "v1,3,2,1,done")
    put("bad.csv", "v2,bad,2,1,done")
    result = run()
    assert result.success
    found = checks(result)
    assert found["rows_add_up"].passed
    assert not found["drops_within_threshold"].passed
    assert "bad.csv" in found["drops_within_threshold"].description


def test_the_books_check_finds_a_row_that_no_ledger_row_accounts_for(visits_platform, put, run):
    put("a.csv", "v1,3,2,1,done")
    run()
    with visits_platform.connect() as connection:
        connection.execute("INSERT INTO raw.visits (visit, _drop_id, _line, _partition_start, _loaded_at) "
                           "SELECT 'smuggled', id, 9, '2020-01-01', now() FROM ledger.drops")  # fmt: skip
    check = checks(run())["rows_add_up"]
    assert not check.passed
    assert "1 rows loaded, 2 are visible" in check.description


class TestLandingSensor:
    """The sensor requests a run of the partitions with pending drops, and for none that is under way."""

    @pytest.fixture
    def tick(self, visits_platform, instance):
        assets = [raw_asset(VISITS), cleaned_assets(VISITS)]
        sensor = landing_sensor(dg.AssetSelection.assets(*assets), every_seconds=10)
        definitions = dg.Definitions(assets=assets, sensors=[sensor], resources={"platform": visits_platform})

        def tick():
            resources = {"platform": visits_platform}
            with dg.build_sensor_context(instance=instance, definitions=definitions, resources=resources) as context:
                return sensor.evaluate_tick(context)

        return tick

    def test_one_run_is_requested_for_all_years_with_drops_waiting(self, put, tick):
        for name in ("a.csv", "b.csv"):
            put(name, f"{name},3,2,1,done")
        assert [request.partition_key for request in tick().run_requests] == ["2020"]
        put("c.csv", "v,3,2,1,done", year="2022")
        (request,) = tick().run_requests
        assert request.partition_key is None
        assert request.tags["dagster/asset_partition_range_start"] == "2020"
        assert request.tags["dagster/asset_partition_range_end"] == "2022"
        assert {key.path[0] for key in request.asset_selection} == {"raw", "cleaned", "quarantine"}

    def test_nothing_is_requested_when_nothing_waits(self, put, tick, run):
        assert tick().skip_message == "no drops are pending"
        put("a.csv", "v1,3,2,1,done")
        run()
        assert tick().run_requests == []

    @pytest.mark.behaviour(number=4)
    def test_partitions_being_worked_on_are_not_requested_again(self, put, tick, instance):
        put("a.csv", "v1,3,2,1,done")
        instance.add_run(dg.DagsterRun("job", tags={PARTITION_TAG: "year from 2015/all"}))
        assert tick().run_requests == []

    def test_after_a_failure_each_partition_has_its_own_run_and_one_that_keeps_failing_a_pause(
        self, put, tick, instance, monkeypatch
    ):
        def fail(tag):
            instance.report_run_failed(instance.add_run(dg.DagsterRun("job", tags={PARTITION_TAG: tag})))

        for year in ("2020", "2021"):
            put("a.csv", f"{year},3,2,1,done", year=year)
        fail("year from 2015/all")
        assert [request.partition_key for request in tick().run_requests] == ["2020", "2021"]
        for _ in range(3):
            fail("year from 2015/2020")
        assert [request.partition_key for request in tick().run_requests] == ["2021"]
        monkeypatch.setattr("lastmile.orchestration.drops.requests._PAUSE_SECONDS", 0)
        (together,) = tick().run_requests
        assert together.tags[PARTITION_TAG] == "year from 2015/all"

    @pytest.mark.behaviour(number=11)
    def test_wiping_the_run_history_asks_for_nothing_again(self, put, tick, run, instance, visits_platform):
        put("a.csv", "v1,3,2,1,done")
        result = run()
        instance.delete_run(result.run_id)
        assert tick().run_requests == []
        run()
        assert rows(visits_platform) == ["v1"]
