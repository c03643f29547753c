"""The verdict of a check is about the whole dataset: a run over other partitions does not take a warning back."""

import dagster as dg
import pytest
from visits import HEADER, VISITS

from lastmile.ingestion.discovery.listing import discover
from lastmile.orchestration.drops.assets import cleaned_assets, cleaned_key, quarantine_key, raw_asset
from lastmile.orchestration.drops.verdicts import verdict_sensor
from lastmile.quarantine.discard import discard

OTHER_YEAR = "2021"


@pytest.fixture
def verdicts(visits_platform, instance):
    """Run one partition; what the web UI shows of each check afterwards."""

    def verdicts(partition):
        assets = [raw_asset(VISITS), cleaned_assets(VISITS)]
        result = dg.materialize(
            assets, instance=instance, resources={"platform": visits_platform}, partition_key=partition
        )
        return {check.check_name: check for check in result.get_asset_check_evaluations()}

    return verdicts


def test_a_drop_quarantined_whole_is_warned_of_whichever_partition_runs(put, verdicts):
    put("bad.csv", "v1,bad,2,1,done")
    assert not verdicts("2020")["drops_within_threshold"].passed
    put("good.csv", "v2,3,2,1,done", year=OTHER_YEAR)
    found = verdicts(OTHER_YEAR)["drops_within_threshold"]
    assert not found.passed
    assert "landing/visits/2020/bad.csv" in found.description


def test_a_drop_that_failed_is_told_whichever_partition_runs(visits_platform, put, verdicts):
    put("a.csv", "v1,3,2,1,done")
    verdicts("2020")
    with visits_platform.connect() as connection:
        connection.execute("UPDATE ledger.drops SET state = 'failed', message = 'the disk is full'")
        connection.execute("DELETE FROM raw.visits")
    found = verdicts(OTHER_YEAR)["every_drop_settled"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "a.csv: failed the disk is full" in found.description


def test_a_drop_of_another_partition_that_waits_is_a_warning(put, verdicts):
    put("a.csv", "v1,3,2,1,done")
    found = verdicts(OTHER_YEAR)["every_drop_settled"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "1 drop waits for the next run, such as landing/visits/2020/a.csv" in found.description
    assert verdicts("2020")["every_drop_settled"].passed


def test_a_drop_whose_key_fits_no_partition_is_told(put, verdicts):
    put("a.csv", "v1,3,2,1,done", year="1850")
    put("b.csv", "v2,3,2,1,done")
    found = verdicts("2020")["every_drop_settled"]
    assert not found.passed
    assert "landing/visits/1850/a.csv" in found.description


def test_an_undeclared_column_is_told_whichever_partition_runs(visits_platform, put, verdicts):
    store = visits_platform.store()
    store.put("landing/visits/2020/a.csv", f"{HEADER},Mood\nv1,3,2,1,done,fine".encode())
    verdicts("2020")
    found = verdicts(OTHER_YEAR)["header_as_declared"]
    assert not found.passed
    assert "Mood (1 drop: landing/visits/2020/a.csv)" in found.description


def test_rows_that_no_ledger_row_accounts_for_are_told_whichever_partition_runs(visits_platform, put, verdicts):
    put("a.csv", "v1,3,2,1,done")
    verdicts("2020")
    with visits_platform.connect() as connection:
        connection.execute("DELETE FROM raw.visits")
    assert not verdicts(OTHER_YEAR)["rows_add_up"].passed


def test_what_was_decided_is_no_longer_warned_of(visits_platform, put, verdicts):
    put("bad.csv", "v1,bad,2,1,done")
    verdicts("2020")
    with visits_platform.connect() as connection:
        discard(connection, {}, [1], "a trial")
    assert verdicts(OTHER_YEAR)["drops_within_threshold"].passed


class TestOutsideOfRuns:
    """What fails when it is found, or is decided, makes no run; a sensor makes the checks anew."""

    @pytest.fixture
    def tick(self, visits_platform, instance):
        sensor = verdict_sensor(every_seconds=30)
        resources = {"platform": visits_platform}

        def tick(cursor=None):
            with dg.build_sensor_context(instance=instance, cursor=cursor, resources=resources) as context:
                return sensor.evaluate_tick(context)

        return tick

    @pytest.fixture
    def shown(self, instance):
        """Whether the newest verdict on a check is good, as the web UI shows it."""

        def shown(key, name):
            (record,) = instance.event_log_storage.get_asset_check_execution_history(dg.AssetCheckKey(key, name), 1)
            return record.event.dagster_event.event_specific_data.passed

        return shown

    def test_a_drop_that_no_partition_fits_is_not_beside_a_green_check(
        self, visits_platform, put, verdicts, tick, shown
    ):
        put("a.csv", "v1,3,2,1,done")
        assert verdicts("2020")["every_drop_settled"].passed
        put("b.csv", "v2,3,2,1,done", year="1850")
        with visits_platform.connect() as connection:
            discover(connection, visits_platform.store(), {"visits": VISITS})
        tick()
        assert not shown(cleaned_key("visits"), "every_drop_settled")

    def test_a_decision_takes_the_warning_back_and_is_looked_at_once(self, visits_platform, put, verdicts, tick, shown):
        put("bad.csv", "v1,bad,2,1,done")
        verdicts("2020")
        cursor = tick().cursor
        assert not shown(quarantine_key("visits"), "drops_within_threshold")
        with visits_platform.connect() as connection:
            discard(connection, {}, [1], "a trial")
        ticked = tick(cursor)
        assert ticked.skip_message == "checked anew: visits"
        assert shown(quarantine_key("visits"), "drops_within_threshold")
        assert tick(ticked.cursor).skip_message == "nothing changed outside of runs"
