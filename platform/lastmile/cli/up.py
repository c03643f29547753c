"""`lastmile up`: start everything, let the sensor and the automation work, show how far they are, stop everything."""

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lastmile.embedded.kafka import PORT as KAFKA_PORT
from lastmile.embedded.kafka import declared_streams, given_servers
from lastmile.embedded.ports import API_PORT, UI_PORT, WATCH_PORT, Ports, choose
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.embedded.session import Session


class With(StrEnum):
    """What is started only where it is named."""

    KAFKA = "kafka"


def up(
    once: Annotated[
        bool, typer.Option("--once", help="Work through everything pending, without the web UI, then stop.")
    ] = False,
    port: Annotated[
        int | None,
        typer.Option(help=f"Port of the web UI (default: {UI_PORT}, or the next free one)", min=1, max=65535),
    ] = None,
    api_port: Annotated[
        int | None,
        typer.Option(help=f"Port of the HTTP API (default: {API_PORT}, or the next free one)", min=1, max=65535),
    ] = None,
    watch_port: Annotated[
        int | None,
        typer.Option(
            help=f"Port of the watcher, which alerts (default: {WATCH_PORT}, or the next free one)", min=1, max=65535
        ),
    ] = None,
    with_: Annotated[
        list[With] | None, typer.Option("--with", help="Also start a Kafka broker for the streams that are declared.")
    ] = None,
    kafka_port: Annotated[
        int | None,
        typer.Option(help="Port of the Kafka broker (default: 9092, or the next free one)", min=1, max=65535),
    ] = None,
) -> None:
    """Start the platform and carry every waiting drop to predictions and a report.

    An empty landing area is filled with sample drops first. Ctrl-C stops everything; running it again goes on where it
    was and repeats nothing. With --once the exit code is 0 only if all of it succeeded.

    Example: lastmile up --port 3001
    """
    from lastmile.cli.progress.apart import show_work_apart
    from lastmile.cli.progress.live import show_work, wait_for_work
    from lastmile.cli.sample import fill_empty_landing
    from lastmile.embedded.session import session
    from lastmile.settings.all import check
    from lastmile.settings.start import warn_of_unknown

    warn_of_unknown()
    check()
    settings, console = Settings.from_environment(), Console()
    ports = None if once else _ports(port, api_port, watch_port)
    streams, with_broker = _streams(console, settings, ports, With.KAFKA in (with_ or ()))
    if ports and with_broker:
        ports = replace(ports, kafka=choose(kafka_port, KAFKA_PORT, "--kafka-port", (ports.ui, ports.api, ports.watch)))
    console.print(f"starting the platform in {settings.home} ...")
    try:
        with session(settings, ports, fill_empty_landing, streams=streams) as running:
            if ports:
                _show_first_secret(console, running)
                _show_addresses(console, ports)
            succeeded = show_work_apart(running) if ports else show_work(running, console)
            while ports:
                console.print("drops are ingested as they come; Ctrl-C stops everything")
                wait_for_work(running)
                show_work_apart(running)
                _show_addresses(console, ports)
    except KeyboardInterrupt:
        console.print("stopped; `lastmile up` goes on from here")
        raise typer.Exit(130 if once else 0) from None
    if not succeeded:
        raise typer.Exit(1)


def _show_first_secret(console: Console, running: "Session") -> None:
    from lastmile.access.secret import secret
    from lastmile.access.setup import first_secret
    from lastmile.cli.api import show_first_secret
    from lastmile.warehouse.connections import connect

    with connect(running.database_url) as connection:
        made = first_secret(connection, secret(running.settings))
    if made:
        show_first_secret(console, made)


def _show_addresses(console: Console, ports: Ports) -> None:
    console.print(f"web UI  http://127.0.0.1:{ports.ui}", highlight=False)
    console.print(
        f"API     http://127.0.0.1:{ports.api}   (/docs, /status, /drops, /metrics, /dbt)",
        highlight=False,
    )
    console.print(f"watcher http://127.0.0.1:{ports.watch}   (/metrics; `lastmile alerts list`)", highlight=False)
    if ports.kafka:
        console.print(f"Kafka   127.0.0.1:{ports.kafka}", highlight=False)


def _ports(ui: int | None, api: int | None, watch: int | None) -> Ports:
    chosen = choose(ui, UI_PORT, "--port")
    api = choose(api, API_PORT, "--api-port", used=(chosen,))
    return Ports(chosen, api, choose(watch, WATCH_PORT, "--watch-port", used=(chosen, api)))


def _streams(console: Console, settings: Settings, ports: Ports | None, with_kafka: bool) -> tuple[list[str], bool]:
    """The streams to be read, and whether from a broker of our own: none where there is neither that nor a cluster."""
    given = given_servers(settings)
    if ports is None:
        if with_kafka:
            raise UserError("streams have no end: leave out --once, or --with kafka")
        return [], False
    if not (with_kafka or given):
        return [], False
    streams = declared_streams()
    if with_kafka and given:
        console.print(f"streams are read from {given} (LASTMILE_KAFKA_URL): no broker is started", highlight=False)
    elif with_kafka and not streams:
        console.print("no stream is declared, in a domain's streams/: no Kafka broker is started")
    return streams, bool(streams) and given is None
