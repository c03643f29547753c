"""How datasets and models stand, as Prometheus reads it. All are gauges: a newer object takes rows away."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

#: Name and text of each metric with a value per dataset: where the value is found.
_PER_DATASET = {
    "backlog_drops": ("Drops found and not yet ingested.", "backlog"),
    "lag_seconds": ("How long the oldest waiting drop has been waiting; 0 where none waits.", "lag_seconds"),
    "late_drops": ("Drops that came after the end of their partition.", "late"),
    "lateness_seconds": ("How long after the end of its partition the latest drop came.", "lateness_seconds"),
    "newest_drop_age_seconds": ("Age of the newest drop.", "newest_age_seconds"),
    "failed_drops": ("Drops that failed or are missing, and are not discarded.", "failures"),
    "removed_drops": ("Drops whose object clean-up has removed from the landing area.", "removed"),
}


class _Standing(Collector):
    def __init__(self, datasets: Mapping[str, Mapping[str, Any]]) -> None:
        self._datasets = datasets

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield self._family("drops", "Drops by state.", "state", "drops")
        yield self._family("rows", "Rows of the drops in force, by what became of them.", "outcome", "rows")
        yield self._family(
            "undecided", "Rows, and whole drops, quarantined and neither released nor discarded.", "what", "undecided"
        )
        for name, (text, part) in _PER_DATASET.items():
            family = GaugeMetricFamily(f"lastmile_{name}", text, labels=["dataset"])
            for dataset, found in self._datasets.items():
                family.add_metric([dataset], found[part])
            yield family

    def _family(self, name: str, text: str, label: str, part: str) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"lastmile_{name}", text, labels=["dataset", label])
        for dataset, found in self._datasets.items():
            _add(family, dataset, found[part].items())
        return family


def _add(family: GaugeMetricFamily, dataset: str, counts: Iterable[tuple[str, int]]) -> None:
    for label, count in counts:
        family.add_metric([dataset, label], count)


class _Monitoring(Collector):
    """Of the newest partition of each model."""

    def __init__(self, models: Sequence[Mapping[str, Any]]) -> None:
        self._models = models

    def collect(self) -> Iterator[GaugeMetricFamily]:
        for name, text, part in (
            ("model_drifted_inputs", "Inputs that drifted from what the champion was trained on.", "drifted"),
            ("model_predictions_drifted", "1: predictions drifted.", "predictions"),
            ("model_performance_fell", "1: worse than in evaluation, beyond luck.", "performance_fell"),
            ("model_score", "Of rows that the champion was not trained on, by its own metric.", "score"),
        ):
            family = GaugeMetricFamily(f"lastmile_{name}", text, labels=["model"])
            for found in self._models:
                if found[part] is not None:
                    family.add_metric([found["name"]], float(found[part]))
            yield family


class _Waiting(Collector):
    def __init__(self, records: Mapping[str, int]) -> None:
        self._records = records

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily("lastmile_records_waiting", "Records accepted, in no drop yet.", labels=["dataset"])
        for dataset, count in self._records.items():
            family.add_metric([dataset], count)
        yield family


def exposition(
    datasets: Mapping[str, Mapping[str, Any]],
    models: Sequence[Mapping[str, Any]] = (),
    records: Mapping[str, int] = MappingProxyType({}),
) -> bytes:
    """The text of a scrape, from what `lastmile.operations.status.datasets`, `learning.monitoring.found.newest` and
    `submissions.gathering.waiting` say."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Standing(datasets))
    registry.register(_Waiting(records))
    registry.register(_Monitoring(models))
    return generate_latest(registry)
