"""Whether a candidate replaces the champion, and why.

It does when it is better on rows that neither saw, not by luck; an equal one does not. One that is suspect waits for a
person, whatever its scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lastmile.learning.declarations.model import Model
from lastmile.learning.evaluation import suspicion
from lastmile.learning.evaluation.comparison import Comparison, Difference
from lastmile.learning.evaluation.metrics import gain, higher_is_better
from lastmile.learning.training.folds import FEWEST_ROWS

Decision = Literal["promote", "archive", "suspect"]


@dataclass(frozen=True)
class Judgement:
    """`reasons` are sentences, the one that decided first; `comparison` is empty without champion."""

    decision: Decision
    reasons: list[str]
    comparison: dict[str, Any] = field(default_factory=dict)


def judge(
    model: Model,
    candidate: Mapping[str, Any],
    candidate_facts: Mapping[str, Any],
    champion: Mapping[str, Any] | None,
    champion_facts: Mapping[str, Any] | None,
    comparison: Comparison | None,
) -> Judgement:
    """`candidate` and `champion` are scores as `Evaluation.as_json()` has them, facts are those of `prepare`."""
    standing = [_next_to_dummy(model, candidate), _floor(candidate)]
    if champion is None:
        decision, reason = _first(model, candidate)
        return Judgement(decision, [reason, *standing, *suspicion.of_rows(candidate_facts, None)])
    compared = comparison.as_json() if comparison else {}
    suspicions = [
        *suspicion.of_rows(candidate_facts, champion_facts),
        *suspicion.of_scores(model, candidate, champion, comparison),
    ]
    decision, reason = _against(model, comparison)
    if suspicions:
        return Judgement("suspect", [*suspicions, reason, *standing], compared)
    return Judgement(decision, [reason, *standing], compared)


def _first(model: Model, candidate: Mapping[str, Any]) -> tuple[Decision, str]:
    name = model.compared_by
    behind = -gain(name, candidate[name], candidate["dummy"][name])
    error = candidate.get("error", {}).get(name, 0.0)
    if behind > error:
        return (
            "archive",
            f"no champion, and {name} is {behind:.3f} worse than the dummy's, more than its error {error:.3f}",
        )
    return "promote", "no champion: the first version that is not worse than the dummy goes live"


def _against(model: Model, comparison: Comparison | None) -> tuple[Decision, str]:
    found = comparison.deciding if comparison else None
    if comparison is None or found is None or comparison.rows < FEWEST_ROWS:
        rows, groups = (comparison.rows, comparison.groups) if comparison else (0, 0)
        return "archive", (
            f"{rows} rows in {groups} groups are new to both candidate and champion; to compare them takes"
            f" {FEWEST_ROWS} rows in two groups"
        )
    on = f"on {comparison.rows:,} rows in {comparison.groups} groups that neither had seen: {_in_words(model, found)}"
    if found.convinces(model.promotion.alpha):
        return "promote", f"better {on}"
    return "archive", f"{'not better than by luck' if found.difference > 0 else 'not better'} {on}"


def _in_words(model: Model, found: Difference) -> str:
    return (
        f"{model.compared_by} {found.candidate:.4f} against the champion's {found.champion:.4f},"
        f" {found.difference:+.4f} in its favour (between {found.low:+.4f} and {found.high:+.4f}),"
        f" p = {found.p_value:.3f}, wanted below {model.promotion.alpha:g}"
    )


def _next_to_dummy(model: Model, candidate: Mapping[str, Any]) -> str:
    name = model.compared_by
    sense = "higher is better" if higher_is_better(name) else "lower is better"
    low, high = candidate.get("interval_of", {}).get(name, (None, None))
    span = f" (between {low:.3f} and {high:.3f})" if low is not None else ""
    return f"{name} is {candidate[name]:.3f}{span}, the dummy's {candidate['dummy'][name]:.3f}; {sense}"


def _floor(candidate: Mapping[str, Any]) -> str:
    floor = candidate["floor"]
    reached = "reached" if floor["score"] >= floor["floor"] else "not reached"
    dummy = "reaches it, too" if floor["dummy"] >= floor["floor"] else "does not"
    return (
        f"{floor['metric']} is {floor['score']:.3f}; the floor of {floor['floor']:g} is {reached}, and a dummy with"
        f" {floor['dummy']:.3f} {dummy}"
    )
