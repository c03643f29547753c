"""The list of runs says why each was launched: which drops, what changed upstream, or by which command."""

import dagster as dg
import pytest
from visits import VISITS

from lastmile.orchestration.drops.assets import cleaned_assets, raw_asset
from lastmile.orchestration.runs.cause import CAUSE_TAG, record_cause
from lastmile.orchestration.sensors import landing_sensor

AUTOMATION = {"dagster/from_automation_condition": "true"}


@pytest.fixture
def causes(visits_platform, instance):
    """The causes of the runs that the landing sensor requests."""
    assets = [raw_asset(VISITS), cleaned_assets(VISITS)]
    sensor = landing_sensor(dg.AssetSelection.assets(*assets), every_seconds=10)
    resources = {"platform": visits_platform}
    definitions = dg.Definitions(assets=assets, sensors=[sensor], resources=resources)

    def causes():
        with dg.build_sensor_context(instance=instance, definitions=definitions, resources=resources) as context:
            return [request.tags[CAUSE_TAG] for request in sensor.evaluate_tick(context).run_requests]

    return causes


def test_a_run_for_drops_names_them(put, causes):
    put("team_a/a.csv", "v1,3,2,1,done")
    assert causes() == ["visits 2020: 1 drop (team_a/a.csv)"]
    for number in range(4):
        put(f"{number}.csv", f"w{number},3,2,1,done", year="2022")
    assert causes() == ["visits 2020 to 2022: 5 drops (team_a/a.csv, 0.csv, 1.csv, ...)"]


def test_a_cause_is_short_however_long_the_names_are(put, causes):
    put("x" * 200 + ".csv", "v1,3,2,1,done")
    (cause,) = causes()
    assert len(cause) == 200
    assert cause.startswith("visits 2020: 1 drop (xxx")


class TestAutomation:
    """Rows, a view on them, a table, and a table that reads both that and another."""

    @pytest.fixture
    def made(self, instance):
        @dg.asset(key=["cleaned", "rows"])
        def rows() -> None: ...

        @dg.asset(key=["staging", "view"], deps=[rows])
        def view() -> None: ...

        @dg.asset(key=["marts", "table"], deps=[view])
        def table() -> None: ...

        @dg.asset(key=["marts", "other"])
        def other() -> None: ...

        @dg.asset(key=["marts", "both"], deps=[table, other])
        def both() -> None: ...

        assets = {one.key.path[-1]: one for one in (rows, view, table, other, both)}

        def made(*names):
            for name in names:
                dg.materialize([*assets.values()], selection=[assets[name]], instance=instance)

        return made

    def cause(self, instance, *names, **tags):
        keys = frozenset(dg.AssetKey(["marts", name]) for name in names)
        run = instance.add_run(dg.DagsterRun("job", asset_selection=keys, tags={**AUTOMATION, **tags}))
        record_cause(instance, run.run_id)
        return instance.get_run_by_id(run.run_id).tags.get(CAUSE_TAG)

    def test_it_is_what_changed_upstream(self, made, instance):
        made("rows", "view", "table", "other", "both")
        made("other")
        assert self.cause(instance, "both") == "changed: marts/other"
        made("table")
        assert self.cause(instance, "both") == "changed: marts/other, marts/table"

    def test_a_view_that_did_not_change_itself_is_looked_through(self, made, instance):
        made("rows", "view", "table")
        made("rows")
        assert self.cause(instance, "table") == "changed: cleaned/rows"

    def test_what_was_never_made_and_what_has_new_code_say_so(self, made, instance):
        assert self.cause(instance, "table") == "not made before"
        made("rows", "view", "table")
        assert self.cause(instance, "table") == "its code changed"

    def test_a_partition_that_was_never_made_says_so(self, made, instance):
        instance.report_runless_asset_event(dg.AssetMaterialization(["marts", "years"], partition="2019"))
        ends = ("dagster/asset_partition_range_start", "dagster/asset_partition_range_end")
        assert self.cause(instance, "years", **dict(zip(ends, ("2020", "2021"), strict=True))) == "not made before"
        assert self.cause(instance, "years", **dict(zip(ends, ("2019", "2021"), strict=True))) == "its code changed"

    def test_runs_of_others_and_those_that_say_why_are_left_as_they_are(self, made, instance):
        made("other")
        run = instance.add_run(dg.DagsterRun("job", asset_selection=frozenset([dg.AssetKey(["marts", "other"])])))
        record_cause(instance, run.run_id)
        assert CAUSE_TAG not in instance.get_run_by_id(run.run_id).tags
        assert self.cause(instance, "other", **{CAUSE_TAG: "lastmile backfill"}) == "lastmile backfill"
