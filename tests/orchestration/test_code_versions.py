"""Code versions: what is saved in a declaration's file shows in Dagster, and what nobody can notice does not."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from declared import NAME, Package
from household_learning import learning_resources
from visits import VISITS

from lastmile.learning.declarations.loading import load_features, load_models
from lastmile.orchestration.drops.assets import cleaned_assets, cleaned_key, quarantine_key, raw_asset, raw_key
from lastmile.orchestration.learning.champions import champion_asset
from lastmile.orchestration.learning.features import feature_asset
from lastmile.orchestration.learning.models import model_asset
from lastmile.orchestration.learning.predictions import prediction_asset
from lastmile.orchestration.learning.shared import champion_key, features_key, model_key, predictions_key, relation_key
from lastmile.orchestration.partitions import partitions_of
from lastmile.orchestration.resources import Platform

FEATURES, MODEL = features_key("fields"), model_key("fields")
CHAMPION, PREDICTIONS = champion_key("fields"), predictions_key("fields")
YEAR = "2020"
CODE_VERSION = "dagster/code_version"


class Location:
    """The code location of a package, and what the daemon and the web UI make of it."""

    def __init__(self, package: Package, instance: dg.DagsterInstance) -> None:
        self.package, self.instance = package, instance
        self.cursor: dg.AssetDaemonCursor | None = None
        self.time = datetime.now(UTC)
        self.reload()

    def reload(self) -> None:
        (features,), (model,) = load_features(NAME).values(), load_models(NAME).values()
        ours = [feature_asset(features), model_asset(model), champion_asset(model), prediction_asset(model)]
        upstream = [
            *(dg.AssetSpec(relation_key(source)) for source in features.value.sources),
            dg.AssetSpec(cleaned_key("fields"), partitions_def=partitions_of(features.value.partition)),
        ]
        resources = learning_resources(Platform())
        self.definitions = dg.Definitions(assets=[*upstream, *ours], resources=resources)
        self.graph = self.definitions.resolve_asset_graph()

    def make(self, key: dg.AssetKey, partition: str | None = None) -> None:
        """Report it made by the code as it is."""
        tags = {CODE_VERSION: self.graph.get(key).code_version or "none"}
        self.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition, tags=tags))

    def make_all(self) -> None:
        for key in ("dim_field", "fct_field"):
            self.make(dg.AssetKey(["marts", key]))
        self.make(cleaned_key("fields"), YEAR)
        self.make(FEATURES, YEAR)
        self.make(MODEL)
        self.make(CHAMPION)
        self.make(PREDICTIONS, YEAR)

    def requested(self) -> set[dg.AssetKey]:
        """By the automation sensor, in one tick, a minute after the one before."""
        self.time += timedelta(minutes=1)
        result = dg.evaluate_automation_conditions(
            self.definitions, self.instance, cursor=self.cursor, evaluation_time=self.time
        )
        self.cursor = result.cursor
        return {made.key for made in result.results if not made.true_subset.is_empty}

    def code_versions(self) -> dict[str, str | None]:
        return {key.to_user_string(): self.graph.get(key).code_version for key in (FEATURES, MODEL, PREDICTIONS)}


@pytest.fixture
def location(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance) -> Iterator[Location]:
    monkeypatch.syspath_prepend(tmp_path)
    package = Package(tmp_path)
    yield Location(package, instance)
    package.forget()


def settle(location: Location) -> None:
    location.requested()
    location.make_all()
    while location.requested():
        location.make_all()
    location.requested()


@pytest.mark.parametrize(
    ("file", "edited", "requested"),
    [
        ("farm/features/fields.py", {FEATURES}, {FEATURES}),
        # A model is trained again by the sensor that starts trainings.
        ("farm/models/fields.py", {MODEL, CHAMPION}, {CHAMPION, PREDICTIONS}),
    ],
)
def test_an_edited_file_makes_its_asset_stale_and_is_made_again_after_a_reload(
    location, stale, file, edited, requested
) -> None:
    settle(location)
    places = (FEATURES, YEAR), (MODEL, None), (CHAMPION, None)
    assert stale(location.graph, *places) == []
    location.package.write(file, (location.package.folder / file).read_text() + "EDITED = True\n")
    location.reload()
    assert edited <= set(stale(location.graph, *places))
    assert requested <= location.requested() | location.requested()


def test_a_comment_changes_nothing(location, stale) -> None:
    settle(location)
    before = location.code_versions()
    location.package.edit("farm/models/fields.py", "# as it is", "# as it was")
    location.package.edit("farm/features/fields.py", "from", "# Fields.\nfrom")
    location.reload()
    assert location.code_versions() == before
    assert stale(location.graph, (FEATURES, YEAR), (MODEL, None), (PREDICTIONS, YEAR)) == []
    assert location.requested() | location.requested() == set()


def test_a_dataset_has_the_version_of_its_contract() -> None:
    assets = dg.Definitions(assets=[raw_asset(VISITS), cleaned_assets(VISITS)], resources={"platform": Platform()})
    graph = assets.resolve_asset_graph()
    keys = (raw_key("visits"), cleaned_key("visits"), quarantine_key("visits"))
    assert {graph.get(key).code_version for key in keys} == {VISITS.version}
