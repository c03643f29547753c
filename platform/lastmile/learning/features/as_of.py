"""What was known on a day, and not later: rows, targets, and the features to join to labels of one's own.

A day is counted from its first moment. What was known of it is by when things happened, not by when their files came:
rows are as the newest drops have them, corrections included. Which rows a version was trained on is kept with it.
"""

from collections.abc import Sequence
from datetime import date

import pandas as pd

from lastmile.learning.declarations.feature_set import FeatureSet


def known_at(features: FeatureSet, rows: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """The rows that were known at the first moment of a day, targets missing where they were not known then.

    Where rows are snapshots at the first moment of their partition, those up to and with the day, each with its targets
    once the feature set's horizon has passed. Other rows tell what happened within their partition: they are known,
    targets and all, when it is over.
    """
    days = pd.to_datetime(rows[features.partition_column])
    if features.horizon is None:
        keys = {day: features.partition.key_of(day.date()) for day in days.unique()}
        over = [day for day, key in keys.items() if features.partition.window(key)[1] <= as_of]
        return rows[days.isin(over)].reset_index(drop=True)
    is_known = days + features.horizon <= pd.Timestamp(as_of)
    targets = {name: rows[name].where(is_known) for name in features.targets}
    return rows.assign(**targets)[days <= pd.Timestamp(as_of)].reset_index(drop=True)


def point_in_time(
    labels: pd.DataFrame, rows: pd.DataFrame, *, on: Sequence[str], at: str, known_from: str = "partition_start"
) -> pd.DataFrame:
    """Every label, in its order, with the latest of `rows` of the same `on` whose `known_from` is not after its `at`.

    Columns of `rows` are missing where none was known yet. Those that both have are the labels' own. Raises ValueError
    for a label without a time, which no row can be said to come before.
    """
    times = pd.to_datetime(labels[at]).astype("datetime64[us]")
    if times.isna().any():
        raise ValueError(
            f"expected a time in {at!r} of every label; found {int(times.isna().sum())} without: drop them"
        )
    known = rows.assign(**{known_from: pd.to_datetime(rows[known_from]).astype("datetime64[us]")})
    kept = [name for name in known.columns if name in on or name not in labels.columns]
    ordered = labels.assign(_at=times, _place=range(len(labels))).sort_values("_at", kind="stable")
    joined = pd.merge_asof(
        ordered, known[kept].sort_values(known_from), left_on="_at", right_on=known_from, by=list(on)
    )
    return joined.sort_values("_place", ignore_index=True).drop(columns=["_at", "_place"])
