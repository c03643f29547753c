# /// script
# dependencies = ["mlflow>=3.6", "scikit-learn==1.9.1", "pandera[polars]>=0.35", "psycopg[binary]>=3.2"]
# ///
"""The same pipeline by `mlflow models serve`, as its documentation says: `python serve_mlflow.py model.pkl <port>`."""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow.sklearn

with Path(sys.argv[1]).open("rb") as file:
    model = pickle.load(file)  # noqa: S301  # our own file

# It starts uvicorn by its name.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
with TemporaryDirectory(prefix="lastmile-mlflow-") as folder:
    path = f"{folder}/model"
    mlflow.sklearn.save_model(model, path, serialization_format="pickle", pyfunc_predict_fn="predict_proba")
    words = ["models", "serve", "-m", path, "-h", "127.0.0.1", "-p", sys.argv[2], "--env-manager", "local"]
    sys.exit(subprocess.call([sys.executable, "-m", "mlflow", *words, "--workers", "1"]))
