"""Training a model compared with plain scikit-learn, on a million households.

    python -m benchmarks.training --rows 1000000

The households are a sample's that went through intake and dbt, their answers mixed into as many as wanted. Training is
what the platform does with a frame of features: near-copies are looked for, the estimator is fitted and evaluated on
surveys it has not seen, the version's rows and predictions become files. Plain scikit-learn fits the same estimator,
its trees on all rows, and again for each of five folds of whole surveys, which it predicts. Each is a process of its
own; time begins when the frame is in memory. Also written: `benchmarks/results/model_training.json`.
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from benchmarks import households, results
from benchmarks.comparing import PROJECT
from benchmarks.measuring import Cost, Failed, measured

CONTENDERS = {"training": "ours", "scikit-learn, a fit and five folds": "plain"}
BASE = "scikit-learn, a fit and five folds"
#: As many as a fit of ours has. More wait for each other in a spin on a busy machine, which doubles the CPU.
_ONE_THREAD = {"OMP_NUM_THREADS": "1"}
_PATIENCE_SECONDS = 7_200.0


def costs_of(file: Path) -> dict[str, Cost | Failed]:
    found: dict[str, Cost | Failed] = {}
    for name, contender in CONTENDERS.items():
        command = [sys.executable, "-m", "benchmarks.fitting", contender, file]
        try:
            found[name] = measured(command, _ONE_THREAD, patience=_PATIENCE_SECONDS, folder=PROJECT)
        except Failed as failed:
            found[name] = failed
    return found


def row(name: str, cost: Cost | Failed, base: Cost | Failed) -> results.Row:
    if isinstance(cost, Failed):
        return {"what": name, "note": f"failed: {cost}"}
    return {
        "what": name,
        "rows used": cost.said["used"],
        "CPU, scikit-learn = 1": None if isinstance(base, Failed) else cost.cpu / base.cpu,
        "CPU s": cost.cpu,
        "CPU s of the fit on all rows": cost.said.get("cpu_of_a_fit"),
        "seconds": cost.seconds,
        "peak MB": cost.peak_mb,
        "MB of imports and rows": cost.start_mb,
    }


def main(
    rows: Annotated[int, typer.Option(help="Households to train on.")] = 1_000_000,
    sample: Annotated[int, typer.Option(help="Households of the sample that these are mixed from.")] = 20_000,
) -> None:
    """Compares training with plain scikit-learn, prints a table and writes the figures.

    Example: python -m benchmarks.training --rows 100000
    """
    console = results.screen(stderr=True)
    with TemporaryDirectory(prefix="lastmile-training-") as name:
        folder = Path(name)
        with console.status("a sample goes through intake and dbt"):
            households.multiplied(households.sample(folder / "drops", sample), rows).to_parquet(folder / "rows.parquet")
        with console.status("training"):
            costs = costs_of(folder / "rows.parquet")
    title = f"Training on {rows:,} households of {len(households.features.names())} inputs"
    note = "Training fits on as many threads as there are cores, one for each fit; scikit-learn is on one: look at CPU."
    found = results.Found(title, [row(what, cost, costs[BASE]) for what, cost in costs.items()], note)
    results.publish("model_training", [found], results.computer(), results.screen())


if __name__ == "__main__":
    typer.run(main)
