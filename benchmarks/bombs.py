"""Peak memory, seconds and message of every bomb the limits hold against, each read in a fresh process.

uv run benchmarks/bombs.py
uv run benchmarks/bombs.py --only parquet
"""

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from bombs import BOMBS, measure


def main(only: Annotated[str, typer.Option(help="Part of the names of the bombs to try, in any case.")] = "") -> None:
    """Reads every bomb in a process of its own and prints what became of it, and what it took.

    Example: benchmarks/bombs.py --only zip
    """
    table = Table("bomb", "bytes", "MiB more", "MiB of a child", "seconds", "what became of it", show_lines=True)
    for title, bomb in BOMBS.items():
        if only.lower() not in title.lower():
            continue
        with TemporaryDirectory(prefix="lastmile-bomb-") as folder:
            path = Path(folder) / bomb.name
            bomb.make(path)
            found = measure([(path, bomb.name)])[0]
            size = path.stat().st_size
        table.add_row(
            title,
            f"{size:,}",
            f"{found.peak_mib:,}",
            f"{found.child_mib:,}",
            f"{found.seconds:.1f}",
            found.message or f"{found.rows} records read",
        )
    Console(width=max(120, Console().width)).print(table)


if __name__ == "__main__":
    typer.run(main)
