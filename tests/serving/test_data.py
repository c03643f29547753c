"""Reading rows over HTTP: pages, filters, formats, what is masked, and what a stream leaves behind."""

import re
import socket
import time
from typing import Any

import polars as pl
import pytest
from marts import CANARY, pages, read, with_mart
from visits import Site

from lastmile.access.secret import derived
from lastmile.serving.reading.masking import pseudonym


@pytest.fixture
def mart(site: Site, here: Any) -> Site:
    return with_mart(site)


def test_layers_are_listed_with_their_tables(mart, api):
    found = {one["layer"]: [table["name"] for table in one["tables"]] for one in api.to("viewer").get("/data").json()}
    assert found["cleaned"] == ["visits"]
    assert found["marts"] == ["fct_visit"]
    assert found["predictions"] == []


def test_pages_show_every_row_once_in_the_order_that_is_requested(mart, api):
    rows = pages(api.to("engineer"), "/data/marts/fct_visit", sort="-hours,outcome", limit=7)
    expected = mart.query("SELECT visit FROM marts.fct_visit ORDER BY hours DESC, outcome, visit")
    assert [row["visit"] for row in rows] == [row["visit"] for row in expected]


def test_rows_without_a_key_are_paged_all_the_same(site, api):
    site.arrive("a.csv", *(f"v{number},3,2,1,done" for number in range(25)))
    rows = pages(api.to("engineer"), "/data/cleaned/visits", limit=4)
    assert sorted(row["visit"] for row in rows) == site.visits()


def test_drops_are_a_table_like_any_other(site, api):
    site.arrive("a.csv", "v1,3,2,1,done")
    (row,) = pages(api.to("viewer"), "/data/raw/visits", where="state.eq.loaded", columns="id,key,rows_read")
    assert row == {"id": 1, "key": "landing/visits/2020/a.csv", "rows_read": 1}
    assert pages(api.to("viewer"), "/data/raw/visits", where="state.eq.failed") == []


@pytest.mark.parametrize(
    ("where", "sql"),
    [
        ("hours.ge.1.5", "hours >= 1.5"),
        ("hours.is.null", "hours IS NULL"),
        ("outcome.is.notnull", "outcome IS NOT NULL"),
        ("outcome.in.done,absent", "outcome IN ('done', 'absent')"),
        ('outcome.in."done,x",absent', "outcome = 'absent'"),
        ("visit.like.v1", "starts_with(visit, 'v1')"),
        ("visit.like.%", "false"),
        ("day.lt.2020-01-09", "day < '2020-01-09'"),
        ("ok.eq.true", "ok"),
        ("fee.ne.0.25", "fee <> 0.25"),
        ("at.gt.2020-01-02T00:00:00Z", "at > '2020-01-02Z'"),
        ("name.eq.x' OR 1=1 --", "false"),
    ],
)
def test_a_condition_is_what_it_says(mart, api, where, sql):
    rows = pages(api.to("engineer"), "/data/marts/fct_visit", where=where)
    expected = mart.query(f"SELECT visit FROM marts.fct_visit WHERE {sql} ORDER BY visit")
    assert [row["visit"] for row in rows] == [row["visit"] for row in expected]


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ({"where": "hours.ge.many"}, 409, "hours is double precision, which 'many' is not"),
        ({"where": "nothing.ge.1"}, 409, "no column 'nothing'"),
        ({"where": "hours"}, 409, "expected column.op.value"),
        ({"where": "hours.like.1"}, 409, "like compares text"),
        ({"columns": "visit,nothing"}, 409, "no column 'nothing'"),
        ({"sort": "-nothing"}, 409, "no column 'nothing'"),
        ({"sort": "hours,-hours"}, 409, "each column once"),
        ({"after": "x"}, 409, "the page before"),
        ({"limit": 10_001}, 409, "10,000 rows at most"),
        ({"format": "xlsx"}, 422, "json"),
    ],
)
def test_a_query_that_cannot_be_answered_is_refused_with_what_was_expected(mart, api, query, status, said):
    answer = api.to("engineer").get("/data/marts/fct_visit", params=query)
    assert answer.status_code == status
    assert said in answer.json()["detail"]


def test_a_token_belongs_to_its_query(mart, api):
    client = api.to("engineer")
    after = client.get("/data/marts/fct_visit", params={"limit": 5}).json()["after"]
    answer = client.get("/data/marts/fct_visit", params={"limit": 5, "sort": "day", "after": after})
    assert answer.status_code == 409
    assert "another table, filter or order" in answer.json()["detail"]


@pytest.mark.parametrize(
    "path", ["marts/nothing", "marts/pg_class", "cleaned/fct_visit", "predictions/x", "marts/..%2fa"]
)
def test_only_tables_of_the_layer_are_read(mart, api, path):
    assert api.to("engineer").get(f"/data/{path}").status_code == 404


@pytest.mark.parametrize(
    "accept",
    ["text/csv", "application/x-ndjson", "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"],
)
def test_every_format_has_the_same_rows(mart, api, accept):
    path = "/data/marts/fct_visit?where=hours.gt.0.5&sort=visit"
    frame = read(api.to("engineer").get(path, headers={"accept": accept}))
    expected = mart.query("SELECT * FROM marts.fct_visit WHERE hours > 0.5 ORDER BY visit")
    assert frame["visit"].to_list() == [row["visit"] for row in expected]
    assert frame["hours"].to_list() == [row["hours"] for row in expected]
    assert frame["outcome"].to_list() == [row["outcome"] for row in expected]
    if accept.startswith("application/vnd"):
        assert frame["at"].to_list() == [row["at"] for row in expected]
        assert frame["day"].to_list() == [row["day"] for row in expected]


