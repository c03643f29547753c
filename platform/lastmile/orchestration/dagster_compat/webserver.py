"""Dagster's webserver, in a process of ours."""

from collections.abc import Sequence

from dagster_webserver.cli import cli

from lastmile.orchestration.dagster_compat.pacing import watch_code_servers_less_often


def serve(workspace: str, options: Sequence[str]) -> None:
    """Answer for the code locations of the workspace file until interrupted; `options` are the command's own."""
    watch_code_servers_less_often()
    cli(["--workspace", workspace, *options], prog_name="dagster-webserver")
