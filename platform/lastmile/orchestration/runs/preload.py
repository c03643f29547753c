"""The libraries that most runs need, imported once by the fork server of their workers: those have them from the start.

Nothing of the project is among them: each worker imports that anew, so a run is always of the code as it is. Raises
RuntimeError where a library cannot be forked: the server then ends, and workers are started without it.
"""

import gc
import os
from importlib import import_module
from pathlib import Path

from lastmile.orchestration.forks.threads import refuse_threads

LIBRARIES = (
    "dagster", "dagster_dbt", "dagster_postgres", "dbt.adapters.postgres", "dbt.cli.main", "matplotlib.figure",
    "matplotlib.backends.backend_agg", "obstore", "pandas", "pandera.polars", "pgpq", "polars", "psycopg",
    "pyarrow.parquet", "python_calamine", "sklearn.ensemble", "sklearn.model_selection", "sklearn.tree", "skops.io",
)  # fmt: skip


def _warm_dbt() -> None:
    """dbt's classes write the code that reads them when they are first read: 1.3 CPU-s, which each run would spend."""
    from dbt.adapters.postgres.connections import PostgresCredentials
    from dbt.contracts.graph.manifest import Manifest
    from dbt.contracts.project import ProfileConfig, Project, ProjectFlags

    for kind in (PostgresCredentials, ProfileConfig, Project, ProjectFlags):
        kind.json_schema()
    parsed = Path(os.environ.get("LASTMILE_HOME", ""), "dbt").glob("*/target/partial_parse.msgpack")
    if newest := max(parsed, key=lambda file: file.stat().st_mtime, default=None):
        Manifest.from_msgpack(newest.read_bytes())


gc.disable()
for library in LIBRARIES:
    import_module(library)
_warm_dbt()
gc.collect()
refuse_threads()
