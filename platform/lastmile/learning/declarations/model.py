"""What a model declares: the estimator, what it learns from which feature set, and how it is evaluated.

def estimator() -> Pipeline:
    return make_pipeline(OrdinalEncoder(), HistGradientBoostingClassifier(learning_rate=0.05, random_state=0))

model = Model(
    name="yield",
    features=features,
    target="yield_level",
    task=Classification(("high", "middle", "low"), ordered=True, question="poor", positive=("low",)),
    estimator=estimator,
    ...
)
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from lastmile.learning.declarations.alerts import ModelAlerts
from lastmile.learning.declarations.feature_set import FeatureSet


@dataclass(frozen=True)
class Classification:
    """A level for each row. `question` is answered yes by the levels in `positive`, as in "vulnerable"."""

    #: Values of the target; where they are `ordered`, best first.
    levels: tuple[str, ...]
    ordered: bool = False
    question: str | None = None
    positive: tuple[str, ...] = ()
    #: How common each level is. The level named is then the one whose probability is highest next to it: the likeliest
    #: one, which is named without, is hardly ever a rare one.
    common: tuple[float, ...] = ()

    def metrics(self) -> tuple[str, ...]:
        """The first one is what versions are compared by: a proper score, so that probabilities count, too."""
        proper = ("ranked_probability_score", "log_loss") if self.ordered else ("log_loss",)
        agreement = ("quadratic_weighted_kappa",) if self.ordered else ()
        asked = (f"roc_auc_{self.question}", f"pr_auc_{self.question}") if self.question else ()
        return (*proper, *agreement, "balanced_accuracy", "accuracy", "pr_auc_macro", "pr_auc_weighted", *asked)

    def probability_columns(self) -> list[str]:
        """`probability_on_track` for the level `On Track`, in the levels' order."""
        return [f"probability_{re.sub(r'[^a-z0-9]+', '_', level.lower())}" for level in self.levels]

    def faults(self) -> list[str]:
        strangers = sorted(set(self.positive) - set(self.levels))
        faults = [f"positive levels {strangers} are not among its levels"] if strangers else []
        if bool(self.question) != bool(self.positive):
            faults.append("a question needs positive levels, and they a question")
        if self.common and (len(self.common) != len(self.levels) or min(self.common) <= 0):
            faults.append(f"`common` has a share above zero for each of its {len(self.levels)} levels, or is left out")
        return faults


@dataclass(frozen=True)
class Regression:
    """A number for each row, in `unit`, with an interval that holds it in a share `coverage` of new rows."""

    unit: str | None = None
    coverage: float = 0.9
    #: Where errors grow with the number, as of money: intervals are equally wide on a logarithmic scale.
    log: bool = False

    def metrics(self) -> tuple[str, ...]:
        """The first one is what versions are compared by."""
        return ("mean_absolute_error", "r2_score")

    def faults(self) -> list[str]:
        return [] if 0 < self.coverage < 1 else [f"coverage {self.coverage} is no share between 0 and 1"]


@dataclass(frozen=True)
class Grouped:
    """Folds that keep groups whole: scores say how the model does on a new group."""

    folds: int = 5


@dataclass(frozen=True)
class ByTime:
    """Folds that train on earlier partitions and are scored on the next: scores say how it does on what comes."""

    folds: int = 5


@dataclass(frozen=True)
class Promotion:
    """When a candidate replaces the champion: it is better by `metric` on rows that neither saw, and by luck that would
    be so in less than a share `alpha` of cases."""

    #: One of the model's metrics; the first one where none is named.
    metric: str | None = None
    alpha: float = 0.05


@dataclass(frozen=True)
class Floor:
    """What is wanted of a model in use, whatever it is compared with; below it the model is trained again."""

    value: float = 0.85
    #: Accuracy, of the answer to the question where there is one; R² of numbers.
    metric: str | None = None


