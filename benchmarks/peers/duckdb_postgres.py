# /// script
# dependencies = ["duckdb==1.5.5", "duckdb-extensions==1.5.5", "duckdb-extension-postgres-scanner==1.5.5"]
# ///
"""DuckDB reads the CSV and inserts into Postgres by its extension.

The extension is the registry's, not the one that DuckDB fetches from its own site; it fits this one version only.
"""

import sys

import duckdb
from duckdb_extensions import import_extension
from timing import work

CSV, URL, TABLE = sys.argv[1:]
import_extension("postgres_scanner")

with work(), duckdb.connect() as connection:
    connection.execute("LOAD postgres_scanner")
    connection.execute(f"ATTACH '{URL}' AS warehouse (TYPE postgres)")
    connection.execute(f"INSERT INTO warehouse.{TABLE} SELECT * FROM read_csv('{CSV}')")
