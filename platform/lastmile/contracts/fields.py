"""One column of a dataset: pandera's field, with what pandera has no place for in its metadata.

    class Visits(pa.DataFrameModel):
        visit: str = field("Number of the visit.", personal=True)
        hours: float | None = field("Time spent.", unit="h", ge=0, aliases=("duration",))

`str` is a column that every drop must have, with a value in every row. `float | None` may be missing, column and value.
`nullable` says otherwise: `str` with `nullable=True` must be there but may be empty; `date | None` with
`nullable=False` may be absent from the file, as where its value is derived from others, but needs a value.
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

import pandera.polars as pa
import polars as pl
from pandera.api.dataframe.model_components import FieldInfo
from pandera.dtypes import immutable
from pandera.engines.polars_engine import Engine, String

#: A point in time, as it is stored.
TIMESTAMP = pl.Datetime("us", "UTC")


@Engine.register_dtype
@immutable
class Json(String):
    """The type of a column of JSON values: text here, `jsonb` in the warehouse."""


class Metadata(TypedDict):
    """What is known of a column beyond its type and checks. See `field` for the words."""

    unit: str | None
    personal: bool
    measures: str | None
    aliases: tuple[str, ...]
    missing: tuple[str, ...] | None
    formats: tuple[str, ...]
    true: tuple[str, ...]
    false: tuple[str, ...]
    symbols: tuple[str, ...]
    separator: str | None
    scale: int | None
    derived: pl.Expr | None
    #: The table has it because a drop brought it.
    added: bool


#: Of a plain column of pandera's.
NOTHING_KNOWN = Metadata(
    unit=None, personal=False, measures=None, aliases=(), missing=None, formats=(), true=(), false=(), symbols=(),
    separator=None, scale=None, derived=None, added=False,
)  # fmt: skip


class _Field(FieldInfo):
    """As pandera's, but `X | None` may be null too, `datetime` means UTC, and a decimal has a scale."""

    def column_properties(self, dtype: Any, *, required: bool = True, **more: Any) -> dict[str, Any]:  # type: ignore[override]  # given by name only
        stored = _stored(dtype, (self.metadata or {})["scale"])
        optional = more | {"required": required, "nullable": not required}
        properties: dict[str, Any] = super().column_properties(stored, **optional)
        return properties


def _stored(dtype: Any, scale: int | None) -> Any:
    known = getattr(dtype, "type", dtype)
    if known == pl.Datetime("us"):
        return TIMESTAMP
    if scale is not None and isinstance(known, pl.Decimal):
        return pl.Decimal(38, scale)
    return dtype


def texts(given: Sequence[str] | None) -> tuple[str, ...] | None:
    """Texts as a tuple; a single one, which is a sequence of characters too, is meant as it stands."""
    return (given,) if isinstance(given, str) else None if given is None else tuple(given)


def field(
    description: str,
    *,
    unit: str | None = None,
    personal: bool = False,
    measures: str | None = None,
    aliases: Sequence[str] = (),
    missing: Sequence[str] | None = None,
    formats: Sequence[str] = (),
    true: Sequence[str] = (),
    false: Sequence[str] = (),
    symbols: Sequence[str] = (),
    separator: str | None = None,
    scale: int | None = None,
    derived: pl.Expr | None = None,
    nullable: bool | None = None,
    default: Any = None,
    alias: str | None = None,
    regex: bool = False,
    eq: Any = None,
    ne: Any = None,
    gt: Any = None,
    ge: Any = None,
    lt: Any = None,
    le: Any = None,
    in_range: tuple[Any, Any] | dict[str, Any] | None = None,
    isin: Iterable[Any] | None = None,
    notin: Iterable[Any] | None = None,
    str_matches: str | None = None,
    str_contains: str | None = None,
    str_startswith: str | None = None,
    str_endswith: str | None = None,
    str_length: int | tuple[int, int] | dict[str, int] | None = None,
    **more: Any,
) -> Any:
    """A pandera field. What pandera knows means what it means there; the rest goes to the column's metadata.

    - `unit` as people write it; `personal` for what identifies a person; `measures` names the quantity that the column
      is a part of (such as "income"), so that what is derived from it can be kept out of features.
    - `aliases`: other headers accepted for the column. `missing`: cell texts read as "no value", instead of the
      dataset's or the type's.
    - `formats` of dates and times, as of strptime (`%d/%m/%Y`), or "iso" or "excel" (serial numbers).
    - `true` and `false`: the words or codes of a yes or no, in any case. `symbols`: signs around a number (`€`, `%`).
    - `separator` of a list of codes; None: blanks. `scale`: digits after the point of a `Decimal`.
    - `derived`: an expression over other columns, for rows in which the file has no value for this one.
    """
    metadata = Metadata(
        unit=unit,
        personal=personal,
        measures=measures,
        aliases=texts(aliases) or (),
        missing=texts(missing),
        formats=texts(formats) or (),
        true=texts(true) or (),
        false=texts(false) or (),
        symbols=texts(symbols) or (),
        separator=separator,
        scale=scale,
        derived=derived,
        added=False,
    )
    checks = {
        "eq": eq, "ne": ne, "gt": gt, "ge": ge, "lt": lt, "le": le, "in_range": in_range, "notin": notin,
        "isin": None if isin is None else list(isin), "str_matches": str_matches, "str_contains": str_contains,
        "str_startswith": str_startswith, "str_endswith": str_endswith, "str_length": str_length,
    }  # fmt: skip
    made = pa.Field(
        **checks,
        nullable=nullable,
        default=default,
        alias=alias,
        regex=regex,
        description=description,
        metadata=dict(metadata),
        **more,
    )
    made.__class__ = _Field
    return made


def column(
    dtype: Any, description: str, *, required: bool = False, checks: Sequence[pa.Check] = (), **more: Any
) -> pa.Column:
    """A column of a `pa.DataFrameSchema`, in the words of `field`; `required` stands for a type without `| None`."""
    made: _Field = field(description, **more)
    return pa.Column(**made.column_properties(pa.Column(dtype).dtype, required=required, checks=list(checks)))
