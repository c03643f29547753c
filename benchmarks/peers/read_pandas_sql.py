# /// script
# dependencies = ["pandas>=2", "sqlalchemy>=2", "psycopg[binary]"]
# ///
"""pandas.read_sql, as it comes."""

import sys

import pandas as pd
from sqlalchemy import create_engine
from timing import work

URL, TABLE = sys.argv[1:]

with work() as said:
    engine = create_engine(URL.replace("postgresql://", "postgresql+psycopg://"))
    frame = pd.read_sql(f"SELECT * FROM {TABLE}", engine)
    said["rows"] = len(frame)
