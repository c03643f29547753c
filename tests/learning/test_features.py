"""Making a feature set: its function gets frames of the sources, and what it returns is held to its schema."""

from dataclasses import replace

import pandas as pd
import psycopg
import pytest
from fields import FIELDS, LEVELS, SEASONS, WINDOW_2020, WINDOW_2021, Fields, with_inputs

from lastmile.learning.features.building import UnfitRows, build, conform, expected, snapshot, sources, sources_of

QUERY = """
    SELECT described.*, yield_level FROM marts.dim_field AS described LEFT JOIN marts.fct_field USING (field)
    WHERE season >= %(start)s AND season < %(end)s
"""


def test_it_has_every_entity_of_the_partition_with_its_inputs_and_its_level_where_known(connection, marts) -> None:
    found = build(connection, FIELDS, WINDOW_2020)
    there = marts[marts["season"] == SEASONS[0]].reset_index(drop=True)
    pd.testing.assert_frame_equal(found[list(FIELDS.columns)], there[list(FIELDS.columns)])
    assert found["yield_level"].isna().sum() == there["yield_level"].isna().sum() > 0


def test_every_row_has_the_first_day_of_its_partition(connection, marts) -> None:
    assert set(build(connection, FIELDS, WINDOW_2021)["season"]) == {SEASONS[1]}


def test_sql_makes_the_same_rows_as_the_function(connection, marts) -> None:
    by_sql = replace(FIELDS, make=None, query=QUERY)
    pd.testing.assert_frame_equal(build(connection, by_sql, WINDOW_2020), build(connection, FIELDS, WINDOW_2020))


def test_a_source_without_partitions_is_given_whole(connection, marts) -> None:
    found = sources(connection, FIELDS, WINDOW_2020)
    assert len(found["fct_field"]) == len(marts) > len(found["dim_field"])


def test_a_sample_of_the_sources_is_about_the_same_entities(connection, marts) -> None:
    found = sources_of(connection, FIELDS, marts.head(7))
    wanted = set(marts["field"].head(7))
    assert {name: set(frame["field"]) for name, frame in found.items()} == {"dim_field": wanted, "fct_field": wanted}


def test_it_knows_how_many_entities_the_first_source_has(connection, marts) -> None:
    assert expected(connection, FIELDS, WINDOW_2020) == (marts["season"] == SEASONS[0]).sum()


def test_no_source_is_replaced_while_the_others_are_read(connection, marts, database_url) -> None:
    with psycopg.connect(database_url, autocommit=True) as other, snapshot(connection, FIELDS):
        other.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            other.execute("DROP TABLE marts.fct_field")
    connection.execute("DROP TABLE marts.fct_field")


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda rows: rows.assign(rain_mm="much"), "rain_mm: .*float64.* fails in 3 rows, such as 'much'"),
        (lambda rows: rows.assign(yield_level="huge"), "yield_level: isin.* fails in 3 rows, such as 'huge'"),
        (lambda rows: rows.assign(field=None), "field: not_nullable"),
        (lambda rows: rows.assign(noise=float("inf")), "infinite values, by column {'noise': 3}"),
        (lambda rows: rows.drop(columns="soil"), "soil"),
        (lambda rows: pd.concat([rows, rows]), "3 rows repeat an entity, such as {'field': 'field 0'}"),
    ],
)
def test_rows_that_are_not_as_declared_are_refused_with_where_and_what(rows, made, said) -> None:
    with pytest.raises(UnfitRows, match=said):
        conform(FIELDS, made(rows.head(3)), WINDOW_2020)


def test_types_are_those_of_the_schema_even_where_nothing_is_known(rows) -> None:
    unknown = rows.head(2).assign(rain_mm=None, soil=None, irrigated=None, yield_level=None)
    kinds = conform(FIELDS, rows, WINDOW_2020).dtypes
    assert conform(FIELDS, unknown, WINDOW_2020).dtypes.equals(kinds)
    assert conform(FIELDS, rows.head(0), WINDOW_2020).dtypes.equals(kinds)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"entity": ("plot",)}, "entity 'plot' is not a column of Fields"),
        ({"targets": ("level",)}, "targets 'level' is not a column"),
        ({"partition_column": "soil"}, "'soil' is added to every feature set"),
        ({"query": "SELECT 1"}, "expected one of `make` and `query`"),
        ({"make": None}, "expected one of `make` and `query`"),
        (
            {"sources": ("marts.dim_field",)},
            r"parameters \['dim_field', 'fct_field'\], its sources are \['dim_field'\]",
        ),
    ],
)
def test_a_declaration_that_cannot_work_is_refused_with_every_fault(changes, said) -> None:
    with pytest.raises(ValueError, match=f"feature set fields: .*{said}"):
        replace(FIELDS, **changes)


def test_a_time_is_no_input() -> None:
    with pytest.raises(ValueError, match="input 'sown' is a time"):
        with_inputs(sown=pd.Timestamp)


def test_inputs_are_what_neither_identifies_a_row_nor_is_a_target() -> None:
    features = FIELDS
    assert features.names() == ["soil", "rain_mm", "noise", "irrigated"]
    assert (features.names("categorical"), features.names("boolean")) == (["soil"], ["irrigated"])
    assert (features.columns["rain_mm"].unit, features.columns["yield_level"].levels) == ("mm", LEVELS)
    assert features.schema is Fields
