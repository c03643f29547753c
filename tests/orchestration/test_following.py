"""From marts to report by itself: each step once, in one request for all its partitions, and then nothing more."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.asset_graph_view.entity_subset import EntitySubset
from dagster._core.events import StepMaterializationData
from household_learning import (
    CHAMPION_KEY,
    FEATURES_KEY,
    HOUSEHOLDS,
    MARTS,
    MODEL_KEY,
    PREDICTIONS_KEY,
    REPORT_KEY,
    SURVEY_YEARS,
    VULNERABILITY,
    learning_assets,
    learning_resources,
)

from lastmile.orchestration.chain import PARTITION_TAG, SHAPE_TAG, shape_name
from lastmile.orchestration.drops.assets import cleaned_key
from lastmile.orchestration.learning.champions import TRAINING_TAG
from lastmile.orchestration.partitions import partitions_of
from lastmile.orchestration.resources import Platform

SURVEYED = cleaned_key("hhinfo")
YEARS = ["2018", "2019"]
PARTITIONED = {FEATURES_KEY, PREDICTIONS_KEY}


class Daemon:
    """The automation sensor, tick by tick, on an instance where assets are reported made instead of being run."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        upstream = [
            *(dg.AssetSpec(mart) for mart in [*MARTS, dg.AssetKey(["marts", "dim_survey"])]),
            dg.AssetSpec(SURVEYED, partitions_def=partitions_of(SURVEY_YEARS)),
        ]
        self.upstream, self.resources = upstream, learning_resources(Platform())
        self.reload(learning_assets())
        self.cursor: dg.AssetDaemonCursor | None = None
        self.time = datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC)

    def reload(self, ours: Sequence[dg.AssetsDefinition]) -> None:
        """The code as it is from now on."""
        self.definitions = dg.Definitions(assets=[*self.upstream, *ours], resources=self.resources)

    def tick(self, seconds: int = 60) -> dict[dg.AssetKey, list[str] | None]:
        """What is asked for so many seconds later: partitions by asset, None for an asset without partitions."""
        self.time += timedelta(seconds=seconds)
        result = dg.evaluate_automation_conditions(
            self.definitions, self.instance, cursor=self.cursor, evaluation_time=self.time
        )
        self.cursor = result.cursor
        asked = {}
        for made in result.results:
            if isinstance(made.key, dg.AssetKey) and not made.true_subset.is_empty:
                asked[made.key] = _partitions(made.true_subset) if made.key in PARTITIONED else None
        return asked

    def make(self, key: dg.AssetKey, partitions: Iterable[str] | None = None, version: str | None = None) -> None:
        tags = {"dagster/data_version": version} if version else None
        for partition in [None] if partitions is None else partitions:
            self.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition, tags=tags))

    def train(self, version: str, tags: Mapping[str, str] | None = None) -> None:
        """A run that makes a candidate and decides about the champion, which is `version` after it."""
        run = dg.DagsterRun("job", tags=tags or {TRAINING_TAG: "vulnerability"}, status=dg.DagsterRunStatus.SUCCESS)
        self.instance.add_run(run)
        for key in (MODEL_KEY, CHAMPION_KEY):
            made = dg.AssetMaterialization(key, tags={"dagster/data_version": version})
            event = dg.DagsterEvent(
                "ASSET_MATERIALIZATION", run.job_name, event_specific_data=StepMaterializationData(made)
            )
            self.instance.report_dagster_event(event, run.run_id)

    def make_in_one_run(self, keys: Sequence[dg.AssetKey], shape: str = shape_name(SURVEY_YEARS)) -> None:
        run = dg.DagsterRun("job", tags={PARTITION_TAG: "all", SHAPE_TAG: shape}, status=dg.DagsterRunStatus.SUCCESS)
        self.instance.add_run(run)
        for key in keys:
            for partition in YEARS if key in PARTITIONED else [None]:
                made = StepMaterializationData(dg.AssetMaterialization(key, partition=partition))
                event = dg.DagsterEvent("ASSET_MATERIALIZATION", run.job_name, event_specific_data=made)
                self.instance.report_dagster_event(event, run.run_id)

    def make_marts(self) -> None:
        for mart in MARTS:
            self.make(mart)

    def follow(self) -> list[dict[dg.AssetKey, list[str] | None]]:
        """Tick, make what is asked for, and so on until two ticks in a row ask for nothing; what was asked for."""
        ticks = []
        for _ in range(20):
            ticks.append(self.tick())
            for key, partitions in ticks[-1].items():
                self.make(key, partitions)
            if not any(ticks[-2:]) and len(ticks) > 1:
                break
        return [asked for asked in ticks if asked]


def _partitions(subset: EntitySubset[dg.AssetKey]) -> list[str]:
    return sorted(subset.expensively_compute_partition_keys())


@pytest.fixture
def daemon(instance: dg.DagsterInstance) -> Daemon:
    daemon = Daemon(instance)
    assert daemon.tick() == {}
    return daemon


def chain(years: Sequence[str]) -> list[dict[dg.AssetKey, list[str] | None]]:
    """What new marts lead to; trainings are requested by a sensor of their own."""
    return [{FEATURES_KEY: list(years)}]


