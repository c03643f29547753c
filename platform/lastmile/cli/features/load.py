"""`lastmile features load`: the rows of a feature set as they were known on a day, shown or written to a file."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lastmile.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

#: Rows shown, and the most columns.
_HEAD, _COLUMNS = 5, 30


def load(
    name: Annotated[str, typer.Argument(help="A feature set, as `lastmile features list` shows it.")],
    as_of: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="What was known when this day began (default: all there is)."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File for the rows; its name ends in .parquet or .csv.")
    ] = None,
) -> None:
    """Show a feature set's rows as they were known on a day, and write them to a file: no later row, no later target.

    A target that was not known then is missing. Rows are as the newest drops have them, corrections included.

    Example: lastmile features load household_vulnerability --as-of 2019-01-01 --output rows.parquet
    """
    from lastmile.learning.features.reading import read_features

    if output is not None and output.suffix not in (".parquet", ".csv"):
        raise UserError(f"--output {output}: expected a name that ends in .parquet or .csv")
    rows = read_features(name, as_of.date() if as_of else None)
    console = Console()
    console.print(
        rows.head(_HEAD).T.to_string(header=False, max_rows=_COLUMNS), markup=False, highlight=False, soft_wrap=True
    )
    when = f" known on {as_of:%Y-%m-%d}" if as_of else ""
    where = f" are in {_written(rows, output)}" if output else ""
    console.print(f"{len(rows):,} rows, {len(rows.columns)} columns{when}{where}", highlight=False, soft_wrap=True)


def _written(rows: "pd.DataFrame", output: Path) -> Path:
    try:
        if output.suffix == ".csv":
            rows.to_csv(output, index=False)
        else:
            rows.to_parquet(output, index=False)
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror or error}; name another file with --output") from None
    return output
