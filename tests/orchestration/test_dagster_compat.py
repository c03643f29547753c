"""A release of Dagster that renames what we use beyond its public names is noticed here, and only here is it used."""

import ast
import logging
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from checkout import PROJECT
from dagster_dbt import DbtCliResource
from dagster_private import asset_daemon, controller, execute_backfill_iteration_loop, sensor, workspace_of

from lastmile.errors import UserError
from lastmile.orchestration.dagster_compat import code_loading, daemon, graphql
from lastmile.orchestration.dagster_compat.client_instance import ClientInstance
from lastmile.orchestration.dagster_compat.dbt import DbtCommand
from lastmile.orchestration.dagster_compat.launching import CheckRunHealthResult, RunLauncher, WorkerStatus
from lastmile.orchestration.dagster_compat.storage import DagsterPostgresException, DagsterSqliteStorage
from lastmile.orchestration.runs.launcher import LocalRunLauncher

COMPAT = PROJECT / "platform" / "lastmile" / "orchestration" / "dagster_compat"
#: Packages whose every name is Dagster's own affair, apart from what their top level offers.
INTERNAL = ("dagster_shared", "dagster_graphql", "dagster_webserver")
#: Top levels of integrations whose other modules are their own affair; `dagster_aws` documents its modules.
INTEGRATIONS = ("dagster_dbt", "dagster_postgres")


def imported(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)
        elif isinstance(node, ast.Constant) and re.fullmatch(r"dagster\w*(\.\w+)+", str(node.value)):
            yield str(node.value)  # a module that is imported by its name


def is_private(name: str) -> bool:
    package, _, rest = name.partition(".")
    if package == "dagster":
        return rest.startswith("_")
    return package in INTERNAL or (package in INTEGRATIONS and "." in rest)


def test_no_other_module_imports_a_private_name_of_dagster():
    files = [*(PROJECT / "platform").rglob("*.py"), *(PROJECT / "assets").rglob("*.py")]
    found = {
        f"{file.relative_to(PROJECT)}: {name}"
        for file in files
        if COMPAT not in file.parents
        for name in imported(file)
        if is_private(name)
    }
    assert found == set()


@pytest.mark.parametrize(
    ("name", "private"),
    [
        ("dagster.Definitions", False),
        ("dagster._core.events.EngineEventData", True),
        ("dagster_dbt.DbtCliResource", False),
        ("dagster_dbt.errors.DagsterDbtError", True),
        ("dagster_graphql.cli.execute_query", True),
        ("dagster_aws.s3.S3Resource", False),
    ],
)
def test_a_private_name_is_known_as_one(name, private):
    assert is_private(name) == private


class Stopped(threading.Event):
    """Set after the first wait, whose seconds it keeps."""

    waited = 0.0

    def wait(self, timeout=None):
        self.waited = timeout or 0.0
        self.set()
        return True


@pytest.fixture
def empty(tmp_path):
    """An instance with a code location that has nothing in it."""
    file = tmp_path / "location.py"
    file.write_text("import dagster as dg\ndefs = dg.Definitions()\n")
    with dg.DagsterInstance.local_temp() as instance, workspace_of(instance, file) as workspace:
        yield workspace


@pytest.fixture
def pace(monkeypatch):
    """Dagster's constants as they were, when the test is over."""
    for module, constant in (
        (controller, "DEFAULT_DAEMON_INTERVAL_SECONDS"),
        (sensor, "MIN_INTERVAL_LOOP_TIME"),
        (asset_daemon, "MIN_INTERVAL_LOOP_SECONDS"),
    ):
        monkeypatch.setattr(module, constant, getattr(module, constant))
    return monkeypatch


def seconds_between(iterations, stopped):
    """How long a daemon waits after its first look."""
    for _ in iterations:
        if stopped.is_set():
            break
    return stopped.waited


def test_the_interval_of_backfills_is_the_one_set(empty, pace):
    daemon.set_backfill_interval(2)
    stopped, log = Stopped(), logging.getLogger()
    assert 1 < seconds_between(execute_backfill_iteration_loop(empty, log, stopped), stopped) <= 2


