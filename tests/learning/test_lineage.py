"""Lineage: a quantity is followed through the SQL of models, and what cannot be followed counts as derived from it."""

from typing import Any

import pytest

from lastmile.learning.features.lineage import measures

HARVEST = frozenset({"harvest"})
NOTHING: frozenset[str] = frozenset()


def manifest(**models: str | dict[str, Any]) -> dict[str, Any]:
    """A dbt manifest of one source `farm.raw_field` (field, area_ha, harvest_kg) and models given by their SQL, each of
    which reads those that its SQL refers to."""
    source = {
        "resource_type": "source",
        "source_name": "farm",
        "name": "raw_field",
        "columns": {
            "field": {},
            "area_ha": {},
            "harvest_kg": {"config": {"meta": {"measures": "harvest"}}},
        },
    }
    nodes = {}
    for name, given in models.items():
        sql, columns = (given, {}) if isinstance(given, str) else (given["sql"], given["columns"])
        parents = [f"model.{other}" for other in models if f"ref('{other}')" in sql]
        parents += ["source.raw_field"] if "source(" in sql else []
        nodes[f"model.{name}"] = {
            "resource_type": "model",
            "name": name,
            "raw_code": sql,
            "columns": columns,
            "depends_on": {"nodes": parents},
        }
    return {"sources": {"source.raw_field": source}, "nodes": nodes}


STAGING = "select field, area_ha, harvest_kg as brought_in from {{ source('farm', 'raw_field') }}"


@pytest.mark.parametrize(
    "sql",
    [
        "select field, brought_in / area_ha as found from {{ ref('stg') }}",
        "select field, ln(1 + brought_in) as found from {{ ref('stg') }} where area_ha > 0",
        "select s.*, case when s.brought_in > 5 then 'good' end as found from {{ ref('stg') }} as s",
        "with a as (select * from {{ ref('stg') }}), b as (select *, brought_in as x from a) select x as found from b",
        "select field, {{ per_hectare('brought_in', 'area_ha') }} as found from {{ ref('stg') }}",
        "{{ config(enabled=true) }} select avg(brought_in) over (partition by field) as found from {{ ref('stg') }}",
        "select field, rank() over (order by brought_in) as found from {{ ref('stg') }}",
        "select area_ha as found from {{ ref('stg') }} union all select brought_in from {{ ref('stg') }}",
        "select (select max(t.brought_in) from {{ ref('stg') }} as t) as found from {{ ref('stg') }}",
    ],
)
def test_what_is_worked_out_from_a_quantity_measures_it(sql: str) -> None:
    assert measures(manifest(stg=STAGING, mart=sql))["mart"]["found"] == HARVEST


@pytest.mark.parametrize(
    "sql",
    [
        "select field, area_ha * 10000 as found from {{ ref('stg') }}",
        "select s.field, s.area_ha as found, s.brought_in from {{ ref('stg') }} as s where s.brought_in > 0",
        "select count(*) as found from {{ ref('stg') }} {% if is_incremental() %} where brought_in > 1 {% endif %}",
    ],
)
def test_what_only_stands_beside_a_quantity_does_not(sql: str) -> None:
    assert measures(manifest(stg=STAGING, mart=sql))["mart"]["found"] == NOTHING


def test_a_quantity_is_followed_through_every_model_between() -> None:
    found = measures(
        manifest(
            stg=STAGING,
            middle="select field, brought_in * 2 as twice from {{ ref('stg') }}",
            mart="select twice - 1 as innocent from {{ ref('middle') }}",
        )
    )
    assert found["mart"]["innocent"] == HARVEST


def test_a_column_measures_what_its_metadata_says() -> None:
    declared = {
        "sql": "select area_ha as guess from {{ ref('stg') }}",
        "columns": {"guess": {"meta": {"measures": "tax"}}},
    }
    assert measures(manifest(stg=STAGING, mart=declared))["mart"]["guess"] == {"tax"}


@pytest.mark.parametrize("origin", ["brought_in", "harvest"])
def test_derived_from_names_a_column_upstream_or_a_quantity(origin: str) -> None:
    declared = {
        "sql": "select some_function() as guess from {{ ref('stg') }}",
        "columns": {"guess": {"config": {"meta": {"derived_from": [origin]}}}},
    }
    assert measures(manifest(stg=STAGING, mart=declared))["mart"]["guess"] == HARVEST


@pytest.mark.parametrize("sql", ["select from where {{ ref('stg') }} (", "{% if %} {{ ref('stg') }}"])
def test_columns_of_sql_that_cannot_be_followed_measure_all_that_their_parents_do(sql: str) -> None:
    unreadable = {"sql": sql, "columns": {"anything": {}, "area_ha": {}}}
    found = measures(manifest(stg=STAGING, mart=unreadable))["mart"]
    assert (found["anything"], found["area_ha"]) == (HARVEST, NOTHING)
