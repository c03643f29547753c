"""A small learning task that has nothing to do with households: how well a field yields."""

from datetime import date

import numpy as np
import polars as pl

from lastmile.learning.feature_set import FeatureSet, boolean, categorical, numeric

FIELDS = FeatureSet(
    name="fields",
    description="Fields and how well they yield.",
    entity={"field": "text"},
    group="village",
    partition_column="season",
    inputs=(
        categorical("soil", "Soil."),
        numeric("rain_mm", "Rain.", "mm"),
        numeric("noise", "Nothing."),
        boolean("irrigated", "Whether it is irrigated."),
    ),
    target="yield_level",
    levels=("high", "middle", "low"),
    question="poor",
    positive=("low",),
    source="marts.dim_field",
    target_source="marts.fct_field",
    datasets=("fields",),
    forbidden=frozenset({"harvest"}),
)
SEASONS = (date(2020, 1, 1), date(2021, 1, 1))
WINDOW_2020 = (date(2020, 1, 1), date(2021, 1, 1))
WINDOW_2021 = (date(2021, 1, 1), date(2022, 1, 1))


def fields(count: int = 300, villages: int = 12, seed: int = 1) -> pl.DataFrame:
    """Labelled rows; soil, rain and irrigation make the harvest, and the harvest with some luck makes the level."""
    random = np.random.default_rng(seed)
    village = random.integers(0, villages, count)
    rain, irrigated = random.gamma(4, 150, count), random.random(count) < 0.3
    soil = random.choice(["clay", "loam", "sand"], count)
    harvest = rain / 300 + 2 * irrigated + (soil == "loam") + random.normal(0, 0.5, count)
    return pl.DataFrame(
        {
            "field": [f"field {number}" for number in range(count)],
            "village": [f"village {number}" for number in village],
            "season": [SEASONS[number % 2] for number in village],
            "soil": soil,
            "rain_mm": rain,
            "noise": random.random(count),
            "irrigated": irrigated,
            "yield_level": np.select([harvest > 3.3, harvest > 2], ["high", "middle"], "low"),
            "harvest_kg": harvest * 1000,
        }
    ).sort("field")
