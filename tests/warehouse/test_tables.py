"""A dataset's table follows its contract."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime

import pytest
from declaring import changed, dataset
from psycopg import Connection

from lastmile.contracts import column
from lastmile.contracts.partition import Partition
from lastmile.errors import UserError
from lastmile.warehouse.connections import connect
from lastmile.warehouse.tables import ADDED_COMMENT, ensure_table

WELLS = dataset(
    name="wells",
    description="Wells people's teams looked at.",
    partition=Partition("year", start=date(2015, 1, 1)),
    key=("village", "well"),
    columns={
        "village": column(str, "Village of the well.", required=True),
        "well": column(int, "Number of the well."),
        "depth_m": column(float, "Depth.", unit="m"),
        "dry": column(bool, "No water when seen."),
        "seen": column(date, "Day of the visit."),
        "at": column(datetime, "Moment of the reading."),
    },
)


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with connect(database_url) as connection:
        yield connection


def columns(connection: Connection) -> dict[str, str]:
    found = connection.execute(
        "SELECT attname, format_type(atttypid, NULL) || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END"
        " FROM pg_attribute WHERE attrelid = 'raw.wells'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"
    )
    return dict(found.fetchall())


def indexes(connection: Connection) -> list[str]:
    found = connection.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'wells'").fetchall()
    return sorted(definition.partition("btree ")[2] for (definition,) in found)


def test_the_table_has_the_contracts_columns_in_order_and_then_each_rows_origin(connection: Connection) -> None:
    ensure_table(connection, WELLS)
    assert list(columns(connection).items()) == [
        ("village", "text"),
        ("well", "bigint"),
        ("depth_m", "double precision"),
        ("dry", "boolean"),
        ("seen", "date"),
        ("at", "timestamp with time zone"),
        ("_drop_id", "bigint NOT NULL"),
        ("_line", "bigint NOT NULL"),
        ("_partition_start", "date NOT NULL"),
        ("_run_id", "text"),
        ("_loaded_at", "timestamp with time zone NOT NULL"),
        ("_rescued", "jsonb"),
    ]


def test_descriptions_and_units_are_comments(connection: Connection) -> None:
    ensure_table(connection, WELLS)
    (table,) = connection.execute("SELECT obj_description('raw.wells'::regclass, 'pg_class')").fetchone() or ()
    (depth,) = connection.execute("SELECT col_description('raw.wells'::regclass, 3)").fetchone() or ()
    assert table == "Wells people's teams looked at."
    assert depth == "Depth. Unit: m."
    ensure_table(
        connection, changed(WELLS, columns={**WELLS.columns, "depth_m": column(float, "Depth below ground.", unit="m")})
    )
    (depth,) = connection.execute("SELECT col_description('raw.wells'::regclass, 3)").fetchone() or ()
    assert depth == "Depth below ground. Unit: m."


def test_drops_partitions_and_keys_are_indexed_once(connection: Connection) -> None:
    ensure_table(connection, WELLS)
    ensure_table(connection, WELLS)
    assert indexes(connection) == ["(_drop_id, _partition_start)", "(village, well)"]


def test_a_dataset_without_a_key_needs_no_index_on_one(connection: Connection) -> None:
    ensure_table(connection, replace(WELLS, key=()))
    assert indexes(connection) == ["(_drop_id, _partition_start)"]


def test_a_newer_contract_adds_its_columns_and_rows_stay(connection: Connection) -> None:
    ensure_table(connection, WELLS)
    connection.execute(
        "INSERT INTO raw.wells VALUES ('A', 1, 2.5, false, '2020-01-01', now(), 1, 1, '2020-01-01', 'r', now())"
    )
    ensure_table(connection, changed(WELLS, columns={**WELLS.columns, "pump": column(str, "Make of the pump.")}))
    assert columns(connection)["pump"] == "text"
    assert connection.execute("SELECT village, pump FROM raw.wells").fetchall() == [("A", None)]


def test_a_column_no_longer_declared_stays_for_the_rows_that_have_it(connection: Connection) -> None:
    ensure_table(connection, WELLS)
    ensure_table(
        connection, changed(WELLS, columns={name: spec for name, spec in WELLS.columns.items() if name != "dry"})
    )
    assert "dry" in columns(connection)


def test_integers_are_widened_to_reals_under_a_view_that_uses_them(connection: Connection) -> None:
    ensure_table(connection, WELLS)
    connection.execute(
        "INSERT INTO raw.wells (well, _drop_id, _line, _partition_start, _loaded_at) VALUES (7, 1, 1, now(), now())"
    )
    connection.execute(
        "CREATE SCHEMA staging; CREATE VIEW staging.stg_wells AS SELECT well FROM raw.wells WHERE well > 0"
    )
    ensure_table(connection, changed(WELLS, columns={**WELLS.columns, "well": column(float, "Number of the well.")}))
    assert columns(connection)["well"] == "double precision"
    assert connection.execute("SELECT well, pg_typeof(well)::text FROM staging.stg_wells").fetchall() == [
        (7.0, "double precision")
    ]


def test_widening_what_more_than_a_view_depends_on_is_refused_whole(connection: Connection) -> None:
    ensure_table(connection, WELLS)
    connection.execute("CREATE VIEW low AS SELECT well FROM raw.wells; CREATE VIEW high AS SELECT well FROM low")
    with pytest.raises(UserError, match="high depends on view low"):
        ensure_table(
            connection, changed(WELLS, columns={**WELLS.columns, "well": column(float, "Number of the well.")})
        )
    assert connection.execute("SELECT count(*) FROM high").fetchone() == (0,)


def test_a_type_that_cannot_hold_the_old_values_is_refused_by_name(connection: Connection) -> None:
    ensure_table(connection, WELLS)
    with pytest.raises(
        UserError, match=r"column depth_m of raw\.wells is double precision and its contract now says bigint"
    ):
        ensure_table(connection, changed(WELLS, columns={**WELLS.columns, "depth_m": column(int, "Depth.", unit="m")}))


def test_workers_that_meet_at_a_new_dataset_make_one_table(database_url: str) -> None:
    def race(_: int) -> None:
        with connect(database_url) as connection:
            ensure_table(connection, WELLS)

    with ThreadPoolExecutor(4) as racers:
        list(racers.map(race, range(4)))
    with connect(database_url) as connection:
        assert indexes(connection) == ["(_drop_id, _partition_start)", "(village, well)"]


def put_well(connection: Connection, number: int) -> None:
    connection.execute(
        "INSERT INTO raw.wells (well, _drop_id, _line, _partition_start, _loaded_at) VALUES (%s, 1, 1, now(), now())",
        [number],
    )


def test_whole_numbers_that_a_real_one_cannot_hold_are_kept_and_named(connection: Connection) -> None:
    ensure_table(connection, WELLS)
    put_well(connection, 2**53 + 1)
    with pytest.raises(UserError, match=r"cannot hold 9007199254740993 and perhaps more of its values exactly: keep"):
        ensure_table(
            connection, changed(WELLS, columns={**WELLS.columns, "well": column(float, "Number of the well.")})
        )
    assert connection.execute("SELECT well FROM raw.wells").fetchall() == [(2**53 + 1,)]


def test_the_largest_whole_numbers_that_a_real_one_holds_exactly_are_widened(connection: Connection) -> None:
    ensure_table(connection, WELLS)
    put_well(connection, 2**53)
    ensure_table(connection, changed(WELLS, columns={**WELLS.columns, "well": column(float, "Number of the well.")}))
    assert connection.execute("SELECT well FROM raw.wells").fetchall() == [(float(2**53),)]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("well", column(str, "W")),
        ("depth_m", column(str, "D")),
        ("dry", column(int, "D")),
        ("seen", column(datetime, "S")),
        ("village", column(float, "V")),
    ],
)
def test_a_type_change_that_could_change_values_is_refused_with_what_to_do(connection, name, other):
    ensure_table(connection, WELLS)
    with pytest.raises(UserError) as message:
        ensure_table(connection, changed(WELLS, columns={**WELLS.columns, name: other}, key=()))
    assert f"column {name} of raw.wells is " in str(message.value)
    assert f"declare a column of another name with '{name}' among its aliases" in str(message.value)
    assert "lastmile backfill --dataset wells --redo" in str(message.value)


def test_an_added_text_column_may_become_any_type_and_its_values_are_rescued(
    connection: Connection,
) -> None:
    brought = {**WELLS.columns, "pump": column(str, ADDED_COMMENT)}
    ensure_table(connection, changed(WELLS, columns=brought))
    put_well(connection, 1)
    connection.execute("""UPDATE raw.wells SET pump = 'a "b"', _rescued = '{"x": "y"}'""")
    connection.execute("CREATE SCHEMA staging; CREATE VIEW staging.stg_wells AS SELECT pump FROM raw.wells")
    ensure_table(connection, changed(WELLS, columns={**WELLS.columns, "pump": column(int, "Pumps.")}))
    assert connection.execute("SELECT pump, _rescued FROM raw.wells").fetchall() == [
        (None, {"x": "y", "pump": 'a "b"'})
    ]
    assert columns(connection)["pump"] == "bigint"
