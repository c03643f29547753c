"""Tables are made from datasets of any mixture of partitions: for the partitions that those have in common."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime

import dagster as dg
import pytest
from dbt.test_automation import Daemon, definitions_of
from hypothesis import given
from hypothesis import strategies as st

from lastmile.contracts import Partition
from lastmile.contracts.partition import common
from lastmile.orchestration.dbt import assets as dbt_assets
from lastmile.orchestration.dbt.assets import warehouse_assets
from lastmile.orchestration.drops.assets import cleaned_key
from lastmile.warehouse.dbt.project import MANIFEST

YEARS, LATE_YEARS = Partition("year", date(2010, 1, 1)), Partition("year", date(2020, 5, 1))
MONTHS, DAYS = Partition("month", date(2015, 7, 1)), Partition("day", date(2018, 3, 9))
PARTITIONS = st.builds(
    Partition, st.sampled_from(["year", "month", "day"]), st.dates(date(2000, 1, 1), date(2024, 1, 1))
)


@given(st.lists(PARTITIONS, min_size=1, max_size=4))
def test_what_datasets_have_in_common_holds_every_partition_of_each(partitions):
    whole = common(partitions)
    for one in partitions:
        first, after = one.window(one.start_key())
        start, end = whole.window(whole.key_of(one.start))
        assert start <= first
        assert after <= end


def test_partitions_that_differ_in_nothing_but_the_day_they_start_on_are_the_same():
    assert common([Partition("year", date(2010, 5, 1))]) == common([Partition("year", date(2010, 1, 1), column="day")])


@pytest.fixture
def manifest(built, monkeypatch):
    """The project's manifest with a table by partition made from crops and from another such table."""
    found = json.loads((built.project / MANIFEST).read_text())
    household = found["nodes"]["model.lastmile.int_household"]
    name = "model.lastmile.int_mixed"
    found["nodes"][name] = {**household, "unique_id": name, "name": "int_mixed", "alias": "int_mixed"}
    found["nodes"][name]["fqn"] = [*household["fqn"][:-1], "int_mixed"]
    parents = ["model.lastmile.int_household", "model.lastmile.stg_crop"]
    found["nodes"][name]["depends_on"] = {**household["depends_on"], "nodes": parents}
    found["parent_map"][name] = parents
    found["child_map"][name] = []
    for parent in parents:
        found["child_map"][parent].append(name)
    monkeypatch.setattr(dbt_assets, "_manifest", lambda contracts, folder: found)
    return found


def keys_of(sets, name):
    return {key.path[-1] for key in sets[f"warehouse_{name}"].keys}


@pytest.fixture
def load(installation, manifest, contracts):
    """The assets where crops come in some partitions and the other datasets of households in others."""

    def load(hhinfo, crop):
        given = {"hhinfo": hhinfo, "crop": crop, "lstk": hhinfo, "lstk_prod": hhinfo}
        mixed = {**contracts, **{name: replace(contracts[name], partition=one) for name, one in given.items()}}
        return mixed, {assets.node_def.name: assets for assets in warehouse_assets(mixed)}

    return load


MIXTURES = {
    "a later start": (YEARS, LATE_YEARS),
    "an earlier start": (LATE_YEARS, YEARS),
    "months": (YEARS, MONTHS),
    "days": (YEARS, DAYS),
    "years below days": (DAYS, YEARS),
    "days below months": (MONTHS, DAYS),
}


@pytest.mark.parametrize(("hhinfo", "crop"), MIXTURES.values(), ids=MIXTURES)
def test_a_table_of_a_mixture_is_made_for_what_its_datasets_have_in_common(load, hhinfo, crop):
    contracts, sets = load(hhinfo, crop)
    definitions = definitions_of(sets.values(), contracts)
    dg.Definitions.validate_loadable(definitions)
    graph = definitions.resolve_asset_graph()
    mixed = graph.get(dg.AssetKey(["intermediate", "int_mixed"])).partitions_def
    whole = common([hhinfo, crop])
    assert mixed.get_first_partition_key() == whole.start_key()
    assert mixed.get_last_partition_key() == whole.key_of(datetime.now(UTC).date())


@pytest.mark.parametrize(("hhinfo", "crop"), MIXTURES.values(), ids=MIXTURES)
def test_it_is_made_when_any_partition_that_overlaps_its_own_was_ingested(load, hhinfo, crop):
    contracts, sets = load(hhinfo, crop)
    with dg.DagsterInstance.ephemeral() as instance:
        daemon = Daemon(definitions_of(sets.values(), contracts), instance)
        daemon.tick()
        daemon.make(sets["warehouse_views"].keys)
        daemon.tick()
        day, whole = date(2020, 11, 14), common([hhinfo, crop])
        daemon.make([cleaned_key("hhinfo")], hhinfo.key_of(day))
        daemon.make([cleaned_key("crop")], crop.key_of(day))
        requested = daemon.tick()
        assert requested["int_household"] == {hhinfo.key_of(day)}
        assert requested["int_household_crops"] == {crop.key_of(day)}
        made = {}
        for _ in range(4):
            for name, partitions in requested.items():
                room = "marts" if not name.startswith("int_") else "intermediate"
                daemon.make([dg.AssetKey([room, name])], *sorted(partitions))
                made.setdefault(name, set()).update(partitions)
            requested = daemon.tick()
        assert made["int_mixed"] == {whole.key_of(day)}
        assert not requested


def test_a_backfill_reaches_before_the_start_of_what_a_table_is_made_from(load):
    contracts, sets = load(YEARS, LATE_YEARS)
    graph = definitions_of(sets.values(), contracts).resolve_asset_graph()
    key = dg.AssetKey(["intermediate", "int_mixed"])
    mapping = graph.get_partition_mapping(key, dg.AssetKey(["intermediate", "int_household"]))
    assert mapping.allow_nonexistent_upstream_partitions
