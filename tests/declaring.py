"""Datasets of a few columns, declared in a line, and changed by the name of a setting, whatever group it is in."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from typing import Any

import pandera.polars as pa
import polars as pl

from lastmile.contracts import Arrival, Contract, Format, Partition, Policy

GROUPS = {field.name: group for group in (Arrival, Format, Policy) for field in fields(group)}


def dataset(columns: Mapping[str, pa.Column], checks: Sequence[pa.Check] = (), **settings: Any) -> Contract:
    """A contract of the dataset `visits`, a partition a year, unless the settings say otherwise."""
    usual = {
        "name": "visits",
        "description": "Visits.",
        "owner": "team:field-data",
        "partition": Partition("year", start=date(2010, 1, 1)),
    }
    grouped: dict[str, Any] = {}
    for group in (Arrival, Format, Policy):
        of_group = {name: settings.pop(name) for name in list(settings) if GROUPS.get(name) is group}
        grouped[group.__name__.lower()] = group(**of_group)
    schema = pa.DataFrameSchema(dict(columns), checks=list(checks))
    return Contract(schema=schema, **(usual | grouped | settings))


def changed(
    contract: Contract,
    columns: Mapping[str, pa.Column] | None = None,
    checks: Sequence[pa.Check] | None = None,
    **settings: Any,
) -> Contract:
    """The contract with other columns, checks across columns or settings."""
    new = {name: value for name, value in settings.items() if name not in GROUPS}
    for name, value in settings.items():
        if name in GROUPS:
            group = GROUPS[name].__name__.lower()
            new[group] = replace(new.get(group, getattr(contract, group)), **{name: value})
    if columns is not None or checks is not None:
        columns = contract.columns if columns is None else columns
        new["schema"] = pa.DataFrameSchema(
            dict(columns), checks=list(contract.table.checks if checks is None else checks)
        )
    return replace(contract, **new)


def rule(name: str, holds: pl.Expr, description: str) -> pa.Check:
    """A check across columns: `holds` is true, or null where a part is missing, for every good row."""
    return pa.Check(lambda data: data.lazyframe.select(holds), name=name, error=description)
