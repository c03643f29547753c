"""The table of a feature set follows its sources, partition by partition."""

from dataclasses import replace

import polars as pl
import psycopg
import pytest
from fields import FIELDS, SEASONS, WINDOW_2020, WINDOW_2021

from lastmile.learning.feature_set import FeatureSet, numeric
from lastmile.learning.feature_table import columns, content, contents, fill, labelled_sample, rows, sources_count


def fill_both(connection: psycopg.Connection) -> None:
    for window in (WINDOW_2020, WINDOW_2021):
        fill(connection, FIELDS, window)


def test_it_has_every_entity_with_its_inputs_and_its_level_where_known(
    connection: psycopg.Connection, marts: pl.DataFrame
) -> None:
    fill_both(connection)
    found = rows(connection, FIELDS)
    assert found.equals(marts.select(*columns(FIELDS)).sort("field"))
    assert found["yield_level"].null_count() == 30


def test_filling_again_doubles_nothing_and_drops_what_the_source_lost(
    connection: psycopg.Connection, marts: pl.DataFrame
) -> None:
    fill_both(connection)
    connection.execute("DELETE FROM marts.dim_field WHERE field = 'field 7'")
    fill_both(connection)
    assert set(rows(connection, FIELDS)["field"]) == set(marts["field"]) - {"field 7"}


def test_filling_one_partition_leaves_the_others_alone(connection: psycopg.Connection, marts: pl.DataFrame) -> None:
    fill_both(connection)
    connection.execute("UPDATE marts.dim_field SET soil = 'peat'")
    fill(connection, FIELDS, WINDOW_2021)
    soils = rows(connection, FIELDS).group_by("season").agg(pl.col("soil").eq("peat").all()).sort("season")
    assert soils["soil"].to_list() == [False, True]
    assert rows(connection, FIELDS, WINDOW_2021).equals(rows(connection, FIELDS).filter(pl.col("season") == SEASONS[1]))


def test_it_knows_how_many_entities_the_source_has(connection: psycopg.Connection, marts: pl.DataFrame) -> None:
    assert sources_count(connection, FIELDS, WINDOW_2020) == (marts["season"] == SEASONS[0]).sum()


def test_an_input_added_later_is_filled_in(connection: psycopg.Connection, marts: pl.DataFrame) -> None:
    fill_both(connection)
    connection.execute("ALTER TABLE marts.dim_field ADD slope double precision DEFAULT 3")
    wider = replace(FIELDS, inputs=(*FIELDS.inputs, numeric("slope", "Slope.", "degrees")))
    fill(connection, wider, WINDOW_2020)
    slopes = rows(connection, wider).group_by("season").agg(pl.col("slope").first()).sort("season")
    assert slopes["slope"].to_list() == [3, None]


def test_the_hash_depends_on_the_values_and_not_on_where_postgres_keeps_them(
    connection: psycopg.Connection, marts: pl.DataFrame
) -> None:
    fill_both(connection)
    before = contents(FIELDS, rows(connection, FIELDS))
    fill(connection, FIELDS, WINDOW_2020)
    assert contents(FIELDS, rows(connection, FIELDS)) == before
    connection.execute("UPDATE features.fields SET rain_mm = rain_mm + 1e-9 WHERE field = 'field 1'")
    after = contents(FIELDS, rows(connection, FIELDS))
    assert [day for day in before if before[day] != after[day]] == [
        str(marts.filter(pl.col("field") == "field 1")["season"].item())
    ]
    assert content(rows(connection, FIELDS)) not in before.values()


def test_a_sample_holds_labelled_rows_beside_the_real_numbers_of_the_target(
    connection: psycopg.Connection, marts: pl.DataFrame
) -> None:
    fill_both(connection)
    found, quantities = labelled_sample(connection, FIELDS, ["harvest_kg", "yield_level"], 50)
    assert found.height == quantities.height == 50
    assert quantities.columns == ["harvest_kg"]
    assert found["yield_level"].null_count() == 0
    beside = found.select("field").join(marts, on="field", how="left", maintain_order="left")
    assert quantities["harvest_kg"].to_list() == pytest.approx(beside["harvest_kg"].to_list())


@pytest.mark.parametrize("name", ["field", "village", "season", "yield_level"])
def test_what_identifies_a_row_or_is_its_target_is_no_input(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        replace(FIELDS, inputs=(numeric(name, "Wrong."),))


def test_positive_levels_are_among_the_levels() -> None:
    with pytest.raises(ValueError, match="awful"):
        replace(FIELDS, positive=("awful",))


def test_columns_name_levels_as_sql_does() -> None:
    named: FeatureSet = replace(FIELDS, levels=("On Track", "low"), positive=("low",))
    assert named.probability_columns() == ["probability_on_track", "probability_low"]
