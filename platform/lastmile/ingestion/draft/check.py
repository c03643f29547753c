"""A draft tried on what it was made from: every row must load, and a key must tell all rows apart.

The rows are read and validated by the intake itself under the very file that is written, so a draft that passes loads
them. What does not pass is given up: a bound, a type, a key.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

import orjson
import polars as pl

from lastmile.contracts import Contract
from lastmile.contracts.casts import NumberFormat
from lastmile.errors import UserError
from lastmile.ingestion.batch import RawBatch, Refused, ValidatedBatch
from lastmile.ingestion.draft.column import Column
from lastmile.ingestion.draft.keys import PARTITION, Hashes
from lastmile.ingestion.draft.proposal import Draft
from lastmile.ingestion.draft.render import render
from lastmile.ingestion.draft.source import Source
from lastmile.ingestion.validation import Plan


@dataclass
class Findings:
    """`misfits` counts the rows that break a rule, by column and rule, with an example of each in `examples`."""

    rows: int = 0
    broken: int = 0
    misfits: Counter[tuple[str, str]] = field(default_factory=Counter)
    examples: dict[tuple[str, str], str] = field(default_factory=dict)
    key: tuple[str, ...] = ()


def contract_of(text: str) -> Contract:
    """The contract that a drafted file declares."""
    module: dict[str, object] = {"__name__": "draft"}
    exec(compile(text, "<draft>", "exec"), module)  # noqa: S102  (the text is our own, every value in it a literal)
    contract = module["contract"]
    if not isinstance(contract, Contract):
        raise TypeError("expected a drafted file to declare a contract")
    return contract


def check(
    draft: Draft, sources: Sequence[Source], candidates: Sequence[tuple[str, ...]], done: Callable[[int], None]
) -> Findings:
    """What becomes of all rows under the draft, and the first of the candidates for a key that holds.

    Raises UserError where a source as a whole is refused.
    """
    contract, found = contract_of(render(draft)), Findings()
    partitions = draft.cut.keys or [""] * len(sources)
    with ExitStack() as opened:
        keys = [opened.enter_context(Hashes(columns)) for columns in candidates]
        for source, partition in zip(sources, partitions, strict=True):
            for valid in _validated(source, contract, found, done):
                located = valid.with_columns(pl.lit(partition).alias(PARTITION))
                for hashes in keys:
                    hashes.add(located)
        found.key = next((hashes.columns for hashes in keys if hashes.are_unique()), ())
    return found


def _validated(
    source: Source, contract: Contract, found: Findings, done: Callable[[int], None]
) -> Iterator[pl.DataFrame]:
    """The valid rows, typed; what becomes of the others is counted in `found`. Raises UserError as `check` does."""
    for batch, judged in _validated_batches(source, contract):
        found.rows += batch.records
        faulty = batch.faulty_lines
        found.broken += len(batch.broken) + len(faulty)
        for line, reasons in judged.bad.select("line", "reasons").iter_rows():
            for reason in orjson.loads(reasons) if line not in faulty else ():
                if reason["column"]:
                    found.misfits[reason["column"], reason["rule"]] += 1
                    found.examples.setdefault((reason["column"], reason["rule"]), str(reason["found"]))
        yield judged.valid
        done(batch.records)


def _validated_batches(source: Source, contract: Contract) -> Iterator[tuple[RawBatch, ValidatedBatch]]:
    try:
        reader, plan = source.open(contract), None
        for batch in reader.batches():
            plan = plan or Plan(contract, reader.header, NumberFormat.of(reader.format))
            yield batch, plan.validate(batch)
    except Refused as error:
        raise UserError(f"{source.name}: {error}") from None


def without_misfits(columns: Sequence[Column], found: Findings) -> list[Column]:
    """The columns with less said of those that some row broke."""
    rules: dict[str, set[str]] = {}
    for column, rule in found.misfits:
        rules.setdefault(column, set()).add(rule)
    return [_less(one, rules[one.name], found) if one.name in rules else one for one in columns]


def _less(column: Column, rules: set[str], found: Findings) -> Column:
    if rules == {"required"}:
        return replace(column, required=False)
    if "type" not in rules and column.bounds != (None, None):
        return replace(column, bounds=(None, None))
    rule = sorted(rules)[0]
    return column.as_text(
        f"{found.misfits[column.name, rule]:,} do not fit, such as {found.examples[column.name, rule]!r}"
    )
