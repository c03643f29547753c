"""A collector of traces: OTLP over HTTP as OpenTelemetry defines it, on 127.0.0.1, which keeps what it is sent."""

import gzip
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

ERROR = 2


@dataclass
class Received:
    """A span as a backend would show it."""

    name: str
    trace: str
    span: str
    parent: str
    process: str
    seconds: float
    attributes: Mapping[str, Any]
    links: list[str]
    error: str | None


@dataclass
class Receiver:
    url: str
    spans: list[Received] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    flush: Callable[[], Any] = lambda: None

    def named(self, name: str, **attributes: Any) -> list[Received]:
        return [
            one
            for one in list(self.spans)
            if one.name == name and all(one.attributes.get(key) == value for key, value in attributes.items())
        ]

    def by_id(self) -> dict[str, Received]:
        return {one.span: one for one in list(self.spans)}

    def way(self, span: Received) -> list[str]:
        """The names from the root of its trace to the span."""
        known = self.by_id()
        names = [span.name]
        while (parent := known.get(span.parent)) is not None:
            span = parent
            names.insert(0, span.name)
        return names


@contextmanager
def receiving(answer: Callable[[], int] = lambda: 200) -> Iterator[Receiver]:
    """A collector that answers each request with this status."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            received.headers.append(dict(self.headers.items()))
            status = answer()
            if status == 200:
                received.spans.extend(_spans(ExportTraceServiceRequest.FromString(body)))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        received = Receiver(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield received
        finally:
            server.shutdown()


def _spans(request: ExportTraceServiceRequest) -> Iterator[Received]:
    for resource in request.resource_spans:
        process = _values(resource.resource.attributes)["lastmile.process"]
        for scope in resource.scope_spans:
            for one in scope.spans:
                yield Received(
                    one.name,
                    one.trace_id.hex(),
                    one.span_id.hex(),
                    one.parent_span_id.hex(),
                    process,
                    (one.end_time_unix_nano - one.start_time_unix_nano) / 1e9,
                    _values(one.attributes),
                    [link.trace_id.hex() for link in one.links],
                    one.status.message if one.status.code == ERROR else None,
                )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@contextmanager
def tracing(process: str = "test", **settings: Any) -> Iterator[Receiver]:
    """This process's spans are sent to a collector, which has all of them once `flush` has been called."""
    from lastmile.settings.telemetry import TelemetrySettings
    from lastmile.telemetry.spans import listen, mute
    from lastmile.telemetry.traces import Traces, provider

    with receiving() as receiver:
        sent = provider(process, TelemetrySettings(endpoint=receiver.url, **settings))
        receiver.flush = sent.force_flush
        traces = Traces(sent.get_tracer("tests"))
        listen(traces)
        try:
            yield receiver
        finally:
            mute(traces)
            sent.shutdown()
