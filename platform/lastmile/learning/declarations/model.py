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
from typing import Any

from lastmile.learning.declarations.feature_set import FeatureSet


@dataclass(frozen=True)
class Classification:
    """A level for each row. `question` is answered yes by the levels in `positive`, as in "vulnerable"."""

    #: Values of the target; where they are `ordered`, best first.
    levels: tuple[str, ...]
    ordered: bool = False
    question: str | None = None
    positive: tuple[str, ...] = ()

    def metrics(self) -> tuple[str, ...]:
        asked = (f"pr_auc_{self.question}",) if self.question else ()
        return ("balanced_accuracy", "pr_auc_macro", "pr_auc_weighted", *asked)

    def probability_columns(self) -> list[str]:
        """`probability_on_track` for the level `On Track`, in the levels' order."""
        return [f"probability_{re.sub(r'[^a-z0-9]+', '_', level.lower())}" for level in self.levels]

    def faults(self) -> list[str]:
        strangers = sorted(set(self.positive) - set(self.levels))
        faults = [f"positive levels {strangers} are not among its levels"] if strangers else []
        if bool(self.question) != bool(self.positive):
            faults.append("a question needs positive levels, and they a question")
        return faults


@dataclass(frozen=True)
class Regression:
    """A number for each row, in `unit`."""

    unit: str | None = None

    def metrics(self) -> tuple[str, ...]:
        return ("r2_score", "mean_absolute_error")

    def faults(self) -> list[str]:
        return []


@dataclass(frozen=True)
class Grouped:
    """Folds that keep groups whole: scores say how the model does on a new group."""

    folds: int = 5


@dataclass(frozen=True)
class ByTime:
    """Folds that train on earlier partitions and are scored on the next: scores say how it does on what comes."""

    folds: int = 5


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
    #: `pr_auc_macro`, `pr_auc_weighted`, `pr_auc_<question>`, `balanced_accuracy`, or the name of a function of
    #: `sklearn.metrics` that takes true and predicted values; none: those usual for the task.
    metrics: tuple[str, ...] = ()
    #: Types in the fitted estimator beyond scikit-learn's own, such as "lightgbm.sklearn.LGBMClassifier": an artifact
    #: with any other type is not loaded.
    trusted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        faults = self.task.faults()
        if self.target not in self.features.targets:
            faults.append(f"target {self.target!r} is none of {self.features.name}'s targets {self.features.targets}")
        if faults:
            raise ValueError(f"model {self.name}: {'; '.join(faults)}")

    @property
    def table(self) -> str:
        return f"predictions.{self.name}"

    def score_names(self) -> tuple[str, ...]:
        """Names of the metrics it is scored by."""
        return self.metrics or self.task.metrics()
