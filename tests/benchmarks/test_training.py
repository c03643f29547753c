"""Training next to plain scikit-learn, at a size that says nothing of speed."""

from pathlib import Path

import numpy as np
import pandas as pd

from assets.household_survey.features.household_vulnerability import BOUNDS, LEVELS, features
from assets.household_survey.models.vulnerability import model
from benchmarks import households, training
from benchmarks.measuring import Cost, Failed
from lastmile.learning.training.duplicates import near_duplicates


def test_households_are_multiplied_into_others_and_not_into_copies(rows: pd.DataFrame) -> None:
    made = households.multiplied(rows, 1_000)
    assert len(made) == made["hhid"].nunique() == 1_000
    assert set(made["survey_id"]) == set(rows["survey_id"])
    cluster = near_duplicates(features, made, model.inputs)
    assert len(set(cluster)) == len(made)
    level = (made["value_ppp_per_person_per_day"].to_numpy()[:, None] < np.array(BOUNDS)).sum(axis=1)
    assert (made["vulnerability_level"] == np.array(LEVELS)[level]).all()


def test_each_contender_trains_on_all_rows_and_states_its_cost(rows: pd.DataFrame, tmp_path: Path) -> None:
    rows.to_parquet(tmp_path / "rows.parquet")
    costs = training.costs_of(tmp_path / "rows.parquet")
    assert list(costs) == list(training.CONTENDERS)
    for cost in costs.values():
        assert isinstance(cost, Cost), cost
        assert cost.said["used"] == len(rows)
    shown = training.row("training", costs["training"], costs[training.BASE])
    assert shown["CPU, scikit-learn = 1"] > 0


def test_a_training_that_failed_is_a_row_that_says_why(tmp_path: Path) -> None:
    costs = training.costs_of(tmp_path / "nothing.parquet")
    assert all(isinstance(cost, Failed) for cost in costs.values())
    assert "nothing.parquet" in str(training.row("training", costs["training"], costs[training.BASE])["note"])
