"""The model of one prediction's inputs accepts what the feature set's schema accepts, and nothing else."""

from dataclasses import replace
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from fields import FIELDS, Fields
from pydantic import BaseModel, ValidationError

from lastmile.learning import field
from lastmile.learning.features.input_model import input_model

if TYPE_CHECKING:
    import pandera.pandas as pa


class Bounded(Fields):
    slope: float = field("Slope.", unit="%", nullable=False, ge=0, le=100)
    depth: float = field("Depth.", gt=0, lt=3)
    share: float = field("Share.", in_range={"min_value": 0, "max_value": 1, "include_max": False})
    crop: str = field("Crop.", isin=["maize", "beans"])


BOUNDED = replace(FIELDS, schema=Bounded)


@pytest.fixture
def row_model() -> type[BaseModel]:
    return input_model(BOUNDED)


def test_it_has_the_inputs_only_and_what_may_be_missing_is_none(row_model: type[BaseModel]) -> None:
    row = row_model(slope=3)
    assert list(row.model_dump()) == BOUNDED.names()
    assert row.model_dump(exclude_none=True) == {"slope": 3.0}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"slope": None},
        {"slope": -1},
        {"slope": 101},
        {"slope": float("nan")},
        {"slope": 3, "depth": 0},
        {"slope": 3, "depth": 3},
        {"slope": 3, "share": 1},
        {"slope": 3, "crop": "rice"},
        {"slope": 3, "rain_mm": "much"},
        {"slope": 3, "yield_level": "high"},
        {"slope": 3, "irrigated": "perhaps"},
    ],
)
def test_what_the_schema_refuses_it_refuses(row_model: type[BaseModel], wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        row_model(**wrong)


@pytest.mark.parametrize("bounds", [{"slope": 0}, {"slope": 100, "depth": 2.9, "share": 0, "crop": "beans"}])
def test_what_it_accepts_the_schema_accepts(row_model: type[BaseModel], bounds: dict[str, object]) -> None:
    given = row_model(**bounds).model_dump()
    rest = {"field": "field 1", "village": None, "yield_level": None}
    schema: pa.DataFrameSchema = Bounded.to_schema()
    schema.coerce = True
    assert len(schema.validate(pd.DataFrame([{**given, **rest}])[list(schema.columns)])) == 1


def test_its_page_in_the_api_says_what_each_input_is(row_model: type[BaseModel]) -> None:
    assert row_model.model_json_schema()["properties"]["slope"]["description"] == "Slope. Unit: %."


def test_of_a_model_that_may_not_use_an_input_it_has_the_others(row_model: type[BaseModel]) -> None:
    assert list(input_model(BOUNDED, ["slope", "soil"]).model_fields) == ["soil", "slope"]
