"""Changes of rows, in their order, into the tables of their source; within a transaction of the caller's.

Every version of a row is held to the contract. A bad one goes to quarantine with its place in the log, and the row is
not among those of now until a later change mends it. The rows as the database wrote them are kept as images: from them
come the values that an update does not send, the row before a change, and the answer to whether it came before.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import orjson
import polars as pl
from psycopg import Connection

from lastmile.contracts.contract import Contract
from lastmile.ingestion.batch import RawBatch, Refused
from lastmile.ingestion.schema_evolution.added_columns import added_column, undeclared
from lastmile.ingestion.validation import Plan
from lastmile.ingestion.validation.header_match import fit
from lastmile.quarantine.messages import GIVEN, quarantine_messages
from lastmile.sources.changes.change import Change, Image
from lastmile.sources.changes.pgoutput import UNCHANGED
from lastmile.sources.changes.tables import Tables, history_frame, image_frame

Texts = Mapping[str, str | None]


@dataclass
class Applied:
    """What became of changes."""

    changes: int = 0
    quarantined: int = 0
    #: That came before, and were left out.
    repeated: int = 0

    def __iadd__(self, other: "Applied") -> "Applied":
        self.changes += other.changes
        self.quarantined += other.quarantined
        self.repeated += other.repeated
        return self


@dataclass(frozen=True)
class Target:
    """Where the changes of one table go: its columns at the source, and what stands for them here."""

    tables: Tables
    header: Sequence[str]
    #: What the changes come from, for people: a table, or a topic.
    origin: str
    #: The columns of the source that are the key, in the contract's order.
    key: Sequence[str]
    plan: Plan

    @classmethod
    def of(cls, name: str, contract: Contract, header: Sequence[str], origin: str) -> "Target":
        """Raises Refused where the columns do not fit the contract."""
        extended = _extended(contract, header)
        found, _ = fit(extended, header)
        missing = [column for column in contract.key if column not in found]
        if missing:
            raise Refused(f"the key of {contract.name} is {list(contract.key)}; {origin} has no {missing}")
        key = [found[column] for column in contract.key]
        return cls(Tables(name, extended), tuple(header), origin, key, Plan(extended, header))

    def key_of(self, row: Image) -> str:
        return orjson.dumps([row.get(name) for name in self.key]).decode()


def _extended(contract: Contract, header: Sequence[str]) -> Contract:
    """The contract with a column for each that it does not know, where it says to add them."""
    expanded = contract.expanded(header)
    if contract.policy.unknown_columns != "add":
        return expanded
    added = {name: added_column() for name in undeclared(expanded, header)}
    return replace(expanded, schema=expanded.table.add_columns(added)) if added else expanded


@dataclass
class _Version:
    """A change with both of its images whole."""

    change: Change
    key: str
    before: Texts | None
    after: Texts | None
    #: Columns whose value was not sent, and is not known.
    unknown: Sequence[str] = ()


@dataclass
class _Images:
    """The rows of a batch as they are after each of its changes; None where there is none."""

    known: dict[str, Texts | None] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    touched: dict[str, int] = field(default_factory=dict)


def apply(
    connection: Connection, target: Target, changes: Sequence[Change], snapshot: int, guarded: bool = False
) -> Applied:
    """Carry out the changes; where `guarded`, without those whose row has a later one already."""
    done = Applied()
    for some in _between_truncations(changes):
        if some[0].op == "t":
            done += _truncate(connection, target, some[0], snapshot, guarded)
        else:
            done += _apply(connection, target, some, snapshot, guarded)
    return done


def _truncate(connection: Connection, target: Target, change: Change, snapshot: int, guarded: bool) -> Applied:
    """All rows are gone; where guarded, only those that were changed before, and only once."""
    if guarded and target.tables.is_truncated(connection, change.lsn):
        return Applied(repeated=1)
    target.tables.empty(connection, before=change.lsn if guarded else None)
    _write_history(connection, target, [_Version(change, "", None, None)], snapshot)
    return Applied(changes=1)


def _between_truncations(changes: Sequence[Change]) -> list[list[Change]]:
    found: list[list[Change]] = []
    for one in changes:
        if not found or one.op == "t" or found[-1][0].op == "t":
            found.append([])
        found[-1].append(one)
    return found


def _apply(connection: Connection, target: Target, changes: Sequence[Change], snapshot: int, guarded: bool) -> Applied:
    images = _before(connection, target, changes)
    versions, repeated = [], 0
    for change in changes:
        version = _version(target, change, images, guarded)
        if version is None:
            repeated += 1
            continue
        versions.append(version)
        _follow(target, version, images, len(versions) - 1)
    good, bad = _validated(target, versions, snapshot)
    _write_history(connection, target, versions, snapshot)
    _write_rows(connection, target, versions, images, good, guarded)
    if bad.height:
        quarantine_messages(connection, target.tables.name, target.origin, bad)
    return Applied(len(versions), bad.height, repeated)


def _before(connection: Connection, target: Target, changes: Sequence[Change]) -> _Images:
    """The images of all rows that the changes are about, as they are now."""
    keys = {target.key_of(row) for one in changes for row in (one.before, one.after) if row is not None}
    found = target.tables.images_of(connection, list(keys))
    known: dict[str, Texts | None] = dict.fromkeys(keys)
    known |= {key: image for key, image, _ in found}
    return _Images(known, {key: position for key, _, position in found})


def _version(target: Target, change: Change, images: _Images, guarded: bool) -> _Version | None:
    """The change with its images; None where it came before."""
    row = change.after if change.after is not None else change.before
    key = target.key_of(row or {})
    if guarded and change.lsn <= images.positions.get(key, -1):
        return None
    old = target.key_of(change.before) if change.before is not None else key
    before = images.known.get(old)
    if before is None and change.before is not None and change.op != "r":
        before = {name: value for name, value in change.before.items() if value is not UNCHANGED}
    if change.op in ("c", "r") and before is None:
        return _Version(change, key, None, _whole(change.after or {}, {})[0])
    after, unknown = _whole(change.after, before or {}) if change.after is not None else (None, ())
    return _Version(change, key, before, after, unknown)


def _whole(row: Image, before: Texts) -> tuple[Texts, Sequence[str]]:
    """The row with the values that were not sent, and the columns of which nothing is known."""
    if UNCHANGED not in row.values():
        return row, ()  # type: ignore[return-value]  # all are texts or null
    unknown = [name for name, value in row.items() if value is UNCHANGED and name not in before]
    return {name: before.get(name) if value is UNCHANGED else value for name, value in row.items()}, unknown


def _follow(target: Target, version: _Version, images: _Images, place: int) -> None:
    """What is known of the rows after a change."""
    old = target.key_of(version.before) if version.before is not None else version.key
    if old != version.key:
        images.known[old] = None
        images.touched[old] = place
        images.positions[old] = version.change.lsn
    images.known[version.key] = version.after
    images.touched[version.key] = place
    images.positions[version.key] = version.change.lsn


def _validated(target: Target, versions: Sequence[_Version], snapshot: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The good rows typed, `_line` being the place of their version, and the bad ones as they go to quarantine."""
    places = [place for place, one in enumerate(versions) if one.after is not None and not one.unknown]
    rows = [versions[place].after or {} for place in places]
    frame = pl.DataFrame({name: [row.get(name) for row in rows] for name in target.header}, _text(target.header))
    batch = RawBatch(
        frame,
        pl.Series("line", places, pl.UInt64),
        lambda wanted: [orjson.dumps(rows[place]).decode() for place in wanted],
        nul_free=True,
    )
    found = target.plan.validate(batch)
    bad = [(int(line), raw, reasons) for line, raw, reasons in found.bad.iter_rows()]
    bad += [_of_unknown(place, one) for place, one in enumerate(versions) if one.unknown]
    placed = [(versions[place], raw, reasons) for place, raw, reasons in sorted(bad)]
    return found.valid, _quarantined(placed, snapshot)