def test_an_unknown_format_is_refused(mart, api):
    answer = api.to("engineer").get("/data/marts/fct_visit", headers={"accept": "application/pdf"})
    assert answer.status_code == 406
    assert "text/csv" in answer.json()["detail"]


def test_an_empty_selection_is_a_file_without_rows(mart, api):
    for kind in ("csv", "ndjson", "parquet", "arrow"):
        answer = api.to("engineer").get("/data/marts/fct_visit", params={"where": "visit.eq.x", "format": kind})
        assert answer.status_code == 200
        if kind != "ndjson":
            assert len(read(answer)) == 0


def test_a_cell_that_a_spreadsheet_would_run_is_made_inert(mart, api):
    mart.connection.execute("UPDATE marts.fct_visit SET outcome = '=1+1' WHERE visit = 'v1'")
    frame = read(api.to("engineer").get("/data/marts/fct_visit", params={"where": "visit.eq.v1", "format": "csv"}))
    assert frame["outcome"].to_list() == ["'=1+1"]


def test_a_backslash_and_a_line_break_arrive_in_ndjson_as_they_are(mart, api):
    mart.connection.execute("UPDATE marts.fct_visit SET outcome = E'a\\\\b\"\\n\\tc' WHERE visit = 'v1'")
    answer = api.to("engineer").get("/data/marts/fct_visit", params={"where": "visit.eq.v1", "format": "ndjson"})
    assert read(answer)["outcome"].to_list() == ['a\\b"\n\tc']


@pytest.mark.parametrize("kind", ["json", "csv", "ndjson", "parquet", "arrow"])
def test_who_may_not_see_personal_columns_gets_none_of_their_values(mart, api, kind):
    answer = api.to("analyst").get("/data/marts/fct_visit", params={"format": kind})
    frame = pl.DataFrame(answer.json()["rows"]) if kind == "json" else read(answer)
    assert CANARY.encode() not in answer.content
    assert set(frame["name"].to_list()) == {"***"}
    secret = derived(api.here.secret, "pseudonyms")
    assert set(frame["visit"].to_list()) == {pseudonym(f"v{number}", secret) for number in range(1, 61)}
    assert CANARY in api.to("engineer").get("/data/marts/fct_visit").text


@pytest.mark.parametrize("query", [{"where": "name.like.C"}, {"sort": "name"}, {"where": "visit.eq.v1"}])
def test_masked_columns_are_no_oracle(mart, api, query):
    answer = api.to("analyst").get("/data/marts/fct_visit", params=query)
    assert answer.status_code == 403
    assert "personal" in answer.json()["detail"]


def test_what_no_contract_knew_is_left_out_where_it_may_be_personal(site, api):
    site.put("a.csv", "visit,persons,hours,travel_hours,outcome,extra\nv1,3,2,1,done,secret\n")
    site.discover()
    site.take()
    assert "secret" in api.to("engineer").get("/data/cleaned/visits").text
    assert "_rescued" not in api.to("analyst").get("/data/cleaned/visits").json()["rows"][0]
    assert api.to("analyst").get("/data/cleaned/visits?columns=_rescued").status_code == 403


def test_statistics_say_what_columns_hold(mart, api):
    body = api.to("viewer").get("/data/marts/fct_visit/statistics").json()
    columns = {one["name"]: one for one in body["columns"]}
    assert (body["rows"], body["is_estimate"]) == (60, False)
    assert columns["outcome"]["levels"] == {"absent": 20, "done": 20}
    assert columns["outcome"]["nulls"] == pytest.approx(1 / 3)
    assert (columns["hours"]["min"], columns["hours"]["max"]) == (0, 3)
    assert columns["day"]["max"] == "2020-03-01"
    assert columns["day"]["description"] == "When it was."
    assert columns["name"]["distinct"] is None
    assert columns["name"]["personal"]
    assert CANARY not in str(body)


def test_a_stream_begins_before_its_last_row_is_read_and_ends_with_its_client(mart, api):
    mart.connection.execute(
        "INSERT INTO marts.fct_visit (visit, name) SELECT 'w' || n, repeat('x', 500)"
        " FROM generate_series(1, 200000) AS n"
    )
    running = (
        "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'COPY%%' AND state = 'active' AND pid <> pg_backend_pid()"
    )
    with api.to("engineer").stream("GET", "/data/marts/fct_visit", params={"format": "csv"}) as answer:
        assert answer.status_code == 200, answer.read()
        next(answer.iter_bytes())
        assert mart.query(running), mart.query("SELECT query, state, wait_event FROM pg_stat_activity")
    deadline = time.monotonic() + 5
    while mart.query(running):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_client_that_goes_away_ends_its_query_as_well(mart, api):
    """It reads nothing more, and hangs up: what was sent waits in buffers until then."""
    mart.connection.execute(
        "INSERT INTO marts.fct_visit (visit, name) SELECT 'w' || n, repeat('x', 900)"
        " FROM generate_series(1, 100000) AS n"
    )
    host, port = re.findall(r"http://([\d.]+):(\d+)", api.url)[0]
    for _ in range(12):  # more than there are connections for
        with socket.create_connection((host, int(port))) as client:
            client.sendall(
                f"GET /api/v1/data/marts/fct_visit?format=csv HTTP/1.1\r\nHost: x\r\n"
                f"Authorization: Bearer {api.key('engineer')}\r\n\r\n".encode()
            )
            assert client.recv(100).startswith(b"HTTP/1.1 200")
