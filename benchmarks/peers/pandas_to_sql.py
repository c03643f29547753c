# /// script
# dependencies = ["pandas>=3", "sqlalchemy>=2", "psycopg[binary]"]
# ///
"""pandas.read_csv, then DataFrame.to_sql as it comes: rows by executemany into a table made from guessed types."""

import sys

import pandas as pd
from sqlalchemy import create_engine
from timing import work

CSV, URL, TABLE = sys.argv[1:]

with work():
    engine = create_engine(URL.replace("postgresql://", "postgresql+psycopg://"))
    schema, name = TABLE.split(".")
    pd.read_csv(CSV).to_sql(name, engine, schema=schema, index=False)
