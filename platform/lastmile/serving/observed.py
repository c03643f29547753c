"""What a process of the API counts of itself, for Prometheus: requests by route and status, and how long they took."""

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, generate_latest

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Observed:
    """The metrics of one process. Further ones are made on its `registry`."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # else a second series for each
        self.registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "lastmile_api_requests", "Requests answered.", ["method", "route", "status"], registry=self.registry
        )
        self._seconds = Histogram(
            "lastmile_api_request_seconds",
            "From a request's arrival to the end of its answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=self.registry,
        )

    def request(self, route: str, method: str, status: int, seconds: float) -> None:
        """`route` is the path with its parameters unnamed, such as `/api/v1/jobs/{id}`: never a value."""
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def exposition(self) -> bytes:
        return generate_latest(self.registry)
