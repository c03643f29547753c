"""Micro-batches: many small drops that were read are validated, copied and committed together.

Most of the cost of a small drop is shared by a hundred of them: statements, commits, plans. Each is independent all the
same: one that is exceptional in any way (unreadable, with another version or a copy, too many bad rows, keys that the
table has) is excluded and ingested individually, in its turn. So the order is preserved, and with it the result.
"""

import time
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import accumulate, groupby
from pathlib import Path

import polars as pl
from psycopg import Connection

from lastmile import ledger
from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import RawBatch
from lastmile.ingestion.dedup import deduplicates, drops_with_table_duplicates, duplicate_kind, duplicates_in_drop
from lastmile.ingestion.load import cleaned_key, transaction
from lastmile.ingestion.small_drops import DropRead
from lastmile.ingestion.validation import Plan
from lastmile.ingestion.validation.rules import is_by_row
from lastmile.ingestion.writers import RowCopy, as_table, small_parquet
from lastmile.ledger import Outcome, Settled
from lastmile.ledger.drop_tables import index_keys
from lastmile.quarantine.rows import copy_rows
from lastmile.store import Store
from lastmile.telemetry.spans import in_context, joining, record, span

#: More would save nothing, and all of it is read again where a worker dies.
MAX_BATCH_DROPS = 100
_PARALLEL_REQUESTS = 8
#: A row's number in a batch: the position of its drop, then 40 bits for its line. Ascending over all drops.
_LINES_PER_DROP = 2**40


class NotBatchable(Exception):
    """Nothing was loaded: these drops must be ingested individually; the others may be tried again without them."""

    def __init__(self, drop_ids: Collection[int]) -> None:
        super().__init__(f"to be ingested individually: drops {sorted(drop_ids)}")
        self.drop_ids = drop_ids


@dataclass(frozen=True)
class _ValidatedDrops:
    """Rows of several drops, each with the `_position` of its drop.

    `valid` is as a plan returns it; `bad` and `duplicate` are lines, raw texts and reasons.
    """

    valid: pl.DataFrame
    bad: pl.DataFrame
    duplicate: pl.DataFrame


def load_batch(
    connection: Connection, store: Store, contract: Contract, drops: Sequence[DropRead], folder: Path, run_id: str
) -> list[Outcome]:
    """Load these drops in one transaction. Raises NotBatchable, or any other error, with nothing of them loaded."""
    began, since, dataset = time.time(), time.perf_counter(), contract.name
    size = sum(one.drop.size for one in drops)
    named = ", ".join(str(one.drop.id) for one in drops)
    with span("ingest.batch", dataset=dataset, drops=len(drops), ids=named, bytes=size) as done:
        outcomes = _load_batch(connection, store, contract, drops, folder, run_id)
        done(rows=sum(outcome.read for outcome in outcomes))
        seconds = time.perf_counter() - since
        for one, outcome in zip(drops, outcomes, strict=True):
            with joining(one.drop.traceparent) as links:
                known = {**one.drop.sent, **outcome.counts, "links": links}
                record("ingest.drop", began, seconds, only_counted=not links, **known)
    return outcomes


def _load_batch(
    connection: Connection, store: Store, contract: Contract, drops: Sequence[DropRead], folder: Path, run_id: str
) -> list[Outcome]:
    dataset = contract.name
    with span("ingest.validate", dataset=dataset, rows=sum(one.batch.records for one in drops)):
        validated = _validated(contract, drops)
    if deduplicates(contract):
        index_keys(connection, contract, {one.drop.partition for one in drops}, except_keys=[])
    with ThreadPoolExecutor(1, thread_name_prefix="write") as pool, transaction(connection, dataset):
        writing = pool.submit(in_context(partial(_written, dataset, validated.valid, folder)))
        ledger.lock_claims(connection, *(one.drop for one in drops))
        if found := ledger.not_batchable(connection, [one.drop for one in drops], [one.sha256 for one in drops]):
            raise NotBatchable(found)
        _copy(connection, contract, drops, validated, run_id)
        with span("db.duplicates", dataset=dataset, drops=len(drops)):
            repeated = drops_with_table_duplicates(connection, contract, [one.drop for one in drops])
        if repeated:
            raise NotBatchable(repeated)
        files = writing.result()
        with span("ingest.publish", dataset=dataset):
            _publish(store, drops, files)
        outcomes = list(_outcomes(contract, drops, validated))
        settled = [Settled(one.drop, outcome, one.sha256) for one, outcome in zip(drops, outcomes, strict=True)]
        with span("db.settle", dataset=dataset, drops=len(settled)):
            ledger.settle(connection, settled, run_id)
    return outcomes


