"""What a process counts of its predictions, for Prometheus."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from lastmile.serving.predictions.loaded import Loaded

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 10_000)


class Predicted:
    """Metrics on the registry of the process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._predictions = Counter("lastmile_predictions", "Rows predicted.", ["model", "version"], registry=registry)
        self._seconds = Histogram(
            "lastmile_prediction_seconds",
            "From a request's arrival to its answer.",
            ["model"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._rows = Histogram(
            "lastmile_prediction_run_rows", "Rows of one run of a model.", buckets=_ROWS, registry=registry
        )
        self._loaded = Gauge(
            "lastmile_model_loaded", "1: the version that answers.", ["model", "version"], registry=registry
        )
        self._lost = Counter(
            "lastmile_answers_lost", "Rows of the log that found no place while the database was away.",
            registry=registry,
        )  # fmt: skip

    def answered(self, model: str, counts: Mapping[str, int], seconds: float) -> None:
        for version, count in counts.items():
            self._predictions.labels(model, version).inc(count)
        self._seconds.labels(model).observe(seconds)

    def run(self, rows: int) -> None:
        self._rows.observe(rows)

    def loaded(self, loaded: Loaded) -> None:
        self._loaded.clear()
        for name, served in loaded.models.items():
            if served.champion:
                self._loaded.labels(name, served.champion.version).set(1)

    def lost(self, rows: int) -> None:
        self._lost.inc(rows)
