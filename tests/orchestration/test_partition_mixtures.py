"""Datasets of any mixture of partitions are ingested next to each other: any unit, any start, with a column or not."""

import itertools
from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import dagster as dg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from visits import HEADER, VISITS

from lastmile.contracts import Partition
from lastmile.orchestration.chain import PARTITION_TAG
from lastmile.orchestration.drops.assets import cleaned_assets, raw_asset
from lastmile.orchestration.drops.requests import run_requests
from lastmile.orchestration.partitions import partitions_of
from lastmile.orchestration.resources import Platform
from lastmile.orchestration.sensors import landing_sensor

STARTS = (date(2010, 1, 1), date(2015, 7, 1), date(2020, 1, 31))
PARTITIONS = [Partition(unit, start) for unit in ("year", "month", "day") for start in STARTS]
DAYS = (date(2022, 3, 1), date(2022, 3, 31), date(2024, 2, 29))


def dataset(name, partition):
    return replace(VISITS, name=name, partition=partition)


def assets_of(contracts):
    return [make(contract) for contract in contracts.values() for make in (raw_asset, cleaned_assets)]


class MixedPlatform(Platform):
    """A platform whose datasets a test declares."""

    def contracts(self):
        return declared


declared = {}


@pytest.fixture
def platform(environment):
    return MixedPlatform()


@pytest.fixture
def tick(platform, instance):
    """One look of the sensor, over datasets of these partitions."""

    def tick(*partitions):
        declared.clear()
        declared.update({name: dataset(name, one) for name, one in zip(("a", "b", "c"), partitions, strict=False)})
        assets = assets_of(declared)
        sensor = landing_sensor(dg.AssetSelection.assets(*assets), every_seconds=10)
        resources = {"platform": platform}
        definitions = dg.Definitions(assets=assets, sensors=[sensor], resources=resources)
        with dg.build_sensor_context(instance=instance, definitions=definitions, resources=resources) as context:
            return definitions, sensor.evaluate_tick(context).run_requests or []

    return tick


def put(store, name, partition, day=date(2022, 3, 1)):
    key = f"landing/{name}/{partition.key_of(day)}/a.csv"
    store.put(key, f"{HEADER}\n{name},3,2,1,done".encode())


def run(definitions, request, instance):
    """Carry out what the sensor requested, as the daemon would."""
    job = definitions.resolve_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance,
        asset_selection=list(request.asset_selection),
        partition_key=request.partition_key,
        tags=None if request.partition_key else request.tags,
    )


@pytest.mark.parametrize(("first", "second"), list(itertools.combinations(PARTITIONS[:2] + PARTITIONS[4:8:2], 2)))
def test_two_datasets_of_any_two_partitions_are_both_requested(tick, store, first, second):
    put(store, "a", first)
    put(store, "b", second)
    _, requests = tick(first, second)
    requested = sorted((key.path[1], request.partition_key) for request in requests for key in request.asset_selection)
    day = date(2022, 3, 1)
    assert sorted(set(requested)) == [("a", first.key_of(day)), ("b", second.key_of(day))]


def test_datasets_that_differ_in_their_start_only_are_both_loaded(tick, store, platform, instance):
    early, late = Partition("year", date(2010, 1, 1)), Partition("year", date(2020, 1, 1))
    put(store, "a", early)
    put(store, "b", late)
    definitions, requests = tick(early, late)
    assert all(run(definitions, request, instance).success for request in requests)
    with platform.connect() as connection:
        assert connection.execute("SELECT dataset, state FROM ledger.drops ORDER BY 1").fetchall() == [
            ("a", "loaded"),
            ("b", "loaded"),
        ]
    assert tick(early, late)[1] == []


def test_datasets_of_the_same_partitions_share_a_run_whatever_gives_a_row_its_partition(instance):
    landed, by_column = Partition("year", date(2010, 1, 1)), Partition("year", date(2010, 6, 1), column="seen_on")
    contracts = {"a": SimpleNamespace(partition=landed), "b": SimpleNamespace(partition=by_column)}
    (request,) = run_requests(instance, None, contracts, [("a", "2022", 1, 1), ("b", "2022", 1, 1)])
    assert {key.path[1] for key in request.asset_selection} == {"a", "b"}
    assert request.tags[PARTITION_TAG] == "year from 2010/all"


@settings(max_examples=50, suppress_health_check=list(HealthCheck))
@given(
    partitions=st.lists(st.sampled_from(PARTITIONS), min_size=3, max_size=3),
    drops=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(DAYS)), min_size=1, max_size=6),
)
def test_each_waiting_partition_of_any_mixture_is_in_a_request_whose_assets_all_have_it(instance, partitions, drops):
    contracts = {name: SimpleNamespace(partition=one) for name, one in zip("abc", partitions, strict=True)}
    waiting = sorted({(name, contracts[name].partition.key_of(day)) for name, day in drops})
    covered = []
    for request in run_requests(instance, None, contracts, [(*place, 1, 1) for place in waiting]):
        names = {key.path[1] for key in request.asset_selection}
        (shape,) = {partitions_of(contracts[name].partition) for name in names}
        keys = shape.get_partition_keys()
        first = request.partition_key or request.tags["dagster/asset_partition_range_start"]
        last = request.partition_key or request.tags["dagster/asset_partition_range_end"]
        span = keys[keys.index(first) : keys.index(last) + 1]
        covered += [place for place in waiting if place[0] in names and place[1] in span]
    assert sorted(covered) == waiting


class TestContractsThatChanged:
    """What waits in a partition that its contract no longer has is refused, and ingested once the contract has it."""

    @pytest.fixture
    def states(self, platform):
        def states():
            with platform.connect() as connection:
                return connection.execute("SELECT dataset, state, message FROM ledger.drops ORDER BY 1").fetchall()

        return states

    @pytest.mark.parametrize(
        "after",
        [Partition("year", date(2023, 1, 1)), Partition("month", date(2010, 1, 1)), Partition("day", STARTS[0])],
    )
    def test_a_drop_whose_partition_is_gone_stops_nothing_else(self, tick, store, states, after):
        before = Partition("year", date(2010, 1, 1))
        put(store, "a", before)
        put(store, "b", before)
        assert len(tick(before, before)[1]) == 1
        (request,) = tick(after, before)[1]
        assert {key.path[1] for key in request.asset_selection} == {"b"}
        (_, state, message), _ = states()
        assert state == "failed"
        assert message.startswith("a: partition '2022' is")
        tick(before, before)
        assert [state for _, state, _ in states()] == ["discovered", "discovered"]

    def test_a_drop_whose_contract_was_removed_is_refused_by_name(self, tick, store, states):
        both = Partition("year", date(2010, 1, 1))
        put(store, "a", both)
        put(store, "b", both)
        tick(both, both)
        tick(both)
        (_, first, _), (_, second, message) = states()
        assert (first, second) == ("discovered", "failed")
        assert message == "no contract for dataset 'b'; there are: a"