def _validated(contract: Contract, drops: Sequence[DropRead]) -> _ValidatedDrops:
    """All rows, validated together where headers are equal. Raises NotBatchable for drops with too many bad ones."""
    parts = [_validated_together(contract, plan, batches) for plan, batches in _by_plan(contract, drops)]
    validated = _ValidatedDrops(
        *(pl.concat([getattr(part, name) for part in parts]) for name in ("valid", "bad", "duplicate"))
    )
    bad = _rows_by_position(validated.bad)
    too_bad = [
        one.drop.id
        for position, one in enumerate(drops)
        if not one.drop.is_gathered and bad.get(position, 0) > contract.policy.max_bad_share * one.batch.records
    ]
    if too_bad:
        raise NotBatchable(too_bad)
    return validated


def _by_plan(contract: Contract, drops: Sequence[DropRead]) -> Iterator[tuple[Plan, list[tuple[int, RawBatch]]]]:
    """Batches that may be validated as one, each with its drop's position."""
    by_plan: dict[Plan, list[tuple[int, RawBatch]]] = {}
    for position, one in enumerate(drops):
        by_plan.setdefault(one.plan, []).append((position, one.batch))
    for plan, batches in by_plan.items():
        yield from [(plan, batches)] if is_by_row(contract) else ((plan, [one]) for one in batches)


def _validated_together(contract: Contract, plan: Plan, batches: Sequence[tuple[int, RawBatch]]) -> _ValidatedDrops:
    batch = _joined(batches)
    validated = plan.validate(batch)
    first = _is_first(contract, validated.valid)
    repeated = duplicates_in_drop(contract, batch, validated.valid.filter(~first))
    bad, duplicate = validated.bad, repeated.clear()
    if duplicate_kind(contract) == "bad":
        bad = pl.concat([bad, repeated])
    else:
        duplicate = repeated
    return _ValidatedDrops(
        _with_position(validated.valid.filter(first), "_line"),
        _with_position(bad, "line"),
        _with_position(duplicate, "line"),
    )


def _joined(batches: Sequence[tuple[int, RawBatch]]) -> RawBatch:
    """Several batches as one, whose line numbers include the position of their drop."""
    ends = list(accumulate(batch.frame.height for _, batch in batches))

    def raw(positions: Sequence[int]) -> list[str]:
        texts = []
        for number, inside in groupby(positions, lambda position: bisect_right(ends, position)):
            batch = batches[number][1]
            start = ends[number] - batch.frame.height
            texts += batch.raw([position - start for position in inside])
        return texts

    return RawBatch(
        pl.concat([batch.frame for _, batch in batches]),
        pl.concat([batch.lines + position * _LINES_PER_DROP for position, batch in batches]),
        raw,
        [
            replace(record, line=record.line + position * _LINES_PER_DROP)
            for position, batch in batches
            for record in batch.broken
        ],
        faults=[
            replace(fault, line=fault.line + position * _LINES_PER_DROP)
            for position, batch in batches
            for fault in batch.faults
        ],
    )


