"""Rows at hand as a file of any format: what a query found, bounded in rows and bytes."""

import csv
import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from lastmile.errors import UserError
from lastmile.serving.reading.negotiation import Format
from lastmile.warehouse.reading.formulas import FORMULA, NUMBER

if TYPE_CHECKING:
    import pyarrow as pa


def written(columns: Sequence[tuple[str, str]], rows: Sequence[bytes], form: Format) -> bytes:
    """`rows` are JSON arrays. Raises UserError where two columns have one name."""
    names = [name for name, _ in columns]
    if len(set(names)) < len(names):
        raise UserError(f"sql: each column of a file needs a name of its own, found {', '.join(names)}; use AS")
    values = [orjson.loads(row) for row in rows]
    if form == "ndjson":
        return b"".join(orjson.dumps(dict(zip(names, row, strict=True))) + b"\n" for row in values)
    if form == "csv":
        return _csv(names, values)
    table = _table(columns, values)
    return _parquet(table) if form == "parquet" else _arrow(table)


def _csv(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return file.getvalue().encode()


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return orjson.dumps(value).decode()
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, str) and re.search(FORMULA, value) and not re.search(NUMBER, value):
        return f"'{value}"
    return value


def _table(columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> "pa.Table":
    """Numbers and booleans in their types; all else as the text that JSON has of it."""
    import pyarrow as pa

    kinds = {"int2": pa.int64(), "int4": pa.int64(), "int8": pa.int64(), "bool": pa.bool_()}
    kinds |= dict.fromkeys(("float4", "float8", "numeric"), pa.float64())
    arrays = []
    for at, (_, kind) in enumerate(columns):
        values = [row[at] for row in rows]
        if kind not in kinds:
            values = [one if one is None or isinstance(one, str) else orjson.dumps(one).decode() for one in values]
        arrays.append(pa.array(values, kinds.get(kind, pa.string())))
    return pa.Table.from_arrays(arrays, [name for name, _ in columns])


def _parquet(table: "pa.Table") -> bytes:
    from pyarrow.parquet import write_table

    file = io.BytesIO()
    write_table(table, file, compression="zstd")
    return file.getvalue()


def _arrow(table: "pa.Table") -> bytes:
    from pyarrow.ipc import new_stream

    file = io.BytesIO()
    with new_stream(file, table.schema) as writer:
        writer.write_table(table)
    return file.getvalue()
