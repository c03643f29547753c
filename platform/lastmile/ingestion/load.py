"""One drop's way into the warehouse: read, judge, load and write the ledger, all in one transaction.

Whatever kills it, nothing of the drop is visible before the commit and all of it after. The cleaned Parquet file is
published before the commit, under a name of its own claim, and counts only once the ledger's row names it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

import polars as pl
from psycopg import Connection, sql

from lastmile import ledger
from lastmile.contracts.contract import Contract
from lastmile.contracts.numbers import NumberFormat
from lastmile.ingestion.batch import QUARANTINE_SCHEMA, RawBatch
from lastmile.ingestion.dedup.key_index import KeyIndex
from lastmile.ingestion.dedup.repeats import (
    deduplicates,
    duplicates_in_drop,
    kind,
    quarantine_table_duplicates,
)
from lastmile.ingestion.discarded import without_discarded
from lastmile.ingestion.prefetch import Background, ahead
from lastmile.ingestion.readers import Reader, open_drop
from lastmile.ingestion.schema_evolution.added_columns import grown
from lastmile.ingestion.validation import Plan
from lastmile.ingestion.writers.copy_stream import Aside, CopyStream
from lastmile.ingestion.writers.parquet_file import ParquetFile
from lastmile.ingestion.writers.row_copy import RowCopy
from lastmile.ledger import Drop, Outcome, RequestRefused, Settled
from lastmile.quarantine.discard import discarded_lines
from lastmile.quarantine.rows import Kind, quarantine_rows
from lastmile.store import Missing, PinnedFile, Store
from lastmile.warehouse.drop_tables import LARGE, DropTable, create_drop_table, index_keys


@dataclass
class Load:
    """One drop on its way in, with its rows counted so far."""

    connection: Connection
    contract: Contract
    drop: Drop
    run_id: str
    #: First day of the partition of all its rows; None where each has its own.
    first_day: date | None
    keys: KeyIndex
    #: Lines that somebody decided not to want, with the reason given.
    discarded: Mapping[int, str] = field(default_factory=dict)
    #: Where its rows go, if not among all of the dataset.
    drop_table: DropTable | None = None
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    read: int = 0
    bad: int = 0
    duplicate: int = 0
    #: Bad rows that somebody decided about: they do not count against the drop.
    decided: int = 0
    #: Where each row has its own partition: those whose rows the drop changes.
    partitions: set[str] = field(default_factory=set)

    @property
    def loaded(self) -> int:
        return self.read - self.bad - self.duplicate

    def provenance(self) -> dict[str, object]:
        """Where each loaded row came from, alongside its `_line`."""
        of_all = {"_drop_id": self.drop.id, "_run_id": self.run_id, "_loaded_at": self.at}
        return of_all if self.first_day is None else of_all | {"_partition_start": self.first_day}

    def placed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with the partition that each has by its own column, where the contract says so."""
        start = self.contract.partition.start_of_row()
        return rows if start is None else rows.with_columns(start.alias("_partition_start"))

    def note_partitions(self, drop_ids: Sequence[int]) -> None:
        """Remember the partitions that these drops have rows in."""
        if self.first_day is None:
            found = self.connection.execute(
                sql.SQL("SELECT DISTINCT _partition_start FROM {} WHERE _drop_id = ANY(%s)").format(
                    sql.Identifier("raw", self.contract.name)
                ),
                [list(drop_ids)],
            )
            self.partitions |= {self.contract.partition.key_of(start) for (start,) in found.fetchall()}

    def set_aside(self, rows: pl.DataFrame, as_kind: Kind) -> None:
        self.count(rows, as_kind)
        self.quarantine(rows, as_kind)

    def count(self, rows: pl.DataFrame, as_kind: Kind) -> None:
        if as_kind == "bad":
            self.bad += rows.height
            self.decided += int(rows["line"].is_in(list(self.discarded)).sum()) if self.discarded else 0
        else:
            self.duplicate += rows.height

    def quarantine(self, rows: pl.DataFrame, as_kind: Kind) -> None:
        if rows.height:
            place = (self.drop.id, self.drop.dataset, self.drop.partition)
            quarantine_rows(self.connection, *place, self.run_id, rows, as_kind)


