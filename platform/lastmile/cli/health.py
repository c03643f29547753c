"""`lastmile health`: whether each process lives and is ready, for people and for the probes of a cluster."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from lastmile.settings import Settings


def health(
    process: Annotated[
        str | None,
        typer.Argument(
            help="code-server, api, webserver, watcher, daemon, workers, streams or database; all unless given"
        ),
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Whether it lives: if not, start it again.")] = False,
    ready: Annotated[bool, typer.Option("--ready", help="Whether it is ready, which is what is looked at.")] = False,
    port: Annotated[int | None, typer.Option(help="Where it answers, if `lastmile up` has not started it.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")] = False,
) -> None:
    """Look whether a process is ready, or all are; the exit code is 1 if not, and the output says what to do.

    It starts nothing and takes a fraction of a second, so a cluster may run it as a probe.

    Example: lastmile health daemon --live
    """
    from lastmile.embedded.database import find_url
    from lastmile.operations.health.health import health as look

    if live and ready:
        raise typer.BadParameter("choose --live or --ready")
    settings = Settings.from_environment()
    findings = list(look(settings, find_url(settings), process, live, port))
    healthy = all(finding.ok for finding in findings)
    if as_json:
        print(json.dumps({"ok": healthy, "checks": [asdict(finding) for finding in findings]}))
    else:
        for finding in findings:
            print(f"{finding.process:<12} {'ok   ' if finding.ok else 'wrong'} {finding.found}")
    if not healthy:
        raise typer.Exit(1)
