"""Many small drops at once: read one by one; judged, copied, and committed together.

Most of what a small drop costs is the same for a hundred of them: statements, commits, plans. Each stands or falls
alone all the same: what is out of the ordinary in any way (it cannot be read, has another version or a copy, too many
bad rows, keys that the table has) is left to be taken alone, in its turn. So the order is kept, and with it the result.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any

import polars as pl
from psycopg import Connection

from lastmile import ledger
from lastmile.contracts.contract import Contract
from lastmile.contracts.numbers import NumberFormat
from lastmile.ingestion.batch import RawBatch
from lastmile.ingestion.dedup.repeats import deduplicates, drops_with_table_duplicates, duplicates_in_drop, kind
from lastmile.ingestion.load import cleaned_key
from lastmile.ingestion.readers import open_drop
from lastmile.ingestion.validation import Plan
from lastmile.ingestion.validation.rules import is_by_row
from lastmile.ingestion.writers.parquet_file import ParquetFile
from lastmile.ingestion.writers.row_copy import RowCopy
from lastmile.ledger import Drop, Outcome, Settled
from lastmile.quarantine.rows import copy_rows
from lastmile.store import Store, StoredObject
from lastmile.warehouse.drop_tables import index_keys

#: Claimed at once: beyond it nothing more is saved, and all of it is read again where a worker dies.
MAX_BATCH = 100
#: Bytes of cells held at once; a few kilobytes of a compressed file may be very many.
_HELD = 64 * 1024 * 1024
#: Requests to the store under way at once.
_AT_ONCE = 8
#: Lines of all drops as one ascending row of numbers: the place of the drop, then 40 bits for the line.
_PLACE = 2**40


class NotBatchable(Exception):
    """Nothing was loaded: these drops must be taken alone, the others may be tried again without them."""

    def __init__(self, drops: Collection[int]) -> None:
        super().__init__(f"to be taken alone: drops {sorted(drops)}")
        self.drops = drops


@dataclass(frozen=True)
class Read:
    """A drop read whole."""

    drop: Drop
    sha256: str
    plan: Plan
    format: Mapping[str, Any]
    batch: RawBatch


def read_batch(store: Store, contract: Contract, drops: Sequence[Drop], folder: Path) -> dict[int, Read]:
    """The drops by id, read whole. One that is not there could not be read, or is too much to be held beside others."""
    plans: dict[tuple[Any, ...], Plan] = {}
    read: dict[int, Read] = {}
    held = 0.0
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        fetches = [pool.submit(_fetch, store, drop, folder / str(drop.id)) for drop in drops]
        for drop, fetch in zip(drops, fetches, strict=True):
            with suppress(Exception):  # whatever it is, taking the drop alone meets it again, and tells of it
                one = _read(contract, drop, folder / str(drop.id), fetch.result(), plans)
                held += 0 if one is None else one.batch.frame.estimated_size()
                if one and held <= _HELD:
                    read[drop.id] = one
    return read


def load_batch(
    connection: Connection, store: Store, contract: Contract, drops: Sequence[Read], folder: Path, run_id: str
) -> list[Outcome]:
    """Load these drops in one transaction. Raises NotBatchable, or whatever goes wrong, with nothing of them loaded."""
    judged = _judged(contract, drops)
    if deduplicates(contract):
        index_keys(connection, contract, {one.drop.partition for one in drops}, but=[])
    with connection.transaction():
        ledger.lock_claims(connection, *(one.drop for one in drops))
        if apart := ledger.not_batchable(connection, [one.drop for one in drops], [one.sha256 for one in drops]):
            raise NotBatchable(apart)
        _copy(connection, contract, drops, judged, run_id)
        if repeated := drops_with_table_duplicates(connection, contract, [one.drop for one in drops]):
            raise NotBatchable(repeated)
        _publish(store, drops, judged, folder)
        outcomes = list(_outcomes(contract, drops, judged))
        settled = [Settled(one.drop, outcome, one.sha256) for one, outcome in zip(drops, outcomes, strict=True)]
        ledger.settle(connection, settled, run_id)
    return outcomes


@dataclass(frozen=True)
class _Judged:
    """Rows of several drops, each with the `_place` of its drop among them.

    `valid` is as a plan leaves it; `bad` and `duplicate` are lines, raw texts and reasons.
    """

    valid: pl.DataFrame
    bad: pl.DataFrame
    duplicate: pl.DataFrame


def listed(drop: Drop) -> StoredObject:
    """The drop's object, in the version to be read."""
    return StoredObject(drop.key, drop.size, drop.version, drop.modified_at)


def _fetch(store: Store, drop: Drop, file: Path) -> str:
    return store.fetch(listed(drop), file)


def _read(contract: Contract, drop: Drop, file: Path, sha256: str, plans: dict[tuple[Any, ...], Plan]) -> Read | None:
    """None where there is no row, more than a batch of them, a column to be added, or rows of several partitions."""
    reader = open_drop(file, drop.key, contract)
    batches = list(reader.batches())
    numbers = NumberFormat.of(reader.format)
    known = (*reader.header, numbers)
    plan = plans[known] = plans.get(known) or Plan(contract.expanded(reader.header), reader.header, numbers)
    grows = contract.patterns or (contract.policy.unknown_columns == "add" and plan.change.rescued)
    has_many_partitions = contract.partition.column is not None
    if len(batches) != 1 or grows or has_many_partitions or drop.size > contract.limits.bytes:
        return None
    return Read(drop, sha256, plan, reader.format, batches[0])


