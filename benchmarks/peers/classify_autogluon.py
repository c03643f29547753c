# /// script
# dependencies = ["autogluon.tabular[lightgbm,xgboost,catboost]>=1.4", "pyarrow>=20"]
# ///
"""AutoGluon on levels, by log loss, bagged by whole groups within the training rows: for each fold, so many seconds."""

import sys
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor
from timing import work

ROWS, TO, SECONDS = sys.argv[1], sys.argv[2], float(sys.argv[3])
#: It leaves one group out at a time, which would be a fit for each of some fifty surveys.
_PARTS = 5

rows = pd.read_parquet(ROWS)
levels = sorted(rows["level"].unique())
group = rows["group"].astype("category").cat.codes
order = np.random.default_rng(0).permutation(group.nunique())
given = rows.drop(columns=["group", "fold"]).assign(part=order[group] % _PARTS)
found = np.zeros((len(rows), len(levels)))

with work(), TemporaryDirectory() as folder:
    for fold in sorted(rows["fold"].unique()):
        training = (rows["fold"] != fold).to_numpy()
        predictor = TabularPredictor(
            "level",
            problem_type="multiclass",
            eval_metric="log_loss",
            groups="part",
            path=f"{folder}/{fold}",
            verbosity=0,
        )
        predictor.fit(
            given[training],
            time_limit=SECONDS,
            num_cpus=1,
            num_gpus=0,
            ag_args_ensemble={"fold_fitting_strategy": "sequential_local"},
        )
        shares = predictor.predict_proba(given[~training].drop(columns=["level", "part"]))
        found[np.ix_(~training, [levels.index(level) for level in shares])] = shares
    pd.DataFrame(found, columns=levels).to_parquet(TO)
