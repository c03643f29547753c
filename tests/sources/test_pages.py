"""From page to page: all records once, in every form of pages; pages that never end, or came half, are found out."""

import pytest
from rest_server import Reply

from lastmile.errors import UserError
from lastmile.sources import LinkHeader, NextCursor, Offset, PageNumber

RECORDS = [{"visit": f"v{number}"} for number in range(25)]
LINES = [b'{"visit": "v%d"}' % number for number in range(25)]


def by_offset(request):
    first, limit = int(request.params["offset"]), int(request.params["limit"])
    return Reply({"rows": RECORDS[first : first + limit], "total": len(RECORDS)})


def by_cursor(request):
    first = int(request.params.get("after", "0"))
    return Reply({"rows": RECORDS[first : first + 10], "next": str(first + 10) if first < 20 else None})


def by_link(request):
    page = int(request.params.get("page", "1"))
    link = {"Link": f'</visits?page={page + 1}>; rel="next", </visits>; rel="first"'} if page < 3 else {}
    return Reply(RECORDS[(page - 1) * 10 : page * 10], headers=link)


def by_address(request):
    first = int(request.params.get("after", "0"))
    following = f"/visits?after={first + 10}" if first < 20 else ""
    return Reply({"rows": RECORDS[first : first + 10], "paging": {"next": following}})


@pytest.mark.parametrize(
    ("route", "declared", "requests"),
    [
        (None, {"pages": PageNumber()}, 4),
        (None, {"pages": PageNumber(size_parameter="per_page", size=10)}, 4),
        (by_offset, {"pages": Offset(limit=10), "records": "rows"}, 4),
        (by_offset, {"pages": Offset(limit=10, total="total"), "records": "rows"}, 3),
        (by_cursor, {"pages": NextCursor(path="next", parameter="after"), "records": "rows"}, 3),
        (by_address, {"pages": NextCursor(path="paging.next"), "records": "rows"}, 3),
        (by_link, {"pages": LinkHeader()}, 3),
    ],
)
def test_all_records_come_once_and_in_order(trying, route, declared, requests):
    trying.api.serve_pages("/visits", RECORDS)
    if route:
        trying.api.routes["/visits"] = route
    assert trying.lines(**declared, params={"country": "KE"}) == LINES
    assert len(trying.api.requests) == requests
    assert trying.api.requests[0].params["country"] == "KE"


def test_a_number_of_pages_spares_the_empty_one(trying):
    trying.api.routes["/visits"] = lambda request: Reply(
        {"rows": RECORDS[(int(request.params["page"]) - 1) * 10 :][:10], "pages": 3}
    )
    assert trying.lines(pages=PageNumber(pages="pages"), records="rows") == LINES
    assert len(trying.api.requests) == 3


def test_shorter_pages_than_requested_lose_nothing_by_offset(trying):
    trying.api.routes["/visits"] = lambda request: Reply(RECORDS[int(request.params["offset"]) :][:7])
    assert trying.lines(pages=Offset(limit=10)) == LINES


def test_an_empty_page_with_a_next_one_is_not_the_last(trying):
    answers = {None: ([], "a"), "a": (RECORDS, "b"), "b": ([], None)}
    trying.api.routes["/visits"] = lambda request: Reply(
        dict(zip(("rows", "next"), answers[request.params.get("after")], strict=True))
    )
    assert trying.lines(pages=NextCursor(path="next", parameter="after"), records="rows") == LINES


@pytest.mark.parametrize("pages", [PageNumber(), Offset(limit=10)])
def test_a_server_that_sends_the_same_page_for_ever_is_found_out_at_the_second(trying, pages):
    trying.api.serve("/visits", RECORDS)
    with pytest.raises(UserError, match="its pages do not end: page 2 has the same records as the one before"):
        trying.fetch(pages=pages)
    assert len(trying.api.requests) == 2


def test_a_cursor_of_pages_that_goes_back_is_found_out(trying):
    following = {None: "a", "a": "b", "b": "c", "c": "a"}
    trying.api.routes["/visits"] = lambda request: Reply(
        {"rows": [{"visit": request.params.get("after")}], "next": following[request.params.get("after")]}
    )
    with pytest.raises(UserError, match="its pages do not end: page 5 is one that was there before"):
        trying.fetch(pages=NextCursor(path="next", parameter="after"), records="rows")


def test_a_page_that_comes_again_and_again_behind_ever_new_cursors_is_found_out(trying):
    number = iter(range(1000))
    trying.api.routes["/visits"] = lambda _: Reply({"rows": RECORDS, "next": f"token{next(number)}"})
    with pytest.raises(UserError, match="page 4 has the same records as the one before"):
        trying.fetch(pages=NextCursor(path="next", parameter="after"), records="rows")


def test_pages_that_are_ever_new_end_at_the_most_there_may_be(trying):
    trying.api.routes["/visits"] = lambda request: Reply([{"visit": request.params["page"]}])
    with pytest.raises(UserError, match="there are more than 20 pages"):
        trying.fetch(pages=PageNumber(), most_pages=20)
    assert len(trying.api.requests) == 20


def test_half_a_page_of_whole_records_is_fetched_again_where_more_follow(trying):
    trying.api.serve_pages("/visits", RECORDS)
    trying.api.next.extend([Reply(RECORDS[:10]), Reply(RECORDS[10:14])])
    assert trying.lines(pages=PageNumber(size=10)) == LINES
    assert "page 2: came with 4 records, though more pages follow; requested again, with 10" in trying.said


def test_pages_that_are_always_short_are_as_they_are(trying):
    pages = [RECORDS[:10], RECORDS[10:14], RECORDS[14:24], RECORDS[24:], []]
    trying.api.routes["/visits"] = lambda request: Reply(pages[int(request.params["page"]) - 1])
    assert trying.lines(pages=PageNumber(size=10)) == LINES
    assert trying.said == ""


def test_an_empty_page_before_the_total_is_there_is_a_fault(trying):
    trying.api.routes["/visits"] = lambda request: (
        by_offset(request) if request.params["offset"] == "0" else Reply({"rows": [], "total": 25})
    )
    with pytest.raises(UserError, match=r"page 2 is empty, though .*10 of 25 records came"):
        trying.fetch(pages=Offset(limit=10, total="total"), records="rows")


def test_the_key_of_one_server_is_not_sent_to_another(trying):
    trying.api.routes["/visits"] = lambda _: Reply({"rows": RECORDS, "next": "http://127.0.0.1:1/visits"})
    with pytest.raises(UserError, match=r"expected the next page on http://127\.0\.0\.1:\d+, found http://127"):
        trying.fetch(pages=NextCursor(path="next"), records="rows")
