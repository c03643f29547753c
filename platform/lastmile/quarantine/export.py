"""What is quarantined as files: rows in one table, drops as they arrived."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import orjson
import polars as pl
from psycopg import Connection

from lastmile.errors import UserError
from lastmile.quarantine.formulas import inert
from lastmile.quarantine.query import Selection, drops, stream_rows
from lastmile.store import Changed, Missing, Store, StoredObject

Page = list[dict[str, Any]]
Write = Callable[[Page], None]

#: Longest end of a drop's own name that its copy keeps: with its number before it, any file system holds it.
_NAME_KEPT = 60
#: A reason as it stands in a Parquet file.
_REASON = pl.Struct(dict.fromkeys(("column", "rule", "found", "message"), pl.String))
_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "drop": pl.Int64, "dataset": pl.String, "partition": pl.String, "key": pl.String, "line": pl.Int64,
    "kind": pl.String, "reasons": pl.List(_REASON), "raw": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class ExportedDrops:
    """How many drops were copied, and for each of the others why it was not: it is gone, or has changed."""

    copied: int
    lost: Sequence[str]


def export_rows(connection: Connection, selection: Selection, to: Path) -> int:
    """Write quarantined rows as CSV, JSON Lines or Parquet, after the file's suffix, page by page; returns how many.

    In a CSV the reasons are their messages, one per line of the cell, and what a spreadsheet would run as a formula is
    preceded by an apostrophe. The file appears whole or not at all. Raises UserError for another suffix, or where the
    file cannot be written.
    """
    writer = _WRITERS.get(to.suffix.lower())
    if writer is None:
        raise UserError(f"cannot tell the format of {to}: expected a name that ends in {', '.join(_WRITERS)}")
    part, rows = to.with_name(f".{to.name}.part"), 0
    try:
        with writer(part) as write, closing(stream_rows(connection, selection)) as pages:
            for page in pages:
                write([_record(row) for row in page])
                rows += len(page)
        part.replace(to)
    except OSError as error:
        raise UserError(f"cannot write {to}: {error.strerror or error}") from None
    finally:
        part.unlink(missing_ok=True)
    return rows


def export_drops(connection: Connection, store: Store, selection: Selection, to: Path) -> ExportedDrops:
    """Copy drops quarantined whole into a folder as they arrived, each under its number and name.

    Raises UserError where the folder cannot be written.
    """
    found = [drop for drop in drops(connection, selection, None) if not drop["is_unfit"]]
    lost = []
    for drop in found:
        path = to / f"drop-{drop['id']}-{PurePosixPath(drop['key']).name[-_NAME_KEPT:]}"
        try:
            to.mkdir(parents=True, exist_ok=True)
            store.fetch(StoredObject(drop["key"], drop["size"], drop["version"], drop["modified_at"]), path)
        except (Missing, Changed) as error:
            path.unlink(missing_ok=True)
            lost.append(str(error))
        except OSError as error:
            raise UserError(f"cannot write {path}: {error.strerror or error}") from None
    return ExportedDrops(len(found) - len(lost), lost)


def _record(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"drop": row["drop_id"], **{name: row[name] for name in list(_SCHEMA)[1:]}}


@contextmanager
def _csv(path: Path) -> Iterator[Write]:
    schema = {**_SCHEMA, "reasons": pl.String}
    with path.open("wb") as file:
        pl.DataFrame(schema=schema).write_csv(file)
        yield lambda page: _as_texts(page, schema).write_csv(file, include_header=False)


def _as_texts(page: Page, schema: Mapping[str, Any]) -> pl.DataFrame:
    rows = [{**row, "reasons": "\n".join(reason["message"] for reason in row["reasons"])} for row in page]
    return inert(pl.DataFrame(rows, schema=schema))


@contextmanager
def _json_lines(path: Path) -> Iterator[Write]:
    with path.open("wb") as file:
        yield lambda page: file.writelines(orjson.dumps(row) + b"\n" for row in page)


@contextmanager
def _parquet(path: Path) -> Iterator[Write]:
    import pyarrow.parquet as pq

    def arrow(page: Page) -> Any:
        # pyarrow cannot slice the newer strings of polars inside lists.
        return pl.DataFrame(page, schema=_SCHEMA).to_arrow(compat_level=pl.CompatLevel.oldest())

    with pq.ParquetWriter(path, arrow([]).schema, compression="zstd") as file:
        yield lambda page: file.write_table(arrow(page))


_WRITERS = {".csv": _csv, ".jsonl": _json_lines, ".parquet": _parquet}
