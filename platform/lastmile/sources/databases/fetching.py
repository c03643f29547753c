"""A run of a table or a query: its rows, all as of one moment, into a file of Parquet. Memory holds a batch.

The database itself compares rows with the cursor, so that its own order holds. Rows after what is loaded already are
new; of the others (from the overlap, or without a value in the cursor's column) those are landed that never were.
"""

from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from lastmile.errors import UserError
from lastmile.sources.databases.reading import Column, Reading, reading
from lastmile.sources.declarations.database import Database, Query, Table
from lastmile.sources.declarations.setting import Setting
from lastmile.sources.fetching import Fetched, Task
from lastmile.sources.order import Place
from lastmile.sources.repeats import digest

SUFFIX = "parquet"
#: The column that says which rows are new for certain.
_IS_NEW = "lastmile_is_new"
#: Clocks and zones differ: a moment without a zone may be that of any.
_CLOCKS, _ZONES = timedelta(minutes=5), timedelta(hours=14)


@dataclass(frozen=True)
class _Range:
    """Which rows are read, and which of these are new for certain; as conditions of SQL."""

    condition: str = ""
    is_new: str = ""
    cursor_to: str | None = None
    is_incremental: bool = False


@dataclass
class _File:
    """A file of Parquet that grows by batches."""

    path: Path
    columns: list[Column]
    rows: int = 0
    _open: ExitStack = field(default_factory=ExitStack)
    _writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        if self._writer is None:
            self._writer = self._open.enter_context(pq.ParquetWriter(self.path, table.schema, compression="zstd"))
        self._writer.write_table(table)
        self.rows += table.num_rows

    def close(self) -> None:
        if self._writer is None:
            self.write(pa.table({one.name: pa.array([], pa.string()) for one in self.columns}))
        self._open.close()


def fetch(source: Database, task: Task) -> Fetched:
    """Raises UserError where the database refuses what is declared, Unreachable where it is away."""
    with reading(source.url.value()) as there:
        base = _base(source, there)
        columns = there.columns(base)
        wanted = _range(source, task, there, columns, base)
        expected = _count(source, task, there, base, wanted)
        file = _File(task.folder / f"rows.{SUFFIX}", columns)
        read, digests = _read(there, task, base, wanted, file)
        file.close()
        _compare(task, expected, read)
    repeated = read - file.rows
    if repeated:
        task.report.event(f"{repeated:,} rows came again and were landed before")
    return Fetched(
        file=file.path,
        suffix=SUFFIX,
        records=file.rows,
        repeated=repeated,
        cursor_to=wanted.cursor_to,
        digests=bytes(digests) if source.is_incremental else None,
    )


def _base(source: Database, there: Reading) -> str:
    """What is declared, as a SELECT of its own. A comment at its end ends with its line."""
    if isinstance(source, Query):
        return source.sql.strip().rstrip(";") + "\n"
    table = cast("Table", source)
    columns = ", ".join(map(there.name, table.columns)) or "*"
    where = f" WHERE {table.where}\n" if table.where else ""
    return f"SELECT {columns} FROM {there.name(*table.table.split('.'))}{where}"


def _range(source: Database, task: Task, there: Reading, columns: list[Column], base: str) -> _Range:
    declared = source.incremental
    if declared is None:
        return _Range()
    column = next((one for one in columns if one.name == declared.column), None)
    if column is None:
        names = ", ".join(one.name for one in columns)
        raise UserError(f"source {source.name}: its cursor {declared.column!r} is no column; there are: {names}")
    name = there.name(column.name)
    begin = declared.start if task.begin is None else Place.of(task.begin).before(declared.overlap)
    is_new = [f"{name} > {there.literal(task.reached, column)}"] if task.reached is not None else []
    top, is_after = _top(there, base, column, task.reached)
    if top is not None and Place.of(top).is_ahead():
        now = there.literal(_now(top), column)
        task.report.event(f"rows have a {column.name!r} in the future, up to {top}, to which the cursor does not move")
        top, is_after = _top(there, base, column, task.reached, f" WHERE {name} <= {now}")
        is_new.append(f"{name} <= {now}")
    return _Range(
        f" WHERE ({name} >= {there.literal(begin, column)} OR {name} IS NULL)" if begin is not None else "",
        " AND ".join(is_new),
        _cursor_to(task, column, top, is_after),
        True,
    )


