"""`lastmile api`: by itself, with a database started for it and stopped after it."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from checkout import PROJECT
from end_to_end.installation import wait_for

from lastmile.embedded import postgres
from lastmile.embedded.processes import free_port

LASTMILE = Path(sys.executable).parent / "lastmile"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_and_takes_its_database_with_it_when_it_is_stopped(home, tmp_path, how):
    port, said = free_port(), tmp_path / "said"
    with said.open("w") as output:
        process = subprocess.Popen([LASTMILE, "api", "--port", str(port)], cwd=PROJECT, stdout=output, stderr=output)
    try:
        wait_for(lambda: is_ready(port), 60)
        process.send_signal(how)
        assert process.wait(30) == 0, said.read_text()
        assert postgres.running(home / "postgres") is None
    finally:
        process.kill()
    assert re.search(r"first admin's secret, shown this once: \S{20,}", said.read_text())


def is_ready(port):
    try:
        return httpx.get(f"http://127.0.0.1:{port}/api/v1/health/ready").is_success
    except httpx.HTTPError:
        return False
