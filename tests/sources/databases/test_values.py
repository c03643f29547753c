"""What becomes of each type of value on its way from a database, through a file of Parquet, into the warehouse."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import polars as pl
import pytest
from declaring import dataset
from readings import VARIABLE, Origin, query, table

from lastmile.contracts import column
from lastmile.contracts.fields import Json
from lastmile.errors import UserError

POSTGRES = [
    ("smallint", "-32768", -32768),
    ("bigint", "9223372036854775807", 9223372036854775807),
    ("numeric", "12345678901234567890.12345678901234567890", "12345678901234567890.12345678901234567890"),
    ("numeric", "NaN", "NaN"),
    ("numeric(10, 2)", "1.50", "1.50"),
    ("real", "1.1", "1.1"),
    ("double precision", "1e-300", 1e-300),
    ("boolean", "true", True),
    ("text", 'O\'Neill, \\ "x"\n é 東', 'O\'Neill, \\ "x"\n é 東'),
    ("character(4)", "ab", "ab"),
    ("date", "2024-02-29", "2024-02-29"),
    ("date", "infinity", "infinity"),
    ("date", "0044-03-15 BC", "0044-03-15 BC"),
    ("timestamp", "2024-05-31 14:30:00.123456", "2024-05-31 14:30:00.123456"),
    ("timestamptz", "2024-05-31 14:30:00.5+02", "2024-05-31 12:30:00.5Z"),
    ("timestamptz", "-infinity", "-infinity"),
    ("time", "23:59:59.999999", "23:59:59.999999"),
    ("interval", "1 year 2 days 03:04:05.6", "P1Y2DT3H4M5.6S"),
    ("uuid", "6F9619FF-8B86-D011-B42D-00CF4FC964FF", "6f9619ff-8b86-d011-b42d-00cf4fc964ff"),
    ("json", '{"a":  1.0, "b": [1, null]}', '{"a":  1.0, "b": [1, null]}'),
    ("jsonb", '{"b": 1.0, "a": 12345678901234567890}', '{"a": 12345678901234567890, "b": 1.0}'),
    ("integer[]", "{1,NULL,3}", "[1,null,3]"),
    ("text[]", '{"a b",c,"d\\"e"}', '["a b","c","d\\"e"]'),
    ("integer[][]", "{{1,2},{3,4}}", "[[1,2],[3,4]]"),
    ("bytea", "\\x00ff41", "\\x00ff41"),
    ("inet", "10.0.0.1/8", "10.0.0.1/8"),
    ("money", "12.50", "$12.50"),
    ("mood", "sad", "sad"),
    ("positive", "7", 7),
    ("pair", "(1,x)", "(1,x)"),
    ("int4range", "[1,5)", "[1,5)"),
    ("oid", "4294967295", "4294967295"),
]


@pytest.mark.parametrize(("kind", "written", "expected"), POSTGRES)
def test_values_of_postgres(postgres_origin: Origin, kind: str, written: str, expected: Any) -> None:
    postgres_origin.does(
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
        "CREATE TYPE pair AS (number integer, name text)",
        f"CREATE TABLE orders (value {kind})",
    )
    postgres_origin.there.execute("INSERT INTO orders VALUES (%s), (NULL)", [written])
    assert [row["value"] for row in postgres_origin.rows(table())] == [expected, None]


MYSQL = [
    ("tinyint(1)", "1", "1"),
    ("bigint unsigned", "18446744073709551615", "18446744073709551615"),
    ("decimal(30, 10)", "12345678901234567890.0000000001", "12345678901234567890.0000000001"),
    ("float", "1.1", "1.1000000238418"),
    ("double", "1e-300", "1e-300"),
    ("date", "'0000-00-00'", "0000-00-00"),
    ("date", "'2024-02-29'", "2024-02-29"),
    ("datetime(6)", "'2024-05-31 14:30:00.123456'", "2024-05-31 14:30:00.123456"),
    ("datetime", "'0000-00-00 00:00:00'", "0000-00-00 00:00:00"),
    ("timestamp", "'2024-05-31 14:30:00'", "2024-05-31 14:30:00Z"),
    ("time", "'-838:59:59'", "-838:59:59"),
    ("year", "2024", "2024"),
    ("varchar(80)", "'O''Neill, \\\\ é 東 🙂'", "O'Neill, \\ é 東 🙂"),
    ("enum('sad', 'glad')", "'sad'", "sad"),
    ("set('a', 'b', 'c')", "'a,c'", "a,c"),
    ("json", "'{\"a\": 1.0}'", '{"a": 1.0}'),
    ("bit(9)", "b'100000001'", "257"),
    ("blob", "x'00ff41'", "\\x00ff41"),
    ("binary(3)", "x'00ff41'", "\\x00ff41"),
]


@pytest.mark.parametrize(("kind", "written", "expected"), MYSQL)
def test_values_of_mysql(mysql_origin: Origin, kind: str, written: str, expected: str) -> None:
    mysql_origin.does(
        "SET SESSION sql_mode = '', time_zone = '+00:00'",
        f"CREATE TABLE orders (value {kind} NULL) CHARACTER SET utf8mb4",
        f"INSERT INTO orders VALUES ({written}), (NULL)",
    )
    found = [row["value"] for row in mysql_origin.rows(table())]
    assert found[1] is None
    assert found[0][: len(expected)] == expected


TYPED = dataset(
    name="orders",
    columns={
        "id": column(int, "Number.", required=True),
        "price": column(pl.Decimal(38, 10), "Price."),
        "paid": column(bool, "Whether it is paid."),
        "at": column(datetime, "When."),
        "day": column(date, "Day.", missing=("", "0000-00-00")),
        "tags": column(pl.List(pl.String()), "Tags."),
        "more": column(Json, "More."),
        "size": column(float, "Size."),
    },
    max_bad_share=1,
    quiet_period=None,
)


def test_rows_of_postgres_end_typed_by_the_contract(postgres_origin: Origin) -> None:
    postgres_origin.contract = TYPED
    postgres_origin.does(
        "CREATE TABLE orders (id int, price numeric, paid boolean, at timestamptz, day date, tags text[], more jsonb,"
        " size real)",
        "INSERT INTO orders VALUES (1, 1.10, true, '2024-05-31 14:30:00.25+02', '2024-02-29', '{a,b c}',"
        " '{\"a\": 1.0}', 1.1), (2, 'NaN', false, 'infinity', NULL, '{}', NULL, NULL)",
    )
    postgres_origin.run(table())
    postgres_origin.ingest()
    assert postgres_origin.here.execute(f"SELECT {', '.join(TYPED.columns)} FROM raw.orders").fetchall() == [
        (
            1,
            Decimal("1.1"),
            True,
            datetime(2024, 5, 31, 12, 30, 0, 250_000, tzinfo=UTC),
            date(2024, 2, 29),
            ["a", "b c"],
            {"a": 1.0},
            1.1,
        )
    ]
    reasons = postgres_origin.here.execute("SELECT reasons -> 0 ->> 'message' FROM quarantine.rows").fetchall()
    assert reasons == [("at: expected a date and time such as 2024-05-31T14:30:00Z; found 'infinity'",)]


def test_rows_of_mysql_end_typed_by_the_contract(mysql_origin: Origin) -> None:
    mysql_origin.contract = TYPED
    mysql_origin.does(
        "SET SESSION sql_mode = '', time_zone = '+00:00'",
        "CREATE TABLE orders (id bigint unsigned, price decimal(12, 4), paid tinyint(1), at timestamp NULL, day date,"
        " tags json, more json, size float)",
        "INSERT INTO orders VALUES (1, 1.10, 1, '2024-05-31 14:30:00', '0000-00-00', '[\"a\",\"b c\"]',"
        " '{\"a\": 1.0}', 1.5), (18446744073709551615, 1, 0, NULL, NULL, NULL, NULL, NULL)",
    )
    mysql_origin.run(table())
    mysql_origin.ingest()
    (row,) = mysql_origin.here.execute(f"SELECT {', '.join(TYPED.columns)} FROM raw.orders").fetchall()
    at = datetime(2024, 5, 31, 14, 30, tzinfo=UTC)
    assert row == (1, Decimal("1.1"), True, at, None, ["a", "b c"], {"a": 1.0}, 1.5)
    reasons = mysql_origin.here.execute("SELECT reasons -> 0 ->> 'message' FROM quarantine.rows").fetchall()
    assert reasons == [("id: expected a whole number; found '18446744073709551615'",)]


def test_any_database_with_an_adbc_driver_can_be_read(
    postgres_origin: Origin, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("adbc_driver_sqlite", reason="needs an ADBC driver other than that of Postgres")
    import sqlite3

    with sqlite3.connect(tmp_path / "shop.db") as there:
        there.execute("CREATE TABLE orders (id INTEGER, at TEXT, amount REAL)")
        there.executemany("INSERT INTO orders VALUES (?, ?, ?)", [(n, f"2026-03-01 00:0{n}:00", n) for n in range(5)])
    there.close()
    monkeypatch.setenv(VARIABLE, f"sqlite:{tmp_path / 'shop.db'}")
    assert [row["id"] for row in postgres_origin.rows(query("SELECT id FROM orders WHERE id > 2"))] == [3, 4]
    postgres_origin.run(table())
    assert postgres_origin.ingest() == ["loaded"]
    assert postgres_origin.loaded().total() == 5


def test_a_driver_that_is_not_installed_is_named(postgres_origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "nosuch://there")
    with pytest.raises(UserError, match="`pip install adbc-driver-nosuch`"):
        postgres_origin.rows(table())
