"""Traces by OpenTelemetry: every span, sent by OTLP over HTTP in the background, sampled as OTEL_TRACES_SAMPLER says.

Imported only where traces are to be sent. What is sent is never waited for by the work: where the collector is away,
spans are dropped.
"""

import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from lastmile.settings.telemetry import TelemetrySettings
from lastmile.telemetry.spans import Place, move, place

#: A collector that answers later is away.
_SECONDS = 5
_KINDS = {
    "serving.request": SpanKind.SERVER,
    "run.requested": SpanKind.PRODUCER,
    "run.work": SpanKind.CONSUMER,
}
_RESERVED = {"links", "problem", "began", "only_counted"}
_LONGEST = 500
_NOWHERE = Context()

State = tuple[Span, Place | None]


class Traces:
    """Makes spans of OpenTelemetry; the span at hand is the place of this context."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def started(self, name: str, attributes: Mapping[str, Any]) -> State | None:
        if attributes.get("only_counted"):
            return None
        parent = place()
        span = self._tracer.start_span(
            name,
            _context(parent),
            SpanKind.CLIENT if name.startswith("db.") else _KINDS.get(name, SpanKind.INTERNAL),
            links=_links(attributes.get("links", ())),
            start_time=_nanoseconds(attributes["began"]) if "began" in attributes else None,
        )
        found = span.get_span_context()
        move(Place(f"{found.trace_id:032x}", f"{found.span_id:016x}", found.trace_flags.sampled))
        return span, parent

    def ended(
        self, state: State | None, _: str, attributes: Mapping[str, Any], seconds: float, error: BaseException | None
    ) -> None:
        if state is None:
            return
        span, parent = state
        move(parent)
        if span.is_recording():
            span.set_attributes({key: one for key, one in attributes.items() if _is_shown(key, one)})
            problem = _said(error) if error else attributes.get("problem")
            if problem:
                span.set_status(Status(StatusCode.ERROR, str(problem)[:_LONGEST]))
            if error:
                span.set_attribute("error.type", type(error).__name__)
        began = attributes.get("began")
        span.end(None if began is None else _nanoseconds(began + seconds))


def provider(process: str, settings: TelemetrySettings) -> TracerProvider:
    """Sends what its tracers make; `shutdown` sends the rest."""
    attributes: dict[str, str | int] = {
        "service.namespace": "lastmile",
        "lastmile.process": process,
        "process.pid": os.getpid(),
        "host.name": socket.gethostname(),
    }
    if not os.environ.get("OTEL_SERVICE_NAME"):
        attributes["service.name"] = f"lastmile-{process}"
    exporter = OTLPSpanExporter(settings.url, headers=settings.header_values(), timeout=settings.timeout or _SECONDS)
    found = TracerProvider(resource=Resource.create(attributes), shutdown_on_exit=False)
    found.add_span_processor(BatchSpanProcessor(exporter))
    return found


def _context(parent: Place | None) -> Context:
    return set_span_in_context(NonRecordingSpan(_span_context(parent)), _NOWHERE) if parent else _NOWHERE


def _span_context(of: Place) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if of.is_sampled else TraceFlags.DEFAULT)
    return SpanContext(int(of.trace, 16), int(of.span, 16), is_remote=True, trace_flags=flags)


def _links(carried: Sequence[str]) -> list[Link]:
    return [Link(_span_context(found)) for one in carried if (found := Place.read(one))]


def _is_shown(key: str, value: Any) -> bool:
    return key not in _RESERVED and isinstance(value, bool | int | float | str)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
