"""A forked worker: discovers drops and ingests them as a run does, and dies at a given point."""

import faulthandler
import os
import resource
import signal
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3  # noqa: F401  # imported here once, and not in each worker
import botocore.session  # noqa: F401
import polars as pl
import psycopg
from checkout import PROJECT
from declaring import changed

import lastmile.ingestion.readers.excel.reader  # noqa: F401
from lastmile import ledger
from lastmile.contracts import Contract, column
from lastmile.errors import UserError
from lastmile.ingestion import load, release, worker
from lastmile.ingestion.discovery import listing
from lastmile.ingestion.discovery.listing import discover
from lastmile.settings import Settings
from lastmile.store import Store, open_store
from lastmile.warehouse.binary_copy import BinaryCopy
from lastmile.warehouse.connections import connect

#: A function, and whether before, after or halfway through it.
Point = tuple[Any, str, str]
#: Points at which a worker can be killed or suspended, in the order in which a drop passes them.
POINTS: dict[str, Point] = {
    "before entering drops": (listing, "register", "before"),
    "after the claim": (worker, "ingest_drop", "before"),
    "after claiming several": (worker, "read_batch", "before"),
    "after reading several": (worker, "load_batch", "before"),
    "before the fetch": (Store, "pin", "before"),
    "after the fetch": (Store, "pin", "after"),
    "before making a table of its own": (load, "create_drop_table", "before"),
    "after making a table of its own": (load, "create_drop_table", "after"),
    "after indexing tables of others": (load, "index_keys", "after"),
    "mid COPY": (BinaryCopy, "send", "halfway"),
    "after a batch": (BinaryCopy, "__exit__", "after"),
    "before looking for repeats": (load, "delete_table_duplicates", "before"),
    "after looking for repeats": (load, "delete_table_duplicates", "after"),
    "before publishing the Parquet file": (Store, "publish", "before"),
    "after publishing the Parquet file": (Store, "publish", "after"),
    "before the ledger's row": (ledger, "settle", "before"),
    "before the commit": (ledger, "settle", "after"),
    "after the commit": (worker, "load_drop", "after"),
    "after the commit of several": (worker, "load_batch", "after"),
    "before removing a stale file": (Store, "delete", "before"),
    "mid release": (release, "_publish", "before"),
    "before the commit of a release": (ledger, "record_release", "after"),
}
_ENGINE = str(PROJECT / "platform" / "lastmile")


def work(job: dict[str, Any]) -> bool:
    """Carry out the job's steps; False where the environment failed, with the reason on stderr."""
    from visits import YEARS  # declaring a contract starts threads, which would not live on in a fork

    faulthandler.register(signal.SIGUSR1)
    prepare(job)
    contract = contract_of(job)
    load.LARGE_BYTES = job.get("large", load.LARGE_BYTES)
    worker.FIRST_RETRY_WAIT = worker.OUTAGE_WAIT = timedelta(milliseconds=10)
    try:
        store = open_store(Settings(Path(), job["database"], job["store"], "none"))
        with connect(job["database"]) as connection:
            for step in job["steps"]:
                if step == "look":
                    discover(connection, store, {contract.name: contract})
                else:
                    worker.ingest_pending(connection, store, contract, YEARS, job["run"], redo=step == "redo")
    except (UserError, psycopg.OperationalError) as error:
        print(f"{job['run']}: {error}", file=sys.stderr)
        return False
    return True


def contract_of(job: dict[str, Any]) -> Contract:
    """VISITS with this history's policies; once corrected, it allows up to 60 persons."""
    from visits import VISITS

    contract = changed(VISITS, **job.get("contract", {}))
    return mended(contract) if job.get("mended") else contract


def mended(contract: Contract) -> Contract:
    columns = {**contract.columns, "persons": column(int, "Persons met.", unit="persons", ge=0, le=60)}
    return changed(contract, columns=columns)


def prepare(job: dict[str, Any]) -> None:
    if folder := job.get("temporary"):
        tempfile.tempdir = folder  # by TMPDIR alone Python would pass over a folder that is full
    if files := job.get("open_files"):
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    match job.get("fault"):
        case ["die at", point, nth]:
            at(POINTS[point], nth, die)
        case ["stop at", point, nth]:
            at(POINTS[point], nth, stop)
        case ["die at line", count]:
            die_after_lines(count)


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def stop(*_: object) -> None:
    """Wait until we are continued."""
    os.kill(os.getpid(), signal.SIGSTOP)


def at(point: Point, nth: int, then: Callable[[], None]) -> None:
    owner, name, moment = point
    call, left = getattr(owner, name), [nth]

    def reached() -> bool:
        left[0] -= 1
        return left[0] == 0

    def called(*args: Any, **named: Any) -> Any:
        is_here = reached()
        if is_here and moment == "before":
            then()
        if is_here and moment == "halfway":
            copy, encoded = args[0], b"".join(args[1])
            call(copy, [encoded[: len(encoded) // 2]])
            then()
            return call(copy, [encoded[len(encoded) // 2 :]])
        result = call(*args, **named)
        if is_here and moment == "after":
            then()
        return result

    setattr(owner, name, called)


def die_after_lines(count: int) -> None:
    """Die before the `count`th line of the engine's own code that is carried out from here on."""
    left = [count]

    def on_line(frame: Any, event: str, _: object) -> Any:
        if event == "line":
            left[0] -= 1
            if left[0] == 0:
                die()
        return on_line

    def on_call(frame: Any, event: str, _: object) -> Any:
        return on_line if frame.f_code.co_filename.startswith(_ENGINE) else None

    sys.settrace(on_call)


assert pl.__version__  # imported for its time, used in a worker only