def load(
    connection: Connection, store: Store, contract: Contract, drop: Drop, pinned: PinnedFile, run_id: str
) -> Outcome:
    """Take the drop whose bytes were pinned. Raises Refused, Unreadable or Changed with nothing of it left behind."""
    stale: list[str] = []
    sha256 = pinned.sha256
    work = begin(connection, contract, drop, run_id)
    if drop.size >= LARGE and work.first_day is not None:
        work.drop_table = create_drop_table(connection, contract.name, work.provenance())
    if deduplicates(contract):
        index_keys(connection, contract, [drop.partition], but=[drop.key])
    with connection.transaction():
        ledger.lock_claims(connection, drop)
        if not ledger.lock_key(connection, drop, sha256):
            outcome = Outcome("superseded", message="a newer version of this object is loaded")
        elif same := ledger.same_content(connection, drop, sha256):
            outcome = Outcome("duplicate", message=f"the same bytes as drop {same}, which is in force")
        elif (
            twin := ledger.same_content_elsewhere(connection, drop, sha256)
        ) and contract.policy.same_content == "skip":
            message = f"the same bytes as drop {twin} under another name; its contract says to skip such drops"
            outcome = Outcome("duplicate", message=message)
            stale = _replace_older(work)
        else:
            outcome, stale = _load_file(work, store, pinned)
            if twin:
                message = f"loaded, although drop {twin} has the same bytes under another name"
                outcome = replace(outcome, message=message)
        if outcome.state in ("superseded", "duplicate"):
            _start_over(connection, drop)
            stale += _named([drop.cleaned_key])
        ledger.settle(connection, [Settled(drop, outcome, sha256)], run_id)
    for key in stale:
        store.delete(key)
    return outcome


def begin(connection: Connection, contract: Contract, drop: Drop, run_id: str) -> Load:
    first_day, _ = contract.partition.window(drop.partition)
    if contract.partition.column is not None:
        return Load(connection, contract, drop, run_id, None, KeyIndex((*contract.key, "_partition_start")))
    return Load(connection, contract, drop, run_id, first_day, KeyIndex(contract.key))


def clear(connection: Connection, dataset: str, drop_ids: Sequence[int]) -> None:
    """Take the rows of these drops out of the dataset's table."""
    connection.execute(
        sql.SQL("DELETE FROM {} WHERE _drop_id = ANY(%s)").format(sql.Identifier("raw", dataset)), [list(drop_ids)]
    )


def set_aside(connection: Connection, drop: Drop, run_id: str, outcome: Outcome) -> Outcome:
    """End a drop without rows; what an earlier taking of it had loaded goes in the same transaction."""
    with connection.transaction():
        ledger.lock_claims(connection, drop)
        _start_over(connection, drop)
        ledger.settle(connection, [Settled(drop, outcome)], run_id)
    return outcome


def _start_over(connection: Connection, drop: Drop) -> None:
    if drop.is_new:
        return
    clear(connection, drop.dataset, [drop.id])
    connection.execute("DELETE FROM quarantine.rows WHERE drop_id = %s", [drop.id])


def _load_file(work: Load, store: Store, pinned: PinnedFile) -> tuple[Outcome, list[str]]:
    """The outcome, and the keys of cleaned files that it makes stale."""
    connection, contract, drop = work.connection, work.contract, work.drop
    work.discarded = discarded_lines(connection, drop.id)
    reader = open_drop(pinned.path, drop.key, contract)
    work.contract = grown(connection, contract, reader.header)  # before rows are locked: others may wait to grow it too
    work.note_partitions([drop.id])
    _start_over(connection, drop)
    part = pinned.path.with_suffix(".parquet")
    change = load_batches(work, reader, part) if reader.header else {}
    pinned.expect_unchanged()
    found = Outcome(
        "loaded", read=work.read, format=reader.format, schema_change=change, contract_version=contract.version
    )
    if work.bad - work.decided > contract.policy.max_bad_share * work.read:
        clear(connection, contract.name, [drop.id])
        whole = replace(found, state="quarantined", quarantined=work.read, message=_over_the_threshold(work))
        return whole, _named([drop.cleaned_key])
    stale = _replace_older(work)
    take_out_duplicates(work, part)
    if work.first_day is None:
        work.note_partitions([drop.id])
        found = replace(found, format=reader.format | {"partitions": sorted(work.partitions)})
    key = cleaned_key(drop)
    if work.loaded:
        store.publish(key, part)
    done = replace(
        found,
        loaded=work.loaded,
        quarantined=work.bad,
        duplicate=work.duplicate,
        cleaned_key=key if work.loaded else None,
        message=None if work.read else "no rows: the file is empty or has a header only",
    )
    return done, _named([drop.cleaned_key, *stale])


