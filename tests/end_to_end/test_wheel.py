"""From a wheel to a table, far from any checkout: install, `lastmile init`, a drop, `lastmile up --once`.

The environment has the wheel and nothing else of this checkout; the packages the wheel depends on are lent by the
environment of the tests, so nothing is downloaded.
"""

import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from checkout import PROJECT

from lastmile.embedded import postgres

Run = Callable[..., str]


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with the wheel installed."""
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder / "dist"]
    subprocess.run(build, cwd=PROJECT, check=True, capture_output=True)
    (wheel,) = (folder / "dist").glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel]
    subprocess.run(uv, check=True, capture_output=True)
    (packages,) = (folder / "venv").glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib"))
    dbt = python.with_name("dbt")
    dbt.write_text(f"#!{python}\nfrom dbt.cli.main import cli\n\ncli()\n")
    dbt.chmod(0o755)
    return python


@pytest.fixture(scope="module")
def run(python: Path) -> Run:
    """Runs a program of that environment, and gives what it printed; nothing of the tests' environment is set."""
    ours = ("LASTMILE_", "DAGSTER_", "DBT_", "PG", "PYTHONPATH", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}

    def run(program: str, *arguments: str, cwd: Path) -> str:
        command = [str(python.with_name(program)), *arguments]
        done = subprocess.run(
            command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=500, check=False
        )
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="module")
def project(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What `lastmile init` makes, with everything stopped at the end."""
    folder = tmp_path_factory.mktemp("elsewhere")
    run("lastmile", "init", "mydir", cwd=folder)
    yield folder / "mydir"
    run("lastmile", "down", cwd=folder / "mydir")


def test_the_wheel_carries_the_engine_and_no_content_of_this_checkout(run: Run, tmp_path: Path) -> None:
    where = "import lastmile, importlib.util as u; print(lastmile.__file__, u.find_spec('assets'))"
    file, assets = run("python", "-c", where, cwd=tmp_path).split(" ", 1)
    assert not Path(file).is_relative_to(PROJECT)
    assert assets.strip() == "None"


def test_a_drop_becomes_rows_and_a_table_in_a_project_elsewhere(run: Run, project: Path) -> None:
    (project / "visits.csv").write_text("visit,persons,village\nv1,3,Gao\nv2,5,Mopti\n")
    run("lastmile", "drop", "visits.csv", "--dataset", "visits", "--partition", "2024", cwd=project)
    run("lastmile", "up", "--once", cwd=project)
    with postgres.started(project / ".lastmile" / "postgres") as url, psycopg.connect(url) as connection:
        visits = connection.execute("SELECT visit, persons, village FROM raw.visits ORDER BY visit").fetchall()
        summary = connection.execute("SELECT year, visits, persons FROM marts.summary_visits_year").fetchall()
    assert visits == [("v1", 3, "Gao"), ("v2", 5, "Mopti")]
    assert summary == [(2024, 2, 8)]


def test_a_developer_s_dbt_finds_the_sources_and_the_engine_s_macros(run: Run, project: Path) -> None:
    model = project / "dbt_project" / "models" / "marts" / "visits_of_the_window.sql"
    model.write_text("select * from {{ source('raw', 'visits') }} where {{ in_window('_partition_start') }}")
    assert "PASS=1" in run("lastmile", "dbt", "build", "--select", "visits_of_the_window", cwd=project)
    model.unlink()


def test_dg_and_the_doctor_find_nothing_wrong(run: Run, project: Path) -> None:
    check = "import sys; from dagster_dg_cli.cli import main; sys.argv = ['dg', 'check', 'defs']; main()"
    run("python", "-c", check, cwd=project)
    checks = json.loads(run("lastmile", "doctor", "--json", cwd=project))["checks"]
    assert str(project) in next(check["found"] for check in checks if check["check"] == "dagster")
