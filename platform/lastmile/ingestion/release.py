"""Taking again what was set aside, after its contract was mended: single rows of a loaded drop, or drops as a whole.

Asking is a mark in the ledger, which the next run of the partition carries out under the drop's claim. So it does not
matter who asks, whether the platform is up, or how often a run is killed: a release happens whole or not at all. The
rows are read again from the drop itself, since raw text alone has no header, and judged by the contract as it is then.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from psycopg import Connection

from lastmile import ledger
from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import RawBatch, Refused
from lastmile.ingestion.load import Load, begin, cleaned_key, fetch_cleaned, load_batches, take_out_duplicates
from lastmile.ingestion.readers import Reader, open_drop
from lastmile.ingestion.schema_evolution.added_columns import grown
from lastmile.ledger import ClaimLost, Drop, Outcome, RequestRefused
from lastmile.quarantine.corrections import corrected_cells
from lastmile.quarantine.discard import discarded_lines
from lastmile.quarantine.rows import count_of_drop, delete_rows, undiscarded_lines
from lastmile.store import PinnedFile, Store


def release(
    connection: Connection, store: Store, contract: Contract, drop: Drop, pinned: PinnedFile, run_id: str
) -> Outcome:
    """Load those rows asked for that now fit the contract, beside the drop's other rows; renew the others' reasons.

    How many of the drop's rows are bad does not matter: they were loaded without them. Raises RequestRefused or
    Changed, with nothing changed, where the rows cannot be had from its bytes any more.
    """
    with connection.transaction():
        ledger.lock_claims(connection, drop)
        before = _as_loaded(connection, store, drop, pinned.sha256)
        asked = undiscarded_lines(connection, drop.id, drop.retake or [])
        work = begin(connection, contract, drop, run_id)
        work.discarded, work.corrections = discarded_lines(connection, drop.id), corrected_cells(connection, drop.id)
        cleaned = _take(work, store, pinned.path, asked) if asked else drop.cleaned_key
        pinned.expect_unchanged()
        outcome = _summed_up(work, before, asked, cleaned)
        ledger.record_release(connection, drop, outcome, run_id)
    if drop.cleaned_key and cleaned != drop.cleaned_key:
        store.delete(drop.cleaned_key)
    return outcome


def _as_loaded(connection: Connection, store: Store, drop: Drop, sha256: str) -> Outcome:
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


def _take(work: Load, store: Store, file: Path, asked: Sequence[int]) -> str | None:
    """Judge and load the rows asked for; returns the key of the cleaned file that now holds all of the drop's rows."""
    delete_rows(work.connection, work.drop.id, asked)
    part = file.with_suffix(".parquet")
    try:
        reader = open_drop(file, work.drop.key, work.contract)
        work.contract = grown(work.connection, work.contract, reader.header)
        load_batches(work, only_lines(reader, asked), part)
    except Refused as refused:
        raise RequestRefused(str(refused)) from refused
    if work.read != len(asked):
        raise RequestRefused(
            f"{work.drop.key}: expected {len(asked)} records on the lines asked for, found {work.read}: the contract"
            f" now has the file read in another way; take it whole with `lastmile backfill --drop {work.drop.id}`"
        )
    take_out_duplicates(work, part, asked)
    return _publish(work, store, part) if work.loaded else work.drop.cleaned_key


def only_lines(reader: Reader, asked: Sequence[int]) -> Reader:
    """The reader with nothing but the records of the lines asked for."""
    wanted = pl.Series(asked, dtype=pl.UInt64)

    def produce(rows: int) -> Iterator[RawBatch]:
        for batch in reader.batches(rows):
            narrowed = _narrowed(batch, wanted)
            if narrowed.records:
                yield narrowed

    return Reader(reader.format, reader.header, produce)


def _narrowed(batch: RawBatch, wanted: pl.Series) -> RawBatch:
    is_wanted = batch.lines.is_in(wanted.implode())
    places = is_wanted.arg_true()
    lines = set(wanted)
    return RawBatch(
        batch.frame.filter(is_wanted),
        batch.lines.filter(is_wanted),
        lambda positions: batch.raw(places.gather(list(positions)).to_list()),
        [record for record in batch.broken if record.line in lines],
    )


def _publish(work: Load, store: Store, part: Path) -> str:
    """Put a cleaned file of the rows the drop had and those released, in this order, under a name of this claim."""
    key = cleaned_key(work.drop)
    if work.drop.cleaned_key is None:
        store.publish(key, part)
        return key
    with TemporaryDirectory(prefix="lastmile-") as folder:
        before, after = Path(folder) / "before.parquet", Path(folder) / "after.parquet"
        fetch_cleaned(store, work.drop, work.drop.cleaned_key, before)
        frames = [pl.scan_parquet(before), pl.scan_parquet(part)]
        pl.concat(frames, how="diagonal_relaxed").sink_parquet(after, compression="lz4")
        store.publish(key, after)
    return key


def _summed_up(work: Load, before: Outcome, asked: Sequence[int], cleaned: str | None) -> Outcome:
    bad, duplicate = count_of_drop(work.connection, work.drop.id)
    found = f"released {work.loaded} of {len(asked)} rows under contract {work.contract.version}"
    corrected = len(work.corrections.keys() & set(asked))
    found += f", {corrected} of them corrected" if corrected else ""
    left = f"; {len(asked) - work.loaded} are still quarantined" if len(asked) > work.loaded else ""
    return Outcome(
        "loaded",
        read=before.read,
        loaded=before.loaded + work.loaded,
        quarantined=bad,
        duplicate=duplicate,
        cleaned_key=cleaned,
        message=f"{found}{left}" if asked else "nothing to release: the rows requested are loaded, or discarded",
    )