def after_a_promotion(years: Sequence[str]) -> list[dict[dg.AssetKey, list[str] | None]]:
    return [{PREDICTIONS_KEY: list(years)}, {REPORT_KEY: None}]


def carried_to_the_report(daemon: "Daemon") -> None:
    """Everything made once, by version 1 of the model."""
    daemon.make(SURVEYED, YEARS)
    daemon.make_marts()
    assert daemon.follow() == chain(YEARS)
    daemon.train("1")
    assert daemon.follow() == after_a_promotion(YEARS)


def test_new_marts_and_a_champion_carry_every_year_with_households_to_the_report_once(daemon: Daemon) -> None:
    carried_to_the_report(daemon)
    assert daemon.tick() == {}


def test_a_training_that_leaves_the_champion_leaves_the_predictions(daemon: Daemon) -> None:
    carried_to_the_report(daemon)
    daemon.train("1")
    assert daemon.follow() == []
    daemon.train("2")
    assert daemon.follow() == after_a_promotion(YEARS)


def test_a_candidate_made_by_hand_is_decided_about(daemon: Daemon) -> None:
    carried_to_the_report(daemon)
    daemon.make(MODEL_KEY)
    assert daemon.follow()[0] == {CHAMPION_KEY: None}


def test_a_champion_changed_by_a_command_is_followed(daemon: Daemon) -> None:
    carried_to_the_report(daemon)
    daemon.make(CHAMPION_KEY, version="7")
    assert daemon.follow() == after_a_promotion(YEARS)


def test_new_households_wait_for_the_marts(daemon: Daemon) -> None:
    daemon.make(SURVEYED, YEARS)
    assert daemon.tick() == {}


def test_marts_without_any_household_start_nothing(daemon: Daemon) -> None:
    daemon.make_marts()
    assert daemon.follow() == []


def test_a_year_that_comes_later_is_carried_along_once_with_the_others(daemon: Daemon) -> None:
    daemon.make(SURVEYED, YEARS)
    daemon.make_marts()
    daemon.follow()
    daemon.make(SURVEYED, ["2015"])
    assert daemon.follow() == []
    daemon.make_marts()
    assert daemon.follow() == chain(["2015", *YEARS])


def test_marts_that_changed_while_features_were_made_from_the_old_ones_are_taken_up(daemon: Daemon) -> None:
    daemon.make(SURVEYED, YEARS)
    daemon.make_marts()
    while daemon.tick() != {FEATURES_KEY: YEARS}:
        pass
    assert daemon.tick() == {}
    daemon.make_marts()
    daemon.make(FEATURES_KEY, YEARS)
    ticks = daemon.follow()
    assert ticks == chain(YEARS)


def test_one_mart_alone_is_enough(daemon: Daemon) -> None:
    daemon.make(SURVEYED, YEARS)
    daemon.make_marts()
    daemon.follow()
    daemon.make(MARTS[0])
    assert daemon.follow() == chain(YEARS)


def test_new_code_of_a_model_makes_its_predictions_again_once(daemon: Daemon) -> None:
    carried_to_the_report(daemon)
    daemon.reload(learning_assets(model=replace(VULNERABILITY, code_version="edited")))
    asked = daemon.follow()
    assert FEATURES_KEY not in {key for tick in asked for key in tick}
    assert {key for tick in asked for key in tick} == {CHAMPION_KEY, PREDICTIONS_KEY, REPORT_KEY}
    assert daemon.tick() == {}


def test_new_code_of_features_makes_the_years_there_are_again_and_all_that_follows(daemon: Daemon) -> None:
    daemon.make(SURVEYED, YEARS)
    daemon.make_marts()
    daemon.follow()
    daemon.reload(learning_assets(features=replace(HOUSEHOLDS, code_version="edited")))
    assert daemon.follow() == chain(YEARS)


def test_the_same_code_loaded_again_starts_nothing(daemon: Daemon) -> None:
    daemon.make(SURVEYED, YEARS)
    daemon.make_marts()
    daemon.follow()
    daemon.reload(learning_assets())
    assert daemon.follow() == []


def test_what_a_run_has_made_with_its_upstream_is_not_requested_again(daemon: Daemon) -> None:
    carried_to_the_report(daemon)
    keys = [*MARTS, FEATURES_KEY, PREDICTIONS_KEY, REPORT_KEY]
    daemon.make_in_one_run(keys)
    assert daemon.follow() == []


def test_partitions_that_the_run_did_not_make_are_left_to_it(daemon: Daemon) -> None:
    """The features look for changes of other partitions themselves."""
    daemon.make(SURVEYED, YEARS)
    daemon.make_marts()
    daemon.follow()
    daemon.make_in_one_run(MARTS)
    assert daemon.follow() == []


def test_marts_made_along_with_drops_of_other_partitions_are_followed(daemon: Daemon) -> None:
    daemon.make(SURVEYED, YEARS)
    daemon.make_marts()
    daemon.follow()
    daemon.make_in_one_run(MARTS, shape="day from 2020-01-01")
    assert daemon.follow() == chain(YEARS)
