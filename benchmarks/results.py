"""What was found, as a table on the screen, as Markdown for docs/performance.md, and as JSON for programs."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

FOLDER = Path(__file__).parent / "results"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Found:
    """One table: rows of named values, what to know about them, and more that only programs want."""

    title: str
    rows: Sequence[Row]
    note: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)


def shown(value: Any) -> str:
    """A value as people read it: three figures, thousands apart, a dash for none."""
    match value:
        case None:
            return "-"
        case bool() | str():
            return str(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
    return str(value)


def screen(stderr: bool = False) -> Console:
    """A console wide enough for the tables, also where the output goes to a file."""
    return Console(stderr=stderr, width=max(160, Console().width))


def columns(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in row))


def table(found: Found) -> Table:
    names = columns(found.rows)
    drawn = Table(*names, title=found.title, caption=found.note or None)
    for row in found.rows:
        drawn.add_row(*(shown(row.get(name)) for name in names))
    return drawn


def markdown(found: Found) -> str:
    names = columns(found.rows)
    lines = [names, ["---"] * len(names), *([shown(row.get(name)) for name in names] for row in found.rows)]
    body = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
    return f"**{found.title}**\n\n{body}\n" + (f"\n{found.note}\n" if found.note else "")


def publish(name: str, found: Sequence[Found], ran_on: Mapping[str, str], console: Console) -> None:
    """Print the tables and write `results/<name>.md` and `.json`."""
    FOLDER.mkdir(exist_ok=True)
    for each in found:
        console.print(table(each))
    text = "\n".join(map(markdown, found))
    (FOLDER / f"{name}.md").write_text(f"{text}\n{', '.join(ran_on.values())}\n")
    written = [{"title": each.title, "rows": each.rows, "note": each.note, **each.more} for each in found]
    (FOLDER / f"{name}.json").write_text(json.dumps({"machine": ran_on, "tables": written}, indent=1, default=str))


def computer() -> dict[str, str]:
    """What it ran on, each in words."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": f"{os.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB of memory",
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"Python {platform.python_version()}",
    }


def machine(url: str) -> dict[str, str]:
    """The same, with the Postgres that served it."""
    with psycopg.connect(url) as connection:
        version = connection.execute("SHOW server_version").fetchall()[0][0]
    return {**computer(), "postgres": f"Postgres {version}"}
