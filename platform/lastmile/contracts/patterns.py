"""Columns that are declared by a pattern of their names, such as `crop_*_kg`, and are known once a drop's header is."""

import re
from collections.abc import Iterable
from copy import deepcopy

import pandera.polars as pa

from lastmile.contracts.names import COLUMN_NAME, normal_name


def fitting(pattern: str, names: Iterable[str]) -> list[str]:
    """Those of these normal names that are columns of the pattern."""
    return [name for name in names if re.fullmatch(pattern, name) and COLUMN_NAME.fullmatch(name)]


def with_patterns(table: pa.DataFrameSchema, names: Iterable[str]) -> pa.DataFrameSchema:
    """The schema with each pattern replaced by the columns among these names that fit it and are not declared.

    A name that fits two patterns is of the first.
    """
    patterns = {name: spec for name, spec in table.columns.items() if spec.regex}
    free = [name for name in names if name not in table.columns and name not in _aliases(table)]
    found: dict[str, pa.Column] = {}
    for pattern, spec in patterns.items():
        for name in fitting(pattern, free):
            found.setdefault(name, _named(spec, name))
    return table.remove_columns(list(patterns)).add_columns(found)


def _aliases(table: pa.DataFrameSchema) -> set[str]:
    return {normal_name(alias) for spec in table.columns.values() for alias in (spec.metadata or {}).get("aliases", ())}


def _named(spec: pa.Column, name: str) -> pa.Column:
    column = deepcopy(spec)
    column.regex = False
    column.required = False  # the pattern is, not each of its columns
    column.metadata = {**(spec.metadata or {}), "aliases": ()}
    column.set_name(name)
    return column
