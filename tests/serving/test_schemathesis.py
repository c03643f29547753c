"""The API is as exact as its description says: what schemathesis makes of it finds no fault."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from marts import with_mart
from serving.conftest import NoDagster
from visits import Site


@pytest.fixture
def filled(site: Site, here: Any) -> None:
    site.arrive("a.csv", "v1,1,1,1,done", "v2,99,1,1,done")
    with_mart(site)
    here._engines["dagster"] = NoDagster()


@pytest.mark.usefixtures("filled")
def test_schemathesis_finds_nothing(api: Any, tmp_path: Path) -> None:
    """Streams, which end when a job does, are left out."""
    command = [
        *(Path(sys.executable).with_name("schemathesis"), "run", f"{api.url}/openapi.json"),
        *("--header", f"Authorization: Bearer {api.key('engineer')}"),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", "3", "--seed", "1"),
        *("--exclude-path-regex", "events$", "--no-color"),
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:]
