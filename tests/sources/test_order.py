"""The order of cursors, and what lies a little before one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.errors import UserError
from lastmile.sources.order import Place


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("9", "10"),
        ("-3", "2.5"),
        ("12345678901234567890", "12345678901234567891"),
        ("2024-05-31", "2024-06-01"),
        ("2024-05-31T23:30:00+03:00", "2024-05-31T21:00:00Z"),
        ("2024-05-31T10:00:00Z", "2024-05-31T10:00:00.5Z"),
        ("2024-05-31 10:00:00", "2024-05-31T10:00:01Z"),
        ("AB1", "AB2"),
    ],
)
def test_places_are_ordered_by_what_they_mean(earlier, later):
    assert Place.of(later).is_after(Place.of(earlier))
    assert not Place.of(earlier).is_after(Place.of(later))
    assert not Place.of(earlier).is_after(Place.of(earlier))


@given(st.integers(0, 10**15), st.integers(0, 10**6))
def test_the_place_before_a_moment_is_so_much_before_and_written_alike(microseconds, seconds):
    moment = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
    place = Place.of(moment.isoformat(timespec="microseconds").replace("+00:00", "Z"))
    before = place.before(timedelta(seconds=seconds))
    assert before.endswith("Z")
    assert len(before) == len(place.text)
    assert Place.of(before).value == moment - timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("text", "overlap", "before"),
    [
        ("2024-05-31", timedelta(days=2), "2024-05-29"),
        ("2024-03-01 00:00:05+03:00", timedelta(seconds=10), "2024-02-29 23:59:55+03:00"),
        ("2024-03-01T00:00:05", timedelta(seconds=5), "2024-03-01T00:00:00"),
        ("1717142400", 3600, "1717138800"),
        ("abc", None, "abc"),
    ],
)
def test_a_place_before_is_in_the_form_that_the_server_knows(text, overlap, before):
    assert Place.of(text).before(overlap) == before


def test_an_overlap_of_another_kind_is_refused_in_words():
    with pytest.raises(UserError, match="'abc' is a text, so it can have no overlap of a time"):
        Place.of("abc").before(timedelta(1))


def test_values_of_different_kinds_have_no_order():
    with pytest.raises(UserError, match="found '5', a number, and '2024-01-01', a moment"):
        Place.of("5").is_after(Place.of("2024-01-01"))


def test_only_moments_to_come_are_ahead():
    now = datetime.now(UTC)
    assert Place.of((now + timedelta(days=1)).isoformat()).is_ahead()
    assert not Place.of((now + timedelta(minutes=5)).isoformat()).is_ahead()
    assert not Place.of((now + timedelta(hours=3)).replace(tzinfo=None).isoformat()).is_ahead()
    assert not Place.of("99999999999999").is_ahead()
