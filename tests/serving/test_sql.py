"""SQL over HTTP: who may, what is answered, what is not shown."""

import psycopg
import pytest
from marts import CANARY, read, with_mart


@pytest.fixture
def mart(site, here):
    return with_mart(site)


def ask(client, statement, **more):
    params, headers = more.pop("params", None), more.pop("headers", None)
    return client.post("/data/query", json={"sql": statement, **more}, params=params, headers=headers)


def test_a_query_is_answered_with_its_columns(mart, api):
    body = ask(api.to("analyst"), "SELECT outcome, count(*) AS n FROM fct_visit GROUP BY 1 ORDER BY 1").json()
    assert body == {
        "columns": [{"name": "outcome", "type": "text"}, {"name": "n", "type": "int8"}],
        "rows": [["absent", 20], ["done", 20], [None, 20]],
        "truncated": False,
    }


@pytest.mark.parametrize("kind", ["csv", "ndjson", "parquet", "arrow"])
def test_a_query_is_answered_in_every_format(mart, api, kind):
    answer = ask(
        api.to("analyst"), "SELECT day, hours, ok FROM fct_visit ORDER BY day", params={"format": kind}, limit=9
    )
    assert answer.headers["truncated"] == "true"
    frame = read(answer)
    assert len(frame) == 9
    assert frame["hours"].to_list()[:3] == [0.5, 1.0, None]


def test_who_may_not_see_personal_columns_is_shown_which_they_may_name(mart, api):
    answer = ask(api.to("analyst"), "SELECT * FROM marts.fct_visit")
    assert answer.status_code == 409
    assert "of marts.fct_visit: day, hours, at, fee, ok, outcome" in answer.json()["detail"]
    assert CANARY in ask(api.to("engineer"), "SELECT * FROM marts.fct_visit").text


@pytest.mark.parametrize(
    "statement", ["DELETE FROM marts.fct_visit", "SELECT 1; SELECT 2", "SELECT pg_sleep(1)", "", "x"]
)
def test_what_is_no_plain_query_is_refused(mart, api, statement):
    assert ask(api.to("engineer"), statement).status_code == 409


def test_a_viewer_may_not(mart, api):
    assert ask(api.to("viewer"), "SELECT 1").status_code == 403


def test_a_role_changed_by_hand_is_repaired(mart, api):
    assert ask(api.to("analyst"), "SELECT 1").status_code == 200
    mart.connection.execute("ALTER ROLE tests_query PASSWORD 'other'")
    assert ask(api.to("analyst"), "SELECT 1").status_code == 200


def test_an_owner_who_may_make_no_roles_says_how_it_is_done(mart, api, monkeypatch):
    mart.connection.execute("ALTER ROLE tests_query PASSWORD 'other'")

    def may_not(*_, **__):
        raise psycopg.errors.InsufficientPrivilege("permission denied to alter role")

    monkeypatch.setattr("lastmile.warehouse.sandbox.roles._make", may_not)
    answer = ask(api.to("analyst"), "SELECT 1")
    assert answer.status_code == 503
    assert "CREATEROLE" in answer.json()["detail"]
