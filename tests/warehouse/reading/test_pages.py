"""Pages show every row once, whatever the order, the condition and the size of a page."""

from dataclasses import replace

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql

from lastmile.warehouse.reading import Selection, find
from lastmile.warehouse.reading.filters import condition, parse
from lastmile.warehouse.reading.pages import order, page

COLUMNS = ("a", "b", "c", "d")
VALUES = {
    "a": st.none() | st.integers(-2, 2),
    "b": st.none() | st.sampled_from(["", "x", "X", "é", "a'b", "\\"]),
    "c": st.none() | st.sampled_from([0.1, -0.0, 1e300, float("nan"), float("inf")]),
    "d": st.none() | st.sampled_from(["2020-02-29", "infinity", "-infinity"]),
}
ROWS = st.lists(st.tuples(*VALUES.values()), max_size=25)
SORT = st.lists(st.sampled_from(COLUMNS), unique=True, max_size=3).flatmap(
    lambda names: st.tuples(*(st.sampled_from([name, f"-{name}"]) for name in names))
)
WHERE = st.lists(st.sampled_from(["a.ge.0", "b.is.notnull", "c.is.null", "a.in.1,2", "b.ne.x"]), max_size=2)


@pytest.fixture
def connection(database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA marts")
        columns = "a bigint, b text, c double precision, d date, id int"
        connection.execute(f"CREATE TABLE marts.keyed ({columns}, PRIMARY KEY (id))")
        connection.execute(f"CREATE TABLE marts.heap ({columns})")
        connection.execute("CREATE TABLE marts.part (CHECK (true)) INHERITS (marts.heap)")
        connection.execute("CREATE VIEW marts.seen AS SELECT * FROM marts.heap")
        yield connection


def shown(connection, table, key, sort, where, limit):
    relation = find(connection, "marts", table, key)
    selection = Selection(relation, {"id": sql.Identifier("id")}, condition(parse(where, relation)))
    terms, after, pages = order(relation, sort), None, []
    while True:
        rows, after = page(connection, selection, terms, limit, after)
        pages.append(rows)
        if after is None:
            return pages


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    table=st.sampled_from(["keyed", "heap", "seen"]),
    key=st.sampled_from([(), ("a",), ("b", "a")]),
    rows=ROWS,
    sort=SORT,
    where=WHERE,
    limit=st.integers(1, 7),
)
def test_every_row_is_shown_once_and_in_order(connection, table, key, rows, sort, where, limit):
    connection.execute("TRUNCATE marts.keyed, marts.heap, marts.part")
    for target in ("keyed",) if table == "keyed" else ("heap", "part"):
        with connection.cursor() as cursor:
            start = 100 if target == "part" else 0
            cursor.executemany(
                f"INSERT INTO marts.{target} VALUES (%s, %s, %s, %s, %s)",
                [(*row, start + at) for at, row in enumerate(rows)],
            )
    pages = shown(connection, table, key, sort, where, limit)
    relation = find(connection, "marts", table)
    clause = condition(parse(where, relation)).as_string(connection)
    ordered = ", ".join(f"{name.removeprefix('-')} {'DESC' if name.startswith('-') else ''}" for name in sort)
    expected = connection.execute(
        f"SELECT id, dense_rank() OVER (ORDER BY {ordered or '1'}) FROM marts.{table} WHERE {clause}"
    ).fetchall()
    ids = [int(row.partition(":")[2].rstrip("}")) for rows in pages for row in rows]
    assert sorted(ids) == sorted(dict(expected))
    assert [dict(expected)[one] for one in ids] == sorted(rank for _, rank in expected)
    assert all(len(rows) == limit for rows in pages[:-1])


def test_a_page_far_back_is_read_by_the_index(connection):
    connection.execute("INSERT INTO marts.keyed (id) SELECT generate_series(1, 50000); ANALYZE marts.keyed")
    relation = find(connection, "marts", "keyed")
    selection = Selection(relation, {"id": sql.Identifier("id")}, sql.SQL("TRUE"))
    rows, after = page(connection, selection, order(relation), 2, ["40000"])
    assert (rows, after) == (['{"id":40001}', '{"id":40002}'], ["40002"])
    where = sql.SQL("id > 40000")
    plan = connection.execute(
        sql.SQL("EXPLAIN SELECT * FROM marts.keyed WHERE {} ORDER BY id LIMIT 2").format(
            replace(selection, where=where).where
        )
    ).fetchall()
    assert "Index" in str(plan)


@pytest.mark.parametrize(("where", "expected"), [([], 8_000), (["a.eq.7"], 80), (["a.eq.-1"], 0)])
def test_rows_in_many_blocks_and_parts_are_shown_once(connection, where, expected):
    for table, start in (("heap", 0), ("part", 5_000)):
        connection.execute(
            f"INSERT INTO marts.{table} SELECT n %% 100, repeat('x', 700), 0, '2020-01-01', %s + n"
            " FROM generate_series(0, 3999) AS n",
            [start],
        )
    connection.execute("DELETE FROM marts.heap WHERE id BETWEEN 1000 AND 1999 AND a <> 7")
    count = connection.execute(f"SELECT count(*) FROM marts.heap WHERE {'a = 7' if where == ['a.eq.7'] else 'true'}")
    total = count.fetchone()[0] if expected else 0
    pages = shown(connection, "heap", (), (), where, 333)
    ids = [row for rows in pages for row in rows]
    assert len(ids) == len(set(ids)) == total
