"""What a prediction is made of, as a pydantic model: the inputs of a feature set, with the schema's types and checks.

    Row = input_model(features)
    Row(soil="loam", rain_mm=-1)        # ValidationError: rain_mm is at least 0

It is derived from the pandera schema that training validates its rows by, so the API accepts what training would.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from lastmile.learning.declarations.feature_set import Column, FeatureSet

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandera.pandas as pa

_TYPES: dict[str, Any] = {"categorical": str, "numeric": float, "boolean": bool}
#: pandera's checks, the name of pydantic's bound, and of the statistic that has it.
_BOUNDS = {
    "greater_than_or_equal_to": ("ge", "min_value"),
    "less_than_or_equal_to": ("le", "max_value"),
    "greater_than": ("gt", "min_value"),
    "less_than": ("lt", "max_value"),
}


def input_model(features: FeatureSet, names: "Iterable[str] | None" = None) -> type[BaseModel]:
    """One row of all inputs, or of these. What may be missing is None unless given; no other name is accepted, and no
    infinite number."""
    schema = features.schema.to_schema().columns
    wanted = set(features.names() if names is None else names)
    fields: dict[str, Any] = {
        column.name: _field(column, schema[column.name]) for column in features.inputs if column.name in wanted
    }
    title = "".join(word.capitalize() for word in features.name.split("_"))
    return create_model(f"{title}Row", __config__=ConfigDict(extra="forbid", allow_inf_nan=False), **fields)


def _field(column: Column, declared: "pa.Column") -> tuple[Any, Any]:
    kind: Any = Literal[column.levels] if column.levels else _TYPES[column.kind]
    unit = f" Unit: {column.unit}." if column.unit else ""
    described = Field(description=f"{column.description}{unit}", **bounds(declared))
    # The bounds belong to the value, not to None in its place.
    value = Annotated[kind, described]
    return (value | None, None) if declared.nullable else (value, ...)


def bounds(declared: "pa.Column") -> dict[str, Any]:
    """`ge`, `gt`, `le` and `lt`, as far as the column's checks bound it."""
    found: dict[str, Any] = {}
    for check in declared.checks:
        name, statistics = str(check.name), check.statistics or {}
        if name in _BOUNDS:
            bound, statistic = _BOUNDS[name]
            found[bound] = statistics[statistic]
        elif name == "in_range":
            found["ge" if statistics["include_min"] else "gt"] = statistics["min_value"]
            found["le" if statistics["include_max"] else "lt"] = statistics["max_value"]
    return found
