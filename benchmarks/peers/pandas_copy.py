# /// script
# dependencies = ["pandas>=3", "psycopg[binary]"]
# ///
"""pandas.read_csv, then the whole frame written as CSV again and sent by COPY: the usual advice against to_sql."""

import sys
from io import StringIO

import pandas as pd
import psycopg
from timing import work

CSV, URL, TABLE = sys.argv[1:]

with work(), psycopg.connect(URL) as connection:
    frame = pd.read_csv(CSV)
    text = StringIO()
    frame.to_csv(text, index=False, header=False)
    statement = f"COPY {TABLE} ({', '.join(frame.columns)}) FROM STDIN (FORMAT csv)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(text.getvalue())
