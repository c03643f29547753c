# /// script
# dependencies = ["psycopg[binary]", "pandas>=2"]
# ///
"""psycopg: all rows as tuples, then a pandas frame of them."""

import sys

import pandas as pd
import psycopg
from timing import work

URL, TABLE = sys.argv[1:]

with work() as said:
    with psycopg.connect(URL) as connection, connection.cursor() as cursor:
        rows = cursor.execute(f"SELECT * FROM {TABLE}").fetchall()
        frame = pd.DataFrame(rows, columns=[column.name for column in cursor.description])
    said["rows"] = len(frame)