@dataclass(frozen=True)
class Retraining:
    """What starts a training; the reason is shown with its run."""

    #: Labelled rows that are new or changed since the last one.
    new_rows: int = 50
    below_floor: bool = True
    drift: bool = True
    #: Since the last one, whatever happened; None for never.
    every: timedelta | None = timedelta(weeks=1)
    #: Between trainings that no new rows led to: what led to one may last.
    cooldown: timedelta = timedelta(days=1)


@dataclass(frozen=True)
class Search:
    """Hyper-parameters found by trials within each fold's training rows, never on rows that evaluate them.

    `space` is given an optuna trial and returns parameters for the estimator's `set_params`:

        lambda trial: {"classify__max_leaf_nodes": trial.suggest_int("leaves", 7, 63)}
    """

    space: Callable[[Any], dict[str, Any]]
    trials: int = 20
    #: Bound of one search; it ends with the best found by then.
    seconds: int = 120


@dataclass(frozen=True)
class Model:
    """Raises ValueError for a declaration that cannot work, naming every fault."""

    name: str
    description: str
    owner: str
    features: FeatureSet
    target: str
    task: Classification | Regression
    #: Returns an unfitted scikit-learn estimator with its hyper-parameters. It is given a pandas frame of the feature
    #: set's inputs: text without nulls ("(missing)"), and everything else as floats with NaN where unknown.
    estimator: Callable[[], Any]
    split: Grouped | ByTime = field(default_factory=Grouped)
    #: `ranked_probability_score`, `log_loss`, `quadratic_weighted_kappa`, `balanced_accuracy`, `pr_auc_macro`,
    #: `pr_auc_weighted`, `accuracy_<question>`, `roc_auc_<question>`, `pr_auc_<question>`, or the name of a function of
    #: `sklearn.metrics` that takes true and predicted values; none: those usual for the task.
    metrics: tuple[str, ...] = ()
    #: Types in the fitted estimator beyond scikit-learn's own, such as "lightgbm.sklearn.LGBMClassifier": an artifact
    #: with any other type is not loaded.
    trusted: tuple[str, ...] = ()
    #: The column that the estimator is fitted on, another target of the feature set, where levels are cuts of a number:
    #: the number says more. Its `predict_proba` still has a column per level, named in `classes_`.
    learns_from: str | None = None
    #: Inputs of the feature set that this model may not use, and quantities none of its inputs may be derived from.
    never: frozenset[str] = frozenset()
    promotion: Promotion = field(default_factory=Promotion)
    floor: Floor = field(default_factory=Floor)
    retraining: Retraining = field(default_factory=Retraining)
    search: Search | None = None
    #: The most important inputs are kept, so many; chosen within each fold's training rows.
    most_inputs: int | None = None
    #: Who may use its predictions, and for what; shown on its card.
    users: str = "Everyone with access to the platform."
    alerts: ModelAlerts = field(default_factory=ModelAlerts)

    def __post_init__(self) -> None:
        faults = self.task.faults()
        for column in filter(None, (self.target, self.learns_from)):
            if column not in self.features.targets:
                faults.append(f"target {column!r} is none of {self.features.name}'s targets {self.features.targets}")
        if self.promotion.metric not in (None, *self.score_names()):
            faults.append(f"promotion by {self.promotion.metric!r}, which is none of its metrics {self.score_names()}")
        if not self.inputs:
            faults.append("`never` leaves it no inputs")
        if faults:
            raise ValueError(f"model {self.name}: {'; '.join(faults)}")

    @property
    def table(self) -> str:
        return f"predictions.{self.name}"

    @property
    def inputs(self) -> list[str]:
        """The feature set's inputs that it may use, in declared order."""
        return [name for name in self.features.names() if name not in self.never]

    @property
    def compared_by(self) -> str:
        """The metric by which a candidate must be better."""
        return self.promotion.metric or self.score_names()[0]

    def score_names(self) -> tuple[str, ...]:
        """Names of the metrics it is scored by."""
        return self.metrics or self.task.metrics()
