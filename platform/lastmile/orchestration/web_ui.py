"""Dagster's web UI as a process of `lastmile up`: `python -m lastmile.orchestration.web_ui <workspace.yaml> <options>`.

It is imported while the code server loads the code, and answers once that is there to be shown.
"""

import sys
from pathlib import Path

from lastmile.orchestration.code_reload import await_code_server
from lastmile.orchestration.dagster_compat.webserver import serve

if __name__ == "__main__":
    workspace, *options = sys.argv[1:]
    await_code_server(Path(workspace))
    serve(workspace, options)
