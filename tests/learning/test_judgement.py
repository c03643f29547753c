"""Judgement: better goes live, equal does not, too good waits for a person; every decision has its reasons."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fields import YIELD
from simulated import pairs

from lastmile.learning.evaluation.comparison import Comparison, Difference, compare
from lastmile.learning.evaluation.judgement import Judgement, judge

NAME = "ranked_probability_score"
RPS = replace(YIELD, metrics=(NAME,))


def scored(value: float = 0.16, dummy: float = 0.2, error: float = 0.005, of_floor: float = 0.8) -> dict[str, Any]:
    """Scores as a version keeps them."""
    return {
        NAME: value,
        "dummy": {NAME: dummy},
        "error": {NAME: error},
        "interval_of": {NAME: [value - 2 * error, value + 2 * error]},
        "floor": {"metric": "accuracy_poor", "score": of_floor, "dummy": 0.7, "floor": 0.85},
    }


def facts(**changed: Any) -> dict[str, Any]:
    return {
        "labelled": 1_000,
        "used": 1_000,
        "near_duplicates": 0,
        "groups": 20,
        "largest_group": "village 3",
        "largest_group_share": 0.1,
        "label_shares": {"high": 0.5, "middle": 0.3, "low": 0.2},
        "label_errors": {"high": 0.02, "middle": 0.02, "low": 0.02},
        **changed,
    }


def compared(difference: float, low: float, high: float, p_value: float, champion: float = 0.18) -> Comparison:
    found = Difference(champion - difference, champion, difference, low, high, p_value)
    return Comparison(NAME, 1_000, 20, {NAME: found}, {})


BETTER, EQUAL = compared(0.02, 0.01, 0.03, 0.001), compared(0.001, -0.004, 0.006, 0.3)


def judged(comparison: Comparison | None, candidate: dict[str, Any] | None = None, **changed: Any) -> Judgement:
    return judge(RPS, candidate or scored(0.161), facts(**changed), scored(0.18), facts(), comparison)


def test_a_better_candidate_is_promoted_and_an_equal_one_archived_with_the_figures() -> None:
    better, equal = judged(BETTER), judged(EQUAL, scored(0.179))
    assert (better.decision, equal.decision) == ("promote", "archive")
    assert "0.1600 against the champion's 0.1800" in better.reasons[0]
    assert "p = 0.300, wanted below 0.05" in equal.reasons[0]
    assert better.comparison["scores"][NAME]["difference"] == 0.02


@pytest.mark.parametrize("comparison", [None, replace(BETTER, rows=99), replace(BETTER, scores={})])
def test_what_cannot_be_compared_is_archived(comparison: Comparison | None) -> None:
    judgement = judged(comparison, scored(0.18))
    assert judgement.decision == "archive"
    assert "100 rows in two groups" in judgement.reasons[0]


def test_without_champion_all_but_one_that_is_worse_than_the_dummy_goes_live() -> None:
    def first(value: float) -> Judgement:
        return judge(RPS, scored(value), facts(), None, None, None)

    assert [first(value).decision for value in (0.16, 0.204, 0.206)] == ["promote", "promote", "archive"]
    assert "0.006 worse than the dummy's, more than its error 0.005" in first(0.206).reasons[0]


def test_the_floor_is_named_next_to_the_dummy() -> None:
    reasons = judged(BETTER).reasons
    assert "ranked_probability_score is 0.161 (between 0.151 and 0.171), the dummy's 0.200; lower is better" in reasons
    assert "accuracy_poor is 0.800; the floor of 0.85 is not reached, and a dummy with 0.700 does not" in reasons


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"labelled": 10_000}, "10,000 labelled rows, 10 times the champion's 1,000"),
        ({"largest_group_share": 0.6}, "60% of 1,000 labelled rows are of one group, village 3"),
        ({"labelled": 1_500, "near_duplicates": 300}, "300 of 500 new labelled rows are near-copies"),
        ({"label_shares": {"high": 0.7, "middle": 0.2, "low": 0.1}}, "high is 0.700 of the rows' labels, 0.500"),
    ],
)
def test_strange_rows_hold_even_a_better_candidate(changed: dict[str, Any], said: str) -> None:
    judgement = judged(BETTER, **changed)
    assert judgement.decision == "suspect"
    assert judgement.reasons[0].startswith(said)
    assert any(reason.startswith("better on") for reason in judgement.reasons)


@pytest.mark.parametrize(
    "changed",
    [
        {"labelled": 9_000},
        {"largest_group_share": 0.6, "groups": 4},
        {"labelled": 1_500, "near_duplicates": 200},
        {"label_shares": {"high": 0.55, "middle": 0.28, "low": 0.17}},
    ],
)
def test_what_luck_or_growth_explains_holds_nothing(changed: dict[str, Any]) -> None:
    assert judged(BETTER, **changed).decision == "promote"


def test_a_champion_whose_rows_were_as_strange_holds_nothing() -> None:
    strange = facts(largest_group_share=0.7, near_duplicates=900)
    assert judge(RPS, scored(0.161), strange, scored(0.18), strange, BETTER).decision == "promote"


def test_a_champion_without_facts_is_judged_by_scores() -> None:
    assert judge(RPS, scored(0.161), facts(), scored(0.18), None, BETTER).decision == "promote"


def test_a_score_that_rose_on_other_rows_but_not_on_the_same_is_suspect() -> None:
    judgement = judged(EQUAL, scored(0.05))
    assert judgement.decision == "suspect"
    assert "0.130 better, but 0.001 on 1,000 rows that neither had seen" in judgement.reasons[0]
    assert judged(None, scored(0.05)).decision == "suspect"


def test_more_than_half_of_what_was_missing_gained_at_once_is_suspect() -> None:
    judgement = judged(compared(0.13, 0.12, 0.14, 0.0), scored(0.05))
    assert judgement.decision == "suspect"
    assert "more than half of what was missing to 0" in judgement.reasons[0]


def test_of_500_equal_candidates_under_one_in_twenty_is_promoted_and_of_better_ones_most_are() -> None:
    """Twelve groups of 30 rows on average."""
    random, sizes = np.random.default_rng(11), np.random.default_rng(3).integers(10, 50, 12)

    def decision(better: float) -> str:
        return judge(
            RPS, scored(0.18), facts(), scored(0.18), facts(), compare(RPS, pairs(random, sizes, better))
        ).decision

    assert sum(decision(0.0) == "promote" for _ in range(500)) < 25
    assert sum(decision(0.3) == "promote" for _ in range(40)) > 30