def _replace_older(work: Load) -> list[str]:
    """Take older versions of the drop's key out of force, with their rows; returns their cleaned files' keys."""
    replaced = ledger.supersede(work.connection, work.drop, work.run_id)
    if replaced:
        work.note_partitions([old for old, _ in replaced])
        clear(work.connection, work.contract.name, [old for old, _ in replaced])
    return _named([key for _, key in replaced])


def cleaned_key(drop: Drop) -> str:
    """Where the drop's cleaned rows go: a name of this claim's own, so that nothing is ever written over."""
    return f"cleaned/{drop.dataset}/partition={drop.partition}/drop={drop.id}-{drop.claim.hex[:8]}.parquet"


def fetch_cleaned(store: Store, drop: Drop, key: str, to: Path) -> None:
    """Copy the cleaned file of the drop's loaded rows. Raises RequestRefused where it is gone."""
    try:
        store.fetch(store.head(key), to)
    except Missing as missing:
        raise RequestRefused(
            f"the cleaned file of its rows is gone ({missing}); take the drop whole with"
            f" `lastmile backfill --drop {drop.id}`"
        ) from missing


def load_batches(work: Load, reader: Reader, part: Path) -> dict[str, object]:
    """Judge and load every batch, the valid rows also into the Parquet file; returns how the header differs.

    A batch is encoded, sent and written while the next one is read and judged.
    """
    plan = Plan(work.contract, reader.header, NumberFormat.of(reader.format))
    copy = RowCopy(work.connection, work.contract, work.provenance(), work.drop_table)
    with (
        ParquetFile(part) as parquet,
        CopyStream(copy, work.quarantine) as rows_copy,
        Background("send") as sending,
        Background("encode") as encoding,
        Background("write") as writing,
    ):

        def send(rows: pl.DataFrame, aside: Sequence[Aside]) -> None:
            sending.call(partial(rows_copy.send, rows["_line"], copy.encoded(rows), aside))

        for batch in ahead(reader.batches()):
            judged = without_discarded(plan.validate(batch), batch, work.discarded)
            rows, repeated = _without_repeats(work, batch, work.placed(judged.valid))
            work.read += batch.records
            aside: list[Aside] = [(judged.bad, "bad"), (repeated, kind(work.contract))]
            for found in aside:
                work.count(*found)
            encoding.call(partial(send, rows, aside))
            writing.call(partial(parquet.write, rows.drop("_partition_start", strict=False)))
    return plan.change.as_json()


def _without_repeats(work: Load, batch: RawBatch, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows whose key is new in this drop, and the others as they are set aside."""
    if deduplicates(work.contract):
        first = work.keys.first_seen(rows)
        if not first.all():
            return rows.filter(first), duplicates_in_drop(work.contract, batch, rows.filter(~first))
    return rows, pl.DataFrame(schema=QUARANTINE_SCHEMA)


def take_out_duplicates(work: Load, part: Path, lines: Sequence[int] | None = None) -> None:
    """Set aside the rows, or those of `lines`, whose key the partition has already; the Parquet file loses them too."""
    if not deduplicates(work.contract) or not work.loaded:
        return
    repeated = quarantine_table_duplicates(work.connection, work.contract, work.drop.id, work.first_day, lines)
    if repeated.height:
        work.set_aside(repeated, kind(work.contract))
        kept = pl.scan_parquet(part).filter(~pl.col("_line").is_in(repeated["line"].implode()))
        kept.sink_parquet(part.with_suffix(".kept"), compression="lz4")
        part.with_suffix(".kept").replace(part)


def _over_the_threshold(work: Load) -> str:
    bad, most = work.bad - work.decided, work.contract.policy.max_bad_share
    return (
        f"{bad} of {work.read} rows ({bad / work.read:.0%}) broke the contract; at most {most:.0%} may."
        f" Nothing was loaded; see the reasons with `lastmile quarantine show --drop {work.drop.id}`, then send the"
        " file mended under the same name, or mend the contract and release it with"
        f" `lastmile quarantine release --drop {work.drop.id}`"
    )


def _named(keys: Sequence[str | None]) -> list[str]:
    return [key for key in keys if key]
