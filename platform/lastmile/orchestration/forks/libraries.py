"""The libraries that the code server, the daemon and the web UI need, imported once for all of them.

Nothing of the project is among them: what is forked imports that anew, so a reload is always of the code as it is.
"""

import gc
from importlib import import_module

from lastmile.orchestration.dagster_compat.preloading import MODULES
from lastmile.orchestration.forks.threads import refuse_threads
from lastmile.settings.group import load
from lastmile.settings.telemetry import TelemetrySettings

LIBRARIES = (
    "dagster", "dagster_dbt", "dagster_postgres", "dbt.graph.cli",
    "dbt.graph.selector", "obstore", "pandera.backends.polars.builtin_checks", "pandera.polars", "pgpq", "polars",
    "prometheus_client", "psycopg", "yaml",
)  # fmt: skip

#: Where traces are sent: 0.2 CPU-s of each run otherwise.
TRACING = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk.trace.export")

gc.disable()  # collecting while everything stays costs a tenth of the imports; what is forked collects again
for library in (*LIBRARIES, *MODULES, *(TRACING if load(TelemetrySettings).url else ())):
    import_module(library)
refuse_threads()
