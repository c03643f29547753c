"""One training on a frame of labelled households, as a process of its own: ours, or plain scikit-learn's.

python -m benchmarks.fitting ours|plain FILE [--folds 5]
"""

import argparse
from pathlib import Path

import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold

from assets.household_survey.models.vulnerability import model
from benchmarks.peers.timing import work
from lastmile.learning.evaluation.evaluation import train_and_evaluate
from lastmile.learning.frames import content
from lastmile.learning.registry.snapshots import as_parquet
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


def plain(file: Path, folds: int) -> None:
    """The estimator fitted on all rows, and again for each fold of whole groups, which it predicts."""
    rows = pd.read_parquet(file)
    given, number, truth = inputs(model.features, rows, model.inputs), learned(model, rows), target(model, rows)
    groups = rows[model.features.group].to_numpy()
    del rows
    with work() as said:
        model.estimator().fit(given, number, groups=groups)
        split = StratifiedGroupKFold(folds).split(truth, truth, groups) if folds else ()
        for training, unseen in split:
            fitted = model.estimator().fit(given.iloc[training], number[training], groups=groups[training])
            fitted.predict_proba(given.iloc[unseen])
        said["used"] = len(given)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contender", choices=("ours", "plain"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--folds", type=int, default=5)
    options = parser.parse_args()
    if options.contender == "ours":
        ours(options.file)
    else:
        plain(options.file, options.folds)


if __name__ == "__main__":
    main()
