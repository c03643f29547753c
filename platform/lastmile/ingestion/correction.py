"""Correcting quarantined rows: new values are validated at once, and loaded with the drop's other rows by the next run.

A correction is a request like a release. Under the drop's claim its file is read again, with the corrected cells in
place of those found, so that a corrected row meets the same contract, deduplication and transaction as any other.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from psycopg import Connection

from lastmile import ledger
from lastmile.contracts.casts import NumberFormat
from lastmile.contracts.contract import Contract
from lastmile.contracts.lookup import contract_of
from lastmile.contracts.names import normal_name
from lastmile.errors import UserError
from lastmile.ingestion.batch import Refused
from lastmile.ingestion.corrected import with_corrections
from lastmile.ingestion.lines import only_lines
from lastmile.ingestion.readers import Reader, open_drop
from lastmile.ingestion.validation import Plan
from lastmile.ingestion.validation.header_match import fit
from lastmile.ledger import DropRecord
from lastmile.quarantine import query
from lastmile.quarantine.corrections import Correction, corrected_cells, record_correction
from lastmile.quarantine.discard import counted
from lastmile.quarantine.query import Selection
from lastmile.quarantine.release import release
from lastmile.store import Changed, Missing, Store, StoredObject


@dataclass(frozen=True)
class StillBroken:
    """A row that breaks the contract with its new values too; nothing about it was recorded."""

    drop: int
    line: int
    reasons: Sequence[str]


@dataclass(frozen=True)
class Corrected:
    """Lines corrected by drop, rows that would still break the contract, and the drops requested to be ingested."""

    lines: Mapping[int, Sequence[int]] = field(default_factory=dict)
    refused: Sequence[StillBroken] = ()
    requested: Sequence[int] = ()


def correct(
    connection: Connection,
    store: Store,
    contracts: Mapping[str, Contract],
    corrections: Sequence[Correction],
    who: str,
    why: str,
) -> Corrected:
    """Record new values of quarantined rows, and request their drops; what is unchanged is passed over.

    Values are written as in the drop's file. Rows that are valid with them are recorded, all at once; the others are
    returned. Raises UserError, with nothing recorded, for a row that is not quarantined or is discarded, a column that
    the file does not have, an object that is gone or has changed, and where who or why is empty.
    """
    who, why = who.strip(), why.strip()
    if not who or not why:
        raise UserError("a correction needs who made it and why, for those who ask later")
    drops: dict[int, list[Correction]] = {}
    for one in corrections:
        drops.setdefault(one.drop, []).append(one)
    with connection.transaction():
        found = [_correct(connection, store, contracts, drop, wanted, who, why) for drop, wanted in drops.items()]
    return Corrected(
        {drop: lines for one in found for drop, lines in one.lines.items()},
        [row for one in found for row in one.refused],
        [drop for one in found for drop in one.requested],
    )


def _correct(
    connection: Connection,
    store: Store,
    contracts: Mapping[str, Contract],
    drop_id: int,
    wanted: Sequence[Correction],
    who: str,
    why: str,
) -> Corrected:
    drop = _drop(connection, store, drop_id)
    texts = _texts(connection, store, drop, [one.line for one in wanted])
    changed = [one for one in wanted if one.cells or (one.raw is not None and one.raw != texts[one.line])]
    if not changed:
        return Corrected()
    with TemporaryDirectory(prefix="lastmile-") as folder:
        reader = _reader(store, contract_of(drop.dataset, contracts), drop, Path(folder) / "drop")
        contract = contracts[drop.dataset]
        cells = {one.line: _cells(contract, reader, one, texts[one.line]) for one in changed}
        refused = _refused(contract, reader, drop_id, corrected_cells(connection, drop_id), cells)
    broken = {row.line for row in refused}
    lines = [line for line in cells if line not in broken]
    for line in lines:
        record_correction(connection, Correction(drop_id, line, cells[line]), texts[line], who, why)
    if not lines:
        return Corrected(refused=refused)
    ledger.add_event(connection, drop_id, f"corrected {counted(sorted(lines))} by {who}: {why}")
    whole = drop.state == "quarantined"
    requested = release(connection, {} if whole else {drop_id: lines}, [drop_id] if whole else [])
    return Corrected({drop_id: sorted(lines)}, refused, requested)


def _drop(connection: Connection, store: Store, drop_id: int) -> DropRecord:
    drop = ledger.find(connection, store.url, drop_id)
    if drop is None:
        raise UserError(
            f"no drop {drop_id} in {store.url}; `lastmile quarantine list` names those that are quarantined"
        )
    if drop.state not in ("loaded", "quarantined"):
        raise UserError(f"drop {drop_id} ({drop.key}) is {drop.state}: none of its rows can be corrected")
    return drop


def _texts(connection: Connection, store: Store, drop: DropRecord, lines: Sequence[int]) -> dict[int, str]:
    """The quarantined text of each line. Raises UserError for one that is not, or no longer, quarantined."""
    selection = Selection(drop=drop.id, lines=tuple(lines), store=store.url)
    texts = {row["line"]: row["raw"] for row in query.rows(connection, selection, 2 * len(lines))}
    if missing := [line for line in lines if line not in texts]:
        raise UserError(
            f"drop {drop.id} ({drop.key}): expected quarantined rows, found none on {counted(sorted(missing))}; see"
            f" `lastmile quarantine show --drop {drop.id}`. What is discarded must be released with --discarded first."
        )
    return texts


def _reader(store: Store, contract: Contract, drop: DropRecord, to: Path) -> Reader:
    try:
        pinned = store.pin(StoredObject(drop.key, drop.size, drop.version, drop.modified_at), to)
        if pinned.sha256 == drop.sha256:
            return open_drop(pinned.path, drop.key, contract)
    except (Missing, Changed, Refused) as error:
        raise UserError(f"drop {drop.id}: its rows cannot be read again: {error}") from None
    raise UserError(
        f"drop {drop.id} ({drop.key}): expected the bytes that were ingested (SHA-256 {drop.sha256}), found others"
        f" ({pinned.sha256}); put the object back as it was"
    )


def _cells(contract: Contract, reader: Reader, correction: Correction, raw: str) -> dict[str, str]:
    """The correction's cells by header of the file: those of its text, if that was changed, then those given."""
    columns, _ = fit(contract, reader.header)
    exact = {name: name for name in reader.header} | columns
    similar = {normal_name(name): header for name, header in exact.items()}
    given: dict[str, str] = {}
    if correction.raw is not None and correction.raw != raw:
        given |= _changed(reader, _fields(reader, correction), raw)
    given |= correction.cells
    headers = {name: exact.get(name) or similar.get(normal_name(name)) for name in given}
    unknown = [name for name, header in headers.items() if header is None]
    where = f"drop {correction.drop}, line {correction.line}"
    if unknown:
        raise UserError(f"{where}: the file has no column {', '.join(unknown)}; it has {', '.join(reader.header)}")
    if any("\0" in value for value in given.values()):
        raise UserError(f"{where}: a value holds a NUL character, which no table can hold")
    return {header: given[name] for name, header in headers.items() if header is not None}


