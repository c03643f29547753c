"""Days, moments and bounds of parameters: what is described is what is accepted."""

from datetime import date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from lastmile.serving.openapi import description
from lastmile.serving.parameters import Day, Moment

#: What the server reads of a URL, and the longest that one character becomes in it.
URL_BYTES, CHARACTER_BYTES = 65_000, 12
OFFSETS = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.dates())
def test_every_day_is_accepted_as_iso_8601_writes_it(day: date) -> None:
    assert TypeAdapter(Day).validate_python(day.isoformat()) == day


@given(st.datetimes(timezones=OFFSETS))
def test_every_moment_is_accepted_as_iso_8601_writes_it(moment: datetime) -> None:
    assert TypeAdapter(Moment).validate_python(moment.isoformat()) == moment


@given(st.one_of(st.integers(), st.floats(), st.datetimes().map(datetime.isoformat)).map(str))
def test_a_number_is_no_day_and_no_moment_nor_is_a_time_without_its_offset(text: str) -> None:
    for kind in (Day, Moment):
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(text)


def test_no_url_that_is_described_is_longer_than_the_server_reads() -> None:
    longest = {
        f"{method} {path}": len(path) + sum(map(most_bytes, operation.get("parameters", ())))
        for path, methods in description()["paths"].items()
        for method, operation in methods.items()
    }
    assert {name: length for name, length in longest.items() if length > URL_BYTES} == {}


def most_bytes(parameter: dict) -> int:
    if parameter["in"] not in ("path", "query"):
        return 0
    schema = parameter["schema"]
    schema = next((one for one in schema.get("anyOf", ()) if one.get("type") != "null"), schema)
    times, schema = schema.get("maxItems", 1), schema.get("items", schema)
    is_ascii = schema.get("pattern", "^[^").startswith(("^[A-Za-z", "^[a-z", "^[0-9"))
    usual = 300 if is_ascii or schema.get("type") != "string" or "enum" in schema or "format" in schema else 10**6
    return times * (len(parameter["name"]) + 2 + schema.get("maxLength", usual) * (1 if is_ascii else CHARACTER_BYTES))
