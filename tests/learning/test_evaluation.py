"""Evaluation: honest on unseen groups, beside a dummy that a model of noise does not beat."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from fields import FIELDS, fields

from lastmile.learning.evaluating import Evaluation, scores, train_and_judge


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    rows = fields()
    return train_and_judge(FIELDS, rows)[1]


def test_a_model_that_learned_something_beats_the_dummy_in_every_score(evaluation: Evaluation) -> None:
    assert all(value > evaluation.dummy[name] + 0.1 for name, value in evaluation.scores.items())


def test_the_dummy_knows_only_how_common_each_level_is(evaluation: Evaluation) -> None:
    common = [sum(row) / 300 for row in evaluation.confusion]
    assert evaluation.dummy == pytest.approx(
        {
            "balanced_accuracy": 1 / 3,
            "pr_auc_macro": 1 / 3,
            "pr_auc_weighted": sum(share**2 for share in common),
            "pr_auc_poor": common[2],
        }
    )


def test_a_model_of_noise_is_no_better_than_the_dummy() -> None:
    rows = fields().with_columns(pl.col("yield_level").shuffle(seed=1))
    evaluation = train_and_judge(FIELDS, rows)[1]
    assert evaluation.scores["balanced_accuracy"] < evaluation.dummy["balanced_accuracy"] + 2 * evaluation.error


def test_what_only_marks_the_group_is_worth_nothing_on_new_groups() -> None:
    """Learned by heart it is worth everything, as long as groups are split between training and judging."""
    random = np.random.default_rng(3)
    luck = {f"village {number}": random.choice(FIELDS.levels) for number in range(60)}
    marked = fields(600, villages=60).with_columns(
        noise=pl.col("village").str.slice(8).cast(pl.Float64),
        rain_mm=pl.lit(0.0),
        soil=pl.lit("loam"),
        irrigated=pl.lit(value=False),
        yield_level=pl.col("village").replace_strict(luck),
    )
    split = replace(FIELDS, group="field")
    assert train_and_judge(split, marked)[1].scores["balanced_accuracy"] > 0.9
    assert train_and_judge(FIELDS, marked)[1].scores["balanced_accuracy"] < 0.55


def test_the_confusion_matrix_counts_every_row_once(evaluation: Evaluation) -> None:
    assert sum(map(sum, evaluation.confusion)) == evaluation.rows == 300


def test_recall_is_what_the_confusion_matrix_says(evaluation: Evaluation) -> None:
    for place, level in enumerate(FIELDS.levels):
        row = evaluation.confusion[place]
        assert evaluation.recall[level] == pytest.approx(row[place] / sum(row))
    assert np.mean(list(evaluation.recall.values())) == pytest.approx(evaluation.scores["balanced_accuracy"])


def test_what_makes_the_level_is_important_and_noise_is_not(evaluation: Evaluation) -> None:
    assert evaluation.importance["rain_mm"] > 0.1 > evaluation.importance["noise"] + 0.05


def test_a_perfect_prediction_scores_one_and_levels_no_row_has_are_left_out() -> None:
    truth = np.array(["high", "low", "low"], dtype=object)
    found = np.array([[1.0, 0, 0], [0, 0, 1], [0, 0, 1]])
    assert set(scores(FIELDS, truth, found).values()) == {1.0}


def test_scores_are_kept_as_plain_numbers_beside_the_dummys(evaluation: Evaluation) -> None:
    kept = evaluation.as_json()
    assert kept["dummy"].keys() == {name for name, value in kept.items() if isinstance(value, float)}
    assert kept["judged_on"] == {"rows": 300, "groups": 12, "folds": 5}
