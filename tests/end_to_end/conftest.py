"""Copies of the project that tests add to, and code that runs in one."""

import os
import shutil
import subprocess
import sys

import polars as pl
import pytest
from checkout import PROJECT

DROP = """
import sys
from pathlib import Path
from lastmile.cli.drop import drop

drop([Path(sys.argv[1])], "air", sys.argv[2])
"""


@pytest.fixture
def project(tmp_path):
    """A copy of what the project runs from."""
    copy = tmp_path / "project"
    for name in ("assets", "platform", "dbt_project"):
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", "target", "logs"))
    shutil.copy(PROJECT / "pyproject.toml", copy)
    return copy


@pytest.fixture
def run(project, settings, database_url):
    """Run code in the copy, with this test's database and home."""
    variables = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(project), str(project / "platform")]),
        "LASTMILE_DATABASE_URL": database_url,
        "LASTMILE_HOME": str(settings.home),
    }

    def run(code, *arguments, timeout=200):
        command = [sys.executable, "-c", code, *arguments]
        done = subprocess.run(command, env=variables, cwd=project, capture_output=True, text=True, timeout=timeout)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


@pytest.fixture
def drop_hours(run, tmp_path):
    """Drop hours of a station, as texts, into the dataset `air`: a file a month, for the months of a spring."""

    def drop(hours):
        for month in ("2013-03", "2013-04", "2013-05"):
            of_month = hours.filter(pl.format("{}-{}", "year", pl.col("month").str.zfill(2)) == month)
            of_month.write_csv(tmp_path / f"{month}.csv")
            run(DROP, str(tmp_path / f"{month}.csv"), month)

    return drop
