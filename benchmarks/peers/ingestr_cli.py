# /// script
# dependencies = ["ingestr<1"]
# ///
"""ingestr's command line. Version 1 and later fetch their program from outside the package registry."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from timing import work

CSV, URL, TABLE = sys.argv[1:]
PROGRAM = Path(sys.executable).parent / "ingestr"

with work(), TemporaryDirectory() as home:
    command = [PROGRAM, "ingest", "--yes", "--progress", "log", "--pipelines-dir", home]
    command += ["--source-uri", f"csv://{CSV}", "--source-table", "survey"]
    command += ["--dest-uri", f"{URL}?sslmode=disable", "--dest-table", TABLE]
    quiet = {"DISABLE_TELEMETRY": "true", "TELEMETRY_OPTOUT": "true"}
    done = subprocess.run(command, env=os.environ | quiet, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
