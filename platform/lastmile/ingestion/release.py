"""Releases quarantined rows of a loaded drop, after its contract was corrected, alongside the drop's other rows.

A release is requested by a mark in the ledger, which the next run of the partition executes under the drop's claim, so
it is atomic however often a run is killed. The rows are read from the drop again, since raw text alone has no header,
and validated against the contract as it is now.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from psycopg import Connection

from lastmile import ledger
from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.lines import only_lines
from lastmile.ingestion.load import (
    Load,
    begin,
    cleaned_key,
    fetch_cleaned,
    load_batches,
    reject_table_duplicates,
)
from lastmile.ingestion.readers import open_drop
from lastmile.ingestion.schema_evolution.added_columns import with_added_columns
from lastmile.ledger import ClaimLost, Drop, Outcome, RequestRefused
from lastmile.quarantine.corrections import corrected_cells
from lastmile.quarantine.discard import discarded_lines
from lastmile.quarantine.rows import count_of_drop, delete_rows, undiscarded_lines
from lastmile.store import Pinned, Store


def release_rows(
    connection: Connection, store: Store, contract: Contract, drop: Drop, pinned: Pinned, run_id: str
) -> Outcome:
    """Load the requested rows that now satisfy the contract, alongside the drop's other rows; the others get new
    reasons.

    The contract's share of bad rows does not apply. Raises RequestRefused or Changed, with nothing changed, where the
    rows can no longer be read from the drop's bytes.
    """
    with connection.transaction():
        ledger.lock_claims(connection, drop)
        before = _counts_before(connection, store, drop, pinned.sha256)
        lines = undiscarded_lines(connection, drop.id, drop.retake or [])
        load = begin(connection, contract, drop, run_id)
        load.discarded, load.corrections = discarded_lines(connection, drop.id), corrected_cells(connection, drop.id)
        cleaned = _load_lines(load, store, pinned.path, lines) if lines else drop.cleaned_key
        pinned.expect_unchanged()
        outcome = _outcome(load, before, lines, cleaned)
        ledger.record_release(connection, drop, outcome, run_id)
    if drop.cleaned_key and cleaned != drop.cleaned_key:
        store.delete(drop.cleaned_key)
    return outcome


def _counts_before(connection: Connection, store: Store, drop: Drop, sha256: str) -> Outcome:
    """The drop's counts so far. Raises ClaimLost where it was replaced, RequestRefused where its bytes were."""
    found = ledger.find(connection, store.url, drop.id)
    if found is None or found.state != "loaded":
        state = found.state if found else "gone"
        raise ClaimLost(f"drop {drop.id} ({drop.key}) is {state} now: nothing of it can be released")
    if found.sha256 != sha256:
        raise RequestRefused(
            f"{drop.key}: expected the bytes that were loaded (SHA-256 {found.sha256}), found others ({sha256}); put"
            " the object back as it was, or drop the new file under the same name to replace its rows"
        )
    return Outcome("loaded", read=found.rows_read, loaded=found.rows_loaded)


def _load_lines(load: Load, store: Store, file: Path, lines: Sequence[int]) -> str | None:
    """Validate and load these lines; returns the key of the cleaned file that now has all rows of the drop."""
    delete_rows(load.connection, load.drop.id, lines)
    part = file.with_suffix(".parquet")
    try:
        reader = open_drop(file, load.drop.key, load.contract)
        if load.contract.may_gain_columns:
            load.contract = with_added_columns(load.connection, load.contract, reader.header)
        load_batches(load, only_lines(reader, lines), part)
    except Refused as refused:
        raise RequestRefused(str(refused)) from refused
    if load.read != len(lines):
        raise RequestRefused(
            f"{load.drop.key}: expected {len(lines)} records on the requested lines, found {load.read}: the contract"
            f" now reads the file differently; re-ingest it whole with `lastmile backfill --drop {load.drop.id}`"
        )
    reject_table_duplicates(load, reader, part, lines)
    return _publish(load, store, part) if load.loaded else load.drop.cleaned_key


def _publish(load: Load, store: Store, part: Path) -> str:
    """Publish a cleaned file with the rows loaded before, then those released, under a name unique to this claim."""
    key = cleaned_key(load.drop)
    if load.drop.cleaned_key is None:
        store.publish(key, part)
        return key
    with TemporaryDirectory(prefix="lastmile-") as folder:
        before, after = Path(folder) / "before.parquet", Path(folder) / "after.parquet"
        fetch_cleaned(store, load.drop, load.drop.cleaned_key, before)
        frames = [pl.scan_parquet(before), pl.scan_parquet(part)]
        pl.concat(frames, how="diagonal_relaxed").sink_parquet(after, compression="lz4")
        store.publish(key, after)
    return key


def _outcome(load: Load, before: Outcome, requested: Sequence[int], cleaned: str | None) -> Outcome:
    bad, duplicate = count_of_drop(load.connection, load.drop.id)
    found = f"released {load.loaded} of {len(requested)} rows under contract {load.contract.version}"
    corrected = len(load.corrections.keys() & set(requested))
    found += f", {corrected} of them corrected" if corrected else ""
    left = f"; {len(requested) - load.loaded} are still quarantined" if len(requested) > load.loaded else ""
    return Outcome(
        "loaded",
        read=before.read,
        loaded=before.loaded + load.loaded,
        quarantined=bad,
        duplicate=duplicate,
        cleaned_key=cleaned,
        message=f"{found}{left}" if requested else "nothing to release: the requested rows are loaded, or discarded",
    )
