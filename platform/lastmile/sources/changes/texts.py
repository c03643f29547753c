"""Values as a Postgres writes them, as contracts read them: the same in a snapshot and in the log."""

from collections.abc import Callable, Sequence
from functools import partial

from lastmile.sources.changes.arrays import as_json
from lastmile.sources.changes.origin import SourceColumn
from lastmile.sources.changes.pgoutput import UNCHANGED, Value

_BOOLEAN, _PADDED, _MOMENT = 16, 1042, 1184
Convert = Callable[[str], str]


def conversions(columns: Sequence[SourceColumn]) -> list[Convert | None]:
    """Of each column; None where the text is already what contracts read."""
    return [_conversion(column) for column in columns]


def converted(value: Value, convert: Convert | None) -> Value:
    return value if convert is None or value is None or value is UNCHANGED else convert(value)


def _conversion(column: SourceColumn) -> Convert | None:
    if column.is_array:
        return partial(as_json, category=column.category)
    known: dict[int, Convert] = {_BOOLEAN: _boolean, _PADDED: str.rstrip, _MOMENT: _moment}
    return known.get(column.type)


def _boolean(text: str) -> str:
    return {"t": "true", "f": "false"}.get(text, text)


def _moment(text: str) -> str:
    """In UTC, as the session's time zone is."""
    return f"{text.removesuffix('+00')}Z" if text.endswith("+00") else text
