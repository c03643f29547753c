"""When what is learned is made by itself: after what it is made from was, once, however often the daemon looks."""

from collections.abc import Iterable
from typing import Any

import dagster as dg
from dagster import AutomationCondition as When

from lastmile.contracts.partition import Partition
from lastmile.orchestration.chain import PARTITION_TAG, SHAPE_TAG, shape_name


def made_along(partition: Partition | None) -> "When[Any]":
    """Updates by runs for drops that make an asset of these partitions, or of none, as well."""
    if partition is None:
        return When.all_new_updates_have_run_tags(tag_keys={PARTITION_TAG})
    return When.all_new_updates_have_run_tags(tag_values={SHAPE_TAG: shape_name(partition)})


def when_updated(
    after: dg.AssetSelection,
    needs: Iterable[dg.AssetKey] = (),
    *,
    along: "When[Any] | None" = None,
    changed: bool = False,
) -> "When[Any]":
    """Make the asset's partitions when any of `after` was updated, or those there are when its code has changed, once
    each of `needs` exists, in any of its partitions that overlap the asset's, and neither a dependency nor the asset
    itself is being made. Updates that are `along` are none: their run makes the asset as well, after them. With
    `changed`, updates that leave the data version as it was are none either.

    Unlike `eager()`: every partition counts, not only the latest; an unpartitioned asset does not wait for partitions
    that will never be; what `needs` lacks at the time of the update is not caught up with when it comes, because an
    update of its own follows; and an update that comes while the asset is being made is not counted as used.
    """
    has_new_code: When[Any] = When.code_version_changed() & ~When.missing()
    updated: When[Any] = When.data_version_changed() if changed else When.newly_updated()
    if along is not None:
        updated = updated & ~along
    due: When[Any] = When.any_deps_match(updated).allow(after) | has_new_code
    for key in needs:
        due = due & When.any_deps_match(~When.missing()).allow(dg.AssetSelection.assets(key))
    # A look in the last second of a run sees some of its partitions, the next one the others: idle is a look later.
    idle = ~When.any_deps_in_progress() & ~When.any_deps_match(When.newly_updated()) & ~When.in_progress()
    # An update at the moment of the request is requested once more, or it would count as used.
    asked = When.newly_requested() & ~due
    made_with_drops = When.any_new_update_has_run_tags(tag_keys={PARTITION_TAG})
    return (due.since(asked | made_with_drops) & idle).with_label("when_updated")
