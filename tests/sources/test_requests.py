"""Requests to an API: tried again where that helps, at the time the server says, and final everywhere else."""

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from rest_server import Reply

from lastmile.errors import UserError

RECORDS = [{"visit": f"v{number}"} for number in range(25)]


def test_records_are_landed_as_they_were_sent_to_the_digit(trying):
    body = b'[{"a": 1.0, "b": 12345678901234567890123, "c": "\\u00e9\\n", "d": 1e5,\n  "e": [1.50,\n 2]}, {"a": 1.10}]'
    trying.api.routes["/visits"] = lambda _: Reply(body)
    assert trying.lines() == [
        b'{"a": 1.0, "b": 12345678901234567890123, "c": "\\u00e9\\n", "d": 1e5, "e": [1.50, 2]}',
        b'{"a": 1.10}',
    ]


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_server_that_is_busy_is_tried_again_and_said_to_have_been(trying, status):
    trying.api.serve("/visits", RECORDS)
    trying.api.next.extend([Reply({"error": "busy"}, status)] * 2)
    assert len(trying.lines()) == 25
    assert len(trying.api.requests) == 3
    assert trying.said.count(f"page 1: {status}") == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 410, 418, 422])
def test_any_other_refusal_is_final_at_once_with_its_status_address_and_words(trying, status):
    trying.api.routes["/visits"] = lambda _: Reply(b"<p>No visits\nhere</p>", status)
    with pytest.raises(UserError, match=rf"visits: page 1: {trying.api.url}/visits answers {status} .*No visits here"):
        trying.fetch()
    assert len(trying.api.requests) == 1


def test_a_server_that_stays_busy_is_given_up_with_what_it_said_last(trying):
    trying.api.routes["/visits"] = lambda _: Reply(b"we are closed", 503)
    with pytest.raises(UserError, match="503 Service Unavailable, 'we are closed'; given up after 3 attempts"):
        trying.fetch(attempts=3)
    assert len(trying.api.requests) == 3


def test_no_request_comes_before_the_server_wants_one(trying):
    trying.api.serve("/visits", RECORDS)
    trying.api.next.append(Reply(b"", 429, {"Retry-After": "1"}))
    began = time.monotonic()
    trying.fetch()
    assert time.monotonic() - began >= 1
    assert "the server wants 1 s to pass" in trying.said


def test_a_date_in_retry_after_is_waited_for(trying):
    trying.api.serve("/visits", RECORDS)
    at = datetime.now(UTC) + timedelta(seconds=2)
    trying.api.next.append(Reply(b"", 503, {"Retry-After": format_datetime(at, usegmt=True)}))
    trying.fetch()
    assert datetime.now(UTC) >= at.replace(microsecond=0)


def test_a_server_that_wants_a_long_pause_gets_it_by_being_given_up(trying):
    trying.api.next.append(Reply(b"", 429, {"Retry-After": "7200"}))
    with pytest.raises(UserError, match=r"wants 7,200 s to pass, more than `longest_wait` \(300 s\)"):
        trying.fetch()
    assert len(trying.api.requests) == 1


def test_a_server_that_stays_silent_is_tried_again(trying):
    trying.api.serve("/visits", RECORDS)
    trying.api.next.append(Reply(b"[]", delay=1))
    assert len(trying.lines(timeout=timedelta(seconds=0.3))) == 25
    assert "no answer within 0.3 s (ReadTimeout)" in trying.said


def test_a_server_that_is_not_there_is_tried_again_and_then_given_up(trying):
    with pytest.raises(UserError, match=r"http://127.0.0.1:9/visits: ConnectError: .*given up after 2 attempts"):
        trying.fetch(url="http://127.0.0.1:9", attempts=2)
    assert trying.said.count("ConnectError") == 2


@pytest.mark.parametrize("reply", [Reply(RECORDS, cut=100), Reply(RECORDS, cut=100, has_length=False)])
def test_half_a_page_is_fetched_again(trying, reply):
    """Cut off before the stated length, or where none was stated, so that only its JSON shows it."""
    trying.api.serve("/visits", RECORDS)
    trying.api.next.append(reply)
    assert len(trying.lines()) == 25
    assert "page 1: " in trying.said


def test_a_page_of_html_is_no_page_whatever_its_status(trying):
    trying.api.routes["/visits"] = lambda _: Reply(b"<html>Sign in</html>")
    with pytest.raises(UserError, match=r"no whole JSON: .*it begins '<html>Sign in"):
        trying.fetch(attempts=2)


def test_a_page_that_is_too_long_is_refused_before_it_is_held(trying):
    trying.api.serve("/visits", RECORDS * 1000)
    with pytest.raises(UserError, match="at most 1,000 bytes"):
        trying.fetch(most_page_bytes=1000)


def test_another_address_is_named_and_not_followed(trying):
    trying.api.routes["/visits"] = lambda _: Reply(b"", 301, {"Location": "https://elsewhere.example.org/"})
    with pytest.raises(UserError, match=r"redirects to https://elsewhere\.example\.org/"):
        trying.fetch()


def test_a_rate_is_kept(trying):
    from lastmile.sources import PageNumber

    trying.api.serve_pages("/visits", RECORDS)
    began = time.monotonic()
    trying.fetch(pages=PageNumber(), requests_per_second=10)
    assert len(trying.api.requests) == 4
    assert time.monotonic() - began >= 0.3


def test_records_lie_where_the_source_says(trying):
    trying.api.routes["/visits"] = lambda _: Reply({"meta": {"n": 1}, "data": {"rows": [{"a": 1}], "more": None}})
    assert trying.lines(records="data.rows") == [b'{"a": 1}']


def test_an_answer_without_records_where_they_should_be_says_what_is_there(trying):
    trying.api.routes["/visits"] = lambda _: Reply({"data": {"items": [], "more": None}})
    with pytest.raises(UserError, match=r"expected records at 'data\.rows', found items, more without 'rows'"):
        trying.fetch(records="data.rows")


def test_an_error_with_a_good_status_is_no_record(trying):
    trying.api.routes["/visits"] = lambda _: Reply({"error": "quota"})
    with pytest.raises(UserError, match="expected an array of records as the answer, found an object with error"):
        trying.fetch()


def test_bytes_that_are_no_text_cost_themselves_alone(trying):
    trying.api.routes["/visits"] = lambda _: Reply(b'[{"a": "caf\xe9"}, {"a": "\xc3\xa9"}]')
    assert trying.lines() == ['{"a": "caf\ufffd"}'.encode(), '{"a": "é"}'.encode()]
    assert "has bytes that are no text" in trying.said
