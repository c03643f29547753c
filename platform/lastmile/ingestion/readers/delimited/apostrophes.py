"""Whether apostrophes are quotes: where the header has them, or where nothing else is and they keep records whole."""

from collections.abc import Sequence

from lastmile.ingestion.batch import Refused

#: The header and the first records as fields; None for one that is badly quoted.
Rows = Sequence[list[str] | None]


def are_quotes(quoted: Rows, best: Rows, keep_records_whole: bool) -> bool:
    """Of a file read with apostrophes as quotes and without. Raises Refused where they may be quotes or not."""
    header, *rows = best
    has_quotes = any('"' in cell for row in quoted if row for cell in row)
    if all(map(_is_in_apostrophes, header or [])) or (keep_records_whole and not has_quotes):
        return True
    if (place := _column_in_apostrophes(rows)) is not None:
        raise Refused(
            f"expected values with or without double quotes, found all of column {(header or [])[place]!r} in "
            "apostrophes, which may be quotes or not. Use double quotes."
        )
    return False


def _is_in_apostrophes(text: str) -> bool:
    return len(text) > 1 and text[0] == text[-1] == "'"


def _column_in_apostrophes(rows: Sequence[list[str] | None]) -> int | None:
    """The place of the first column that has values, all of them in apostrophes."""
    columns = zip(*filter(None, rows), strict=True)
    filled = [[cell for cell in column if cell] for column in columns]
    return next((place for place, cells in enumerate(filled) if cells and all(map(_is_in_apostrophes, cells))), None)
