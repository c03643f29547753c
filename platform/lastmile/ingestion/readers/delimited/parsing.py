"""Records of delimited text as rows, by polars, which is given only what it reads as we do."""

from collections.abc import Sequence

import polars as pl

from lastmile.ingestion.batch import Unreadable
from lastmile.ingestion.readers.delimited.dialect import Layout
from lastmile.ingestion.readers.delimited.records import Dialect

#: Stands for the field behind a delimiter that ends every record; no header has this name.
SURPLUS = "\0"


def parsed(texts: Sequence[bytes], rows: int, layout: Layout, line: int) -> pl.DataFrame:
    """The rows of the texts. Raises Unreadable rather than trust a parser that counts them differently."""
    dialect = layout.dialect
    frame = pl.read_csv(
        dialect.line_end.encode().join(texts),
        has_header=False,
        schema=schema_of(layout),
        separator=dialect.delimiter,
        quote_char=dialect.quote or None,
        eol_char=dialect.line_end,
        empty_string_is_null=False,
        missing_columns="raise",
        extra_columns="raise",
    )
    if frame.height != rows:
        raise Unreadable(
            f"from line {line} on, {rows} records were found but {frame.height} parsed: this file shows a fault of the"
            " reader. Keep it and report it."
        )
    return frame


def schema_of(layout: Layout) -> dict[str, type[pl.String]]:
    return dict.fromkeys([*layout.header, *[SURPLUS] * layout.surplus], pl.String)


def has_carriages(text: bytes, dialect: Dialect) -> bool:
    """Whether there are CRs that are no part of a line end, which polars drops at the end of a field."""
    return dialect.line_end == "\n" and b"\r" in text and text.count(b"\r") != text.count(b"\r\n")
