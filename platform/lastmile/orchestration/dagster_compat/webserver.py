"""Dagster's webserver, in a process of ours, with something of ours in front of it."""

from collections.abc import Callable, Sequence
from typing import Any

from dagster_webserver import cli as dagster_cli
from dagster_webserver.webserver import DagsterWebserver
from starlette.requests import HTTPConnection

from lastmile.orchestration.dagster_compat.pacing import watch_code_servers_less_often
from lastmile.orchestration.dagster_compat.storage import check_connections

App = Callable[..., Any]


class _Webserver(DagsterWebserver[Any, Any]):
    """Requests whose scope says `lastmile.read_only` get a context in which Dagster's own permissions are a viewer's,
    so that buttons are off and mutations refused."""

    def _make_request_context(self, conn: HTTPConnection) -> Any:
        context = super()._make_request_context(conn)
        if conn.scope.get("lastmile.read_only"):
            context._read_only = True
        return context


def serve(workspace: str, options: Sequence[str], guarded: Callable[[App], App]) -> None:
    """Answer for the code locations of the workspace file until interrupted; `options` are the command's own.

    The app is what `guarded` makes of Dagster's.
    """

    def create_app(context: Any, prefix: str = "", poll_rate: int | None = None, **more: Any) -> App:
        check_connections(context.instance)  # else the first page after a restart of the database is an error
        return guarded(_Webserver(context, prefix, poll_rate).create_asgi_app(**more))

    setattr(dagster_cli, "create_app_from_workspace_process_context", create_app)  # noqa: B010  # mypy knows its type
    watch_code_servers_less_often()
    dagster_cli.cli(["--workspace", workspace, *options], prog_name="dagster-webserver")
