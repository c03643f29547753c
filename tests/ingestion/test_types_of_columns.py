"""A drop with a column of every type goes through the intake: table, cleaned file and ledger agree."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import get_type_hints

import pandera.polars as pa
import polars as pl
from visits import Site

from lastmile.contracts import Json, field
from lastmile.contracts.types import KINDS
from lastmile.warehouse.tables import column_types


class Everything(pa.DataFrameModel):
    visit: str = field("Key.")
    number: float | None = field("A number.")
    whole: int | None = field("A whole number.")
    price: Decimal | None = field("A decimal.", scale=2)
    owns: bool | None = field("Yes or no.")
    day: date | None = field("A day.")
    at: datetime | None = field("A point in time.")
    clock: time | None = field("A time of day.")
    answers: Json | None = field("Nested answers.")
    uses: list[str] | None = field("A multiple choice.")
    harvest: float | None = field("Harvested.", unit="kg", alias=r"crop_\w+_kg", regex=True, ge=0)


HEADER = "visit,number,whole,price,owns,day,at,clock,answers,uses"
ROWS = [
    'v1,0.5,7,-1234567890123456789.10,yes,2024-12-31,2024-12-31T14:30Z,14:30:15.25,"{""a"": [1]}",eat sell',
    'v2,,,0.05,,,,,"[]",eat',
    "v3,,,,,,,,,",
]
FOUND = [
    (
        "v1", 0.5, 7, Decimal("-1234567890123456789.10"), True, date(2024, 12, 31),
        datetime(2024, 12, 31, 14, 30, tzinfo=UTC), time(14, 30, 15, 250_000), {"a": [1]}, ["eat", "sell"],
    ),
    ("v2", None, None, Decimal("0.05"), None, None, None, None, [], ["eat"]),
    ("v3", *[None] * 9),
]  # fmt: skip


def test_a_value_of_every_type_is_the_same_in_the_table_and_in_the_cleaned_file(site: Site) -> None:
    site.under(schema=Everything)
    site.put("a.csv", "\n".join([HEADER, *ROWS]))
    site.discover()
    (outcome,) = site.take()
    assert (outcome.state, outcome.read, outcome.loaded) == ("loaded", 3, 3), outcome.message
    names = HEADER.split(",")
    rows = site.connection.execute(f"SELECT {HEADER} FROM raw.visits ORDER BY visit").fetchall()
    assert rows == FOUND
    (key,) = [drop["cleaned_key"] for drop in site.drops()]
    cleaned = pl.read_parquet(site.store.read(key)).select(names).drop("answers").rows()
    assert cleaned == [
        tuple(value for name, value in zip(names, row, strict=True) if name != "answers") for row in FOUND
    ]


def test_the_table_has_the_type_that_the_registry_says(site: Site) -> None:
    site.under(schema=Everything)
    site.put("a.csv", f"{HEADER}\n")
    site.discover()
    site.take()
    found = column_types(site.connection, "visits")
    assert {name: found[name] for name in site.contract.columns} == {
        name: kind.postgres for name, kind in site.contract.kinds.items() if name in site.contract.columns
    }
    assert {kind.name for kind in site.contract.kinds.values()} == {kind.name for kind in KINDS}
    assert set(site.contract.columns) < set(get_type_hints(Everything))


def test_columns_that_fit_a_pattern_become_columns_of_the_table(site: Site) -> None:
    site.under(schema=Everything)
    site.put("a.csv", "visit,Crop maize kg,crop_rice_kg\nv1,2.5,\nv2,-1,3\n")
    site.put("b.csv", "visit,crop_beans_kg,other\nv3,4,x\n")
    site.discover()
    assert [(outcome.loaded, outcome.quarantined) for outcome in site.take()] == [(1, 1), (1, 0)]
    rows = site.query(
        "SELECT visit, crop_maize_kg, crop_rice_kg, crop_beans_kg, _rescued FROM raw.visits ORDER BY visit"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("v1", 2.5, None, None, None),
        ("v3", None, None, 4.0, {"other": "x"}),
    ]