def _with_position(rows: pl.DataFrame, line: str) -> pl.DataFrame:
    return rows.with_columns(pl.col(line) % _LINES_PER_DROP, (pl.col(line) // _LINES_PER_DROP).alias("_position"))


def _is_first(contract: Contract, valid: pl.DataFrame) -> pl.Series:
    """True for each row that is the first with its key in its drop; a row with a null in its key is no duplicate."""
    if not deduplicates(contract):
        return pl.repeat(True, valid.height, dtype=pl.Boolean, eager=True)
    drop = (pl.col("_line") // _LINES_PER_DROP).alias("_position")
    is_first = pl.struct(drop, *contract.key).is_first_distinct()
    return valid.select(is_first | pl.any_horizontal(pl.col(contract.key).is_null())).to_series()


def _rows_by_position(rows: pl.DataFrame) -> dict[int, int]:
    return dict(rows.group_by("_position").len().iter_rows())


def _copy(
    connection: Connection, contract: Contract, drops: Sequence[DropRead], validated: _ValidatedDrops, run_id: str
) -> None:
    ids = pl.Series([one.drop.id for one in drops], dtype=pl.Int64)
    days = pl.Series([contract.partition.window(one.drop.partition)[0] for one in drops], dtype=pl.Date)
    position = validated.valid["_position"]
    with RowCopy(connection, contract, {"_run_id": run_id, "_loaded_at": datetime.now(UTC)}) as copy:
        rows = validated.valid.with_columns(_drop_id=ids.gather(position), _partition_start=days.gather(position))
        with span("ingest.encode", dataset=contract.name, rows=rows.height) as done:
            encoded = copy.encoded(rows)
            done(bytes=sum(map(len, encoded)))
        with span("ingest.copy", dataset=contract.name, rows=rows.height, bytes=sum(map(len, encoded))):
            copy.send(encoded)
    partitions = pl.Series([one.drop.partition for one in drops], dtype=pl.String)
    for rows, kind in ((validated.bad, "bad"), (validated.duplicate, "duplicate")):
        if rows.height:
            position = rows["_position"]
            constants = {"dataset": pl.lit(contract.name), "run_id": pl.lit(run_id), "kind": pl.lit(kind)}
            copy_rows(
                connection,
                rows.with_columns(drop_id=ids.gather(position), partition=partitions.gather(position), **constants),
            )


def _written(dataset: str, valid: pl.DataFrame, folder: Path) -> list[tuple[int, Path]]:
    """The cleaned file of each drop that has valid rows, in the folder, with the position of its drop."""
    valid = valid.sort("_position", maintain_order=True)
    tables = as_table(valid.drop("_position"))
    by_drop = valid["_position"].rle().struct.unnest()
    files, first = [], 0
    with span("ingest.parquet", dataset=dataset, rows=valid.height):
        for rows, position in by_drop.iter_rows():
            files.append((int(position), folder / f"{position}.parquet"))
            files[-1][1].write_bytes(small_parquet(tables.slice(first, rows)))
            first += rows
    return files


def _publish(store: Store, drops: Sequence[DropRead], files: Sequence[tuple[int, Path]]) -> None:
    with ThreadPoolExecutor(_PARALLEL_REQUESTS) as pool:
        for done in [pool.submit(store.publish, cleaned_key(drops[at].drop), file) for at, file in files]:
            done.result()


def _outcomes(contract: Contract, drops: Sequence[DropRead], validated: _ValidatedDrops) -> Iterator[Outcome]:
    loaded, bad, duplicate = (_rows_by_position(rows) for rows in (validated.valid, validated.bad, validated.duplicate))
    for position, one in enumerate(drops):
        yield Outcome(
            "loaded",
            read=one.batch.records,
            loaded=loaded.get(position, 0),
            quarantined=bad.get(position, 0),
            duplicate=duplicate.get(position, 0),
            format=dict(one.format),
            schema_change=one.plan.change.as_json(),
            contract_version=contract.version,
            cleaned_key=cleaned_key(one.drop) if position in loaded else None,
        )
