"""A small learning task that has nothing to do with households: how well a field yields."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from lastmile.contracts import Partition
from lastmile.learning import Classification, FeatureSet, Grouped, Model, Regression, field

LEVELS = ("high", "middle", "low")


class Fields(pa.DataFrameModel):
    village: str = field("Village it lies in.")
    soil: str = field("Soil.")
    rain_mm: float = field("Rain.", unit="mm")
    noise: float = field("Nothing.")
    irrigated: pd.BooleanDtype = field("Whether it is irrigated.")
    yield_level: str = field("How well it yields.", isin=LEVELS)
    field: str = field("Field.", nullable=False)  # last: from here on the name is the column's


def make(dim_field: pd.DataFrame, fct_field: pd.DataFrame) -> pd.DataFrame:
    return dim_field.merge(fct_field[["field", "yield_level"]], on="field", how="left")


FIELDS = FeatureSet(
    name="fields",
    description="Fields and how well they yield.",
    owner="team:fields",
    schema=Fields,
    make=make,
    entity=("field",),
    group="village",
    partition=Partition("year", start=date(2015, 1, 1)),
    partition_column="season",
    sources=("marts.dim_field", "marts.fct_field"),
    datasets=("fields",),
    targets=("yield_level",),
    forbidden=frozenset({"harvest"}),
)


def trees() -> Any:
    """As a data scientist would write it."""
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.feature_selection import VarianceThreshold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encode = make_column_transformer((encoder, ["soil"]), remainder="passthrough")
    learn = HistGradientBoostingClassifier(max_iter=60, class_weight="balanced", early_stopping=False, random_state=0)
    return make_pipeline(encode, VarianceThreshold(), learn)


def line() -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LinearRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["soil"]), remainder="passthrough")
    return make_pipeline(encode, SimpleImputer(), LinearRegression())


YIELD = Model(
    name="fields",
    description="Predicts how well a field yields.",
    owner="team:fields",
    features=FIELDS,
    target="yield_level",
    task=Classification(LEVELS, ordered=True, question="poor", positive=("low",)),
    estimator=trees,
    split=Grouped(folds=5),
)


class Harvests(pa.DataFrameModel):
    village: str = field("Village it lies in.")
    soil: str = field("Soil.")
    rain_mm: float = field("Rain.", unit="mm")
    irrigated: pd.BooleanDtype = field("Whether it is irrigated.")
    harvest_kg: float = field("Harvest.", unit="kg")
    field: str = field("Field.", nullable=False)


HARVEST = Model(
    name="harvest",
    description="Predicts a field's harvest.",
    owner="team:fields",
    features=replace(FIELDS, schema=Harvests, targets=("harvest_kg",)),
    target="harvest_kg",
    task=Regression(unit="kg"),
    estimator=line,
)
SEASONS = (pd.Timestamp(2020, 1, 1), pd.Timestamp(2021, 1, 1))
WINDOW_2020 = (date(2020, 1, 1), date(2021, 1, 1))
WINDOW_2021 = (date(2021, 1, 1), date(2022, 1, 1))


def with_inputs(features: FeatureSet = FIELDS, **columns: type) -> FeatureSet:
    """The feature set with further inputs, of the types given."""
    added = {name: field("Another input.") for name in columns}
    schema = type("Wider", (features.schema,), {**added, "__annotations__": columns, "__module__": __name__})
    return replace(features, schema=schema)


def fields(count: int = 300, villages: int = 12, seed: int = 1) -> pd.DataFrame:
    """Labelled rows; soil, rain and irrigation make the harvest, and the harvest with some luck makes the level."""
    random = np.random.default_rng(seed)
    village = random.integers(0, villages, count)
    rain, irrigated = random.gamma(4, 150, count), random.random(count) < 0.3
    soil = random.choice(["clay", "loam", "sand"], count)
    harvest = rain / 300 + 2 * irrigated + (soil == "loam") + random.normal(0, 0.5, count)
    rows = pd.DataFrame(
        {
            "field": [f"field {number}" for number in range(count)],
            "village": [f"village {number}" for number in village],
            "season": pd.Series([SEASONS[number % 2] for number in village], dtype="datetime64[us]"),
            "soil": pd.Series(soil, dtype="str"),
            "rain_mm": rain,
            "noise": random.random(count),
            "irrigated": pd.Series(irrigated, dtype="boolean"),
            "yield_level": pd.Series(np.select([harvest > 3.3, harvest > 2], ["high", "middle"], "low"), dtype="str"),
            "harvest_kg": harvest * 1000,
        }
    )
    return rows.sort_values("field", ignore_index=True)
