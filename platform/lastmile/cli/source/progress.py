"""How far a run of a source is, while it runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.filesize import decimal
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextmanager
def progress(name: str) -> Iterator[Callable[[int, int, int], None]]:
    """Requests, records and bytes so far; how many there will be, an API seldom says."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(f"fetching {name}")

        def show(requests: int, records: int, size: int) -> None:
            bar.update(task, description=f"{name}: {requests:,} requests, {records:,} records, {decimal(size)}")

        yield show
