"""Which type a column of a stream's tables has: as it is sent to Postgres, and as it is there."""

import polars as pl

_DECIMALS = 38
_NAMED: dict[pl.DataType, str] = {
    pl.Boolean(): "boolean",
    pl.Date(): "date",
    pl.Float64(): "double precision",
    pl.Int64(): "bigint",
    pl.String(): 'text COLLATE "C"',
    pl.Time(): "time without time zone",
    pl.Binary(): "bytea",
    pl.Datetime("us", "UTC"): "timestamp with time zone",
    pl.Datetime("us"): "timestamp without time zone",
}


def stored(dtype: pl.DataType) -> pl.DataType:
    """The type in which values are sent. Raises ValueError for values that no column holds."""
    if dtype.is_integer() and dtype not in (pl.UInt64, pl.Int128, pl.UInt128):
        return pl.Int64()
    if dtype.is_float():
        return pl.Float64()
    if isinstance(dtype, pl.Decimal):
        return pl.Decimal(_DECIMALS, dtype.scale)
    if isinstance(dtype, pl.Datetime):
        return pl.Datetime("us", "UTC" if dtype.time_zone else None)
    if isinstance(dtype, pl.Categorical | pl.Enum) or dtype == pl.Null:
        return pl.String()
    if dtype in _NAMED:
        return dtype
    raise ValueError(f"no column of a table holds {dtype}; cast it, such as to pl.Int64 or pl.String")


def postgres_type(dtype: pl.DataType) -> str:
    """What a column is there, of a type that `stored` gives. Texts compare by their bytes, as polars does."""
    return "numeric" if isinstance(dtype, pl.Decimal) else _NAMED[dtype]
