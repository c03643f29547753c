"""A dataset that nothing comes in for is found stale, without a run by its policy, and by each run's check."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from checkout import PROJECT
from dagster_private import FreshnessDaemon, later, workspace_of
from declaring import changed
from visits import VISITS

from lastmile.orchestration.drops.assets import cleaned_assets, cleaned_key
from lastmile.orchestration.drops.freshness import freshness_policy, stale

DAILY = changed(VISITS, expected_every=timedelta(days=1))
KEY = cleaned_key("visits")
CODE = """
import sys
sys.path[:0] = [{tests!r}]
import dagster as dg
from orchestration.test_freshness import DAILY
from lastmile.orchestration.drops.assets import cleaned_assets, raw_asset
from lastmile.orchestration.resources import Platform
defs = dg.Definitions([raw_asset(DAILY), cleaned_assets(DAILY)], resources={{"platform": Platform()}})
"""


@pytest.fixture
def instance():
    """On disk: the daemon's process and the code's are two."""
    with dg.DagsterInstance.local_temp() as instance:
        yield instance


@pytest.fixture
def verdict(instance, tmp_path):
    """What Dagster's daemon finds of `cleaned/visits` after a while of doing nothing."""
    file = tmp_path / "location.py"
    file.write_text(CODE.format(tests=str(PROJECT / "tests")))
    with workspace_of(instance, file) as workspace:

        def verdict(after):
            with later(after):
                list(FreshnessDaemon().run_iteration(workspace))
            return instance.get_freshness_state_records([KEY])[KEY].freshness_state.value

        yield verdict


def ingest(instance, partition="2020"):
    instance.report_runless_asset_event(dg.AssetMaterialization(KEY, partition=partition))


def test_a_dataset_becomes_stale_with_time_and_fresh_with_a_drop_though_no_run_looks_at_it(instance, verdict):
    assert verdict(timedelta(0)) == "UNKNOWN"
    ingest(instance)
    assert verdict(timedelta(hours=23)) == "PASS"
    assert verdict(timedelta(hours=25)) == "FAIL"
    ingest(instance, "2019")
    assert verdict(timedelta(hours=1)) == "PASS"
    assert instance.get_runs() == []


def test_the_daemon_evaluates_freshness_with_the_projects_settings(tmp_path):
    text = (PROJECT / "dagster.yaml").read_text()
    (tmp_path / "dagster.yaml").write_text(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("LASTMILE_DAGSTER_URL", raising=False)
        patch.delenv("DAGSTER_HOME", raising=False)
        with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
            assert FreshnessDaemon.daemon_type() in instance.get_required_daemon_types()


def test_the_check_goes_by_the_newest_drop_since_ingesting_old_ones_again_makes_the_asset_look_new():
    now = datetime.now(UTC)
    assert stale(DAILY, now - timedelta(hours=23)) == []
    assert stale(DAILY, None) == []
    (reason,) = stale(DAILY, now - timedelta(hours=25))
    assert "one is expected every 1 day" in reason


def test_only_a_contract_that_expects_drops_has_a_policy_and_none_below_dagsters_minute():
    assert freshness_policy(VISITS) is None
    spec = cleaned_assets(DAILY).get_asset_spec(KEY)
    assert spec.freshness_policy == dg.FreshnessPolicy.time_window(timedelta(days=1))
    often = changed(VISITS, expected_every=timedelta(seconds=10))
    assert freshness_policy(often) == dg.FreshnessPolicy.time_window(timedelta(minutes=1))