@pytest.mark.parametrize("seconds", [1, 5])
def test_the_interval_of_sensors_is_the_one_set_while_the_daemon_runs(empty, pace, seconds):
    daemon.set_sensor_interval(seconds)
    stopped, log = Stopped(), logging.getLogger()
    loop = sensor.execute_sensor_iteration_loop(empty, log, stopped)
    assert seconds - 1 < seconds_between(loop, stopped) <= seconds
    stopped = Stopped()
    automation = asset_daemon.AssetDaemon({}, pre_sensor_interval_seconds=30)
    assert seconds - 1 < seconds_between(automation.core_loop(empty, stopped), stopped) <= seconds


def test_a_renamed_constant_costs_the_pace_only(pace, caplog):
    pace.delattr(controller, "DEFAULT_DAEMON_INTERVAL_SECONDS")
    daemon.set_backfill_interval(2)
    assert "keeps its own pace" in caplog.text
    assert not hasattr(controller, "DEFAULT_DAEMON_INTERVAL_SECONDS")


def test_the_launcher_is_one_that_dagster_asks_about_its_workers():
    assert issubclass(LocalRunLauncher, RunLauncher)
    assert RunLauncher.check_run_worker_health is not LocalRunLauncher.check_run_worker_health
    assert CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id="1").status == WorkerStatus.RUNNING


def test_dbt_is_run_without_the_steps_that_are_left_out():
    assert {"_cli_version", "_initialize_dbt_core_adapter"} <= {*DbtCliResource.cli.__code__.co_names}
    assert vars(DbtCommand)["_cli_version"].func(None).major == 1
    assert DbtCommand._initialize_dbt_core_adapter(None, []) is None


def test_graphql_answers_in_this_process_and_reports_a_query_that_does_not_fit(empty):
    workspace = graphql.Workspace(empty)
    runs = "query { runsOrError { ... on Runs { count } } }"
    assert workspace.execute(runs, {}) == {"runsOrError": {"count": 0}}
    with pytest.raises(RuntimeError, match="Cannot query field 'nothing'"):
        workspace.execute("query { nothing }", {})


def test_what_is_handed_down_is_nothing_where_no_code_server_loaded_the_code():
    assert code_loading.handed_down("anything") is None


def test_a_failing_database_has_an_error_of_its_own():
    assert issubclass(DagsterPostgresException, Exception)


def dagster_home(folder: Path, more: str = "") -> Path:
    (folder / "dagster.yaml").write_text((PROJECT / "dagster.yaml").read_text() + more)
    return folder


def test_without_a_home_dagster_keeps_its_state_in_a_temporary_folder(tmp_path, monkeypatch):
    for name in ("LASTMILE_DAGSTER_URL", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    with dg.DagsterInstance.from_config(str(dagster_home(tmp_path))) as instance:
        storage = instance.get_ref().storage
        assert isinstance(storage, DagsterSqliteStorage)
        assert instance.get_runs() == []


def test_a_process_of_an_installation_needs_its_database_and_says_how_to_name_it(tmp_path, monkeypatch):
    monkeypatch.delenv("LASTMILE_DAGSTER_URL", raising=False)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with pytest.raises(UserError, match="lastmile env"):
        dg.DagsterInstance.from_config(str(dagster_home(tmp_path)))


def test_the_daemon_of_a_tool_next_to_the_platform_starts_nothing_and_sends_no_heartbeats(tmp_path, monkeypatch):
    from lastmile.embedded.services import CLIENT

    for name in ("LASTMILE_DAGSTER_URL", "DAGSTER_HOME"):
        monkeypatch.delenv(name, raising=False)
    with dg.DagsterInstance.from_config(str(dagster_home(tmp_path, CLIENT))) as instance:
        assert isinstance(instance, ClientInstance)
        daemons = controller.create_daemons_from_instance(instance)
        assert [one.daemon_type() for one in daemons] == ["MONITORING"]
        (monitoring,) = daemons
        monitoring._check_add_heartbeat(instance, "its own", 30, 300)
        assert instance.get_daemon_heartbeats() == {}
    with dg.DagsterInstance.from_config(str(dagster_home(tmp_path))) as instance:
        (monitoring,) = [
            one for one in controller.create_daemons_from_instance(instance) if one.daemon_type() == "MONITORING"
        ]
        monitoring._check_add_heartbeat(instance, "the platform's", 30, 300)
        assert instance.get_daemon_heartbeats()["MONITORING"].daemon_id == "the platform's"