def _changed(reader: Reader, fields: dict[str, str], raw: str) -> dict[str, str]:
    """The fields that differ from the text quarantined, where that was made of a row's cells and not in the file: what
    only stands for a faulty cell there is no correction of it."""
    if reader.format["format"] not in ("excel", "parquet") or not raw.startswith("{"):
        return fields
    before = json.loads(raw)
    return {name: value for name, value in fields.items() if before.get(name) != value}


def _fields(reader: Reader, correction: Correction) -> dict[str, str]:
    """A changed text split as the file's records are: a JSON object, or fields between delimiters."""
    raw, where = correction.raw or "", f"drop {correction.drop}, line {correction.line}"
    if raw.lstrip().startswith("{"):
        try:
            values = json.loads(raw, parse_int=str, parse_float=str)
        except ValueError as error:
            raise UserError(f"{where}: expected a JSON object as its text: {error}") from None
        return {name: _as_text(value) for name, value in values.items() if value is not None}
    delimiter, quote = reader.format.get("delimiter"), str(reader.format.get("quote", "none"))
    if not delimiter:
        raise UserError(f"{where}: its text cannot be split into fields; give the values by column")
    quoting: dict[str, Any] = {"quoting": csv.QUOTE_NONE} if quote == "none" else {"quotechar": quote}
    fields = next(csv.reader([raw], delimiter=str(delimiter), **quoting), [])
    if len(fields) != len(reader.header):
        raise UserError(f"{where}: expected {len(reader.header)} fields as in the header, found {len(fields)}")
    return dict(zip(reader.header, fields, strict=True))


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _refused(
    contract: Contract,
    reader: Reader,
    drop_id: int,
    before: Mapping[int, Mapping[str, str]],
    cells: Mapping[int, Mapping[str, str]],
) -> list[StillBroken]:
    """The rows that break the contract with these cells on top of those of earlier corrections."""
    plan = Plan(contract, reader.header, NumberFormat.of(reader.format))
    together = {line: {**before.get(line, {}), **values} for line, values in cells.items()}
    broken: dict[int, list[str]] = {}
    for batch in only_lines(reader, sorted(cells)).batches():
        bad = plan.validate(with_corrections(batch, together)).bad
        for line, reasons in bad.select("line", "reasons").iter_rows():
            broken.setdefault(line, []).extend(reason["message"] for reason in json.loads(reasons))
    return [StillBroken(drop_id, line, reasons) for line, reasons in broken.items()]
