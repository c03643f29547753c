"""Candidate against champion: on rows neither saw, over groups, so that an equal one is seldom called better."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fields import FIELDS, HARVEST, YIELD, fields
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated import pairs

from lastmile.learning import ByTime
from lastmile.learning.evaluation.comparison import Pairs, compare, mcnemar, paired
from lastmile.learning.evaluation.evaluation import Trained, train_and_evaluate
from lastmile.learning.evaluation.held_out import predictions
from lastmile.learning.training.fitting import predicted

RPS = replace(YIELD, metrics=("ranked_probability_score",))


def share_better(sizes: np.ndarray, cases: int, better: float = 0.0) -> float:
    """Of cases in which the candidate would be called better."""
    random = np.random.default_rng(7)
    found = (compare(RPS, pairs(random, sizes, better)).deciding for _ in range(cases))
    return float(np.mean([of.convinces(YIELD.promotion.alpha) for of in found if of]))


@pytest.mark.parametrize(
    "sizes",
    [
        np.full(5, 40),
        np.random.default_rng(1).integers(10, 60, 20),
        np.r_[[300, 150], np.random.default_rng(1).integers(5, 40, 10)],
    ],
    ids=["few groups", "many groups", "groups of uneven size"],
)
def test_an_equal_candidate_is_called_better_in_less_than_five_of_a_hundred_cases(sizes: np.ndarray) -> None:
    assert share_better(sizes, cases=500) < 0.05


def test_a_clearly_better_candidate_is_called_better_in_most_cases() -> None:
    assert share_better(np.random.default_rng(1).integers(10, 60, 20), cases=40, better=0.3) > 0.8


def test_the_same_predictions_are_no_better() -> None:
    same = pairs(np.random.default_rng(1), np.full(10, 20))
    found = compare(YIELD, replace(same, candidate=same.champion))
    assert found.scores.keys() == set(YIELD.score_names())
    assert {(of.difference, of.p_value) for of in found.scores.values()} == {(0.0, 1.0)}
    assert found.mcnemar["statistic"] == 0


def test_a_difference_is_positive_for_the_better_one_and_lies_in_its_interval() -> None:
    found = compare(YIELD, pairs(np.random.default_rng(1), np.full(30, 30), better=0.3))
    for name in ("ranked_probability_score", "log_loss", "balanced_accuracy", "roc_auc_poor"):
        of = found.scores[name]
        assert 0 < of.low < of.difference < of.high
        assert of.p_value < 0.05


def test_numbers_are_compared_by_their_errors() -> None:
    random = np.random.default_rng(1)
    truth, groups = random.normal(0, 1, 300), np.repeat(np.arange(15), 20)
    near, far = (truth + random.normal(0, noise, 300) for noise in (0.2, 0.5))
    found = compare(HARVEST, Pairs(truth, near.reshape(-1, 1), far.reshape(-1, 1), groups))
    assert found.metric == "mean_absolute_error"
    assert found.deciding is not None
    assert found.deciding.p_value < 0.001 < found.deciding.difference
    assert found.mcnemar == {}


def test_one_group_tells_nothing() -> None:
    found = compare(YIELD, pairs(np.random.default_rng(1), np.array([200])))
    assert (found.rows, found.groups, found.deciding) == (200, 1, None)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=200))
def test_mcnemar_over_rows_that_are_groups_of_their_own_is_the_classic_one(right: list[tuple[bool, bool]]) -> None:
    candidate, champion = np.array(right).T
    found = mcnemar(candidate, champion, np.arange(len(right)))
    only, other = (candidate & ~champion).sum(), (champion & ~candidate).sum()
    assert (found["candidate_only"], found["champion_only"]) == (only, other)
    assert found["statistic"] == pytest.approx((only - other) ** 2 / (only + other) if only + other else 0)


def test_mcnemar_does_not_count_a_group_that_answers_alike_as_many() -> None:
    candidate, champion = np.array([True] * 50 + [False]), np.array([False] * 50 + [True])
    groups = np.repeat([0, 1], [50, 1])
    assert mcnemar(candidate, champion, groups)["statistic"] == 0
    assert mcnemar(candidate, champion, np.arange(51))["statistic"] > 40


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return fields(600, villages=16)


@pytest.fixture(scope="module")
def versions(rows: pd.DataFrame) -> tuple[Trained, Trained]:
    """A champion that was trained before the villages 12 to 15 came, and a candidate on all rows."""
    late = rows["village"].isin([f"village {number}" for number in range(12, 16)])
    return train_and_evaluate(YIELD, rows[~late].reset_index(drop=True)), train_and_evaluate(YIELD, rows)


def test_each_pair_is_of_a_row_that_neither_had_seen(rows: pd.DataFrame, versions: tuple[Trained, Trained]) -> None:
    champion, candidate = versions
    known = {f"village {number}" for number in range(12)}
    found = paired(YIELD, rows, candidate.held_out, champion.held_out, champion.estimator, known)
    assert len(found.truth) == len(rows)
    late = ~np.isin(found.groups, list(known))
    new = rows[~rows["village"].isin(known)]
    assert found.champion[late] == pytest.approx(predicted(YIELD, champion.estimator, new))
    assert found.champion[~late] == pytest.approx(predictions(YIELD, champion.held_out))
    assert sorted(map(tuple, found.candidate)) == sorted(map(tuple, predictions(YIELD, candidate.held_out)))


def test_rows_the_champion_was_fitted_on_and_rows_with_another_level_now_are_left_out(
    rows: pd.DataFrame, versions: tuple[Trained, Trained]
) -> None:
    champion, candidate = versions
    all_villages = set(rows["village"])
    assert len(paired(YIELD, rows, candidate.held_out, None, champion.estimator, all_villages).truth) == 0
    relabelled = champion.held_out.assign(
        yield_level=champion.held_out["yield_level"].where(champion.held_out.index >= 10, "unknown")
    )
    found = paired(YIELD, rows, candidate.held_out, relabelled, champion.estimator, all_villages)
    assert len(found.truth) == len(champion.held_out) - 10


def test_by_time_the_champions_estimator_speaks_for_later_partitions_only(
    rows: pd.DataFrame, versions: tuple[Trained, Trained]
) -> None:
    champion, candidate = versions
    by_time = replace(YIELD, split=ByTime())
    earlier = champion.held_out[champion.held_out["season"] < rows["season"].max()]
    found = paired(by_time, rows, candidate.held_out, earlier, champion.estimator, set())
    later = rows[FIELDS.partition_column] == rows[FIELDS.partition_column].max()
    assert len(found.truth) == len(earlier) + later.sum()
