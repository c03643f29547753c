# /// script
# dependencies = ["psycopg[binary]", "polars>=1.30"]
# ///
"""COPY out as CSV by psycopg, read by polars: with nothing but what the platform has."""

import sys
from io import BytesIO

import polars as pl
import psycopg
from timing import work

URL, TABLE = sys.argv[1:]
#: What polars reads by itself; booleans and moments are texts at first.
READ = {"date": pl.Date, "float8": pl.Float64, "int8": pl.Int64}

with work() as said:
    with psycopg.connect(URL, options="-c timezone=UTC") as connection, connection.cursor() as cursor:
        columns = cursor.execute(f"SELECT * FROM {TABLE} LIMIT 0").description
        kinds = {column.name: connection.adapters.types[column.type_code].name for column in columns}
        with cursor.copy(f"COPY {TABLE} TO STDOUT (FORMAT csv)") as copy:
            text = BytesIO(b"".join(copy))
    schema = {name: READ.get(kind, pl.String) for name, kind in kinds.items()}
    frame = pl.read_csv(text, has_header=False, schema=schema).with_columns(
        [pl.col(name) == "t" for name, kind in kinds.items() if kind == "bool"]
        + [
            pl.col(name).str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_zone="UTC")
            for name, kind in kinds.items()
            if kind == "timestamptz"
        ]
    )
    said["rows"] = len(frame)
