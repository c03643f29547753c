"""Next to a platform that is up, other tools work with what `lastmile env` prints, and change nothing of its work."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from checkout import PROJECT
from end_to_end.installation import answers, graphql, wait_for

from lastmile.embedded import postgres
from lastmile.embedded.processes import free_port

BIN = Path(sys.executable).parent


def shell(platform, command, timeout=600):
    """What a command prints in a shell in the project, after `eval "$(lastmile env)"`."""
    script = f'set -e\neval "$(lastmile env)"\n{command}'
    surroundings = platform.environment | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        ["sh", "-c", script], cwd=PROJECT, env=surroundings, capture_output=True, text=True, timeout=timeout
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_same_variables_come_for_a_shell_for_dotenv_and_as_json(platform):
    variables = json.loads(platform.run("env", "--json"))
    assert variables["LASTMILE_HOME"] == str(platform.home)
    assert {"LASTMILE_DATABASE_URL", "LASTMILE_STORE_URL", "DAGSTER_HOME", "PGPASSWORD", "DBT_PROFILES_DIR"} <= {
        *variables
    }
    assert json.loads(platform.run("env", "--format", "json")) == variables
    printed = shell(platform, f"{sys.executable} -c 'import json, os; print(json.dumps(dict(os.environ)))'")
    assert variables.items() <= json.loads(printed).items()
    from dotenv import dotenv_values

    file = platform.home.parent / "dotenv"
    file.write_text(platform.run("env", "--format", "dotenv"))
    assert dict(dotenv_values(file, interpolate=False)) == variables


def test_psql_asks_the_warehouse(platform):
    psql = shutil.which("psql") or postgres._program("psql")
    assert shell(platform, f"{psql} -Atc 'SELECT hhid FROM raw.lstk ORDER BY hhid'").split() == ["small_1", "small_2"]


def test_dbt_works_in_a_schema_of_its_own(platform):
    assert "Completed successfully" in shell(platform, "dbt run --no-use-colors --select stg_lstk")
    assert platform.query("SELECT count(*) FROM pg_views WHERE schemaname LIKE 'dbt\\_%'") == [1]


def test_a_notebook_reaches_definitions_data_and_store(platform):
    cell = (
        "from assets.definitions import defs; platform = defs.resources['platform'];"
        "import polars as pl;"
        "opened = platform.connect(); connection = opened.__enter__();"  # left alone, `opened` would close it
        "print(connection.execute('SELECT count(*) FROM raw.lstk').fetchone()[0], platform.store().url)"
    )
    assert shell(platform, f'{sys.executable} -c "{cell}"').split()[0] == "2"


def test_dagster_dev_shows_the_platforms_runs_and_leaves_its_daemons_work(platform):
    runs = platform.query("SELECT count(*) FROM dagster.runs")
    heartbeat = platform.query("SELECT daemon_id FROM dagster.daemon_heartbeats WHERE daemon_type = 'SENSOR'")
    port = free_port()
    script = f'eval "$(lastmile env)"; exec dagster dev -w workspace.yaml -p {port}'
    log = platform.home / "logs" / "dagster-dev.log"
    surroundings = platform.environment | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    with log.open("w") as output:
        dev = subprocess.Popen(
            ["sh", "-c", script], cwd=PROJECT, env=surroundings, stdout=output, stderr=output, start_new_session=True
        )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(address), 300)
        found = graphql(address, "{ runsOrError { ... on Runs { count } } workspaceOrError { ... on Workspace {"
                        " locationEntries { name loadStatus } } } }")  # fmt: skip
        assert found["runsOrError"]["count"] == runs[0]
        assert found["workspaceOrError"]["locationEntries"] == [{"name": "lastmile", "loadStatus": "LOADED"}]
        launched = graphql(address, LAUNCH)["launchPipelineExecution"]
        run = launched["run"]["runId"]
        wait_for(lambda: platform.query(f"SELECT status FROM dagster.runs WHERE run_id = '{run}'") == ["SUCCESS"], 300)
        time.sleep(40)  # Dagster's daemons say every 30 seconds who they are
        assert platform.query("SELECT count(*) FROM dagster.runs") == [runs[0] + 1]
        after = platform.query("SELECT daemon_id FROM dagster.daemon_heartbeats WHERE daemon_type = 'SENSOR'")
        assert after == heartbeat
        for said in (log.read_text(), platform.logs()):
            assert not re.search("Another .* daemon is still sending heartbeats", said)
    finally:
        os.killpg(dev.pid, signal.SIGINT)
        dev.wait(60)


LAUNCH = """mutation { launchPipelineExecution(executionParams: {mode: "default", selector: {
  repositoryLocationName: "lastmile", repositoryName: "__repository__", pipelineName: "clean_up"}})
  { __typename ... on LaunchRunSuccess { run { runId } } ... on Error { message } } }"""
