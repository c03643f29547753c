"""What starts quickly because it imports little: found out in a fresh process."""

import json
import subprocess
import sys

TAKING_A_DROP = """
import json, sys
import lastmile.cli.app, lastmile.cli.drop
import lastmile.ingestion.discovery.listing, lastmile.ingestion.worker, lastmile.store
from lastmile.contracts import load_contracts
load_contracts("assets")
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def test_uploading_and_ingesting_a_drop_imports_neither_dagster_nor_dbt_nor_scikit_learn():
    done = subprocess.run([sys.executable, "-c", TAKING_A_DROP], capture_output=True, text=True, check=True)
    # pandera imports hypothesis where it is installed; a user's installation does not have it
    heavy = {"dagster", "dbt", "dagster_dbt", "sklearn", "matplotlib", "boto3", "fastapi"}
    assert heavy.isdisjoint(json.loads(done.stdout))


def imported(*modules: str) -> set[str]:
    """Packages that a fresh process has after importing these."""
    code = f"import json, sys; import {', '.join(modules)}; print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


def test_the_help_of_the_command_line_imports_nothing_but_itself():
    heavy = {"dagster", "dbt", "pandas", "polars", "pandera", "alembic", "sqlalchemy", "numpy", "pyarrow", "grpc"}
    assert heavy.isdisjoint(imported("lastmile.cli.app"))


def test_status_reload_and_what_waits_for_drops_need_neither_dagster_nor_pandas(home):
    modules = (
        "lastmile.embedded.faults", "lastmile.orchestration.code_reload", "lastmile.orchestration.ticks",
        "lastmile.orchestration.dagster_compat.code_server", "lastmile.operations.status", "lastmile.warehouse.migrate",
        "lastmile.cli.progress.apart", "lastmile.embedded.session",
    )  # fmt: skip
    assert {"dagster", "pandas", "polars", "pandera", "alembic", "sqlalchemy"}.isdisjoint(imported(*modules))


def test_the_processes_of_an_idle_platform_hold_only_what_they_need():
    heavy = {"dagster", "pandas", "pandera", "polars", "sqlalchemy"}
    assert heavy.isdisjoint(imported("lastmile.serving.app", "lastmile.serving.server"))
    assert heavy.isdisjoint(imported("lastmile.orchestration.dagster_compat.code_proxy"))
    assert {"pandas", "pandera", "polars", "boto3"}.isdisjoint(imported("lastmile.orchestration.runs.daemon"))


def test_what_knows_the_declarations_imports_neither_scikit_learn_nor_matplotlib_nor_dask():
    found = imported(
        "lastmile.learning.declarations.loading", "lastmile.learning.report_data", "lastmile.learning.plots"
    )
    assert {"sklearn", "skops", "matplotlib", "dask"}.isdisjoint(found)
