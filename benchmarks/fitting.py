"""One training on a frame of labelled households, as a process of its own: ours, or plain scikit-learn's.

python -m benchmarks.fitting ours|plain FILE
"""

import argparse
from pathlib import Path

import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import StratifiedGroupKFold

from assets.household_survey.models.vulnerability import model
from benchmarks.peers.timing import cpu_seconds, work
from lastmile.learning.evaluation.evaluation import train_and_evaluate
from lastmile.learning.frames import as_parquet, content
from lastmile.learning.training.fitting import inputs, labelled, learned, target
from lastmile.learning.training.preparation import prepare


def ours(file: Path) -> None:
    """What the platform does with a frame of features, up to the files of a version."""
    rows = pd.read_parquet(file)
    with work() as said:
        known = labelled(model, rows)
        said["version"] = content(known)
        prepared = prepare(model, known)
        trained = train_and_evaluate(model, prepared.rows)
        said["bytes"] = sum(len(as_parquet(frame)) for frame in (known, trained.held_out))
        said["used"] = len(prepared.rows)


def plain(file: Path) -> None:
    """The estimator fitted on all rows, and again for each fold of whole groups, which it predicts. Its trees get every
    row there is; ours draws some."""
    rows = pd.read_parquet(file)
    given, number, truth = inputs(model.features, rows, model.inputs), learned(model, rows), target(model, rows)
    groups = rows[model.features.group].to_numpy()
    estimator = model.estimator().set_params(regressor__regressor__most=len(rows))
    del rows
    with work() as said:
        began = cpu_seconds()
        clone(estimator).fit(given, number, groups=groups)
        said["cpu_of_a_fit"] = cpu_seconds() - began
        for training, unseen in StratifiedGroupKFold(5).split(truth, truth, groups):
            fitted = clone(estimator).fit(given.iloc[training], number[training], groups=groups[training])
            fitted.predict_proba(given.iloc[unseen])
        said["used"] = len(given)


CONTENDERS = {"ours": ours, "plain": plain}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contender", choices=CONTENDERS)
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    CONTENDERS[options.contender](options.file)


if __name__ == "__main__":
    main()
