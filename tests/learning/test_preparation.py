"""Rows to learn from: near-copies count once and no group has the say, so that floods move no score unnoticed."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fields import HARVEST, LEVELS, YIELD, fields
from simulated import WIDE, near_copies, wide_fields

from lastmile.learning import ByTime
from lastmile.learning.evaluation.comparison import compare, paired
from lastmile.learning.evaluation.evaluation import Trained, train_and_evaluate
from lastmile.learning.evaluation.judgement import judge
from lastmile.learning.training.duplicates import near_duplicates
from lastmile.learning.training.preparation import Prepared, prepare


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return wide_fields(fields(600))


@pytest.fixture(scope="module")
def champion(rows: pd.DataFrame) -> tuple[Prepared, Trained]:
    prepared = prepare(WIDE, rows)
    return prepared, train_and_evaluate(WIDE, prepared.rows)


def with_copies(rows: pd.DataFrame, **wanted: int) -> pd.DataFrame:
    return pd.concat([rows, near_copies(rows, **wanted)], ignore_index=True)


def test_rows_that_are_no_copies_are_all_kept(rows: pd.DataFrame) -> None:
    prepared = prepare(WIDE, rows)
    pd.testing.assert_frame_equal(prepared.rows, rows)
    assert prepared.notes == []
    assert prepared.facts["near_duplicates"] == 0


def test_copies_are_found_also_with_noise_and_a_column_that_differs(rows: pd.DataFrame) -> None:
    copied = near_copies(rows, of=100, count=100, villages=3).assign(soil="peat", noise=0.5)
    together = pd.concat([rows, copied.assign(noise=rows["noise"][:100])], ignore_index=True)
    cluster = near_duplicates(WIDE.features, together, WIDE.inputs)
    assert (cluster[:100] == cluster[len(rows) :]).mean() > 0.95
    assert len(set(cluster)) >= len(rows)


def test_rows_that_agree_by_chance_are_no_copies() -> None:
    """Few inputs, or such that hardly differ, agree in many rows without being copies."""
    few = fields(2_000)
    assert len(set(near_duplicates(YIELD.features, few, YIELD.inputs))) == len(few)
    random = np.random.default_rng(1)
    counted = {name: random.integers(0, 3, 2_000).astype(float) for name in WIDE.inputs if name.startswith("measure")}
    alike = few.assign(**counted)
    assert len(set(near_duplicates(WIDE.features, alike, WIDE.inputs))) > 0.99 * len(few)


def test_of_near_copies_the_earliest_is_kept_and_what_was_left_out_is_said(rows: pd.DataFrame) -> None:
    prepared = prepare(WIDE, with_copies(rows, of=50, count=150, villages=2))
    pd.testing.assert_frame_equal(prepared.rows, rows)
    assert prepared.facts["near_duplicates"] == 150
    assert prepared.notes == [
        "150 of 750 labelled rows are near-copies of others and left out: of near-copies one counts"
    ]


def test_a_few_alike_in_one_group_are_neighbours_and_many_are_a_flood(rows: pd.DataFrame) -> None:
    new = rows.assign(rain_mm=rows["rain_mm"] * 3, **{name: rows[name] * 3 for name in ("measure_1", "measure_2")})
    pair = near_copies(new, of=5, count=10, villages=1)
    flood = near_copies(new, of=5, count=100, villages=1)
    assert prepare(WIDE, pd.concat([rows, pair], ignore_index=True)).facts["near_duplicates"] == 0
    assert prepare(WIDE, pd.concat([rows, flood], ignore_index=True)).facts["near_duplicates"] == 95


def test_by_time_the_same_entity_in_several_partitions_is_no_copy(rows: pd.DataFrame) -> None:
    by_time = replace(WIDE, split=ByTime())
    again = rows.assign(field=rows["field"] + " again", season=pd.Timestamp(2022, 1, 1), village="again")
    together = pd.concat([rows, again.astype(rows.dtypes.to_dict())], ignore_index=True)
    assert prepare(by_time, together).facts["near_duplicates"] == 0
    assert prepare(WIDE, together).facts["near_duplicates"] == len(rows)


def test_a_group_with_most_rows_is_cut_to_half_of_them_and_the_same_rows_each_time() -> None:
    rows = fields(1_000)
    rows["village"] = rows["village"].where(rows.index < 300, "village 0")
    prepared = prepare(YIELD, rows)
    sizes = prepared.rows["village"].value_counts()
    assert sizes.iloc[0] == len(prepared.rows) / 2
    assert prepared.facts["largest_group_share"] > 0.7
    assert "more than half of the rows are of one village" in prepared.notes[0]
    pd.testing.assert_frame_equal(prepared.rows, prepare(YIELD, rows).rows)


def test_of_few_groups_one_may_have_most_rows() -> None:
    rows = fields(300, villages=4)
    rows["village"] = rows["village"].where(rows.index < 60, "village 0")
    assert len(prepare(YIELD, rows).rows) == 300


def test_labels_are_described_with_errors_over_groups() -> None:
    rows = fields(300)
    of_levels, of_number = prepare(YIELD, rows).facts, prepare(HARVEST, rows).facts
    assert sum(of_levels["label_shares"].values()) == pytest.approx(1)
    assert of_levels["label_errors"].keys() == set(LEVELS)
    assert of_number["label_shares"] == pytest.approx(
        {"mean": rows["harvest_kg"].mean(), "sd": rows["harvest_kg"].std(ddof=0)}
    )
    assert 0 < of_number["label_errors"]["mean"] < rows["harvest_kg"].std() / 5


@pytest.mark.parametrize("villages", [1, 7])
def test_a_flood_of_200_000_near_copies_of_50_does_not_lift_the_score_and_is_suspect(
    rows: pd.DataFrame, champion: tuple[Prepared, Trained], villages: int
) -> None:
    before, in_use = champion
    prepared = prepare(WIDE, with_copies(rows, of=50, count=200_000, villages=villages))
    assert len(prepared.rows) < 1.02 * len(rows)
    trained = train_and_evaluate(WIDE, prepared.rows)
    candidate, current = trained.evaluation.as_json(), in_use.evaluation.as_json()
    assert candidate[WIDE.compared_by] > current[WIDE.compared_by] - 2 * current["error"][WIDE.compared_by]
    known = set(before.rows["village"])
    pairs = paired(WIDE, prepared.rows, trained.held_out, in_use.held_out, in_use.estimator, known)
    judgement = judge(WIDE, candidate, prepared.facts, current, before.facts, compare(WIDE, pairs))
    assert judgement.decision == "suspect"
    assert "200,000 of 200,000 new labelled rows are near-copies of others" in judgement.reasons
