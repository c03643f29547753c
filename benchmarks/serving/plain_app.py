"""A plain FastAPI app around the scikit-learn pipeline, as one writes it first: a row, a frame, `predict_proba`.

python plain_app.py model.pkl <port>
"""

import pickle
import sys
from typing import Any

import pandas as pd
import uvicorn
from fastapi import FastAPI

with open(sys.argv[1], "rb") as file:  # noqa: PTH123  # as one writes it
    model = pickle.load(file)  # noqa: S301  # our own file

app = FastAPI()


@app.get("/ready")
def ready() -> str:
    return "ready"


@app.post("/predict")
def predict(row: dict[str, Any]) -> dict[str, Any]:
    found = model.predict_proba(pd.DataFrame([row]))[0]
    return dict(zip(map(str, model.classes_), map(float, found), strict=True))


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
