"""Loads one drop into the warehouse: read, validate, load and record it in the ledger, all in one transaction.

Whatever kills it, nothing of the drop is visible before the commit and all of it after. The cleaned Parquet file is
published before the commit, under a name unique to its claim, and counts only once the ledger's row names it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
from psycopg import Connection, sql

from lastmile import ledger
from lastmile.contracts.casts import NumberFormat
from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import QUARANTINE_SCHEMA, RawBatch, rows_at_once
from lastmile.ingestion.corrected import with_corrections
from lastmile.ingestion.dedup import (
    KeyIndex,
    deduplicates,
    delete_table_duplicates,
    duplicate_kind,
    duplicates_in_drop,
)
from lastmile.ingestion.lines import raw_texts
from lastmile.ingestion.pipeline import Stage, prefetched
from lastmile.ingestion.readers import Reader, open_drop
from lastmile.ingestion.schema_evolution.added_columns import with_added_columns, without_room
from lastmile.ingestion.validation import Plan
from lastmile.ingestion.writers import CopyStream, ParquetFile, Rejected, RowCopy
from lastmile.ledger import Drop, Outcome, RequestRefused, Settled
from lastmile.ledger.drop_tables import create_drop_table, index_keys
from lastmile.quarantine.corrections import corrected_cells
from lastmile.quarantine.discard import discarded_lines
from lastmile.quarantine.rows import Kind, delete_rows, quarantine_rows
from lastmile.store import Missing, Pinned, Store, StoredObject, Upload
from lastmile.telemetry.spans import span
from lastmile.warehouse.drop_tables import LARGE_BYTES, DropTable


@dataclass
class Load:
    """A load of one drop in progress, with its rows counted so far."""

    connection: Connection
    contract: Contract
    drop: Drop
    run_id: str
    #: First day of the partition of all its rows; None where each has its own.
    first_day: date | None
    keys: KeyIndex
    #: Lines discarded by decision, with the reason.
    discarded: Mapping[int, str] = field(default_factory=dict)
    #: Corrected cells by line and header of the file.
    corrections: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    #: The drop's own table, if its rows do not go into the dataset's.
    drop_table: DropTable | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    read: int = 0
    bad: int = 0
    duplicate: int = 0
    #: Bad rows on discarded lines: they do not count towards the bad share.
    bad_discarded: int = 0
    #: Where each row has its own partition: those whose rows the drop changes.
    partitions: set[str] = field(default_factory=set)

    @property
    def loaded(self) -> int:
        return self.read - self.bad - self.duplicate

    def provenance(self) -> dict[str, object]:
        """Where each loaded row came from, apart from its `_line`."""
        of_all = {"_drop_id": self.drop.id, "_run_id": self.run_id, "_loaded_at": self.at}
        return of_all if self.first_day is None else of_all | {"_partition_start": self.first_day}

    def placed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with the partition that each has by its own column, where the contract says so."""
        start = self.contract.partition.start_of_row()
        return rows if start is None else rows.with_columns(start.alias("_partition_start"))

    def note_partitions(self, drop_ids: Sequence[int]) -> None:
        """Add the partitions that these drops have rows in."""
        if self.first_day is None:
            found = self.connection.execute(
                sql.SQL("SELECT DISTINCT _partition_start FROM {} WHERE _drop_id = ANY(%s)").format(
                    sql.Identifier("raw", self.contract.name)
                ),
                [list(drop_ids)],
            )
            self.partitions |= {self.contract.partition.key_of(start) for (start,) in found.fetchall()}

    def count(self, rows: pl.DataFrame, kind: Kind) -> None:
        """Count rejected rows of a kind."""
        if kind == "bad":
            self.bad += rows.height
            self.bad_discarded += int(rows["line"].is_in(list(self.discarded)).sum()) if self.discarded else 0
        else:
            self.duplicate += rows.height

    def quarantine(self, rows: pl.DataFrame, kind: Kind) -> None:
        """Write rejected rows to the quarantine."""
        if rows.height:
            drop = self.drop
            quarantine_rows(self.connection, drop.id, drop.dataset, drop.partition, self.run_id, rows, kind)


class _Repeated(Exception):
    """The drop turned out, while it was being loaded, to have the bytes of another one that was loaded meanwhile."""


