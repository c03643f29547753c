# /// script
# dependencies = ["duckdb>=1.3"]
# ///
"""DuckDB reads the CSV into a table in memory, guessing dialect and types."""

import sys

import duckdb
from timing import work

with work() as said, duckdb.connect() as connection:
    connection.execute("CREATE TABLE survey AS SELECT * FROM read_csv(?)", [sys.argv[1]])
    said["rows"] = connection.execute("SELECT count(*) FROM survey").fetchall()[0][0]
