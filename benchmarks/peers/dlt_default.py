# /// script
# dependencies = ["dlt[postgres,filesystem]>=1.20", "pandas>=2"]
# ///
"""dlt as its guide begins: the reader of CSV files that comes with it, rows as dictionaries, INSERT statements."""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import dlt
from dlt.sources.filesystem import filesystem, read_csv
from timing import work

CSV, URL, TABLE = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"

with work(), TemporaryDirectory() as folder:
    schema, name = TABLE.split(".")
    pipeline = dlt.pipeline(name, pipelines_dir=folder, destination=dlt.destinations.postgres(URL), dataset_name=schema)
    files = filesystem(bucket_url=CSV.parent.as_uri(), file_glob=CSV.name)
    pipeline.run((files | read_csv()).with_name(name))
