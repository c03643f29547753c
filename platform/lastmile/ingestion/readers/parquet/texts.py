"""A column of Parquet as text that loses nothing, and the faults of cells that have no such text.

Arrow checks texts first, since one that is not UTF-8 makes polars panic. Only what is rare is looked at value by value:
nested types, decimals, durations, and columns in which the check found a fault.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from lastmile.contracts.types import Kind
from lastmile.ingestion.batch import CellFault, Refused
from lastmile.ingestion.readers.cells import WHOLE_IN_DOUBLE, cell_text, duration_text, needs_every_digit
from lastmile.ingestion.readers.delimited.encoding import shown

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
#: Days since 1970 of 0001-01-01 and of the day after 9999-12-31: what four digits of a year can say.
FIRST_DAY, LAST_DAY, SECONDS = -719_162, 2_932_897, 86_400
#: By width in bits: from here on a number does not hold every whole number.
WHOLE_IN = {16: 2**11, 32: 2**24, 64: WHOLE_IN_DOUBLE}
#: How much of a text that is none a reason repeats.
SHOWN = 200

Found = tuple[pl.Series, list[CellFault]]


def texts(name: str, column: Any, kind: Kind | None, first: int) -> Found:
    """The texts of an Arrow array that is declared as `kind`, and its faults; `first` is the line of its first row.

    Timestamps with a zone are given in UTC, ending in Z. Raises Refused for binary values of an undeclared column that
    are not UTF-8, ArrowInvalid where the array contradicts itself.
    """
    import pyarrow as pa
    import pyarrow.types as types

    column = storage(column)
    stated = column.type
    if types.is_dictionary(stated):
        return texts(name, _decoded(column), kind, first)
    if types.is_floating(stated):
        return _of_floats(name, column, kind, first)
    if types.is_temporal(stated) and not types.is_interval(stated):
        return _of_durations(name, column) if types.is_duration(stated) else _of_moments(name, column, first)
    if types.is_integer(stated) or types.is_boolean(stated):
        return pl.Series(name, pl.from_arrow(column.cast("string"))), []
    if is_text(stated) and _is_utf8(column):
        return pl.Series(name, pl.from_arrow(column.cast(pa.large_string()))), []
    return _one_by_one(name, column, kind, first)


def plain_texts(header: Sequence[str], columns: Sequence[Any]) -> dict[str, pl.Series]:
    """The texts of those Arrow arrays that are texts, integers or true and false, all in one step: of a wide file, one
    for each takes most of the time. None where a text is not UTF-8: `texts` finds which.

    Raises ArrowInvalid where an array contradicts itself.
    """
    import pyarrow as pa

    plain = {name: column for name, column in zip(header, columns, strict=True) if _is_plain(column.type)}
    if not plain:
        return {}
    together = pa.RecordBatch.from_pydict(plain)
    if not _is_utf8(together):
        return {}
    coded = {name: column for name, column in plain.items() if pa.types.is_dictionary(column.type)}
    others = {name: column for name, column in plain.items() if name not in coded}
    frame = pl.DataFrame(pa.Table.from_arrays(list(others.values()), [str(place) for place in range(len(others))]))
    written = frame.select(pl.all().cast(pl.String))
    found = {name: column.alias(name) for name, column in zip(others, written.iter_columns(), strict=True)}
    return found | {name: _of_codes(name, column) for name, column in coded.items()}


def _of_codes(name: str, column: Any) -> pl.Series:
    """The texts that numbers stand for: gathered by polars, which does not copy them."""
    values = pl.Series(name, pl.from_arrow(column.dictionary))
    return values.cast(pl.String).gather(pl.Series(pl.from_arrow(column.indices)))


def may_have_nul(column: Any) -> bool:
    """Whether a text in an Arrow array may have a NUL character; of what is nested nothing is known."""
    import pyarrow.types as types

    column = storage(column)
    if types.is_dictionary(column.type):
        return may_have_nul(column.dictionary)
    if types.is_string(column.type) or types.is_large_string(column.type):
        (_, _, texts) = column.buffers()
        return texts is not None and not np.frombuffer(texts, np.uint8).all()
    return not types.is_primitive(column.type)


def _is_plain(stated: Any) -> bool:
    import pyarrow.types as types

    if types.is_dictionary(stated):
        stated = stated.value_type
    return bool(is_text(stated) or types.is_integer(stated) or types.is_boolean(stated))


def storage(column: Any) -> Any:
    """The array that stands for one of an extension type; that of UUIDs is read as it is."""
    import pyarrow as pa

    while isinstance(column.type, pa.BaseExtensionType) and not isinstance(column.type, pa.UuidType):
        column = column.storage
    return column


def is_text(stated: Any) -> bool:
    import pyarrow.types as types

    return bool(types.is_string(stated) or types.is_large_string(stated) or types.is_string_view(stated))


def is_binary(stated: Any) -> bool:
    import pyarrow.types as types

    kinds = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
    return any(is_kind(stated) for is_kind in kinds)


def _is_utf8(column: Any) -> bool:
    import pyarrow as pa

    try:
        column.validate(full=True)
    except pa.ArrowInvalid as invalid:
        if "UTF8" not in str(invalid):
            raise
        return False
    return True


def _decoded(column: Any) -> Any:
    """The values that numbers stand for; texts as bytes where any is not UTF-8."""
    import pyarrow as pa

    if _is_utf8(column):
        return column.dictionary_decode()
    as_bytes = pa.large_binary() if pa.types.is_large_string(column.dictionary.type) else pa.binary()
    decoded = pa.DictionaryArray.from_arrays(column.indices, column.dictionary.view(as_bytes)).dictionary_decode()
    return decoded.view(column.dictionary.type)


def _of_floats(name: str, column: Any, kind: Kind | None, first: int) -> Found:
    """As `float_text`. Not a number is no value where a text is declared; `inf` stays."""
    bits = column.type.bit_width
    values = pl.Series(name, pl.from_arrow(column.cast("float") if bits == 16 else column))
    written = values.set(values == 0, 0.0).cast(pl.String).str.strip_suffix(".0")  # -0.0 is written -0.0
    if values.is_nan().any():
        written = written.replace("NaN", None if kind is not None and kind.is_text else "nan")
    if not needs_every_digit(kind):
        return written, []
    has_lost = values.is_finite() & (values.abs() >= WHOLE_IN[bits])
    expected = (
        f"all digits of the number, which {bits} bits hold below {WHOLE_IN[bits]:,}; write it as an integer or text"
    )
    return written, [
        CellFault(first + row, name, "digits", expected, f"{written[row]}, whose last digits may be lost")
        for row in has_lost.arg_true()
    ]


def _of_moments(name: str, column: Any, first: int) -> Found:
    """Dates, times and timestamps. Those that no year of four digits has, and times beyond a day, are faults."""
    import pyarrow as pa
    import pyarrow.types as types

    stated = column.type
    per_day = 1 if types.is_date32(stated) else SECONDS * PER_SECOND[_unit(stated)]
    low, high = (0, per_day) if types.is_time(stated) else (FIRST_DAY * per_day, LAST_DAY * per_day)
    low, high = max(low, -(2**63)), min(high, 2**63) - 1
    counted = column.view(pa.int32() if stated.bit_width == 32 else pa.int64())
    numbers = pl.Series(name, pl.from_arrow(counted), pl.Int64)
    is_outside = ~numbers.is_between(low, high).fill_null(True)
    if not is_outside.any():
        return _written(numbers, stated), []
    written = _written(numbers.zip_with(~is_outside, pl.Series([None], dtype=pl.Int64)), stated)
    faults = [
        CellFault(first + row, name, "range", f"a {stated} of the years 1 to 9999", f"the number {numbers[row]}")
        for row in is_outside.arg_true()
    ]
    return written.zip_with(~is_outside, numbers.cast(pl.String)), faults


def _unit(stated: Any) -> str:
    return "ms" if str(stated).startswith("date64") else str(stated.unit)


def _written(numbers: pl.Series, stated: Any) -> pl.Series:
    """Numbers as Parquet counts days, times and timestamps, in ISO form."""
    import pyarrow.types as types

    if types.is_date(stated):
        days = numbers if types.is_date32(stated) else numbers // (SECONDS * 1_000)
        return days.cast(pl.Int32).cast(pl.Date).dt.to_string("%Y-%m-%d")
    unit = _unit(stated)
    if types.is_time(stated):
        return (numbers * (10**9 // PER_SECOND[unit])).cast(pl.Time).dt.to_string("%H:%M:%S%.f")
    moments = (numbers * 1_000).cast(pl.Datetime("ms")) if unit == "s" else numbers.cast(pl.Datetime(unit))  # type: ignore[arg-type]  # one of three
    return moments.dt.to_string("%Y-%m-%dT%H:%M:%S%.f") + ("Z" if stated.tz else "")


def _of_durations(name: str, column: Any) -> Found:
    import pyarrow as pa

    per_second = PER_SECOND[column.type.unit]
    numbers = column.view(pa.int64()).to_pylist()
    return pl.Series(name, [n if n is None else duration_text(n, per_second) for n in numbers], pl.String), []


def _one_by_one(name: str, column: Any, kind: Kind | None, first: int) -> Found:
    """What is no text is a fault of its cell; or refuses the drop, where a column of bytes is not even declared."""
    values: list[str | None] = []
    faults = []
    for line, value in enumerate(column, first):
        try:
            values.append(cell_text(value.as_py()))
        except UnicodeDecodeError as error:
            if kind is None and is_binary(column.type):
                raise Refused(
                    f"column {name!r} holds bytes that are not UTF-8 text. Write it as text, or leave it out of the "
                    "file."
                ) from None
            found = shown(error.object, "utf-8")
            values.append(found)
            faults.append(CellFault(line, name, "encoding", "text in UTF-8", f"bytes that are none: '{found[:SHOWN]}'"))
        except (ValueError, OverflowError) as error:  # nested dates of years that Python does not know
            values.append(str(error))
            faults.append(CellFault(line, name, "range", f"a {column.type} that can be written", str(error)))
    return pl.Series(name, values, pl.String), faults
