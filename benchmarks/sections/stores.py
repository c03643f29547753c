"""What does a drop on S3 cost, compared to a folder? The S3 server is ministack, in memory, on the same machine."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.bench import Bench, row
from benchmarks.comparing import PROJECT, interleaved, whole_job
from benchmarks.results import Found

_BUCKET = "benchmark"


def run(bench: Bench) -> list[Found]:
    survey = bench.surveys.of(bench.rows)
    folder = whole_job(bench.site, survey, "from a folder")
    with _s3() as url:
        s3 = whole_job(replace(bench.site, store_url=url), survey, "from S3")
        tallies = interleaved([folder, s3], bench.rounds, bench.site, bench.console)
    rows = [row(name, tally, tallies[folder.name], base=folder.name) for name, tally in tallies.items()]
    note = "The S3 server shares the cores; its CPU is not in the table."
    return [Found(f"{bench.rows:,} rows by store, median of {bench.rounds}", rows, note)]


@contextmanager
def _s3() -> Iterator[str]:
    """URL of an empty bucket, reached through the environment of this process."""
    import boto3

    sys.path.insert(0, str(PROJECT / "tests"))
    from s3_server import s3_server_at

    before = dict(os.environ)
    with TemporaryDirectory(prefix="lastmile-s3-") as folder, s3_server_at(Path(folder)) as endpoint:
        os.environ |= {"AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
        os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        boto3.client("s3").create_bucket(Bucket=_BUCKET)
        try:
            yield f"s3://{_BUCKET}"
        finally:
            os.environ.clear()
            os.environ.update(before)
