"""What the quarantine asset shows: the trend over drops, what was discarded; and that a release makes it anew."""

import dagster as dg
import pytest
from declaring import changed
from visits import VISITS

from lastmile.contracts import column
from lastmile.orchestration.drops.assets import cleaned_assets, cleaned_key, quarantine_key, raw_asset
from lastmile.orchestration.sensors import landing_sensor
from lastmile.quarantine import query
from lastmile.quarantine.discard import discard
from lastmile.quarantine.query import Selection
from lastmile.quarantine.release import release


@pytest.fixture
def run(visits_platform, instance):
    def run(contract=VISITS):
        assets = [raw_asset(contract), cleaned_assets(contract)]
        return dg.materialize(assets, instance=instance, resources={"platform": visits_platform}, partition_key="2020")

    return run


@pytest.fixture
def shown(instance):
    def shown():
        filters = dg.AssetRecordsFilter(asset_key=quarantine_key("visits"), asset_partitions=["2020"])
        return instance.fetch_materializations(filters, limit=1).records[0].asset_materialization.metadata

    return shown


def check(result, name):
    return next(found for found in result.get_asset_check_evaluations() if found.check_name == name)


def mended():
    return changed(VISITS, columns={**VISITS.columns, "persons": column(int, "Persons met.", ge=0, le=100)})


def release_all(visits_platform):
    with visits_platform.connect() as connection:
        return release(connection, query.lines(connection, Selection(), ["loaded"]), [])


def test_it_shows_the_trend_over_drops_and_what_was_discarded(visits_platform, put, run, shown):
    put("a.csv", "v1,3,2,1,done", "v2,99,2,1,done")
    put("b.csv", "v3,99,2,1,done")
    run()
    before = shown()
    assert before["trend"].value.startswith("![Share of bad rows, visits 2020](data:image/svg+xml;base64,")
    assert (before["rows discarded"].value, before["drops quarantined whole"].value) == (0, 1)
    with visits_platform.connect() as connection:
        places = query.lines(connection, Selection(), ["loaded"])
        whole = [drop["id"] for drop in query.drops(connection, Selection(), None)]
        discard(connection, places, whole, "trials")
    result = run()
    after = shown()
    assert [after[name].value for name in ("rows discarded", "drops quarantined whole", "drops discarded")] == [2, 0, 1]
    assert "rules broken" not in after
    assert after["dagster/row_count"].value == before["dagster/row_count"].value
    assert check(result, "drops_within_threshold").passed
    assert check(result, "rows_add_up").passed


def test_metadata_stays_small_however_many_drops_there_are(visits_platform, put, run, shown):
    for number in range(120):
        put(f"{number}.csv", f"v{number},3,2,1,done", f"w{number},99,2,1,done")
    run()
    assert sum(len(str(value.value)) for value in shown().values()) < 100_000


def test_a_drop_with_far_more_bad_rows_than_usual_is_a_warning(visits_platform, put, run):
    for number in range(6):
        put(f"{number}.csv", *(f"v{number}-{row},3,2,1,done" for row in range(100)))
    assert check(run(), "bad_share_as_usual").passed
    put("z.csv", *(f"z{row},{99 if row < 30 else 3},2,1,done" for row in range(100)))
    found = check(run(), "bad_share_as_usual")
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "z.csv): 30 of 100 rows (30.0%)" in found.description


@pytest.mark.behaviour(number=29)
def test_a_release_is_a_run_of_the_sensor_and_a_new_version_of_the_data(visits_platform, put, run, instance):
    put("a.csv", "v1,3,2,1,done", "v2,99,2,1,done")

    def version(result):
        (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key == cleaned_key("visits")]
        return event.materialization.tags["dagster/data_version"]

    def requested():
        with dg.build_sensor_context(instance=instance, definitions=definitions, resources=resources) as context:
            requests = sensor.evaluate_tick(context).run_requests
        return [(request.partition_key, request.asset_selection) for request in requests or []]

    assets, resources = [raw_asset(VISITS), cleaned_assets(VISITS)], {"platform": visits_platform}
    sensor = landing_sensor(dg.AssetSelection.assets(*assets), every_seconds=30)
    definitions = dg.Definitions(assets=assets, sensors=[sensor], resources=resources)
    before = version(run())
    assert requested() == []
    release_all(visits_platform)
    ((partition, selection),) = requested()
    assert (partition, cleaned_key("visits") in selection) == ("2020", True)
    assert version(run(mended())) != before
    assert requested() == []
    release_all(visits_platform)
    assert requested() == []
