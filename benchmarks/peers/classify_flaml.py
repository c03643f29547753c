# /// script
# dependencies = ["flaml>=2.3", "lightgbm>=4.6", "xgboost-cpu>=3.0", "scikit-learn>=1.7", "pandas>=2.3", "pyarrow>=20"]
# ///
"""FLAML on levels, by log loss, with folds of whole groups within the training rows: for each fold, so many seconds."""

import sys

import numpy as np
import pandas as pd
from flaml import AutoML
from timing import work

ROWS, TO, SECONDS = sys.argv[1], sys.argv[2], float(sys.argv[3])

rows = pd.read_parquet(ROWS)
given = rows.drop(columns=["level", "group", "fold"])
given = given.astype({name: "category" for name in given if not pd.api.types.is_numeric_dtype(given[name])})
levels = sorted(rows["level"].unique())
found = np.zeros((len(rows), len(levels)))

with work():
    for fold in sorted(rows["fold"].unique()):
        training = (rows["fold"] != fold).to_numpy()
        search = AutoML()
        search.fit(
            given[training],
            rows["level"][training],
            task="classification",
            metric="log_loss",
            time_budget=SECONDS,
            eval_method="cv",
            n_splits=5,
            split_type="group",
            groups=rows["group"][training].astype("category").cat.codes.to_numpy(),
            n_jobs=1,
            seed=0,
            verbose=0,
        )
        places = [levels.index(level) for level in search.classes_]
        found[np.ix_(~training, places)] = search.predict_proba(given[~training])
    pd.DataFrame(found, columns=levels).to_parquet(TO)
