# /// script
# dependencies = [
#   "duckdb==1.5.5",
#   "duckdb-extensions==1.5.5",
#   "duckdb-extension-postgres-scanner==1.5.5",
#   "pyarrow>=20",
# ]
# ///
"""DuckDB by its Postgres extension, to an Arrow table."""

import sys

import duckdb
from duckdb_extensions import import_extension
from timing import work

URL, TABLE = sys.argv[1:]

with work() as said:
    import_extension("postgres_scanner")
    with duckdb.connect() as connection:
        connection.execute("LOAD postgres_scanner")
        connection.execute(f"ATTACH '{URL}' AS warehouse (TYPE postgres, READ_ONLY)")
        frame = connection.execute(f"SELECT * FROM warehouse.{TABLE}").to_arrow_table()
    said["rows"] = len(frame)
