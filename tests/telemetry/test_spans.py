"""What work is part of is known in its threads, goes from process to process, and costs next to nothing unused."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lastmile.telemetry import spans
from lastmile.telemetry.spans import (
    Place,
    about,
    continuing,
    ids,
    in_context,
    joining,
    listen,
    mute,
    place,
    record,
    span,
    traceparent,
)

HERE, THERE = (f"00-{digit * 32}-{digit * 16}-01" for digit in "ab")
HEX = st.text("0123456789abcdef", min_size=1)


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self):
        self.ended_spans = []

    def started(self, name, attributes):
        return name

    def ended(self, state, name, attributes, seconds, error):
        assert state == name
        self.ended_spans.append((name, dict(attributes), seconds, error))


@pytest.fixture
def heard():
    listener = Heard()
    listen(listener)
    yield listener
    mute(listener)


def test_a_span_is_heard_with_what_became_known_within_it(heard):
    with span("room.work", dataset="crop") as done:
        done(rows=7)
    ((name, attributes, seconds, error),) = heard.ended_spans
    assert (name, attributes, error) == ("room.work", {"dataset": "crop", "rows": 7}, None)
    assert 0 <= seconds < 5


def test_a_span_that_fails_is_heard_with_its_error(heard):
    with pytest.raises(ZeroDivisionError), span("room.work"):
        1 / 0  # noqa: B018
    assert isinstance(heard.ended_spans[0][3], ZeroDivisionError)


def test_what_is_over_is_heard_with_the_time_it_took(heard):
    record("dbt.model", 1_000.0, 2.5, model="a")
    assert heard.ended_spans == [("dbt.model", {"model": "a", "began": 1_000.0}, 2.5, None)]


def test_without_a_listener_nothing_is_kept_of_a_span():
    with span("room.work") as done:
        done(rows=7)
    assert place() is None


@given(trace=st.from_regex(r"[0-9a-f]{32}", fullmatch=True), of=st.from_regex(r"[0-9a-f]{16}", fullmatch=True))
def test_a_place_is_read_as_it_was_written(trace, of):
    found = Place.read(f"00-{trace}-{of}-01")
    assert (found is None) == (set(trace) == {"0"} or set(of) == {"0"})
    assert found is None or found.traceparent == f"00-{trace}-{of}-01"


@given(st.text() | HEX)
def test_what_is_no_traceparent_is_none(text):
    assert Place.read(text) is None


@pytest.mark.parametrize("sent", [HERE.upper(), f"{HERE}-more", f"ff{HERE[2:]}", HERE[:-1], "", None])
def test_a_callers_mistake_begins_a_trace_of_its_own(sent):
    assert Place.read(sent) is None


def test_a_later_version_with_more_in_it_is_continued():
    assert Place.read(f"01{HERE[2:]}-more") == Place.read(HERE)


def test_work_continues_a_trace_and_leaves_it_again():
    with continuing(HERE):
        assert traceparent() == HERE
        with continuing(None):
            assert traceparent() is None
        assert traceparent() == HERE
    assert traceparent() is None


def test_work_of_another_trace_is_linked_to_the_one_it_leaves():
    with continuing(HERE), joining(THERE) as links:
        assert (traceparent(), links) == (THERE, (HERE,))


def test_work_of_the_same_trace_stays_where_it_is():
    inner = HERE.replace("a" * 16 + "-01", "c" * 16 + "-01")
    with continuing(inner), joining(HERE) as links:
        assert (traceparent(), links) == (inner, ())


def test_ids_are_those_of_all_work_around():
    with about(run="r"), about(drop=7):
        assert ids() == {"run": "r", "drop": 7}
    assert ids() == {}


def test_a_thread_knows_what_its_maker_does_only_where_it_is_handed_on():
    with ThreadPoolExecutor(1) as pool, continuing(HERE), about(run="r"):
        assert pool.submit(traceparent).result() is None
        assert pool.submit(in_context(traceparent)).result() == HERE
        assert pool.submit(in_context(ids)).result() == {"run": "r"}


def test_no_listener_is_left_by_other_tests():
    assert spans._listeners == []
