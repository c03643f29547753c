"""How datasets and models stand, where the API is scraped: the same families as the exporter's."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType
from typing import Any

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector

from lastmile.operations.metrics.datasets import datasets, records_waiting
from lastmile.operations.metrics.models import monitored


class _Found(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        return self._families


def exposition(
    standing: Mapping[str, Mapping[str, Any]],
    models: Sequence[Mapping[str, Any]] = (),
    records: Mapping[str, int] = MappingProxyType({}),
) -> bytes:
    """The text of a scrape, from what `lastmile.operations.status.datasets`, `learning.monitoring.found.newest` and
    `submissions.gathering.waiting` say."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Found(chain(datasets(standing), records_waiting(records), monitored(models))))
    return generate_latest(registry)