def _top(there: Reading, base: str, column: Column, reached: str | None, where: str = "") -> tuple[str | None, bool]:
    """The largest value of a column, written as its cells are, and whether it is after what was reached."""
    name = there.name(column.name)
    largest = f"SELECT max({name}) AS {name} FROM ({base}) lastmile_rows{where}"
    is_after = "1=1" if reached is None else f"{name} > {there.literal(reached, column)}"
    found, after = there.values(
        f"SELECT {column.expression}, CASE WHEN {is_after} THEN 1 ELSE 0 END FROM ({largest}) lastmile_top"
    )
    return None if found is None else str(found), str(after) == "1"


def _now(like: str) -> str:
    has_zone = datetime.fromisoformat(like).tzinfo is not None
    now = datetime.now(UTC) + (_CLOCKS if has_zone else _ZONES)
    return now.strftime("%Y-%m-%d %H:%M:%S") + ("Z" if has_zone else "")


def _cursor_to(task: Task, column: Column, top: str | None, is_after: bool) -> str | None:
    """The cursor never goes back."""
    if task.reached is None:
        return task.begin if top is None else top
    if top is not None and not is_after and top != task.reached:
        task.report.event(
            f"the largest {column.name!r} is {top}, before {task.reached}, up to which rows are loaded: rows were"
            " deleted, or the database was restored or renumbered; the cursor stays. What is new below it is fetched by"
            " `lastmile source run NAME --since`"
        )
    return top if is_after and top is not None else task.reached


def _count(source: Database, task: Task, there: Reading, base: str, wanted: _Range) -> int | None:
    if not source.counted or task.most is not None:
        return None
    (found,) = there.values(f"SELECT count(*) FROM ({base}) lastmile_rows{wanted.condition}")
    return int(str(found))


def _read(there: Reading, task: Task, base: str, wanted: _Range, file: _File) -> tuple[int, bytearray]:
    """How many rows were read, and the digests of those that are in the file."""
    names = ", ".join(f"{one.expression} AS {there.name(one.name)}" for one in file.columns)
    flag = f", CASE WHEN {wanted.is_new} THEN 1 ELSE 0 END AS {there.name(_IS_NEW)}" if wanted.is_new else ""
    most = f" LIMIT {task.most}" if task.most is not None else ""
    query = f"SELECT {names}{flag} FROM ({base}) lastmile_rows{wanted.condition}{most}"
    read, digests = 0, bytearray()
    for batch in there.batches(query):
        table = pa.Table.from_batches([batch])
        read += table.num_rows
        if wanted.is_incremental:
            table, some = _unlanded(table, task, bool(flag))
            digests += some
        if table.num_rows:
            file.write(table)
        task.report.requests += 1
        size = file.path.stat().st_size if file.path.exists() else 0
        task.report.progress(task.report.requests, read, size)
    return read, digests


def _unlanded(table: pa.Table, task: Task, has_flag: bool) -> tuple[pa.Table, bytes]:
    """The rows that are new, or were never landed, and their digests."""
    is_new = np.ones(table.num_rows, np.bool_)
    if has_flag:
        is_new = np.array([str(flag) == "1" for flag in table.column(_IS_NEW).to_pylist()], np.bool_)
        table = table.drop_columns([_IS_NEW])
    digests = b"".join(digest(text.encode()) for text in _texts(table))
    numbers = np.frombuffer(digests, np.uint64)
    older = np.flatnonzero(~is_new)
    if len(older):
        is_new[older] = ~task.known(numbers[older].tobytes())
    return table.filter(pa.array(is_new)), numbers[is_new].tobytes()


def _texts(table: pa.Table) -> pl.Series:
    """Each row as a text of its own."""
    frame = pl.DataFrame(pl.from_arrow(table))
    return frame.select(pl.struct(pl.all().cast(pl.String)).struct.json_encode().alias("row"))["row"]


def _compare(task: Task, expected: int | None, read: int) -> None:
    """Raises UserError where fewer rows came than the database counted."""
    if expected is None or read == expected:
        return
    if read < expected:
        raise UserError(
            f"the source's database counted {expected:,} rows and sent {read:,}; nothing is landed: run it again, or"
            " say counted=False where its table has no snapshots (MyISAM) and changes all the time"
        )
    task.report.event(f"{expected:,} rows were counted and {read:,} came: rows were added meanwhile")


def first_rows(url: Setting, table: str) -> Table:
    """A table whose rows are only looked at."""
    return Table(name="looked_at", dataset="looked_at", description="", owner="", url=url, table=table, counted=False)