def _judged(contract: Contract, drops: Sequence[Read]) -> _Judged:
    """All rows, validated together where headers are the same. Raises NotBatchable for drops with too many bad."""
    parts = [_judged_alike(contract, plan, alike) for plan, alike in _alike(contract, drops)]
    judged = _Judged(*(pl.concat([getattr(part, name) for part in parts]) for name in ("valid", "bad", "duplicate")))
    bad = _counts(judged.bad)
    too_bad = [
        one.drop.id
        for place, one in enumerate(drops)
        if bad.get(place, 0) > contract.policy.max_bad_share * one.batch.records
    ]
    if too_bad:
        raise NotBatchable(too_bad)
    return judged


def _alike(contract: Contract, drops: Sequence[Read]) -> Iterator[tuple[Plan, list[tuple[int, RawBatch]]]]:
    """Batches that may be judged as one, each with its drop's place."""
    alike: dict[Plan, list[tuple[int, RawBatch]]] = {}
    for place, one in enumerate(drops):
        alike.setdefault(one.plan, []).append((place, one.batch))
    for plan, batches in alike.items():
        yield from [(plan, batches)] if is_by_row(contract) else ((plan, [one]) for one in batches)


def _judged_alike(contract: Contract, plan: Plan, batches: Sequence[tuple[int, RawBatch]]) -> _Judged:
    batch = _joined(batches)
    judged = plan.validate(batch)
    first = _is_first(contract, judged.valid)
    repeated = duplicates_in_drop(contract, batch, judged.valid.filter(~first))
    bad, duplicate = judged.bad, repeated.clear()
    if kind(contract) == "bad":
        bad = pl.concat([bad, repeated])
    else:
        duplicate = repeated
    return _Judged(_placed(judged.valid.filter(first), "_line"), _placed(bad, "line"), _placed(duplicate, "line"))


def _joined(batches: Sequence[tuple[int, RawBatch]]) -> RawBatch:
    """One batch of several, whose lines say also which drop they are of."""
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
        pl.concat([batch.lines + place * _PLACE for place, batch in batches]),
        raw,
        [replace(record, line=record.line + place * _PLACE) for place, batch in batches for record in batch.broken],
    )


def _placed(rows: pl.DataFrame, line: str) -> pl.DataFrame:
    return rows.with_columns(pl.col(line) % _PLACE, (pl.col(line) // _PLACE).alias("_place"))


def _is_first(contract: Contract, valid: pl.DataFrame) -> pl.Series:
    """True for each row that is the first with its key in its drop; a row with a null in its key repeats nothing."""
    if not deduplicates(contract):
        return pl.repeat(True, valid.height, dtype=pl.Boolean, eager=True)
    drop = (pl.col("_line") // _PLACE).alias("_place")
    is_first = pl.struct(drop, *contract.key).is_first_distinct()
    return valid.select(is_first | pl.any_horizontal(pl.col(contract.key).is_null())).to_series()


def _counts(rows: pl.DataFrame) -> dict[int, int]:
    return dict(rows.group_by("_place").len().iter_rows())


def _copy(connection: Connection, contract: Contract, drops: Sequence[Read], judged: _Judged, run_id: str) -> None:
    ids = pl.Series([one.drop.id for one in drops], dtype=pl.Int64)
    days = pl.Series([contract.partition.window(one.drop.partition)[0] for one in drops], dtype=pl.Date)
    place = judged.valid["_place"]
    with RowCopy(connection, contract, {"_run_id": run_id, "_loaded_at": datetime.now(UTC)}) as copy:
        copy.write(judged.valid.with_columns(_drop_id=ids.gather(place), _partition_start=days.gather(place)))
    partitions = pl.Series([one.drop.partition for one in drops], dtype=pl.String)
    for rows, as_kind in ((judged.bad, "bad"), (judged.duplicate, "duplicate")):
        if rows.height:
            place = rows["_place"]
            origin = {"dataset": pl.lit(contract.name), "run_id": pl.lit(run_id), "kind": pl.lit(as_kind)}
            placed = rows.with_columns(drop_id=ids.gather(place), partition=partitions.gather(place), **origin)
            copy_rows(connection, placed)


def _publish(store: Store, drops: Sequence[Read], judged: _Judged, folder: Path) -> None:
    """Put the cleaned file of each drop that has valid rows."""

    def publish(place: int, rows: pl.DataFrame) -> None:
        part = folder / f"{place}.parquet"
        with ParquetFile(part) as parquet:
            parquet.write(rows)
        store.publish(cleaned_key(drops[place].drop), part)

    rows = judged.valid.partition_by("_place", as_dict=True, include_key=False)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for done in [pool.submit(publish, int(place), part) for (place,), part in rows.items()]:
            done.result()


def _outcomes(contract: Contract, drops: Sequence[Read], judged: _Judged) -> Iterator[Outcome]:
    loaded, bad, duplicate = _counts(judged.valid), _counts(judged.bad), _counts(judged.duplicate)
    for place, one in enumerate(drops):
        yield Outcome(
            "loaded",
            read=one.batch.records,
            loaded=loaded.get(place, 0),
            quarantined=bad.get(place, 0),
            duplicate=duplicate.get(place, 0),
            format=dict(one.format),
            schema_change=one.plan.change.as_json(),
            contract_version=contract.version,
            cleaned_key=cleaned_key(one.drop) if place in loaded else None,
        )
