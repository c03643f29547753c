"""`lastmile stream demo`: made-up events of a stream, into its topic."""

import os
import secrets
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lastmile.settings import Settings


def demo(
    name: Annotated[str | None, typer.Argument(help="The stream; without, show which have a demo.")] = None,
    events: Annotated[int, typer.Option(help="How many events.", min=1)] = 10_000,
    rate: Annotated[float | None, typer.Option(help="Events a second; without, as fast as possible.", min=0.1)] = None,
    seed: Annotated[
        int | None, typer.Option(help="The same seed and start give the same events (default: others each time).")
    ] = None,
    start: Annotated[
        datetime | None, typer.Option(help="When they begin to happen, in UTC (default: so that they end now).")
    ] = None,
) -> None:
    """Send made-up events to a stream's topic, to see it work.

    Example: lastmile stream demo page_beacons --events 5000 --rate 100
    """
    from lastmile.contracts.loading import load_contracts
    from lastmile.embedded import kafka
    from lastmile.sampling.demo import demo_of, load_demos
    from lastmile.settings.group import load
    from lastmile.settings.kafka import KafkaSettings
    from lastmile.streaming.declarations.loading import load_streams, stream_of
    from lastmile.streaming.demonstrating import ending_now, send

    settings = Settings.from_environment()
    demos = load_demos(settings.assets)
    if name is None:
        print("\n".join(f"{one.name}: {one.description}" for one in demos.values()) or "no stream has a demo")
        return
    stream = stream_of(name, load_streams(settings.assets, load_contracts(settings.assets)))
    chosen = demo_of(name, demos)
    seed = secrets.randbelow(2**31) if seed is None else seed
    began = start.replace(tzinfo=UTC) if start else ending_now(chosen, stream.event_time, events, seed)
    client = load(KafkaSettings, {**os.environ, **kafka.variables(settings)}).client()
    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=events)
        send(
            chosen.make(began, seed),
            stream.topic,
            client,
            events,
            rate,
            lambda count: progress.update(task, completed=count),
        )
    print(f"{name}: {events:,} events are in topic {stream.topic}")
