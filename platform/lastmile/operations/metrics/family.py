"""Families of metrics from rows of a query: each row has the values of the labels, then the value."""

from collections.abc import Iterable, Sequence
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

Row = Sequence[Any]


def gauge(name: str, text: str, labels: Sequence[str], rows: Iterable[Row]) -> GaugeMetricFamily:
    """What may fall as well as rise. A row without a value has no sample."""
    family = GaugeMetricFamily(f"lastmile_{name}", text, labels=labels)
    _fill(family, rows)
    return family


def counter(name: str, text: str, labels: Sequence[str], rows: Iterable[Row]) -> CounterMetricFamily:
    """What only rises; its name ends with `_total` in a scrape."""
    family = CounterMetricFamily(f"lastmile_{name}", text, labels=labels)
    _fill(family, rows)
    return family


def _fill(family: GaugeMetricFamily | CounterMetricFamily, rows: Iterable[Row]) -> None:
    for *labels, value in rows:
        if value is not None:
            family.add_metric([str(label) for label in labels], float(value))
