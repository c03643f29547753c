"""The libraries that most runs need, imported once by the fork server of their workers: those have them from the start.

Nothing of the project is among them: each worker imports that anew, so a run is always of the code as it is. Raises
RuntimeError where a library cannot be forked: the server then ends, and workers are started without it.
"""

import gc
import os
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from lastmile.orchestration.forks.threads import refuse_threads
from lastmile.settings.group import load
from lastmile.settings.telemetry import TelemetrySettings

LIBRARIES = (
    "dagster", "dagster_dbt", "dagster_postgres", "dbt.adapters.postgres", "dbt.cli.main", "obstore", "pandas",
    "pandera.polars", "pgpq", "polars", "prometheus_client", "psycopg", "pyarrow.parquet", "python_calamine",
    "sklearn.ensemble", "sklearn.model_selection", "sklearn.tree", "skops.io",
)  # fmt: skip


def _warm_dbt() -> None:
    """dbt's classes write the code that reads them when they are first read, and its macros are compiled when they are
    first called: 2.3 CPU-s, which each run would spend."""
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest
    from dbt_common.clients.jinja import template_cache

    parsed = Path(os.environ.get("LASTMILE_HOME", ""), "dbt").glob("*/target/partial_parse.msgpack")
    newest = max(parsed, key=lambda file: file.stat().st_mtime, default=None)
    if newest is None:
        return
    manifest, project = Manifest.from_msgpack(newest.read_bytes()), str(newest.parent.parent)
    places = ["--project-dir", project, "--profiles-dir", project]
    with TemporaryDirectory(prefix="dbt-") as folder:
        places += ["--target-path", folder, "--log-path", folder]
        quietly = ["--log-level", "none", "--log-level-file", "none", "--no-send-anonymous-usage-stats"]
        dbtRunner(manifest).invoke(["list", "--no-write-json", *quietly, *places])
    for macro in manifest.macros.values():
        template_cache.get_node_template(macro)


#: Where traces are sent.
TRACING = ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "opentelemetry.sdk.trace.export")

gc.disable()
for library in (*LIBRARIES, *(TRACING if load(TelemetrySettings).url else ())):
    import_module(library)
_warm_dbt()
gc.collect()
refuse_threads()
