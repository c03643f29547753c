"""Why a run was launched, as a tag that the list of runs shows: the drops, the change upstream, or the command.

The landing sensor and the commands know it when they request a run. Automation does not say, so the worker of such a
run finds out: what its assets are made from is recorded with their last materializations, and which of that has
changed since by the times of its own.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from lastmile.orchestration.failures import partitions_of_run

if TYPE_CHECKING:
    from dagster import AssetKey, AssetRecord, DagsterInstance

log = logging.getLogger(__name__)

CAUSE_TAG = "lastmile/cause"
#: The tag of runs that automation requested.
BY_AUTOMATION = "dagster/from_automation_condition"
_MADE_FROM = "dagster/input_data_version/"
#: Characters of a cause, and assets or files named in it.
_LONGEST, NAMED = 200, 3
#: Views have no rows of their own: what changed may be below one, or below a view on that.
_LEVELS = 3


def shortened(cause: str) -> str:
    return cause if len(cause) <= _LONGEST else f"{cause[: _LONGEST - 1]}…"


def listed(names: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{', '.join(names[:NAMED])}{more}"


def record_cause(instance: "DagsterInstance", run_id: str) -> None:
    """Tag the run of automation with its cause; one that says already why it was launched is left as it is."""
    run = instance.get_run_by_id(run_id)
    if run is None or CAUSE_TAG in run.tags or run.tags.get(BY_AUTOMATION) != "true":
        return
    try:
        cause = _cause(instance, sorted(run.asset_selection or ()), partitions_of_run(run))
        instance.add_run_tags(run_id, {CAUSE_TAG: shortened(cause)})
    except Exception:
        # The run itself matters more than what is said of it.
        log.exception("the cause of run %s cannot be found", run_id)


def _cause(instance: "DagsterInstance", assets: Sequence["AssetKey"], partitions: tuple[str, str] | None) -> str:
    made = instance.get_asset_records(assets)
    times = [time for record in made if (time := made_at(record))]
    if len(times) < len(assets) or (partitions and not all(_has(instance, asset, partitions) for asset in assets)):
        return "not made before"
    changed = _changed(instance, made, min(times), {*assets})
    return f"changed: {listed(changed)}" if changed else "its code changed"


def _changed(
    instance: "DagsterInstance", made: Iterable["AssetRecord"], since: float, known: set["AssetKey"]
) -> list[str]:
    """What these were made from and was made anew since, or else what that is made from."""
    for _ in range(_LEVELS):
        upstream = {key for record in made for key in made_from(record)} - known
        if not upstream:
            return []
        made, known = instance.get_asset_records(sorted(upstream)), known | upstream
        if newer := [record for record in made if (made_at(record) or 0) > since]:
            return sorted(record.asset_entry.asset_key.to_user_string() for record in newer)
    return []


def _has(instance: "DagsterInstance", asset: "AssetKey", partitions: tuple[str, str]) -> bool:
    """Whether the first or the last of these partitions was made before."""
    from dagster import AssetRecordsFilter

    made = AssetRecordsFilter(asset_key=asset, asset_partitions=[*partitions])
    return bool(instance.fetch_materializations(made, limit=1).records)


def made_from(record: "AssetRecord") -> Iterable["AssetKey"]:
    """What the asset was made from when it was made last."""
    from dagster import AssetKey

    last = record.asset_entry.last_materialization
    tags = (last.asset_materialization.tags or {}) if last and last.asset_materialization else {}
    return [AssetKey.from_user_string(tag.removeprefix(_MADE_FROM)) for tag in tags if tag.startswith(_MADE_FROM)]


def made_at(record: "AssetRecord") -> float | None:
    """When it was made last, in seconds since the epoch."""
    last = record.asset_entry.last_materialization_record
    return last.timestamp if last else None
