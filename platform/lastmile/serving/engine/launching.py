"""Launching and cancelling, on the code that is running: what is launched is Dagster's, and goes on without us."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from lastmile.errors import UserError
from lastmile.learning.declarations.loading import load_models
from lastmile.orchestration import backfills
from lastmile.orchestration.backfills import REDO_TAG, Backfill
from lastmile.orchestration.dagster_compat.backfills import assets_of_backfill, backfill_tagged
from lastmile.orchestration.launches import WHO_TAG, Wanted, launches, training
from lastmile.orchestration.runs.cause import CAUSE_TAG, shortened
from lastmile.orchestration.runs.traced import trace_tags
from lastmile.serving.engine.connected import connected
from lastmile.settings import Settings
from lastmile.telemetry.spans import traceparent

#: By which a repeated request finds what it launched, and whether it is the same request.
KEY_TAG, REQUEST_TAG = "lastmile/idempotency", "lastmile/request"


def launch(
    who: str,
    why: str,
    select: str | None = None,
    datasets: Sequence[str] | None = None,
    first: str | None = None,
    last: str | None = None,
    redo: bool = False,
    key: str | None = None,
    request: str = "",
) -> list[dict[str, Any]]:
    """The runs launched, with the assets of each: id, assets, is_new.

    With a `key`, those of an earlier call with it are not launched again; `request` is a digest of what is wanted.
    """
    tags = {WHO_TAG: who, CAUSE_TAG: shortened(why), **({REDO_TAG: "true"} if redo else {})}
    requests, _ = launches(Settings.from_environment().assets, Wanted(select, datasets, first, last), tags)
    return _requested(requests, key, request)


def train(model: str, why: str, who: str, key: str | None = None, request: str = "") -> dict[str, Any]:
    """Train, judge and promote if better, as `lastmile models train`. The run as `launch` has it, its id as `run`."""
    models = load_models(Settings.from_environment().assets)
    if model not in models:
        raise UserError(f"no file declares the model {model}; declared: {', '.join(models) or 'none'}")
    (found,) = _requested([training(model, why, {WHO_TAG: who})], key, request)
    return {"run": found["id"], **found}


def cancel(run: str) -> None:
    """A run or a backfill. Raises UserError where it has ended."""
    with connected() as (instance, workspace):
        backfills.cancel(instance, workspace, run)


def _requested(requests: Sequence[partial[Backfill]], key: str | None, request: str) -> list[dict[str, Any]]:
    with connected() as (instance, workspace):
        found = []
        for number, one in enumerate(requests):
            tags = {KEY_TAG: f"{key}/{number}", REQUEST_TAG: request} if key else {}
            known = _known(instance, tags)
            traced = trace_tags([here] if (here := traceparent()) else [])
            made = known or one(instance, workspace, tags={**one.keywords["tags"], **tags, **traced}).backfill_id
            assets = [asset.to_user_string() for asset in assets_of_backfill(instance, made)]
            found.append({"id": made, "assets": sorted(assets), "is_new": known is None})
        return found


def _known(instance: Any, tags: Mapping[str, str]) -> str | None:
    """The backfill with this key. Raises UserError where another request has used it."""
    if not tags or (found := backfill_tagged(instance, {KEY_TAG: tags[KEY_TAG]})) is None:
        return None
    if backfill_tagged(instance, tags) is None:
        raise UserError("this Idempotency-Key was used for another request; send a new one with a new request")
    return found
