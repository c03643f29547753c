"""Dagster's own command line works on the project as it is, without a database or a platform that is up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from checkout import PROJECT

from lastmile.embedded.services import LOCATION

DG = str(Path(sys.executable).parent / "dg")


@pytest.fixture(scope="module")
def dg(tmp_path_factory):
    """Run `dg` in a fresh process in the checkout; what it printed."""
    own = ("LASTMILE_", "DAGSTER_", "DBT_", "PG")
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    home = {"LASTMILE_HOME": str(tmp_path_factory.mktemp("dg") / "home"), "COLUMNS": "200"}

    def run(*arguments):
        done = subprocess.run([DG, *arguments], cwd=PROJECT, env=surroundings | home, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    return run


def test_dg_checks_the_definitions(dg):
    assert "All definitions loaded successfully" in dg("check", "defs")


def test_dg_lists_the_definitions(dg):
    listed = dg("list", "defs", "--json")
    for name in ("cleaned/hhinfo", "marts/fct_household_year", "landing", "automation"):
        assert f'"{name}"' in listed


def test_the_location_has_one_name_since_the_cursors_of_sensors_hang_on_it():
    import tomllib

    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    (location,) = yaml.safe_load((PROJECT / "workspace.yaml").read_text())["load_from"]
    assert project["code_location_name"] == location["python_module"]["location_name"] == LOCATION
    assert project["code_location_target_module"] == location["python_module"]["module_name"]
