"""The champion: it carries out what was judged, and a person's choice with a reason, and nothing else."""

from dataclasses import replace

import dagster as dg
import pytest
from household_learning import CHAMPION_KEY, VULNERABILITY, learning_assets, learning_resources

from lastmile.learning.registry import judgements
from lastmile.learning.registry.deployments import champion, deployment
from lastmile.learning.registry.events import history
from lastmile.learning.registry.versions import register

NAME = VULNERABILITY.value.name


def choose(platform, instance, **config: str) -> dg.ExecuteInProcessResult:
    """Materialize the champion, as the web UI does with a configuration."""
    step = CHAMPION_KEY.to_python_identifier()
    return dg.materialize(
        learning_assets(),
        selection=[CHAMPION_KEY],
        instance=instance,
        resources=learning_resources(platform),
        run_config={"ops": {step: {"config": config}}} if config else None,
        raise_on_error=False,
    )


@pytest.fixture
def second(trained, candidate):
    """A second version, which is not in use."""
    with trained.connect() as connection:
        return register(
            connection, trained.store(), replace(candidate, data_versions={"recipe": "another", "rows": "the same"})
        )


def in_use(platform) -> str:
    with platform.connect() as connection:
        found = champion(connection, NAME)
    assert found is not None
    return found.version


@pytest.mark.parametrize(("decision", "expected"), [("promote", "2"), ("archive", "1"), ("suspect", "1")])
def test_it_follows_the_newest_judgement(trained, second, instance, decision: str, expected: str) -> None:
    with trained.connect() as connection:
        first = champion(connection, NAME)
        judgements.keep(connection, second, first, decision, [f"it was judged to {decision}"], {}, None)
    result = choose(trained, instance)
    assert result.success
    assert in_use(trained) == expected
    (made,) = result.asset_materializations_for_node(CHAMPION_KEY.to_python_identifier())
    assert made.tags is not None
    assert made.tags["dagster/data_version"] == expected
    assert "/card.html" in str(made.metadata["model card"].value)


def test_a_person_puts_a_version_in_use_with_a_reason_and_it_is_held(trained, second, instance) -> None:
    assert choose(trained, instance, version="2", reason="two villages were missed", by="ann").success
    assert in_use(trained) == "2"
    with trained.connect() as connection:
        found, events = deployment(connection, NAME), history(connection, NAME)
    assert found is not None
    assert (found.held_by, found.held_reason) == ("ann", "two villages were missed")
    assert {"rolled back", "held", "archived"} <= {event["event"] for event in events}


def test_a_version_without_a_reason_is_refused(trained, second, instance) -> None:
    result = choose(trained, instance, version="2")
    assert not result.success
    assert in_use(trained) == "1"


def test_a_champion_whose_artifact_is_lost_fails_its_check_and_the_one_before_predicts(
    make, trained, second, instance
) -> None:
    choose(trained, instance, version="2", reason="a test")
    trained.store().delete(second.artifact_key)
    (check,) = choose(trained, instance).get_asset_check_evaluations()
    assert not check.passed
    assert f"{second.artifact_key} is lost" in (check.description or "")
    result = make("predictions", "2018")
    assert result.success
    passed = {check.check_name: check.passed for check in result.get_asset_check_evaluations()}
    assert passed == {"complete": True, "by_the_champion": False}
    with trained.connect() as connection:
        versions = connection.execute("SELECT DISTINCT model_version FROM predictions.vulnerability").fetchall()
    assert versions == [("1",)]
