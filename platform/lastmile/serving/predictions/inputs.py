"""Rows of a request held to the schema of the feature set: the same types, bounds and levels as in training."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from lastmile.catalogue import FeatureSetEntry, Input, ModelEntry
from lastmile.serving.predictions.schemas import Row

#: Faults that one answer names.
MOST_FAULTS = 100
_TYPES: dict[str, Any] = {"categorical": str, "numeric": float, "boolean": bool}
#: What pydantic says of a value that must not be there, or is not.
_EXPECTED = {"extra_forbidden": "an input of the model", "missing": "a value: it may not be missing"}


class Unfit(Exception):
    """Rows that the schema refuses; `faults` have row, input, expected and found."""

    def __init__(self, faults: Sequence[dict[str, Any]]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = list(faults)


class Schema:
    """Of a model's rows. Inputs of the feature set that the model may not use are accepted, and make no difference."""

    def __init__(self, model: ModelEntry, features: FeatureSetEntry) -> None:
        self.model, self.features = model, features
        fields = {one.name: _field(one, one.name in model.inputs) for one in features.inputs}
        config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
        # Fields have names of their own, since an input may be called as a method of pydantic's is.
        aliased: dict[str, Any] = {
            f"f{place}": (kind, Field(alias=name, **more)) for place, (name, (kind, more)) in enumerate(fields.items())
        }
        self._row: type[BaseModel] = create_model("Row", __config__=config, **aliased)
        self.names = list(fields)

    def rows(self, given: Sequence[Row]) -> list[Row]:
        """The rows with None for what is missing. Raises Unfit."""
        found, faults = [], []
        validate = self._row.__pydantic_validator__.validate_python
        for place, row in enumerate(given):
            try:
                found.append(dict(zip(self.names, validate(row).__dict__.values(), strict=True)))
            except ValidationError as error:
                faults += list(_faults(place, error))
                if len(faults) >= MOST_FAULTS:
                    break
        if faults:
            raise Unfit(faults[:MOST_FAULTS])
        return found


def _field(declared: Input, used: bool) -> tuple[Any, dict[str, Any]]:
    kind: Any = Literal[tuple(declared.levels)] if declared.levels else _TYPES[declared.kind]
    bounds = {name: value for name in ("ge", "gt", "le", "lt") if (value := getattr(declared, name)) is not None}
    value = Annotated[kind, Field(**bounds)]
    if declared.nullable or not used:
        return value | None, {"default": None}
    return value, {}


def _faults(row: int, error: ValidationError) -> Iterator[dict[str, Any]]:
    for one in error.errors(include_url=False, include_context=False):
        said = one["msg"].removeprefix("Input should be ")
        found = "nothing" if one["type"] == "missing" else shortened(one["input"])
        name = str(one["loc"][0]) if one["loc"] else "row"
        yield {"row": row, "input": name[:200], "expected": _EXPECTED.get(one["type"], said), "found": found}


def shortened(found: object) -> str:
    """A value as an error shows it."""
    return f"{found!r:.100}"
