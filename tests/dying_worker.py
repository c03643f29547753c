"""Ingests the drops of a site and kills itself at a point: `dying_worker.py DATABASE_URL STORE_URL WHERE`."""

import os
import signal
import sys
from pathlib import Path

import psycopg
from visits import VISITS, YEARS

from lastmile import ledger
from lastmile.ingestion import load, micro_batch, worker
from lastmile.settings import Settings
from lastmile.store import open_store


def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def then_die(way):
    return lambda *arguments: die(way(*arguments))


def arrange_to_die(where):
    if where == "after the claim":
        worker.load_drop = worker.release_rows = worker.read_batch = die
    elif where == "after the first batch":
        load.delete_table_duplicates = micro_batch._publish = die
    elif where == "before the commit":
        ledger.settle = ledger.record_release = die
    elif where == "after the commit":
        for way in ("load_drop", "release_rows", "load_batch"):
            setattr(worker, way, then_die(getattr(worker, way)))
    else:
        raise ValueError(where)


if __name__ == "__main__":
    database_url, store_url, where = sys.argv[1:]
    arrange_to_die(where)
    store = open_store(Settings(Path(), database_url, store_url, "none"))
    with psycopg.connect(database_url, autocommit=True) as connection:
        worker.ingest_pending(connection, store, VISITS, YEARS, "killed run")
