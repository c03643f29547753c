"""How models stand: what monitoring found of each one's newest partition, and what was predicted."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import Metric

from lastmile.operations.metrics.family import gauge

_MONITORED = (
    ("model_drifted_inputs", "Inputs that drifted from what the champion was trained on.", "drifted"),
    ("model_predictions_drifted", "1: predictions drifted.", "predictions"),
    ("model_performance_fell", "1: worse than in evaluation, beyond luck.", "performance_fell"),
    ("model_score", "Of rows that the champion was not trained on, by its own metric.", "score"),
)


def monitored(models: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    """From what `learning.monitoring.found.newest` says."""
    for name, text, part in _MONITORED:
        yield gauge(name, text, ["model"], [(found["name"], found[part]) for found in models])


def in_use(models: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
    """From what `learning.registry.summary.scores_in_use` says."""
    rows = [(found["name"], found["version"], 1) for found in models]
    yield gauge("model_in_use", "1: the version in use.", ["model", "version"], rows)


def predicted(levels: Mapping[str, Mapping[str, int]]) -> Iterator[Metric]:
    """From what `learning.registry.summary.predictions_by_level` says."""
    rows = [(model, level, count) for model, found in levels.items() for level, count in found.items()]
    yield gauge("predicted_rows", "Rows in the table of predictions, by level.", ["model", "level"], rows)
