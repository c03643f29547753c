# /// script
# dependencies = ["psycopg[binary]"]
# ///
"""COPY from the client's side, 1 MiB at a time: what the server takes to parse and store the file, and nothing else."""

import sys
from pathlib import Path

import psycopg
from timing import work

CSV, URL, TABLE = sys.argv[1:]

with work(), psycopg.connect(URL) as connection, Path(CSV).open("rb") as file:
    header = file.readline().decode().strip()
    with connection.cursor() as cursor, cursor.copy(f"COPY {TABLE} ({header}) FROM STDIN (FORMAT csv)") as copy:
        while block := file.read(1 << 20):
            copy.write(block)
