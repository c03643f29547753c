"""The sensor that starts trainings: one run for a model that has a reason, which says so; none while one is on."""

import dagster as dg
import pytest
from household_learning import CHAMPION_KEY, FEATURES_KEY, MODEL_KEY, VULNERABILITY, learning_assets

from lastmile.learning.registry import trainings
from lastmile.orchestration.learning.champions import TRAINING_TAG
from lastmile.orchestration.learning.retraining import retraining_sensor
from lastmile.orchestration.runs.cause import CAUSE_TAG

MODEL = VULNERABILITY.value


def tick(platform, instance) -> list[dg.RunRequest]:
    sensor = retraining_sensor(dg.AssetSelection.all(), {MODEL.name: VULNERABILITY}, every_seconds=5)
    with dg.build_sensor_context(
        instance=instance,
        definitions=dg.Definitions(assets=learning_assets(), resources={"platform": platform, **_unused()}),
        resources={"platform": platform},
    ) as context:
        return [*(sensor.evaluate_tick(context).run_requests or ())]


def _unused() -> dict[str, object]:
    return dict.fromkeys(("features", "predictions"), dg.mem_io_manager)


def count(platform, changed: int) -> None:
    """So many labelled rows came or changed, ever."""
    with platform.connect() as connection:
        connection.execute(
            "INSERT INTO registry.feature_partitions (name, partition_start, rows, labelled, changed)"
            " VALUES (%s, '2018-01-01', 1, '{}', jsonb_build_object(%s::text, %s::int))"
            " ON CONFLICT (name, partition_start) DO UPDATE SET changed = excluded.changed",
            [MODEL.features.name, MODEL.target, changed],
        )


@pytest.fixture
def platform(learning_platform):
    return learning_platform


def test_without_rows_nothing_is_trained(platform, instance) -> None:
    assert tick(platform, instance) == []


def test_the_first_labelled_rows_start_a_run_that_decides_about_the_champion_and_says_why(platform, instance) -> None:
    count(platform, 200)
    (request,) = tick(platform, instance)
    assert request.asset_selection == [MODEL_KEY, CHAMPION_KEY]
    assert request.tags[CAUSE_TAG] == "the first 200 labelled rows"
    assert request.tags[TRAINING_TAG] == MODEL.name


@pytest.mark.parametrize("made", [MODEL_KEY, FEATURES_KEY])
def test_while_the_model_or_its_features_are_made_nothing_is_requested(platform, instance, made) -> None:
    count(platform, 200)
    run = dg.DagsterRun("job", status=dg.DagsterRunStatus.STARTED, asset_selection=frozenset({made}))
    instance.add_run(run)
    assert tick(platform, instance) == []


def test_a_training_that_began_does_away_with_its_reason_and_new_rows_bring_the_next(platform, instance) -> None:
    count(platform, 200)
    with platform.connect() as connection:
        trainings.begin(connection, MODEL, "the first 200 labelled rows", "run")
    assert tick(platform, instance) == []
    count(platform, 250)
    assert [one.tags[CAUSE_TAG] for one in tick(platform, instance)] == ["the first 50 labelled rows"]
