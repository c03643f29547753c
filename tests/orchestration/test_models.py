"""The model: a version for each state of the features, never two for the same, with all that made it."""

import dagster as dg
import pytest
from household_learning import HOUSEHOLDS, LEVELS, VULNERABILITY
from households import households, put_marts

from lastmile.learning.evaluation.metrics import higher_is_better
from lastmile.learning.registry import versions as registry
from lastmile.learning.registry.versions import ModelVersion
from lastmile.orchestration.resources import Platform

SCORES = set(VULNERABILITY.value.score_names())


def newest(platform: Platform) -> ModelVersion:
    with platform.connect() as connection:
        found = registry.latest(connection, VULNERABILITY.value.name)
    assert found is not None
    return found


def materialization(result: dg.ExecuteInProcessResult) -> dg.AssetMaterialization:
    (event,) = result.get_asset_materialization_events()
    return event.materialization


def put_drops(platform: Platform, *drops: tuple[str, str, str]) -> None:
    """Drops of (dataset, state, store)."""
    with platform.connect() as connection:
        for number, (dataset, state, store) in enumerate(drops):
            connection.execute(
                "INSERT INTO ledger.drops (dataset, partition, store, key, version, size, modified_at, state)"
                " VALUES (%s, '2018', %s, %s, 'v', 1, now(), %s)",
                [dataset, store, f"drop {number}", state],
            )


def test_the_first_version_beats_the_dummy_in_every_score(make, learning_platform) -> None:
    make("features", "2018", "2019")
    result = make("models")
    version = newest(learning_platform)
    assert version.version == "1"
    assert version.scores["dummy"].keys() == SCORES
    for name, dummy in version.scores["dummy"].items():
        better, worse = (version.scores[name], dummy) if higher_is_better(name) else (dummy, version.scores[name])
        assert better > worse, name
    assert [check.passed for check in result.get_asset_check_evaluations()] == [True]


def test_the_version_is_the_data_version_and_says_what_made_it(make, learning_platform) -> None:
    url = learning_platform.store().url
    put_drops(learning_platform, ("hhinfo", "loaded", url), ("hhinfo", "superseded", url), ("retail", "loaded", url))
    make("features", "2018", "2019")
    result = make("models")
    version = newest(learning_platform)
    assert materialization(result).tags is not None
    assert materialization(result).tags["dagster/data_version"] == version.version
    assert version.features == HOUSEHOLDS.value.names()
    assert version.data_versions["row_count"] == 380
    assert list(version.data_versions["partitions"]) == ["2018-01-01", "2019-01-01"]
    assert version.data_versions["drops"] == [1]
    assert version.run_id == result.run_id


def test_the_drops_of_a_version_are_counted_and_the_newest_named(make, learning_platform) -> None:
    url = learning_platform.store().url
    put_drops(learning_platform, *[("hhinfo", "loaded", url)] * 30)
    make("features", "2018", "2019")
    shown = materialization(make("models")).metadata
    assert shown["made from drops"].value == "30: " + ", ".join(map(str, range(30, 10, -1))) + ", ..."
    assert "drops" not in shown["data versions"].value


def test_a_person_sees_scores_next_to_the_dummys_and_two_pictures(make) -> None:
    make("features", "2018", "2019")
    shown = materialization(make("models")).metadata
    assert {record.data["score"] for record in shown["scores next to the dummy's"].value.records} == SCORES
    assert [record.data["level"] for record in shown["recall by level"].value.records] == [*LEVELS]
    for picture in ("confusion matrix", "feature importance"):
        assert "data:image/svg+xml;base64," in str(shown[picture].value)


def test_the_same_features_make_no_second_version(make, learning_platform) -> None:
    make("features", "2018", "2019")
    make("models")
    make("features", "2018", "2019")
    result = make("models")
    assert result.success
    assert newest(learning_platform).version == "1"


def test_other_features_make_the_next_version(make, learning_platform) -> None:
    make("features", "2018", "2019")
    make("models")
    with learning_platform.connect() as connection:
        put_marts(connection, households(seed=2))
    make("features", "2018", "2019")
    make("models")
    assert newest(learning_platform).version == "2"


@pytest.mark.parametrize("size", [0, 5])
def test_too_little_data_trains_nothing_and_says_why(make, learning_platform, size: int) -> None:
    with learning_platform.connect() as connection:
        put_marts(connection, households(size=size))
    make("features", "2018", "2019")
    result = make("models")
    assert result.success
    (check,) = result.get_asset_check_evaluations()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "training needs 100 rows" in (check.description or "")
    with learning_platform.connect() as connection:
        assert registry.latest(connection, VULNERABILITY.value.name) is None


def test_a_model_no_better_than_the_dummy_fails_its_check(make, learning_platform) -> None:
    rows = households()
    with learning_platform.connect() as connection:
        mixed = rows["vulnerability_level"].sample(frac=1, random_state=4).to_numpy()
        put_marts(connection, rows.assign(vulnerability_level=mixed))
    make("features", "2018", "2019")
    (check,) = make("models").get_asset_check_evaluations()
    assert not check.passed
    assert "dummy" in (check.description or "")
