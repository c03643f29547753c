"""What was known when: versions of households by the time they were loaded, and joins that never look ahead."""

import random
from datetime import date, timedelta

import psycopg
import pytest

BUILD = ["build", "--select", "+dim_household_history", "--exclude-resource-type", "unit_test"]
VERSIONS = """
SELECT known_from::date::text, known_to::date::text, land_owned_ha FROM marts.dim_household_history
WHERE hhid = 'a' ORDER BY known_from
"""
JOIN = """{{ point_in_time_join(
    'pit.label', 'pit.fact', keys=['customer', 'shop'], at='at', known_from='known_from', columns=['fact_id'],
    then_by='fact_id', within=%s
) }}"""


@pytest.fixture
def build(warehouse):
    """Loads these households anew at noon of a day, and makes what follows from them."""

    def build(day, **land):
        warehouse.connection.execute("TRUNCATE raw.hhinfo")
        for hhid, hectares in land.items():
            warehouse.put_household(2018, hhid, land_owned_ha=hectares)
        warehouse.connection.execute("UPDATE raw.hhinfo SET _loaded_at = %s", [f"{day} 12:00+00"])
        warehouse.run(*BUILD)

    return build


def known_on(warehouse, moment):
    """Land by household, as the mart answers for a moment."""
    condition = f"known_from <= '{moment}' AND (known_to > '{moment}' OR known_to IS NULL)"
    return dict(warehouse.select(f"SELECT hhid, land_owned_ha FROM marts.dim_household_history WHERE {condition}"))


def test_a_version_is_added_when_something_changed_and_never_by_loading_the_same_again(warehouse, build):
    build("2020-01-01", a=1.0, b=5.0)
    build("2020-02-01", a=1.0, b=5.0)
    build("2020-03-01", a=2.0, b=5.0)
    warehouse.run(*BUILD)
    assert warehouse.select(VERSIONS) == [("2020-01-01", "2020-03-01", 1.0), ("2020-03-01", None, 2.0)]
    assert known_on(warehouse, "2020-01-01 11:59") == {}
    assert known_on(warehouse, "2020-02-15") == {"a": 1.0, "b": 5.0}
    assert known_on(warehouse, "2020-03-01 12:00") == {"a": 2.0, "b": 5.0}


def test_a_household_that_was_withdrawn_is_known_no_more_until_it_is_back(warehouse, build):
    build("2020-01-01", a=1.0, b=5.0)
    build("2020-01-01", b=5.0)
    (version,) = warehouse.select(VERSIONS)
    assert version[1] is not None
    assert known_on(warehouse, "2200-01-01") == {"b": 5.0}
    build("2100-01-01", a=1.0, b=5.0)
    assert [land for *_, land in warehouse.select(VERSIONS)] == [1.0, 1.0]
    assert known_on(warehouse, "2200-01-01") == {"a": 1.0, "b": 5.0}


def test_the_history_watches_every_column_but_when_it_was_loaded(built):
    nodes = built.manifest()["nodes"]
    watched = nodes["snapshot.lastmile.household_history"]["config"]
    columns = set(nodes["model.lastmile.int_household"]["columns"])
    assert {*watched["check_cols"], *watched["unique_key"]} == columns - {"loaded_at"}


@pytest.mark.parametrize("within", [None, 5])
def test_a_point_in_time_join_is_what_looking_back_from_each_row_finds(warehouse, within):
    labels, facts = _drawn(random.Random(4), 300), _drawn(random.Random(5), 400)
    query = _compiled(warehouse, JOIN % (f"'{within} days'" if within else "none"))
    with warehouse.connection.transaction(force_rollback=True):
        for table, time, rows in (("label", "at", labels), ("fact", "known_from", facts)):
            _put(warehouse.connection, table, time, rows)
        joined = sorted(
            (label, fact) for label, fact in warehouse.select(f"SELECT label_id, fact_id FROM ({query}) AS joined")
        )
    assert joined == [(number, _looked_back(label, facts, within)) for number, label in enumerate(labels)]
    assert 0 < sum(fact is None for _, fact in joined) < len(joined)


def _drawn(chance, count):
    """Rows of a customer, a shop and a day, with many ties; some customers are on one side only."""
    start = date(2024, 1, 1)
    return [
        (chance.randrange(8 + count // 100), chance.randrange(3), start + timedelta(days=chance.randrange(40)))
        for _ in range(count)
    ]


def _looked_back(label, facts, within):
    """The number of the latest fact up to the label's day, the last of several on it."""
    *keys, at = label
    found = [
        (moment, number)
        for number, (*same, moment) in enumerate(facts)
        if same == keys and moment <= at and (within is None or moment > at - timedelta(days=within))
    ]
    return max(found)[1] if found else None


def _put(connection: psycopg.Connection, table, time, rows):
    connection.execute("CREATE SCHEMA IF NOT EXISTS pit")
    connection.execute(f"CREATE TABLE pit.{table} ({table}_id int, customer int, shop int, {time} date)")
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO pit.{table} VALUES (%s, %s, %s, %s)", [(number, *row) for number, row in enumerate(rows)]
        )


def _compiled(warehouse, macro):
    (result,) = warehouse.run("compile", "--inline", macro)
    return result.node.compiled_code
