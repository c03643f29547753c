"""A process refuses to start with a setting that cannot be, in one go and without a traceback."""

import os
import subprocess
import sys

import pytest

WRONG = {"LASTMILE_RATE_LIMIT": "often", "LASTMILE_PROFILE": "both", "LASTMILE_STORE_ULR": "s3://b"}
PROCESSES = {
    "api": ["lastmile.serving", "3999"],
    "web UI": ["lastmile.serving.web_ui", "workspace.yaml"],
    "daemon": ["lastmile.orchestration.runs", "workspace.yaml"],
    "code server": ["lastmile.orchestration.code_server", "3999"],
}


@pytest.mark.parametrize("process", PROCESSES)
def test_a_process_names_all_faults_and_ends(process, tmp_path):
    environment = os.environ | WRONG | {"LASTMILE_HOME": str(tmp_path)}
    command = [sys.executable, "-m", *PROCESSES[process]]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert "LASTMILE_RATE_LIMIT is 'often': expected a number per time, such as 500/second" in ended.stderr
    assert "LASTMILE_PROFILE is 'both': expected cluster or single" in ended.stderr
    assert "LASTMILE_STORE_ULR is not known; did you mean LASTMILE_STORE_URL?" in ended.stderr
    assert "Traceback" not in ended.stderr
