"""The vulnerability model compared with FLAML and AutoGluon, on the real surveys of 2015-2019.

    python -m benchmarks.models --seconds 60

All have the same households, inputs and folds of whole surveys, and predict surveys that they have not seen. The two
learn the levels, each in an environment of its own, on one thread, for so many seconds a fold, and choose among their
models by folds of whole surveys, too. Next to them are a dummy, which always says how common the levels are, and the
model that was shipped at first. Also written: `benchmarks/results/models.json`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from assets.household_survey.features.household_vulnerability import LEVELS
from assets.household_survey.models.vulnerability import model
from benchmarks import households, results
from benchmarks.comparing import PEERS
from benchmarks.environments import python_for
from benchmarks.measuring import Failed, measured
from benchmarks.peers.timing import cpu_seconds
from lastmile.learning import Model
from lastmile.learning.evaluation.comparison import Difference, Pairs, compare
from lastmile.learning.evaluation.metrics import scores
from lastmile.learning.training.fitting import fit, inputs, predicted, target
from lastmile.learning.training.folds import Fold, folds

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

AUTOMATIC = {"FLAML": "classify_flaml", "AutoGluon": "classify_autogluon"}
FIRST, DUMMY = "the first model", "a dummy"
#: One core: what libraries start threads by.
_ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "LOKY")}
_SCORES = {
    "AUC vulnerable": "roc_auc_vulnerable",
    "PR-AUC vulnerable": "pr_auc_vulnerable",
    "log loss": "log_loss",
    "RPS": "ranked_probability_score",
    "quadratic kappa": "quadratic_weighted_kappa",
    "balanced accuracy": "balanced_accuracy",
}
#: Of the level that is named; all others are of the probabilities.
_OF_LEVELS = ("quadratic kappa", "balanced accuracy")
#: What is compared has been divided by how common the levels are in the training rows already.
_SCORED = replace(model, task=replace(model.task, common=()))
_FIRST_INPUTS = {
    *("country", "large_region", "farming_system", "koeppen"),
    *("household_type", "hfias_status", "population_density", "travel_time_cities_minutes"),
    *("hh_size_members", "hh_size_mae", "land_owned_ha", "land_cultivated_ha"),
    *("livestock_tlu", "crop_count", "livestock_heads", "livestock_kinds"),
    *("livestock_product_kinds", "hdds_score", "farmhdds_score", "fies_score"),
    "food_shortage_months",
}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Contest:
    """The rows with what is to be predicted; `common` is how common each level is in the rows of the other folds."""

    rows: pd.DataFrame
    split: Sequence[Fold]
    truth: NDArray[np.object_]
    common: Floats

    @classmethod
    def of(cls, rows: pd.DataFrame) -> "Contest":
        split, truth = folds(model, rows), target(model, rows)
        common = np.empty((len(rows), len(LEVELS)))
        for training, unseen in split:
            common[unseen] = [(truth[training] == level).mean() for level in LEVELS]
        return cls(rows, split, truth, common)


@dataclass(frozen=True)
class Answer:
    """Probabilities by row and level, and the evidence for each level: the level named is that with the most."""

    probabilities: Floats
    evidence: Floats
    seconds: float = 0.0
    cpu: float = 0.0

    def by(self, score: str) -> Floats:
        return self.evidence if score in _OF_LEVELS else self.probabilities


def first_model() -> Model:
    """Boosted trees of the levels, all weighing the same however common, on a fifth of the inputs."""
    others = frozenset(model.inputs) - _FIRST_INPUTS
    return replace(model, learns_from=None, never=model.never | others, estimator=_first_estimator)


def _first_estimator() -> "Pipeline":
    from sklearn.compose import ColumnTransformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.feature_selection import VarianceThreshold
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import OrdinalEncoder

    categories = [name for name in model.features.names("categorical") if name in _FIRST_INPUTS]
    numbers = [name for name in model.features.names("numeric", "boolean") if name in _FIRST_INPUTS]
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, min_frequency=20)
    encode = ColumnTransformer([("categories", ordinal, categories), ("numbers", "passthrough", numbers)])
    trees = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_iter=100,
        max_leaf_nodes=15,
        l2_regularization=1.0,
        class_weight="balanced",
        early_stopping=False,
        random_state=0,
    )
    return Pipeline([("encode", encode), ("drop_constant", VarianceThreshold()), ("classify", trees)])


def answered(contest: Contest, by: Model) -> Answer:
    """By a model of ours, fitted anew for each fold."""
    began, used, found = time.perf_counter(), cpu_seconds(), np.empty_like(contest.common)
    for training, unseen in contest.split:
        found[unseen] = predicted(by, fit(by, contest.rows.iloc[training]), contest.rows.iloc[unseen])
    # The first one's weights make its probabilities evidence already.
    evidence = found / contest.common if by.learns_from else found
    return Answer(found, evidence, time.perf_counter() - began, cpu_seconds() - used)


def dummy(contest: Contest) -> Answer:
    shares = np.array([(contest.truth == level).mean() for level in LEVELS])
    found = np.tile(shares, (len(contest.rows), 1))
    return Answer(found, found)


def answered_by_peer(contest: Contest, script: Path, seconds: float, folder: Path) -> Answer:
    """Rows go to the peer and its answer comes back as Parquet. Raises Failed."""
    fold = np.empty(len(contest.rows), dtype=np.intp)
    for number, (_, unseen) in enumerate(contest.split):
        fold[unseen] = number
    given, answer = folder / "rows.parquet", folder / f"{script.stem}.parquet"
    known = inputs(model.features, contest.rows, model.inputs)
    group = contest.rows[model.features.group].astype(str)
    added = pd.DataFrame({"level": contest.truth, "group": group, "fold": fold})
    pd.concat([known, added], axis=1).to_parquet(given)
    # A fold in which the search lasts as long as it may, and what a busy machine adds.
    patience = len(contest.split) * (3 * seconds + 300)
    cost = measured([python_for(script), script, given, answer, str(seconds)], _ONE_THREAD, patience=patience)
    found = pd.read_parquet(answer)[list(LEVELS)].to_numpy()
    return Answer(found, found / contest.common, cost.seconds, cost.cpu)


def row(name: str, answer: Answer, contest: Contest) -> results.Row:
    found = {what: scores(_SCORED, contest.truth, answer.by(what), [score])[score] for what, score in _SCORES.items()}
    return {
        "what": name,
        **{what: f"{score:.3f}" for what, score in found.items()},
        "CPU s": answer.cpu,
        "seconds": answer.seconds,
    }


def leads(name: str, ours: Answer, other: Answer, contest: Contest) -> results.Row:
    """How much better ours is, by each score, with the interval that holds it in 95 of 100 cases."""
    of = {what: _difference(ours.by(what), other.by(what), contest, score) for what, score in _SCORES.items()}
    return {
        "ours is better than": name,
        **{what: f"{one.difference:.3f} ({one.low:.3f}, {one.high:.3f})" for what, one in of.items()},
    }


def _difference(ours: Floats, other: Floats, contest: Contest, score: str) -> Difference:
    pairs = Pairs(contest.truth, ours, other, contest.rows[model.features.group].to_numpy())
    return compare(replace(_SCORED, metrics=(score,)), pairs).scores[score]


def tables(
    contest: Contest, answers: Mapping[str, Answer], failed: Mapping[str, str], title: str
) -> list[results.Found]:
    ours = answers[model.name]
    missing = [{"what": name, "note": why} for name, why in failed.items()]
    others = {name: answer for name, answer in answers.items() if name != model.name}
    return [
        results.Found(
            title,
            [*(row(name, answer, contest) for name, answer in answers.items()), *missing],
            "The level named is that whose probability is highest compared with how common it is, of all but the first"
            " model, whose weights do the same. Log loss and RPS: lower is better.",
        ),
        results.Found(
            "How much better the vulnerability model is on the same households",
            [leads(name, ours, answer, contest) for name, answer in others.items()],
            "Positive is better, whatever the score; 95 % intervals by a bootstrap over surveys.",
        ),
    ]


def main(
    seconds: Annotated[float, typer.Option(help="Each peer's time for a fold.")] = 60,
    data: Annotated[Path, typer.Option(help="Folder of the real surveys.")] = households.REAL,
) -> None:
    """Compares the scores on surveys not seen, prints tables and writes the figures.

    Example: python -m benchmarks.models --seconds 20
    """
    console = results.screen(stderr=True)
    try:
        with console.status("the real surveys go through intake and dbt"):
            contest = Contest.of(households.real(data))
    except FileNotFoundError as missing:
        raise SystemExit(f"nothing to compare on: {missing}") from None
    answers, failed = {}, {}
    contenders: dict[str, Callable[[], Answer]] = {
        model.name: lambda: answered(contest, model),
        FIRST: lambda: answered(contest, first_model()),
        DUMMY: lambda: dummy(contest),
    }
    with TemporaryDirectory(prefix="lastmile-models-") as folder:
        for name, script in AUTOMATIC.items():
            contenders[name] = lambda script=script: answered_by_peer(
                contest, PEERS / f"{script}.py", seconds, Path(folder)
            )
        for name, contend in contenders.items():
            with console.status(name):
                try:
                    answers[name] = contend()
                    console.print(f"[dim]{name}: {answers[name].seconds:,.0f} s", highlight=False)
                except Failed as why:
                    failed[name] = str(why)
    surveys = contest.rows[model.features.group].nunique()
    title = f"{len(contest.rows):,} households of {surveys} surveys in {len(contest.split)} folds, {seconds:g} s a fold"
    results.publish("models", tables(contest, answers, failed, title), results.computer(), results.screen())


if __name__ == "__main__":
    typer.run(main)
