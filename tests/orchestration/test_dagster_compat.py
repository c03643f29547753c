"""A release of Dagster that renames what we use beyond its public names is noticed here, and only here is it used."""

import ast
import inspect
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from checkout import PROJECT
from dagster_dbt import DbtCliInvocation, DbtCliResource
from dagster_private import controller, server_watcher, workspace_of

from lastmile.errors import UserError
from lastmile.orchestration.dagster_compat import code_loading, daemon, graphql, pacing
from lastmile.orchestration.dagster_compat.client_instance import ClientInstance
from lastmile.orchestration.dagster_compat.dbt import DbtCommand
from lastmile.orchestration.dagster_compat.launching import CheckRunHealthResult, RunLauncher, WorkerStatus
from lastmile.orchestration.dagster_compat.storage import DagsterPostgresException, DagsterSqliteStorage
from lastmile.orchestration.runs.launcher import LocalRunLauncher
from lastmile.warehouse.dbt.in_process import InProcess

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


@pytest.fixture
def empty(tmp_path):
    """An instance with a code location that has nothing in it."""
    file = tmp_path / "location.py"
    file.write_text("import dagster as dg\ndefs = dg.Definitions()\n")
    with dg.DagsterInstance.local_temp() as instance, workspace_of(instance, file) as workspace:
        yield workspace


@pytest.mark.parametrize(
    "kind", ["SENSOR", "ASSET", "BACKFILL", "QUEUED_RUN_COORDINATOR", "MONITORING", "EVENT_LOG_CONSUMER"]
)
def test_a_loop_of_the_daemon_waits_as_it_is_told_and_then_sees_that_it_is_to_end(empty, tmp_path, kind):
    waits, stopped = [], threading.Event()

    def wait(loop, seconds):
        waits.append((loop, seconds))
        stopped.set()

    with dg.DagsterInstance.local_temp(str(tmp_path), overrides=QUEUE) as instance:
        (one,) = daemon.paced([controller.create_daemon_of_type(kind, instance)], wait)
        for _ in one.core_loop(empty, stopped):
            if stopped.is_set():
                break
    ((loop, seconds),) = waits
    assert loop == kind
    assert 0 < seconds <= 30


QUEUE = {"run_coordinator": {"module": "dagster._core.run_coordinator", "class": "QueuedRunCoordinator"}}


def test_the_loop_of_the_schedules_keeps_the_wait_until_the_next_minute():
    scheduler = controller.SchedulerDaemon()
    (same,) = daemon.paced([scheduler], lambda loop, seconds: None)
    assert "core_loop" not in vars(same)


def test_what_watches_the_code_servers_and_loads_them_anew_is_slower_than_dagster_has_it():
    assert controller.RELOAD_WORKSPACE_INTERVAL < daemon.RELOAD_SECONDS
    assert server_watcher.WATCH_INTERVAL < pacing.WATCH_SECONDS


def test_a_renamed_constant_costs_the_pace_only(caplog):
    pacing.set_constant(controller, "NO_SUCH_INTERVAL", 2)
    assert "keeps its own pace" in caplog.text
    assert not hasattr(controller, "NO_SUCH_INTERVAL")


def test_the_launcher_is_one_that_dagster_asks_about_its_workers():
    assert issubclass(LocalRunLauncher, RunLauncher)
    assert RunLauncher.check_run_worker_health is not LocalRunLauncher.check_run_worker_health
    assert CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id="1").status == WorkerStatus.RUNNING


def test_dagster_dbt_selects_models_as_we_let_it_and_reads_of_a_process_what_ours_has():
    ours = {"extract_runtime_selection_from_args", "get_updated_cli_invocation_params_for_context"}
    assert ours <= {*DbtCliResource.cli.__code__.co_names}
    assert vars(DbtCommand)["_cli_version"].func(None).major == 1
    read = {*re.findall(r"self\.process\.(\w+)", inspect.getsource(DbtCliInvocation))}
    assert {"stdout", "wait"} <= read <= {*dir(InProcess), "args", "returncode", "stdout"}


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
