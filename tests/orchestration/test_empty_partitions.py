"""A partition for which no drop came says so: what is missing in the web UI is what is not made yet."""

from dataclasses import replace
from datetime import UTC, date, datetime

import dagster as dg
import pytest
from visits import VISITS

from lastmile.contracts import Partition
from lastmile.orchestration.drops.assets import cleaned_assets, cleaned_key, quarantine_key, raw_asset, raw_key
from lastmile.orchestration.drops.empty import empty, record_empty
from lastmile.orchestration.partitions import partitions_of

KEYS = (raw_key("visits"), cleaned_key("visits"), quarantine_key("visits"))
YEARS = [str(year) for year in range(2015, datetime.now(UTC).year + 1)]


@pytest.fixture
def run(visits_platform, instance):
    def run(partition):
        assets = [raw_asset(VISITS), cleaned_assets(VISITS)]
        return dg.materialize(
            assets, instance=instance, resources={"platform": visits_platform}, partition_key=partition
        )

    return run


def latest(instance, key, partition):
    filters = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[partition])
    return instance.fetch_materializations(filters, limit=10).records


def test_after_the_first_drop_nothing_is_missing_and_empty_partitions_say_no_drop(put, run, instance):
    put("a.csv", "v1,3,2,1,done")
    made_by = run("2020").run_id
    for key in KEYS:
        assert sorted(instance.get_materialized_partitions(key)) == YEARS
        (made,) = latest(instance, key, "2020")
        assert made.event_log_entry.run_id == made_by
        (nothing,) = latest(instance, key, "2016")
        assert nothing.asset_materialization.description == "no drop"
        assert nothing.asset_materialization.metadata["dagster/row_count"].value == 0


def test_a_partition_whose_drops_wait_or_failed_is_not_taken_for_empty(put, run, instance):
    put("a.csv", "v1,3,2,1,done")
    put("b.csv", "v2,3,2,1,done", year="2018")
    run("2020")
    for key in KEYS:
        assert sorted(set(YEARS) - instance.get_materialized_partitions(key)) == ["2018"]


def test_it_is_recorded_once_and_a_drop_that_comes_later_makes_the_partition_anew(put, run, instance):
    put("a.csv", "v1,3,2,1,done")
    run("2020")
    put("b.csv", "v2,3,2,1,done", year="2016")
    run("2016")
    assert len(latest(instance, cleaned_key("visits"), "2017")) == 1
    newest, first = latest(instance, cleaned_key("visits"), "2016")
    assert (
        newest.asset_materialization.metadata["dagster/row_count"].value,
        first.asset_materialization.description,
    ) == (
        1,
        "no drop",
    )


def test_rows_that_are_in_a_partition_without_a_drop_are_not_called_none(site, instance):
    rows = dg.AssetMaterialization(
        cleaned_key("visits"), partition="2018", description="Rows of drops that landed elsewhere."
    )
    instance.report_runless_asset_event(rows)
    record_empty(instance, site.connection, site.store.url, VISITS, KEYS, ["2020"])
    said = {key.path[0]: latest(instance, key, "2018")[0].asset_materialization.description for key in KEYS}
    assert said == {"raw": "no drop", "cleaned": rows.description, "quarantine": "no drop"}


@pytest.mark.parametrize(
    ("unit", "with_drops", "expected"),
    [
        ("year", ["2024"], {"2023", "2025"}),
        ("month", ["2025-02"], {"2024-12", "2025-01"}),
        ("day", ["2024-12-31", "2025-01-03"], {"2025-01-01", "2025-01-02"}),
        ("day", ["2025-01-03"], set()),
        ("day", [], set()),
    ],
)
def test_years_and_months_count_from_the_start_and_days_between_the_first_and_the_last(unit, with_drops, expected):
    found = empty(Partition(unit, start=date(2023, 1, 1)), with_drops)
    assert expected <= found
    assert found.isdisjoint(with_drops)
    assert unit != "day" or found == expected
    assert found <= set(partitions_of(Partition(unit, start=date(2023, 1, 1))).get_partition_keys())


def test_twenty_years_of_days_are_recorded_bit_by_bit_the_newest_first(site, instance, monkeypatch):
    monkeypatch.setattr("lastmile.orchestration.drops.empty.MOST_EVENTS", 3)
    monkeypatch.setattr("lastmile.ledger.query.partitions_with_drops", lambda *place: ["2005-01-01", "2024-12-31"])
    contract = replace(VISITS, partition=Partition("day", start=date(2005, 1, 1)))
    for _ in range(2):
        record_empty(instance, site.connection, site.store.url, contract, KEYS[:1], ["2005-01-01"])
    assert sorted(instance.get_materialized_partitions(KEYS[0])) == [f"2024-12-{day}" for day in range(25, 31)]


def test_datasets_that_never_had_a_drop_are_recorded_as_empty_by_the_run_of_another(
    put, visits_platform, instance, monkeypatch
):
    put("a.csv", "v1,3,2,1,done")
    other = replace(VISITS, name="trips")
    monkeypatch.setattr(type(visits_platform), "contracts", lambda _: {"visits": VISITS, "trips": other})
    assets = [make(contract) for contract in (VISITS, other) for make in (raw_asset, cleaned_assets)]
    dg.materialize(
        assets,
        instance=instance,
        resources={"platform": visits_platform},
        partition_key="2020",
        selection=[raw_key("visits"), cleaned_key("visits"), quarantine_key("visits")],
    )
    assert sorted(instance.get_materialized_partitions(cleaned_key("trips"))) == YEARS
