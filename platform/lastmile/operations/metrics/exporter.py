"""The endpoint that Prometheus scrapes for all but the API, served by the watcher's process."""

from prometheus_client import CollectorRegistry, start_http_server

from lastmile.settings import Settings


def serve(settings: Settings, port: int) -> None:  # noqa: ARG001  # what is shown of it comes next
    """Answer `/metrics` on 127.0.0.1 from a thread, until the process ends."""
    start_http_server(port, "127.0.0.1", CollectorRegistry(auto_describe=False))
