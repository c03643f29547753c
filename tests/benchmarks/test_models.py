"""The comparison of models on a few made-up households, with a peer that needs nothing installed."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import models
from benchmarks.measuring import Failed

#: Says of every household what is common in the other folds; without `fold` or `level` it could not.
PEER = """
import sys
sys.path.insert(0, {peers!r})
import pandas as pd
from timing import work
rows = pd.read_parquet(sys.argv[1])
with work():
    of = {{fold: rows["level"][rows["fold"] != fold].value_counts(normalize=True) for fold in rows["fold"].unique()}}
    pd.DataFrame([of[fold] for fold in rows["fold"]]).reset_index(drop=True).fillna(0).to_parquet(sys.argv[2])
"""


@pytest.fixture
def contest(rows: pd.DataFrame) -> models.Contest:
    return models.Contest.of(rows)


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(models, "python_for", lambda script: Path(sys.executable))
    script = tmp_path / "peer.py"
    script.write_text(PEER.format(peers=str(models.PEERS)))
    return script


def test_a_peer_is_given_the_folds_and_its_answer_is_scored_by_row(contest: models.Contest, peer: Path) -> None:
    answer = models.answered_by_peer(contest, peer, 1, peer.parent)
    np.testing.assert_allclose(answer.probabilities, contest.common)
    assert (answer.evidence == 1).all()


def test_a_peer_that_fails_is_a_row_that_says_why(contest: models.Contest, peer: Path) -> None:
    peer.write_text("raise SystemExit('no model found')")
    with pytest.raises(Failed, match="no model found") as why:
        models.answered_by_peer(contest, peer, 1, peer.parent)
    answers = {models.model.name: models.dummy(contest)}
    scored, _ = models.tables(contest, answers, {"FLAML": str(why.value)}, "title")
    assert {"what": "FLAML", "note": "no model found"} in scored.rows


def test_the_first_model_has_its_own_inputs_and_learns_the_levels() -> None:
    first = models.first_model()
    assert (len(first.inputs), first.learns_from) == (21, None)


def test_a_model_is_shown_as_far_ahead_of_the_dummy_as_its_scores_are(contest: models.Contest) -> None:
    knowing = 0.9 * (contest.truth[:, None] == np.array(models.LEVELS)) + 0.025
    answers = {models.model.name: models.Answer(knowing, knowing), models.DUMMY: models.dummy(contest)}
    scored, ahead = models.tables(contest, answers, {}, "title")
    of = pd.DataFrame(scored.rows).set_index("what").drop(columns=["CPU s", "seconds"]).astype(float)
    assert of.loc[models.model.name, "AUC vulnerable"] == 1
    assert of.loc[models.DUMMY, "AUC vulnerable"] == pytest.approx(0.5, abs=0.001)
    assert ahead.rows[0]["AUC vulnerable"].startswith("0.500 (0.500, 0.500)")


def test_the_level_named_is_the_one_with_the_most_evidence(contest: models.Contest) -> None:
    evidence = 0.2 + 0.2 * (contest.truth[:, None] == np.array(models.LEVELS))
    scored, _ = models.tables(contest, {models.model.name: models.Answer(evidence, evidence)}, {}, "title")
    assert scored.rows[0]["quadratic kappa"] == "1.000"


def test_without_the_real_surveys_nothing_is_compared_and_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="not part of the project"):
        models.main(data=tmp_path)
