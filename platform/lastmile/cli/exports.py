"""`lastmile exports`: what is exported to which system, when it last was, and exporting it now."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.filesize import decimal
from rich.progress import Progress
from rich.table import Table

from lastmile.cli.connection import opened
from lastmile.cli.options import AsJson
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    from lastmile.operations.exports import Export

exports = typer.Typer(help="Exports to other systems: which there are, and exporting now.", no_args_is_help=True)


@exports.command("list")
def overview(as_json: AsJson = False) -> None:
    """Show each export: what of, where to, when, and what the target has since the last time.

    Example: lastmile exports list
    """
    from lastmile.operations.exports.declaration import load_exports
    from lastmile.operations.exports.history import newest

    settings = Settings.from_environment()
    declared = load_exports(settings.assets)
    with opened(settings) as (connection, _):
        last = newest(connection)
    found = [_row(one, last.get(name)) for name, one in declared.items()]
    if as_json:
        print(json.dumps(found, default=str))
        return
    table = Table("export", "of", "to", "as", "when", "last exported", "rows there", box=None)
    for row in found:
        at = f"{row['at']:%Y-%m-%d %H:%M}" if row["at"] else "never"
        rows = f"{row['rows']:,}" if row["at"] else ""
        table.add_row(row["name"], row["source"], row["to"], row["format"], row["schedule"], at, rows)
    console = Console()
    console.print(table if found else "no exports are declared")
    for broken in declared.broken:
        console.print(str(broken), markup=False, highlight=False, soft_wrap=True)


@exports.command()
def run(name: Annotated[str, typer.Argument(help="The export's name.")], as_json: AsJson = False) -> None:
    """Export now what changed since the last time, whether the platform is up or not.

    Example: lastmile exports run country_years
    """
    from lastmile.catalogue.published import personal_columns
    from lastmile.operations.exports.declaration import load_exports
    from lastmile.operations.exports.exporting import Installation, carry_out
    from lastmile.settings.exports import ExportSettings
    from lastmile.settings.group import load

    settings = Settings.from_environment()
    declared = load_exports(settings.assets)
    if name not in declared:
        raise UserError(f"there is no export {name!r}; there are: {', '.join(declared) or 'none'}")
    with opened(settings) as (connection, store), Progress(transient=True, console=Console(stderr=True)) as progress:
        task = progress.add_task("exporting", total=None)
        here = Installation(settings, load(ExportSettings), store, personal_columns(connection))

        def show(done: int, of: int) -> None:
            progress.update(task, completed=done, total=of)

        done = carry_out(connection, declared[name], here, progress=show)
    if as_json:
        print(json.dumps(vars(done)))
        return
    print(
        f"{name}: {len(done.replaced)} windows replaced ({done.rows:,} rows, {decimal(done.bytes)}),"
        f" {len(done.removed)} removed, {done.unchanged} as they were; {done.rows_at_target:,} rows are there"
    )


def _row(export: "Export", last: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "name": export.name,
        "source": export.source,
        "to": export.to or "own store",
        "format": export.format,
        "schedule": f"{export.schedule.cron} {export.schedule.time_zone}",
        "at": last["at"] if last else None,
        "rows": last["rows_at_target"] if last else None,
    }
