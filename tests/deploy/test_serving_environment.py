"""The dependencies of a process that only predicts are a group of their own: small, and enough."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import PROJECT

from lastmile.serving.app import PREDICTIONS

#: What an image of it grows with; it is about 220.
MOST_MB = 300
PROGRAM = f"""
import json, sys
import lastmile.serving.server  # all that the program itself imports
from lastmile.serving.app import make_app
from lastmile.serving.state import Serving
app = make_app(Serving.from_environment(), {PREDICTIONS!r})
print(json.dumps({{"paths": [*app.openapi()["paths"]], "modules": [*sys.modules]}}))
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from uv import find_uv_bin

    folder = tmp_path_factory.mktemp("serving") / "environment"
    words = ["sync", "--quiet", "--locked", "--only-group", "serving", "--no-install-project"]
    variables = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    subprocess.run(
        [find_uv_bin(), *words, "--python", sys.executable],
        cwd=PROJECT,
        env=variables | {"UV_PROJECT_ENVIRONMENT": str(folder), "UV_PYTHON_DOWNLOADS": "never"},
        check=True,
    )
    return folder


def test_the_process_that_only_predicts_starts_in_a_small_environment(environment: Path, home: Path) -> None:
    size = sum(file.stat().st_size for file in environment.rglob("*") if file.is_file() and not file.is_symlink())
    assert size < MOST_MB * 10**6
    variables = os.environ | {
        "PYTHONPATH": str(PROJECT / "platform"),
        "LASTMILE_HOME": str(home),
        "LASTMILE_PROJECT": str(PROJECT),
        "LASTMILE_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere",
    }
    command = [environment / "bin" / "python", "-c", PROGRAM]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert "/api/v1/models/{name}/predict" in found["paths"]
    assert {"pandas", "sklearn", "dagster", "polars", "pandera"}.isdisjoint(found["modules"])
