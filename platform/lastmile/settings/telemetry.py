"""Traces and logs: where traces are sent, by the variables of OpenTelemetry, and how processes log."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

from lastmile.settings.group import variable

Level = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True)
class TelemetrySettings:
    """Nothing is traced unless an endpoint is set."""

    endpoint: str | None = variable(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "The collector of traces, by OTLP over HTTP; nothing is traced where not set.",
        None,
        example="http://127.0.0.1:4318",
    )
    traces_endpoint: str | None = variable(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "The whole URL that traces are sent to, in place of the collector's own.",
        None,
        example="http://127.0.0.1:4318/v1/traces",
    )
    headers: str | None = variable(
        "OTEL_EXPORTER_OTLP_HEADERS",
        "Headers of each request to the collector, such as its key.",
        None,
        secret=True,
        example="authorization=Bearer%20...",
    )
    timeout: float | None = variable(
        "OTEL_EXPORTER_OTLP_TIMEOUT", "Seconds until a collector that does not answer is given up; 5 if not set.", None
    )
    is_disabled: bool = variable("OTEL_SDK_DISABLED", "Whether nothing is traced whatever else is set.", False)
    sampler: str = variable(
        "OTEL_TRACES_SAMPLER", "Which traces are kept, such as parentbased_traceidratio.", "parentbased_always_on"
    )
    sampler_argument: str | None = variable(
        "OTEL_TRACES_SAMPLER_ARG", "What the sampler needs, such as the share of traces.", None, example="0.1"
    )
    log_format: Literal["text", "json"] = variable(
        "LASTMILE_LOG_FORMAT", "How processes log to standard error; their files have JSON always.", "text"
    )
    log_level: Level = variable("LASTMILE_LOG_LEVEL", "The least that is logged.", "info")

    @property
    def url(self) -> str | None:
        """Where traces are sent; None where nothing is traced."""
        if self.is_disabled:
            return None
        return self.traces_endpoint or (f"{self.endpoint.rstrip('/')}/v1/traces" if self.endpoint else None)

    def header_values(self) -> dict[str, str]:
        pairs = (pair.split("=", 1) for pair in (self.headers or "").split(",") if "=" in pair)
        return {name.strip().lower(): unquote(value.strip()) for name, value in pairs}