def load_drop(
    connection: Connection, store: Store, contract: Contract, drop: Drop, pinned: Pinned, run_id: str
) -> Outcome:
    """Load the drop whose bytes are pinned. Raises Refused, Unreadable or Changed with nothing of it left behind."""
    try:
        return _load_drop(connection, store, contract, drop, pinned, run_id)
    except _Repeated:  # by now its hash is known at once
        return _load_drop(connection, store, contract, drop, pinned, run_id)


def _load_drop(
    connection: Connection, store: Store, contract: Contract, drop: Drop, pinned: Pinned, run_id: str
) -> Outcome:
    stale: list[str] = []
    load = begin(connection, contract, drop, run_id)
    if drop.size >= LARGE_BYTES and load.first_day is not None:
        load.drop_table = create_drop_table(connection, contract.name, load.provenance())
    if deduplicates(contract):
        index_keys(connection, contract, [drop.partition], except_keys=[drop.key])
    with transaction(connection, contract.name):
        ledger.lock_claims(connection, drop)
        if not pinned.is_whole and ledger.lock_unlike_others(connection, drop):
            outcome, stale = _load_file(load, store, pinned, is_compared=False)
        elif not ledger.lock_key(connection, drop, sha256 := pinned.sha256):
            outcome = Outcome("superseded", message="a newer version of this object is loaded")
        elif same := ledger.same_content(connection, drop, sha256):
            outcome = Outcome("duplicate", message=f"the same bytes as drop {same}, which is current")
        elif (
            twin := ledger.same_content_elsewhere(connection, drop, sha256)
        ) and contract.policy.same_content == "skip":
            message = f"the same bytes as drop {twin} under another name; its contract says to skip such drops"
            outcome = Outcome("duplicate", message=message)
            stale = _supersede_older(load)
        else:
            outcome, stale = _load_file(load, store, pinned)
            if twin:
                outcome = replace(outcome, message=_loaded_although(twin))
        if outcome.state in ("superseded", "duplicate"):
            _delete_rows_and_quarantine(connection, drop)
            stale += _existing([drop.cleaned_key])
        with span("db.settle", dataset=contract.name, drops=1):
            ledger.settle(connection, [Settled(drop, outcome, pinned.sha256)], run_id)
    for key in stale:
        store.delete(key)
    return outcome


@contextmanager
def transaction(connection: Connection, dataset: str) -> Iterator[None]:
    """A transaction whose commit is a span."""
    with ExitStack() as stack:
        stack.enter_context(connection.transaction())
        yield
        with span("ingest.commit", dataset=dataset):
            stack.close()


def begin(connection: Connection, contract: Contract, drop: Drop, run_id: str) -> Load:
    first_day, _ = contract.partition.window(drop.partition)
    if contract.partition.column is not None:
        return Load(connection, contract, drop, run_id, None, KeyIndex((*contract.key, "_partition_start")))
    return Load(connection, contract, drop, run_id, first_day, KeyIndex(contract.key))


def settle_without_rows(connection: Connection, drop: Drop, run_id: str, outcome: Outcome) -> Outcome:
    """Settle a drop without rows; rows that it loaded earlier are deleted in the same transaction."""
    with connection.transaction():
        ledger.lock_claims(connection, drop)
        _delete_rows_and_quarantine(connection, drop)
        ledger.settle(connection, [Settled(drop, outcome)], run_id)
    return outcome


def object_of(drop: Drop) -> StoredObject:
    """The drop's object, in the version to be read."""
    return StoredObject(drop.key, drop.size, drop.version, drop.modified_at)


def cleaned_key(drop: Drop) -> str:
    """The key of the drop's cleaned rows, unique to this claim, so that nothing is ever overwritten."""
    return f"cleaned/{drop.dataset}/partition={drop.partition}/drop={drop.id}-{drop.claim.hex[:8]}.parquet"


def fetch_cleaned(store: Store, drop: Drop, key: str, to: Path) -> None:
    """Copy the cleaned file of the drop's loaded rows. Raises RequestRefused where it no longer exists."""
    try:
        store.fetch(store.head(key), to)
    except Missing as missing:
        raise RequestRefused(
            f"the cleaned file of its rows is gone ({missing}); re-ingest the whole drop with"
            f" `lastmile backfill --drop {drop.id}`"
        ) from missing


