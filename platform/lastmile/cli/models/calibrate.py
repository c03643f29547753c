"""`lastmile models calibrate`: correct the predictions for a new survey by a few labels, and show what it gains."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lastmile.cli.connection import opened
from lastmile.cli.declared_model import declared_model
from lastmile.errors import UserError
from lastmile.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from lastmile.learning.declarations.model import Model
    from lastmile.learning.evaluation.new_group import Calibrated


def calibrate(
    name: Annotated[str, typer.Argument(help="Model that learns a number, or levels that are cuts of one.")],
    survey: Annotated[str, typer.Option(help="Survey, or what the model's feature set groups rows by.")],
    labels: Annotated[
        Path | None,
        typer.Option(help="CSV with the columns that identify a row, and its number (default: the labels known)."),
    ] = None,
    to: Annotated[Path | None, typer.Option(help="CSV to write every row's prediction to, before and after.")] = None,
) -> None:
    """Correct the level of a new survey's predictions by 10 to 30 of its labels. Changes nothing that is stored.

    Example: lastmile models calibrate household_value --survey ke_abc_2026 --labels measured.csv --to calibrated.csv
    """
    from lastmile.learning.evaluation import new_group
    from lastmile.learning.features.building import stored

    settings, console = Settings.from_environment(), Console()
    model = declared_model(settings, name).value
    with opened(settings) as (_, store):
        rows = stored(model.features).read(store)
    if labels is not None:
        rows = with_labels(model, rows, survey, labels)
    found = new_group.calibrate(model, rows, survey)
    console.print(summary(found, survey))
    if to is not None:
        found.rows.to_csv(to, index=False)
        console.print(f"wrote {len(found.rows)} rows to {to}")


def with_labels(model: "Model", rows: "pd.DataFrame", survey: str, file: Path) -> "pd.DataFrame":
    """The rows, those of the survey with the labels of the file and no others. Raises UserError."""
    import pandas as pd

    entity, number = list(model.features.entity), model.learns_from or model.target
    given = pd.read_csv(file)
    if missing := [column for column in (*entity, number) if column not in given.columns]:
        raise UserError(f"{file}: no columns {', '.join(missing)}; it has {', '.join(given.columns)}")
    given = given[[*entity, number]].astype(rows[[*entity, number]].dtypes.to_dict())
    own = rows[model.features.group] == survey
    labelled = rows.loc[own].drop(columns=number).merge(given, on=entity, how="left", validate="one_to_one")
    if (unknown := len(given) - int(labelled[number].notna().sum())) > 0:
        raise UserError(f"{file}: {unknown} of {len(given)} rows are of no row of {survey}, or have no {number}")
    return pd.concat([rows[~own], labelled[rows.columns]], ignore_index=True)


def summary(found: "Calibrated", survey: str) -> str:
    from math import exp

    factor = exp(found.shift.shift)
    said = f"{survey}: {found.labels} labels; predictions are multiplied by {factor:.2f}"
    if found.gain is None:
        return f"{said}. No other survey is large enough to show what so many labels gain."
    gain = found.gain
    return (
        f"{said}. With {gain.labels} labels each, the typical error in {gain.groups} other surveys went from a"
        f" factor of {exp(gain.before):.2f} to {exp(gain.after):.2f}."
    )
