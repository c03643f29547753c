# /// script
# dependencies = ["sling==1.4.11", "sling-linux-amd64==1.4.11"]
# ///
"""sling's command line. Later versions fetch their program from outside the package registry."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import sling_linux_amd64
from timing import work

CSV, URL, TABLE = sys.argv[1:]
PROGRAM = Path(sling_linux_amd64.__path__[0]) / "bin" / "sling-linux-amd64"

with work(), TemporaryDirectory() as home:
    command = [PROGRAM, "run", "--src-stream", f"file://{CSV}", "--tgt-conn", "WAREHOUSE", "--tgt-object", TABLE]
    places = {"WAREHOUSE": f"{URL}?sslmode=disable", "SLING_HOME_DIR": home, "SLING_DISABLE_TELEMETRY": "TRUE"}
    done = subprocess.run(command, env=os.environ | places, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
