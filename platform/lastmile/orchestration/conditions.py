"""When the tables of the warehouse are made anew, by themselves.

A run costs seconds before it does anything, so tables wait until what they are made from is idle and are then made in
one run for all partitions that changed. Data that never stops coming does not keep them waiting for ever: at every
tenth minute they are made from what has changed so far.

Dagster's `eager()` is not used: it regards the latest partition only, never fires while any partition upstream is
missing, and forgets what was missing before it was first evaluated.
"""

import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import Any, TypeAlias

import dagster as dg
from dagster import AutomationCondition as When

Condition: TypeAlias = When[Any]

_AT_THE_LATEST = "*/10 * * * *"


def when_views_are_out_of_date() -> Condition:
    """A view is made once and again when its SQL has changed; new rows show in it without that."""
    changed = When.missing().newly_true() | (When.missing() & When.any_deps_updated()) | When.code_version_changed()
    return _until_made(changed) & ~When.in_progress()


def when_partitions_change(
    views: Iterable[dg.AssetKey], whole: Iterable[dg.AssetKey], others: Iterable[dg.AssetKey] = ()
) -> Condition:
    """A partition is made when the same one has changed upstream of the views, and every one when SQL has changed.

    `views` are those of all tables that run along: while data still comes in below any of them, all of them wait. And
    `whole` are the tables of all partitions made from these tables or from the partitioned ones below: a partition
    knows only its own ones, such a table all of them. While any is under way all wait, or a range made in several runs
    would be followed by a run for every evaluation.

    `others` are the tables of other partitions: not all the days of a year, say, that a table by year is made from need
    to exist, as no drop may ever come for some; those about to be made come first.
    """
    elsewhere = dg.AssetSelection.assets(*others)
    missing = When.any_deps_missing().ignore(elsewhere)
    will_change = When.any_deps_match(When.will_be_requested()).allow(elsewhere)
    has_data = When.any_deps_match(~When.missing()).resolve_through_virtual()
    changed = (
        (When.missing() & has_data).newly_true()
        | _deps_updated().resolve_through_virtual()
        | ((_deps_updated() | When.code_version_changed()) & ~When.missing())
    )
    busy = _matches(views, When.code_version_changed() | When.any_deps_in_progress())
    busy += _matches(whole, When.any_deps_in_progress())
    return _once_idle(changed, busy) & ~missing & ~will_change


def when_any_partition_changed(
    partitioned: Iterable[dg.AssetKey], seeds: Sequence[dg.AssetKey] = (), needed: Iterable[dg.AssetKey] = ()
) -> Condition:
    """A table of all partitions is made when any of them has changed, in one run with the others of its kind.

    `partitioned` are all tables made by partition: while one of them, or what it is made from, is under way, it waits.
    It waits for `seeds`, those below it, as well; they alone are no data to make it from. Of `needed`, the tables by
    partition that it reads itself, each has a partition that exists, or there is no such table in the database.
    """
    fixed = dg.AssetSelection.assets(*seeds)
    has_data = When.any_deps_match(~When.missing()).ignore(fixed)
    changed = (
        (When.missing() & has_data).newly_true()
        | _deps_updated().ignore(fixed)
        | ((_deps_updated() | When.code_version_changed()) & has_data)
    )
    below = When.any_deps_match(When.in_progress() | When.newly_updated() | When.code_version_changed())
    busy = When.in_progress() | When.code_version_changed() | below | below.resolve_through_virtual()
    not_there = When.missing() | When.in_progress() | When.code_version_changed()
    waiting = _once_idle(changed, _matches(partitioned, busy) + _matches(seeds, not_there))
    return reduce(operator.and_, _matches(needed, ~When.missing()), waiting)


def when_made_from_new_code(along_with: dg.AssetSelection) -> Condition:
    """What has new code, or was never made, is made in the next run that makes one of `along_with`."""
    new_code = When.missing().newly_true() | When.code_version_changed()
    will_run = When.any_deps_match(When.will_be_requested()).allow(along_with)
    return _until_made(new_code) & will_run & ~When.in_progress()


def _deps_updated() -> Any:
    """Also in a run that was to make the asset as well, and did not come to it: one that did resets the condition."""
    return When.any_deps_match(When.newly_updated() | When.will_be_requested())


def _once_idle(changed: Condition, busy: Iterable[Condition]) -> Condition:
    idle = ~reduce(operator.or_, busy, When.any_deps_in_progress())
    return _until_made(changed) & ~When.in_progress() & (idle | When.cron_tick_passed(_AT_THE_LATEST))


def _until_made(changed: Condition) -> Condition:
    return changed.since(When.newly_requested() | When.newly_updated())


def _matches(keys: Iterable[dg.AssetKey], condition: Condition) -> list[Condition]:
    return [When.asset_matches(key, condition) for key in keys]
