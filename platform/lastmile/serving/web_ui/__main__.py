"""Dagster's web UI as a process of `lastmile up`: `python -m lastmile.serving.web_ui <workspace.yaml> <options>`.

It is imported while the code server loads the code, and answers once that is there to be shown.
"""

import sys
from pathlib import Path

from lastmile import telemetry
from lastmile.orchestration.code_reload import await_code_server
from lastmile.orchestration.dagster_compat.webserver import serve
from lastmile.serving.state import Serving
from lastmile.serving.web_ui.guard import guarded

if __name__ == "__main__":
    telemetry.start("webserver")
    workspace, *options = sys.argv[1:]
    here = Serving.from_environment()
    await_code_server(Path(workspace))
    serve(workspace, options, guarded(here))
