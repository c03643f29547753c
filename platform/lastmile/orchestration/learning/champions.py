"""Champions as assets: the version of a model in use. A training that was judged better replaces it; so can a person.

Materialized as it is, it carries out the newest judgement. With a version and a reason in its configuration it puts
that version in use and holds it there: no candidate replaces it until it is released.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from lastmile.learning.declarations.loading import Declared
from lastmile.learning.declarations.model import Model
from lastmile.orchestration.chain import OWN_RUN
from lastmile.orchestration.learning.following import when_updated
from lastmile.orchestration.learning.shared import (
    CHAMPIONS,
    RETRIES,
    champion_key,
    code_version,
    model_key,
    source_code,
    tags,
)
from lastmile.orchestration.resources import Platform

if TYPE_CHECKING:
    from psycopg import Connection

    from lastmile.learning.registry.deployments import Deployment

#: The tag of runs that train a model and decide about its champion: the model's name.
TRAINING_TAG = "lastmile/training"
_CHECK = "artifact_can_be_loaded"
_EVENTS_SHOWN = 20
#: Data version while no version is in use.
_NONE = "none"


class Choice(dg.Config):
    """Which version to put in use by hand, and why; nothing: what the newest judgement decided."""

    version: str | None = None
    reason: str | None = None
    by: str = "a person, in the web UI"


def champion_asset(declared: Declared[Model]) -> dg.AssetsDefinition:
    model, key = declared.value, champion_key(declared.value.name)
    trained = model_key(model.name)

    @dg.asset(
        key=key,
        description=f"The version of {model.name} in use: what predicts {model.target}.",
        deps=[trained],
        automation_condition=when_updated(
            dg.AssetSelection.assets(trained),
            along=dg.AutomationCondition.all_new_updates_have_run_tags(tag_keys={TRAINING_TAG}),
        ),
        check_specs=[
            dg.AssetCheckSpec(_CHECK, asset=key, description="Its artifact is there, and is the one registered.")
        ],
        group_name=CHAMPIONS,
        kinds={"scikitlearn"},
        owners=[declared.value.owner],
        tags={**tags(declared), **OWN_RUN},
        code_version=code_version(declared, "champion"),
        retry_policy=RETRIES,
        metadata={**source_code(declared), "dagster/table_name": "registry.deployments"},
    )
    def champion(context: dg.AssetExecutionContext, config: Choice, platform: Platform) -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster knows the bare name only
        from lastmile.learning.cards.card import keep
        from lastmile.learning.registry import deployments

        with platform.connect() as connection:
            done = _deploy(connection, model, config, context.run.run_id)
            context.log.info(done)
            found, current = (
                deployments.deployment(connection, model.name),
                deployments.champion(connection, model.name),
            )
            card = (
                {"model card": dg.MetadataValue.url(keep(connection, platform.store(), model, current))}
                if current
                else {}
            )
            return dg.MaterializeResult(
                data_version=dg.DataVersion(found.version if found else _NONE),
                metadata={"decision": done, **card, **(shown(connection, found) if found else {})},
                check_results=[_loads(platform, connection, model)],
            )

    return champion


def _deploy(connection: "Connection", model: Model, config: Choice, run_id: str) -> str:
    """Carry out the choice, or the newest judgement; what was done, in words."""
    from lastmile.learning.registry import judgements, versions
    from lastmile.learning.registry.deployments import promote, roll_back
    from lastmile.learning.registry.events import Cause

    if config.version:
        if not config.reason:
            raise dg.Failure(
                "say why this version is put in use, as `reason`: the history keeps it", allow_retries=False
            )
        chosen = versions.version_of(connection, model.name, config.version)
        roll_back(connection, chosen, Cause(config.reason, config.by, run_id))
        return f"version {chosen.version} put in use and held: {config.reason}"
    newest = versions.latest(connection, model.name)
    judged = judgements.last(connection, model.name, newest.version) if newest else None
    if newest is None or judged is None or judged.decision != "promote":
        return "; ".join(judged.reasons) if judged else "there is no judged version yet"
    outcome = promote(connection, newest, judged.against or None, Cause("; ".join(judged.reasons), "lastmile", run_id))
    return {
        "deployed": f"version {newest.version} promoted",
        "same": f"version {newest.version} is in use already",
        "held": "the champion is held: `lastmile models release` lets candidates replace it",
        "changed": "another version has come into use since it was judged: the next training judges it anew",
    }[outcome]


def _loads(platform: Platform, connection: "Connection", model: Model) -> dg.AssetCheckResult:
    from lastmile.learning.registry.artifacts import ArtifactRefused
    from lastmile.learning.registry.serving import in_use

    try:
        found = in_use(connection, platform.store(), model)
    except ArtifactRefused as refused:
        return dg.AssetCheckResult(check_name=_CHECK, passed=False, description=str(refused))
    fault = found.instead_of if found else None
    return dg.AssetCheckResult(check_name=_CHECK, passed=fault is None, description=fault)


def shown(connection: "Connection", found: "Deployment") -> Mapping[str, Any]:
    """What the asset's page shows of a champion."""
    from lastmile.learning.registry.events import history

    events = [
        dg.TableRecord({name: str(event[name] or "") for name in ("at", "version", "event", "reason", "actor")})
        for event in history(connection, found.name)[:_EVENTS_SHOWN]
    ]
    held = {"held by": found.held_by or "", "held because": found.held_reason or ""} if found.held_since else {}
    return {
        "version": found.version,
        "since": dg.MetadataValue.timestamp(found.since),
        **held,
        "history": dg.MetadataValue.table(events),
    }


def report(instance: dg.DagsterInstance, connection: "Connection", found: "Deployment") -> None:
    """Let Dagster know of a champion that was changed by a command: what is made by it becomes stale, and is remade."""
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            champion_key(found.name),
            metadata=shown(connection, found),
            tags={"dagster/data_version": found.version},
        )
    )
