# /// script
# dependencies = ["adbc-driver-postgresql>=1.8", "pyarrow>=20", "polars>=1.30"]
# ///
"""ADBC: binary COPY to Arrow, a polars frame of it."""

import sys

import polars as pl
from timing import work

URL, TABLE = sys.argv[1:]

with work() as said:
    frame = pl.read_database_uri(f"SELECT * FROM {TABLE}", URL, engine="adbc")
    said["rows"] = len(frame)
