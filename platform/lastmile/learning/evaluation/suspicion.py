"""What makes a candidate too good, or its rows too strange, to go live without a person's look.

200,000 near-copies of 50 households under one survey once made a model with a balanced accuracy of 0.94 that replaced
the one of 0.43. Each rule gives a sentence for the person who decides; none is a proof.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import t

from lastmile.learning.declarations.model import Model
from lastmile.learning.evaluation.comparison import Comparison
from lastmile.learning.evaluation.metrics import gain, perfect

#: Errors beyond which a change of score is no luck.
_ERRORS = 2
#: Of what the champion left to a perfect score; better inputs gave the vulnerability model a fifth.
_TOO_GOOD = 0.5
#: Labelled rows, times those of the champion.
_TIMES_ROWS = 10
#: Of the rows: what more than half of them share decides what is learned.
_MOST = 0.5
#: With fewer groups, one of them may well have most rows.
FEWEST_GROUPS = 5
#: How seldom label shares change so much by luck, for each level.
_ALPHA = 0.001

Facts = Mapping[str, Any]
Scores = Mapping[str, Any]


def of_rows(facts: Facts, before: Facts | None) -> list[str]:
    """Of the rows, `before` being those that the champion was trained on."""
    before = before or {}
    return [*_more_rows(facts, before), *_one_group(facts, before), *_copies(facts, before), *_labels(facts, before)]


def of_scores(model: Model, candidate: Scores, champion: Scores, comparison: Comparison | None) -> list[str]:
    """Of a score that is better than its error explains: on the same rows as the champion by too much, or over all rows
    only, because they became easier."""
    name = model.compared_by
    if name not in candidate or name not in champion:
        return []
    overall = gain(name, candidate[name], champion[name])
    error = float(np.hypot(_error(candidate, name), _error(champion, name)))
    same = comparison.deciding if comparison else None
    on_same, error_on_same = (same.difference, (same.high - same.low) / 4) if same else (0.0, 0.0)
    if overall - on_same > _ERRORS * np.hypot(error, error_on_same):
        rows = f"{comparison.rows:,} rows" if comparison and same else "the same rows, of which there are none"
        reason = (
            f"{name} is {candidate[name]:.3f} over its rows and the champion's {champion[name]:.3f} over its own,"
            f" {overall:.3f} better, but {on_same:.3f} on {rows} that neither had seen: the rows have become easier"
        )
        return [reason]
    left = abs(perfect(name) - same.champion) if same else np.inf
    if same and same.low > _TOO_GOOD * left and overall > _TOO_GOOD * left:
        reason = (
            f"{name} is {same.candidate:.3f} and the champion's {same.champion:.3f} on the same rows: more than half of"
            f" what was missing to {perfect(name):g} is gained at once; look for an input that gives the answer away"
        )
        return [reason]
    return []


def _error(scores: Scores, name: str) -> float:
    return float(scores.get("error", {}).get(name, np.inf))


def _more_rows(facts: Facts, before: Facts) -> list[str]:
    if not before or facts["labelled"] < _TIMES_ROWS * before["labelled"]:
        return []
    return [f"{facts['labelled']:,} labelled rows, {_TIMES_ROWS} times the champion's {before['labelled']:,} or more"]


def _one_group(facts: Facts, before: Facts) -> list[str]:
    grew = facts["largest_group_share"] > _MOST >= before.get("largest_group_share", 0)
    if not grew or facts["groups"] < FEWEST_GROUPS:
        return []
    share = facts["largest_group_share"]
    return [f"{share:.0%} of {facts['labelled']:,} labelled rows are of one group, {facts['largest_group']}"]


def _copies(facts: Facts, before: Facts) -> list[str]:
    new = facts["labelled"] - before.get("labelled", 0)
    copies = facts["near_duplicates"] - before.get("near_duplicates", 0)
    if new <= 0 or copies <= _MOST * new:
        return []
    return [f"{copies:,} of {new:,} new labelled rows are near-copies of others"]


def _labels(facts: Facts, before: Facts) -> list[str]:
    return [
        f"{name} is {share:.3f} of the rows' labels, {before['label_shares'][name]:.3f} of the champion's: more than"
        " groups differ by luck"
        for name, share in facts["label_shares"].items()
        if name in before.get("label_shares", {})
        and abs(share - before["label_shares"][name]) > _allowed(name, facts, before)
    ]


def _allowed(name: str, facts: Facts, before: Facts) -> float:
    """By Welch's test, with the degrees of freedom of the smaller number of groups."""
    errors = [of.get("label_errors", {}).get(name) for of in (facts, before)]
    freedom = min(facts["groups"], before["groups"]) - 1
    if None in errors or freedom < 1:
        return float("inf")
    return float(t.ppf(1 - _ALPHA / 2, freedom) * np.hypot(*errors))
