# /// script
# dependencies = ["connectorx>=0.4.4", "pyarrow>=20", "polars>=1.30"]
# ///
"""connectorx to Arrow, as polars.read_database_uri does by default."""

import sys

import polars as pl
from timing import work

URL, TABLE = sys.argv[1:]

with work() as said:
    frame = pl.read_database_uri(f"SELECT * FROM {TABLE}", URL, engine="connectorx")
    said["rows"] = len(frame)