def _text(names: Sequence[str]) -> dict[str, pl.DataType]:
    return {name: pl.String() for name in names}


def _of_unknown(place: int, version: _Version) -> tuple[int, str, str]:
    words = "{0}: expected its value, which an update left unchanged; found neither it nor the row before"
    reasons = [
        {"column": name, "rule": "unchanged", "found": None, "message": words.format(name)} for name in version.unknown
    ]
    return place, orjson.dumps(version.after).decode(), orjson.dumps(reasons).decode()


def _quarantined(bad: Sequence[tuple[_Version, str, str]], snapshot: int) -> pl.DataFrame:
    """Each at its message, or else at its place in the log that followed this snapshot."""
    rows = [
        {
            **_place(version.change, snapshot),
            "rule": orjson.loads(reasons)[0]["rule"],
            "reasons": reasons,
            "lateness": None,
            "key": version.key.encode(),
            "raw": raw.encode(),
        }
        for version, raw, reasons in bad
    ]
    return pl.DataFrame(rows, schema=GIVEN)


def _place(change: Change, snapshot: int) -> dict[str, int]:
    place = change.message or (snapshot, change.lsn, change.number)
    return dict(zip(("partition", "offset", "index"), place, strict=True))


def _write_history(connection: Connection, target: Target, versions: Sequence[_Version], snapshot: int) -> None:
    rows = [
        (
            snapshot,
            one.change.lsn,
            one.change.number,
            one.change.xid,
            one.change.at,
            one.change.op,
            None if one.change.op == "t" else one.key,
            _json(one.before),
            _json(one.after),
        )
        for one in versions
    ]
    with target.tables.copy_history(connection) as copy:
        copy.write(history_frame(rows))


def _json(row: Texts | None) -> str | None:
    return None if row is None else orjson.dumps(row).decode()


def _write_rows(
    connection: Connection,
    target: Target,
    versions: Sequence[_Version],
    images: _Images,
    good: pl.DataFrame,
    guarded: bool,
) -> None:
    """The rows and images as they are after the last change of each; guarded, deleted ones keep their position."""
    target.tables.delete(connection, list(images.touched))
    last = [(key, images.positions[key], _json(images.known[key])) for key in images.touched]
    with target.tables.copy_images(connection) as copy:
        copy.write(image_frame([one for one in last if guarded or one[2] is not None]))
    current = [
        (place, key, versions[place].change.lsn, versions[place].change.at)
        for key, place in images.touched.items()
        if images.known[key] is not None
    ]
    schema = {
        "_line": pl.UInt64(),
        "_key": pl.String(),
        "_lsn": pl.Int64(),
        "_committed_at": pl.Datetime("us", "UTC"),
    }
    rows = good.join(pl.DataFrame(current, schema=schema, orient="row"), on="_line", how="inner")
    with target.tables.copy_rows(connection) as copy:
        copy.write(rows)
