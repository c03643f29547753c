"""Plays histories of new seeds for a given time: `python -m faults.soak --minutes 30 [--seed 1234]`.

Every other history is played in a folder, the rest on S3 behind the proxy that makes the way there a bad one. Exits
with 1 where any ended wrong.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import boto3
import psycopg
from faults.disk import fill, small_disk
from faults.history import history
from faults.playing import Play, Stage, assure
from faults.proxy import Proxy
from faults.workers import Workers
from s3_server import s3_server_at

from lastmile.embedded import postgres
from lastmile.settings import Settings
from lastmile.store import open_store
from lastmile.warehouse.migrate import migrate

HERE = "tests/faults/test_histories_in_a_folder.py"
ON_S3 = "tests/faults/test_histories_on_s3.py"


def main() -> int:
    asked = _arguments()
    first = asked.seed if asked.seed is not None else random.SystemRandom().randrange(10**6, 10**9)
    until = time.monotonic() + asked.minutes * 60
    hits: Counter[str] = Counter()
    played, failed = 0, []
    with stages(hits) as (folder, s3, proxy):
        while time.monotonic() < until:
            seed = first + played
            stage, place = (folder, HERE) if seed % 2 else (s3, ON_S3)
            play = Play(stage, history(seed))
            try:
                assure(play, play.with_faults, place)
            except AssertionError as wrong:
                failed.append(seed)
                print(f"\n{wrong}\n", flush=True)
            played += 1
            _progress(played, hits, proxy, failed, until)
    print()
    if failed:
        print(f"{len(failed)} of {played} histories ended wrong; their seeds: {failed}")
    return 1 if failed else 0


@contextmanager
def stages(hits: Counter[str]) -> Iterator[tuple[Stage, Stage, Proxy]]:
    """A stage in a folder and one on S3, all in a folder of its own that is gone at the end."""
    with ExitStack() as open_:
        base = Path(open_.enter_context(tempfile.TemporaryDirectory(prefix="lastmile-soak-")))
        base.chmod(0o755)
        proxy = open_.enter_context(Proxy(open_.enter_context(_s3_server(base / "s3"))))
        url = open_.enter_context(postgres.started(base / "postgres"))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE on_s3")
        disk_folder = base / "disk"
        disk_folder.mkdir()
        disk = open_.enter_context(small_disk(disk_folder))
        if disk:
            fill(disk)
        made = []
        for name, store in (("lastmile", (base / "objects").as_uri()), ("on_s3", "s3://soak")):
            database = f"{url.rpartition('/')[0]}/{name}"
            migrate(database)
            workers = Workers(base / f"{name}.log", {"AWS_ENDPOINT_URL": proxy.url})
            open_.callback(workers.close)
            connection = open_.enter_context(psycopg.connect(database, autocommit=True))
            settings = Settings(Path(), database, store, "none")
            made.append(Stage(database, connection, open_store(settings), workers, disk, hits))
        made[1].disturb, made[1].calm = proxy.disturb, proxy.calm
        yield made[0], made[1], proxy


@contextmanager
def _s3_server(folder: Path) -> Iterator[str]:
    """Endpoint of a server with an empty bucket `soak` that keeps versions; the environment says so too."""
    folder.mkdir()
    with s3_server_at(folder) as url:
        os.environ |= {"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1"}
        os.environ |= {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
        client = boto3.client("s3")
        client.create_bucket(Bucket="soak")
        client.put_bucket_versioning(Bucket="soak", VersioningConfiguration={"Status": "Enabled"})
        yield url


def _progress(played: int, hits: Counter[str], proxy: Proxy, failed: list[int], until: float) -> None:
    kills = sum(times for fault, times in hits.items() if fault.startswith("die"))
    faults = sum(hits.values()) - kills + sum(proxy.happened.values())
    left = max(until - time.monotonic(), 0) / 60
    line = f"{played} histories, {kills} kills, {faults} other faults, {len(failed)} ended wrong, {left:.1f} min left"
    print(f"\r{line:<100}" if sys.stdout.isatty() else line, end="" if sys.stdout.isatty() else "\n", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Play histories of new seeds until the time is up.")
    parser.add_argument("--minutes", type=float, default=10, help="for how long; 10 unless told")
    parser.add_argument("--seed", type=int, help="the first seed; each following history has the next")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
