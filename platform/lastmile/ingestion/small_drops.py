"""Many small drops read at once: fetched in parallel into memory, and parsed together where their records are alike.

Each is read as it would be by itself, up to its records: what they are is found in its own bytes alone. Only then are
those of the same form given to the parser as one text, whose every call costs as much as parsing a thousand rows.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from lastmile.contracts.casts import NumberFormat
from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import RawBatch, Reader, Unparsed
from lastmile.ingestion.load import object_of
from lastmile.ingestion.panics import as_error
from lastmile.ingestion.readers import open_drop
from lastmile.ingestion.validation import Plan
from lastmile.ledger import Drop
from lastmile.store import HeldFile, Store
from lastmile.telemetry.spans import span

#: Cells held in memory; a few kilobytes of a compressed file may expand to very many.
_MAX_HELD_BYTES = 64 * 1024 * 1024
_PARALLEL_REQUESTS = 8
#: Plans kept; a wide one takes a megabyte.
_MAX_PLANS = 50

#: How drops are validated, by their header and number format.
Plans = dict[tuple[Any, ...], Plan]
Result = TypeVar("Result")


@dataclass(frozen=True)
class DropRead:
    """A drop read whole."""

    drop: Drop
    sha256: str
    plan: Plan
    format: Mapping[str, Any]
    batch: RawBatch


@dataclass(frozen=True)
class _Opened:
    """A drop whose records are found: either unparsed, or as batches."""

    drop: Drop
    sha256: str
    reader: Reader
    unparsed: Unparsed | None
    batches: Sequence[RawBatch]

    @property
    def size(self) -> float:
        if self.unparsed:
            return self.unparsed.size
        return sum(batch.frame.estimated_size() for batch in self.batches)


def read_batch(
    store: Store, contract: Contract, drops: Sequence[Drop], folder: Path, plans: Plans
) -> dict[int, DropRead]:
    """The drops by id, read whole. Those that cannot be read, or exceed the memory limit, are left out.

    `plans` has those made for earlier drops of the contract, and gets the others.
    """
    opened: list[_Opened] = []
    held = 0.0
    size = sum(drop.size for drop in drops)
    with (
        span("ingest.fetch", dataset=contract.name, drops=len(drops), bytes=size),
        ThreadPoolExecutor(_PARALLEL_REQUESTS) as pool,
    ):
        fetches = [pool.submit(store.hold, object_of(drop), folder / str(drop.id)) for drop in drops]
        for drop, fetch in zip(drops, fetches, strict=True):
            one = _attempted(partial(_open, contract, drop, fetch))
            held += one.size if one else 0
            if one and held <= _MAX_HELD_BYTES:
                opened.append(one)
    with span("ingest.read", dataset=contract.name, drops=len(drops)) as done:
        read = (_attempted(partial(_read, contract, one, plans)) for one in _parsed_together(opened))
        found = {one.drop.id: one for one in read if one}
        done(rows=sum(one.batch.records for one in found.values()))
    return found


def _attempted(work: Callable[[], Result]) -> Result | None:
    """None where it fails: ingesting the drop individually meets the error again, and reports it."""
    try:
        return work()
    except BaseException as error:
        as_error(error)
        return None


def _open(contract: Contract, drop: Drop, fetch: Future[HeldFile]) -> _Opened:
    held = fetch.result()
    reader = open_drop(held, drop.key, contract)
    unparsed = reader.unparsed()
    return _Opened(drop, held.sha256, reader, unparsed, [] if unparsed else list(reader.batches()))


def _parsed_together(opened: Sequence[_Opened]) -> Iterator[_Opened]:
    """Each with its batches, without those that cannot be parsed. What a parser costs a call is shared by them."""
    by_form: dict[Hashable, list[tuple[_Opened, Unparsed]]] = {}
    for one in opened:
        if one.unparsed is None:
            yield one
        else:
            by_form.setdefault(one.unparsed.form, []).append((one, one.unparsed))
    for alike in by_form.values():
        texts = [text.text for _, text in alike]
        rows = _attempted(partial(alike[0][1].parse, texts, sum(text.rows for _, text in alike)))
        if rows is None:
            continue
        first = 0
        for one, text in alike:
            yield replace(one, batches=[text.batch(rows.slice(first, text.rows))])
            first += text.rows


def _read(contract: Contract, one: _Opened, plans: Plans) -> DropRead | None:
    """None where there is no row, more than a batch of them, a column to be added, or rows of several partitions."""
    drop, reader, batches = one.drop, one.reader, one.batches
    numbers = NumberFormat.of(reader.format)
    header = (*reader.header, numbers)
    if (plan := plans.get(header)) is None:
        if len(plans) >= _MAX_PLANS:
            plans.clear()
        plan = plans[header] = Plan(contract.expanded(reader.header), reader.header, numbers)
    adds_columns = bool(contract.patterns) or (contract.policy.unknown_columns == "add" and plan.change.rescued)
    has_many_partitions = contract.partition.column is not None
    exceeds = drop.size > contract.limits.bytes or sum(batch.records for batch in batches) > contract.limits.rows
    if len(batches) != 1 or adds_columns or has_many_partitions or exceeds:
        return None
    return DropRead(drop, one.sha256, plan, reader.format, batches[0])
