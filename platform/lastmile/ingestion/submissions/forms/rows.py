"""From answers to rows: questions to columns, repeats to rows of their own datasets, places to their coordinates."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from lastmile.contracts.form import Form
from lastmile.contracts.names import normal_name
from lastmile.contracts.partition import FORMATS, Partition
from lastmile.ingestion.submissions.forms.version import Answers

#: What a form says of the phone and the interview, unless the contract has a column for it.
_ABOUT = frozenset(
    ("start", "end", "today", "deviceid", "subscriberid", "simserial", "phonenumber", "username", "email", "audit")
)
_WKT_POINT = re.compile(r"POINT\s*Z?\s*\(([-+0-9.eE ]+)\)", re.IGNORECASE)
_ISO = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2})?)?(?=$|[T ])")


@dataclass(frozen=True)
class Target:
    """A dataset that a form has records of: its partitions, and its columns by the headers that stand for them."""

    partition: Partition
    columns: Mapping[str, str]


class Row(NamedTuple):
    """A row of one dataset. `place` is its own within the submission; that of the submission itself is empty."""

    dataset: str
    place: str
    values: dict[str, Any]


def rows(form: Form, targets: Mapping[str, Target], answers: Answers) -> list[Row]:
    """The row of the submission, then those of its repeats."""
    own = columns_of(form, targets[form.dataset], answers)
    inherited = {name: own[name] for name in form.inherit if name in own}
    return [Row(form.dataset, "", own), *_entries(form, targets, answers, "", inherited)]


def _entries(
    form: Form, targets: Mapping[str, Target], answers: Answers, above: str, inherited: Mapping[str, Any]
) -> Iterator[Row]:
    for path, entries in answers.repeats.items():
        name = _repeat_of(form, path)
        for number, entry in enumerate(entries or (), 1) if name else ():
            dataset, place = form.repeats[str(name)], f"{above}/{name}/{number}"
            values = columns_of(form, targets[dataset], entry)
            has = {*targets[dataset].columns.values()}
            given = {key: one for key, one in inherited.items() if key in has and values.get(key) is None}
            yield Row(dataset, place, values | given)
            further = {**inherited, **{key: values[key] for key in form.inherit if values.get(key) is not None}}
            yield from _entries(form, targets, entry, place, further)


def _repeat_of(form: Form, path: str) -> str | None:
    return next((name for name in (path, path.rpartition("/")[2]) if name in form.repeats), None)


def columns_of(form: Form, target: Target, answers: Answers) -> dict[str, Any]:
    """Answers by column. One that is of no column keeps its path, as does one whose column has an answer already."""
    found: dict[str, Any] = {}
    for path, value in answers.values.items():
        name = path.rpartition("/")[2]
        point = form.points.get(path) or form.points.get(name)
        if point:
            found.update(zip(point, coordinates(value), strict=False))
            continue
        column = _column(target, path, name)
        if column is None and name in _ABOUT:
            continue
        text = _text(value)
        if column is not None and found.get(column) is None:
            found[column] = text
        elif column is None or text is not None:
            found[path] = text
    for path, entries in answers.repeats.items():
        if entries and _repeat_of(form, path) is None:
            found[path] = [one.values for one in entries]
    return found


def _column(target: Target, path: str, name: str) -> str | None:
    """By the question's own name, else by its whole path."""
    written = (name, path.replace("/", "__"), path)
    return next((column for one in written if (column := target.columns.get(normal_name(one)))), None)


def _text(value: Any) -> Any:
    """Chosen answers as Kobo writes them, separated by blanks."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " ".join(value)
    return value


def coordinates(value: Any) -> list[str | None]:
    """Latitude, longitude, altitude and accuracy of a place: `lat lon alt acc`, GeoJSON, or WKT; none of anything else,
    so that it is null."""
    if isinstance(value, Mapping) and isinstance(value.get("coordinates"), list):
        accuracy = value["properties"].get("accuracy") if isinstance(value.get("properties"), Mapping) else None
        return _turned([*map(_number, value["coordinates"])], _number(accuracy))
    if not isinstance(value, str):
        return [None] * 4
    if wkt := _WKT_POINT.fullmatch(value.strip()):
        return _turned(wkt[1].split(), None)
    parts = value.split()
    return [*parts[:4], *[None] * (4 - len(parts))]


def _turned(found: Sequence[str | None], accuracy: str | None) -> list[str | None]:
    """GeoJSON and WKT have the longitude first."""
    longitude, latitude, altitude, *_ = [*found, None, None, None]
    return [latitude, longitude, altitude, accuracy]


def _number(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def partitions_of(
    form: Form, targets: Mapping[str, Target], own: Mapping[str, Any], submitted: datetime
) -> dict[str, str]:
    """The partition of each dataset: by the form's column where that has a date or a year, else by the day of the
    submission, else today's."""
    said = str(own.get(form.partition) or "") if form.partition else ""
    return {name: _partition(target.partition, said, submitted.date()) for name, target in targets.items()}


def _partition(partition: Partition, said: str, submitted: date) -> str:
    length = len(submitted.strftime(FORMATS[partition.unit]))
    iso = _ISO.match(said.strip())
    stated = [iso[0][:length]] if iso else []
    for key in (*stated, partition.key_of(submitted)):
        try:
            partition.window(key)
        except ValueError:
            continue
        return key
    return partition.key_of(datetime.now(UTC).date())
