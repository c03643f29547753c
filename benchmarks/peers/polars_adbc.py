# /// script
# dependencies = ["polars>=1.30", "adbc-driver-postgresql>=1.8", "pyarrow>=20"]
# ///
"""polars.read_csv, then DataFrame.write_database by ADBC: Arrow to binary COPY into a table of guessed types."""

import sys

import polars as pl
from timing import work

CSV, URL, TABLE = sys.argv[1:]

with work():
    pl.read_csv(CSV, try_parse_dates=True).write_database(TABLE, URL, engine="adbc")
