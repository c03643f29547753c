"""How the datasets stand, as Prometheus reads it. All are gauges: a newer version of an object takes rows away."""

from collections.abc import Iterable, Iterator, Mapping
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


def exposition(datasets: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The text of a scrape, from what `lastmile.operations.status.datasets` says."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Standing(datasets))
    return generate_latest(registry)