def load_batches(load: Load, reader: Reader, part: Path, written: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Validate and load every batch, valid rows also into the Parquet file `part`; returns how the header differs.

    A batch is encoded, sent and written while the next one is read and validated. `written` is called whenever the file
    has grown.
    """
    dataset, plan = load.contract.name, Plan(load.contract, reader.header, NumberFormat.of(reader.format))
    copy = RowCopy(load.connection, load.contract, load.provenance(), load.drop_table)
    with (
        ParquetFile(part) as parquet,
        CopyStream(copy, load.quarantine) as copy_stream,
        Stage("send") as sending,
        Stage("encode") as encoding,
        Stage("write") as writing,
    ):

        def encode_and_send(rows: pl.DataFrame, rejected: Sequence[Rejected]) -> None:
            with span("ingest.encode", dataset=dataset, rows=rows.height) as done:
                encoded = copy.encoded(rows)
                done(bytes=sum(map(len, encoded)))
            sending.call(partial(send, rows["_line"], encoded, rejected))

        def send(lines: pl.Series, encoded: Sequence[bytes], rejected: Sequence[Rejected]) -> None:
            with span("ingest.copy", dataset=dataset, rows=len(lines), bytes=sum(map(len, encoded))):
                copy_stream.send(lines, encoded, rejected)

        def write(rows: pl.DataFrame) -> None:
            with span("ingest.parquet", dataset=dataset, rows=rows.height):
                parquet.write(rows)
            written()

        for read in prefetched(_read(dataset, reader.batches(rows_at_once(len(plan.change.rescued))))):
            with span("ingest.validate", dataset=dataset, rows=read.records):
                batch = with_corrections(read, load.corrections) if load.corrections else read
                validated = plan.validate(batch).without_discarded(batch, load.discarded)
                rows, duplicates = _deduplicated(load, batch, load.placed(validated.valid))
            load.read += batch.records
            rejected: list[Rejected] = [(validated.bad, "bad"), (duplicates, duplicate_kind(load.contract))]
            for found in rejected:
                load.count(*found)
            encoding.call(partial(encode_and_send, rows, rejected))
            writing.call(partial(write, rows.drop("_partition_start", strict=False)))
    return plan.change.as_json()


def _read(dataset: str, batches: Iterator[RawBatch]) -> Iterator[RawBatch]:
    while True:
        with span("ingest.read", dataset=dataset) as done:
            if (batch := next(batches, None)) is None:
                return
            done(rows=batch.records)
        yield batch


def reject_table_duplicates(load: Load, reader: Reader, part: Path, lines: Sequence[int] | None = None) -> None:
    """Quarantine loaded rows, or those of `lines`, whose key the partition has already; also removed from `part`.

    Their texts are read from the drop once more.
    """
    if not deduplicates(load.contract) or not load.loaded:
        return
    with span("db.duplicates", dataset=load.contract.name, drops=1):
        duplicates = delete_table_duplicates(load.connection, load.contract, load.drop.id, load.first_day, lines)
    if duplicates.height:
        kind = duplicate_kind(load.contract)
        texts = raw_texts(reader, duplicates["line"])
        load.count(duplicates, kind)
        load.quarantine(duplicates.join(texts, on="line", how="left").select(list(QUARANTINE_SCHEMA)), kind)
        kept = pl.scan_parquet(part).filter(~pl.col("_line").is_in(duplicates["line"].implode()))
        kept.sink_parquet(part.with_suffix(".kept"), compression="lz4")
        part.with_suffix(".kept").replace(part)


def _load_file(load: Load, store: Store, pinned: Pinned, is_compared: bool = True) -> tuple[Outcome, list[str]]:
    """The outcome, and the keys of cleaned files that it makes stale.

    Unless `is_compared` with other drops, it is once its hash is known, and before anything that those wait for is
    locked. Raises _Repeated where one has its bytes.
    """
    connection, contract, drop = load.connection, load.contract, load.drop
    if not drop.is_new:
        load.discarded, load.corrections = discarded_lines(connection, drop.id), corrected_cells(connection, drop.id)
    with span("ingest.detect", dataset=contract.name) as detected:
        reader = open_drop(pinned.source, drop.key, contract)
        detected(format=reader.format.get("format"))
    if contract.may_gain_columns:  # before rows are locked: other loads may wait to add columns too
        load.contract = with_added_columns(connection, contract, reader.header)
    load.note_partitions([drop.id])
    _delete_rows_and_quarantine(connection, drop)
    key, part = cleaned_key(drop), pinned.folder / "rows.parquet"
    with Upload(store, key, part) as upload:
        change = load_batches(load, reader, part, upload.follow) if reader.header else {}
        pinned.expect_unchanged()
        if not is_compared and ledger.same_content_elsewhere(connection, drop, pinned.sha256):
            raise _Repeated
        found = Outcome(
            "loaded", read=load.read, format=reader.format, schema_change=change, contract_version=contract.version
        )
        if not drop.is_gathered and load.bad - load.bad_discarded > contract.policy.max_bad_share * load.read:
            _delete_rows(connection, contract.name, [drop.id])
            whole = replace(found, state="quarantined", quarantined=load.read, message=_over_the_threshold(load))
            return whole, _existing([drop.cleaned_key])
        stale = _supersede_older(load)
        reject_table_duplicates(load, reader, part)
        if load.first_day is None:
            load.note_partitions([drop.id])
            found = replace(found, format=reader.format | {"partitions": sorted(load.partitions)})
        if load.loaded:
            with span("ingest.publish", dataset=contract.name):
                upload.publish()
    done = replace(
        found,
        loaded=load.loaded,
        quarantined=load.bad,
        duplicate=load.duplicate,
        cleaned_key=key if load.loaded else None,
        message=_remark(load, change),
    )
    return done, _existing([drop.cleaned_key, *stale])


def _deduplicated(load: Load, batch: RawBatch, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows whose key is new in this drop, and the others as quarantined rows."""
    if deduplicates(load.contract):
        first = load.keys.first_seen(rows)
        if not first.all():
            return rows.filter(first), duplicates_in_drop(load.contract, batch, rows.filter(~first))
    return rows, pl.DataFrame(schema=QUARANTINE_SCHEMA)


def _supersede_older(load: Load) -> list[str]:
    """Supersede older versions of the drop's key and delete their rows; returns their cleaned files' keys."""
    replaced = ledger.supersede(load.connection, load.drop, load.run_id)
    if replaced:
        load.note_partitions([old for old, _ in replaced])
        _delete_rows(load.connection, load.contract.name, [old for old, _ in replaced])
    return _existing([key for _, key in replaced])


def _delete_rows(connection: Connection, dataset: str, drop_ids: Sequence[int]) -> None:
    connection.execute(
        sql.SQL("DELETE FROM {} WHERE _drop_id = ANY(%s)").format(sql.Identifier("raw", dataset)), [list(drop_ids)]
    )


def _delete_rows_and_quarantine(connection: Connection, drop: Drop) -> None:
    """Delete what an earlier load of the drop left in the table and in the quarantine."""
    if drop.is_new:
        return
    _delete_rows(connection, drop.dataset, [drop.id])
    delete_rows(connection, drop.id)


def _loaded_although(twin: int) -> str:
    return f"loaded, although drop {twin} has the same bytes under another name"


def _remark(load: Load, change: Mapping[str, Any]) -> str | None:
    if not load.read:
        return "no rows: the file is empty or has a header only"
    corrected = f"with {len(load.corrections):,} corrected rows" if load.corrections else None
    if load.contract.policy.unknown_columns != "add" or "rescued" not in change:
        return corrected
    left = without_room(load.connection, load.contract, change["rescued"])
    return "; ".join(filter(None, [corrected, left])) or None


def _over_the_threshold(load: Load) -> str:
    bad, most = load.bad - load.bad_discarded, load.contract.policy.max_bad_share
    return (
        f"{bad} of {load.read} rows ({bad / load.read:.0%}) broke the contract; at most {most:.0%} may."
        f" Nothing was loaded; see the reasons with `lastmile quarantine show --drop {load.drop.id}`, then send the"
        " corrected file under the same name, or correct the contract and release it with"
        f" `lastmile quarantine release --drop {load.drop.id}`"
    )


def _existing(keys: Sequence[str | None]) -> list[str]:
    return [key for key in keys if key]
